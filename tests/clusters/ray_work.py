"""Work that may end its process; called by name in actors."""

import os
from pathlib import Path

from ray_rig import small_pool

from mmtbps.errors import BadValue


class Adder:
    """Adds numbers, notes each try in a folder; 13 ends the process, 99 is refused."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self):
        return self.add

    def add(self, numbers):
        (Path(self.folder) / f'{numbers}-{os.urandom(4).hex()}').touch()
        if 13 in numbers:
            os._exit(9)
        if 99 in numbers:
            raise BadValue('99 is refused')
        return sum(numbers)


def add_with_poison(folder):
    with small_pool() as pool:
        return list(pool.run(Adder(folder), [[1, 2], [3, 13], [5, 6]]))


def add_refused(folder):
    with small_pool() as pool:
        try:
            return list(pool.run(Adder(folder), [[1], [99]]))
        except BadValue as error:
            return str(error)
