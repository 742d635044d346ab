"""Errors of LanceDB in plain words, and reading while others compact."""

import re
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from mmtbps.errors import first_line
from mmtbps.fileio import explain_disk_full

from .faults import RESTORE, GalleryUnreadable

__all__ = ['explained', 'is_of_storage', 'reading']

_OF_STORAGE = re.compile('lance ?error|invalid input', re.IGNORECASE)
Method = TypeVar('Method', bound=Callable[..., Any])


def explained(method: Method) -> Method:
    """Raise errors of the storage, which LanceDB gives as RuntimeError and others, in plain words.

    That of a full disk is `DiskFull`, any other `GalleryUnreadable`.
    """
    @wraps(method)
    def call(self: Any, *args: Any, **keywords: Any) -> Any:
        try:
            return method(self, *args, **keywords)
        except Exception as error:
            if not is_of_storage(error):
                raise
            to_store = sum(getattr(value, 'nbytes', 0) for value in args)  # features
            if (full := explain_disk_full(error, self.uri, to_store)) is not error:
                raise full from error
            reason = re.sub(r'^lance error: |, \S+\.rs:\d+:\d+', '', str(error))
            raise GalleryUnreadable(
                f'{self.uri}: LanceDB cannot read or write it ({first_line(reason)}). Check the '
                f'address; if files are damaged or gone: {RESTORE}') from error

    return call


def reading(method: Method) -> Method:
    """Read what is there now, of the model that the gallery was opened with.

    Another process that compacts takes the files away from a version that is being read: the next
    one is read then.
    """
    @explained
    @wraps(method)
    def read(self: Any, *args: Any, **keywords: Any) -> Any:
        for last in (False, False, True):
            try:
                found = method(self, *args, **keywords)
            except Exception as error:
                if last or not is_of_storage(error):
                    raise
            else:
                break
            self._check_model()
        self._check_model()
        return found

    return read


def is_of_storage(error: Exception) -> bool:
    """Tell what LanceDB says of files, also damaged ones, from a fault of the program."""
    return type(error).__name__ == 'RustPanic' or (
        type(error) in (RuntimeError, ValueError) and bool(_OF_STORAGE.match(str(error))))
