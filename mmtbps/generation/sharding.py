"""Which jobs are this process's, found without asking any other process."""

import os
import re
from collections.abc import Mapping
from typing import NamedTuple

__all__ = ['Shard']


class Shard(NamedTuple):
    """One of ``count`` parts of the work; ``index`` counts from 0.

    >>> shard = Shard.parse('2/8')
    >>> shard.owns('7c1e9f20a4b3d852'), str(shard)
    (True, '2/8')
    """

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> 'Shard':
        """Read ``'i/n'``, ``i`` from 0 to ``n - 1``.

        Raises:
            ValueError: If the text is no such pair.
        """
        match = re.fullmatch(r'(\d+)/(\d+)', text)
        if match is None or int(match[1]) >= int(match[2]):
            raise ValueError(f"shard must be 'i/n' with i from 0 to n-1, such as '0/4', "
                             f'found {text!r}')
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> 'Shard':
        """The part of this process by ``SLURM_ARRAY_TASK_*`` and torchrun's ``RANK``.

        With both, every task of the array splits its part among its ranks. With neither, the
        process has it all.

        Raises:
            ValueError: If the tasks of the array are not numbered in even steps.
        """
        env = os.environ if environment is None else environment
        task, tasks = 0, 1
        if 'SLURM_ARRAY_TASK_ID' in env:
            tasks = int(env['SLURM_ARRAY_TASK_COUNT'])
            step = int(env.get('SLURM_ARRAY_TASK_STEP', 1))
            task, rest = divmod(
                int(env['SLURM_ARRAY_TASK_ID']) - int(env.get('SLURM_ARRAY_TASK_MIN', 0)), step)
            if rest or not 0 <= task < tasks:
                raise ValueError(
                    f'SLURM_ARRAY_TASK_ID={env["SLURM_ARRAY_TASK_ID"]} is not one of '
                    f'{tasks} evenly numbered tasks: number the array 0 to n-1, or name the '
                    'shard yourself (--shard i/n)')
        rank, world = int(env.get('RANK', 0)), int(env.get('WORLD_SIZE', 1))
        return cls(task * world + rank, tasks * world)

    def owns(self, job_id: str) -> bool:
        """Whether a job is this part's."""
        return int(job_id, 16) % self.count == self.index

    def __str__(self) -> str:
        return f'{self.index}/{self.count}'
