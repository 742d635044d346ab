"""Memory of processes, from Linux' own books."""

import contextlib
from pathlib import Path

__all__ = ['children_of', 'memory_of', 'memory_of_all']


def memory_of(process: int) -> int:
    """Read the bytes of a process, those shared with others by their share; 0 if it is gone."""
    try:
        text = Path(f'/proc/{process}/smaps_rollup').read_text(encoding='ascii')
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 1024 * next((int(line.split()[1]) for line in text.splitlines()
                        if line.startswith('Pss:')), 0)


def memory_of_all(process: int) -> int:
    """Add up the bytes of a process and of those it has started, and these in turn."""
    return sum(map(memory_of, [process, *children_of(process)]))


def children_of(process: int) -> list[int]:
    """List the processes that one has started, and these in turn."""
    found = []
    for task in Path(f'/proc/{process}/task').glob('*/children'):
        with contextlib.suppress(OSError):
            for child in map(int, task.read_text(encoding='ascii').split()):
                found += [child, *children_of(child)]
    return found
