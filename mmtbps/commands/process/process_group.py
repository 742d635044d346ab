"""End of one process of a distributed run, which the others must neither hang on nor explain."""

import re
import sys
import time
from types import ModuleType
from typing import NoReturn

__all__ = ['await_launcher', 'end_command', 'group_rank', 'is_loss_of_peer']

#: Seconds in which a launcher ends the processes that are left.
_PATIENCE = 10.
_LOST = re.compile(r'connection (closed|reset)|broken pipe|gloo|nccl|remote process', re.IGNORECASE)


def group_rank() -> int:
    """Return the rank of this process; 0 without a group."""
    group = _group()
    return group.get_rank() if group else 0


def is_loss_of_peer(error: BaseException) -> bool:
    """Check for the error of a collective operation whose other processes are gone.

    Args:
        error: of any kind.
    """
    return bool(_group()) and isinstance(error, RuntimeError) and bool(_LOST.search(str(error)))


def await_launcher() -> None:
    """Wait for the signal of a launcher that has noticed the process that failed.

    That one says why. Were this one to end now, its follow-up error would be taken for the cause.
    """
    time.sleep(_PATIENCE)


def end_command(code: int) -> NoReturn:
    """End this command; in a group at once, without waiting for processes that are gone."""
    if _group():
        from mmtbps.engine.launch import end_process
        end_process(code)
    raise SystemExit(int(code)) from None


def _group() -> ModuleType | None:
    """Return torch's module of this run's group of several processes, if there is one."""
    group = sys.modules.get('torch.distributed')  # never imported for this alone
    if group is None or not group.is_available() or not group.is_initialized():
        return None
    return group if group.get_world_size() > 1 else None
