"""Division of work among processes that do not talk to each other."""

import hashlib
import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from mmtbps.errors import BadValue

__all__ = ['JobShard']


class JobShard(NamedTuple):
    """One of ``count`` parts of the work, written ``index/count``; ``index`` counts from 0.

    Every piece of work belongs to exactly one part, by its identity alone: neither the order of
    the work nor the other processes matter.

    Args:
        index: This part.
        count: All parts.

    Example:
        >>> shard = JobShard.parse('2/8')
        >>> shard.owns_id('7c1e9f20a4b3d852'), str(shard)
        (True, '2/8')
        >>> [JobShard(part, 2).owns_name('cam_a/0001.jpg') for part in (0, 1)]
        [False, True]
    """

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> 'JobShard':
        """Read ``'i/n'``, ``i`` from 0 to ``n - 1``.

        Raises:
            BadValue: The text is no such pair.
        """
        match = re.fullmatch(r'(\d+)/(\d+)', text)
        if match is None or int(match[1]) >= int(match[2]):
            raise BadValue(f"shard must be 'i/n' with i from 0 to n-1, such as '0/4', "
                           f'got {text!r}')
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> 'JobShard':
        """Find the part of this process by ``SLURM_ARRAY_TASK_*`` and torchrun's ``RANK``.

        With both, every task of the array splits its part among its ranks. With neither, the
        process has it all.

        Raises:
            BadValue: The tasks of the array are not numbered in even steps, or a variable is no
                whole number or missing.
        """
        env = os.environ if environment is None else environment
        task, tasks = 0, 1
        if 'SLURM_ARRAY_TASK_ID' in env:
            tasks, step = _number(env, 'TASK_COUNT'), _number(env, 'TASK_STEP', 1)
            task, rest = divmod(_number(env, 'TASK_ID') - _number(env, 'TASK_MIN', 0), step)
            if rest or not 0 <= task < tasks:
                raise BadValue(
                    f'SLURM_ARRAY_TASK_ID={env["SLURM_ARRAY_TASK_ID"]} is not one of '
                    f'{tasks} evenly numbered tasks: number the array 0 to n-1, or name the '
                    'shard yourself')
        rank, world = int(env.get('RANK', 0)), int(env.get('WORLD_SIZE', 1))
        return cls(task * world + rank, tasks * world)

    def owns_id(self, job_id: str) -> bool:
        """Tell whether a job, named by hexadecimal digits, is this part's."""
        return int(job_id, 16) % self.count == self.index

    def owns_name(self, name: str) -> bool:
        """Tell whether a file, named by its relative path, is this part's."""
        digest = hashlib.blake2b(name.encode('utf-8', 'replace'), digest_size=8).digest()
        return int.from_bytes(digest, 'big') % self.count == self.index

    def __str__(self) -> str:
        return f'{self.index}/{self.count}'


def _number(env: Mapping[str, str], name: str, default: int | None = None) -> int:
    """Read a number of a Slurm array."""
    name = f'SLURM_ARRAY_{name}'
    if name not in env and default is not None:
        return default
    try:
        return int(env[name])
    except (KeyError, ValueError):
        raise BadValue(f'SLURM_ARRAY_TASK_ID is set, and {name} is {env.get(name, "missing")}: '
                       'name the shard yourself, or unset both') from None
