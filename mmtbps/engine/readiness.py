"""All that keeps a run from beginning, said at once."""

import logging
from collections.abc import Callable, Iterable

from mmengine.config import Config

from mmtbps.errors import Notice, SeveralFaults, UserError

from .data_checks import UnfitData, check_data_sets
from .preflight import MissingFiles, find_missing

__all__ = ['NotReady', 'log_lines', 'stop_if_unready']


class NotReady(SeveralFaults, ValueError):
    """Faults of several kinds with which a run cannot begin."""

    heading = 'cannot start, because of:'


def stop_if_unready(cfg: Config, *checks: Callable[[], None]) -> list[str]:
    """Look for missing files and unfit data, and raise one error for everything that is wrong.

    Args:
        cfg: a complete config.
        checks: further ones, of the work folder for instance, which raise a `UserError`.

    Returns:
        Lines for the log, see `stop_if_unfit`.

    Raises:
        MissingFiles: data sets or weights are missing, and nothing else is wrong.
        UnfitData: training and validation share people, or a tokenizer does not know the captions.
        NotReady: faults of several kinds. The only fault that one of ``checks`` finds is raised as
            it is.
    """
    data = check_data_sets(cfg)
    kinds = [(NotReady, [fault for check in checks if (fault := _fault_of(check))]),
             (MissingFiles, find_missing(cfg)), (UnfitData, data.problems)]
    kinds = [(kind, faults) for kind, faults in kinds if faults]
    if len(kinds) > 1:
        raise NotReady([fault for _, faults in kinds for fault in faults])
    for kind, faults in kinds:
        raise faults[0] if kind is NotReady and len(faults) == 1 else kind(faults)
    return data.lines


def log_lines(logger: logging.Logger, lines: Iterable[str],
              word: Callable[[str], str] = str) -> None:
    """Log lines, as warnings those that are.

    Args:
        logger: of the run.
        lines: see `stop_if_unfit`.
        word: words a `Notice`.
    """
    for line in lines:
        log = logger.warning if isinstance(line, Notice) and line.warning else logger.info
        log(word(line))


def _fault_of(check: Callable[[], None]) -> UserError | None:
    """Return what a check raises, if that is the user's to mend."""
    try:
        check()
    except UserError as error:
        return error
    return None
