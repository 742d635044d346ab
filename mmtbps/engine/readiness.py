"""All that keeps a run from beginning, said at once."""

from collections.abc import Callable

from mmengine.config import Config

from mmtbps.errors import SeveralFaults, UserError

from .data_checks import UnfitData, check_data_sets
from .preflight import MissingFiles, find_missing

__all__ = ['NotReady', 'stop_if_unready']


class NotReady(SeveralFaults, ValueError):
    """Faults of several kinds with which a run cannot begin."""

    heading = 'cannot start, because of:'


def stop_if_unready(cfg: Config, *checks: Callable[[], None]) -> list[str]:
    """Look for missing files and unfit data, and raise one error for everything that is wrong.

    Args:
        cfg: a complete config.
        checks: further ones, of the work folder for instance, which raise a `UserError`.

    Returns:
        Lines for the log: how well each tokenizer knows the captions.

    Raises:
        MissingFiles: data sets or weights are missing, and nothing else is wrong.
        UnfitData: training and validation share people, or a tokenizer does not know the captions.
        NotReady: faults of several kinds. The only fault that one of ``checks`` finds is raised as
            it is.
    """
    others = [fault for check in checks if (fault := _fault_of(check))]
    missing, data = find_missing(cfg), check_data_sets(cfg)
    if others and not missing and not data.problems and len(others) == 1:
        raise others[0]
    for kind, faults in ((MissingFiles, missing), (UnfitData, data.problems)):
        if faults and len(faults) == len(others) + len(missing) + len(data.problems):
            raise kind(faults)
    if others or missing or data.problems:
        raise NotReady([*others, *missing, *data.problems])
    return data.lines


def _fault_of(check: Callable[[], None]) -> UserError | None:
    """Return what a check raises, if that is the user's to mend."""
    try:
        check()
    except UserError as error:
        return error
    return None
