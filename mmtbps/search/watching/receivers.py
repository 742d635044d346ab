"""Receivers of alarms: the interface, and a file of JSON lines that has each alarm once."""

import os
from abc import ABC, abstractmethod
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from mmtbps.errors import BadValue, UserError
from mmtbps.fileio import JsonlWriter, iter_json_lines

from .alarms import Alarm

__all__ = ['FileReceiver', 'NotReceived', 'Receiver', 'split_address']


class NotReceived(UserError, OSError):
    """An alarm that a receiver has not taken; it is sent again."""


class Receiver(ABC):
    """Receiver of alarms, one at a time and in order.

    Attributes:
        kind: By which alarms wait for it; another address of the same kind takes them over.
        name: In messages, without anything secret.
    """

    kind: str
    name: str

    @abstractmethod
    def send(self, alarm: Alarm) -> None:
        """Send an alarm; on return the receiver has it.

        Raises:
            OSError: It has not, or nobody knows.
        """

    def close(self) -> None:  # noqa: B027
        """Give up what is open."""


class FileReceiver(Receiver):
    """Receiver that appends JSON lines to a file, which has each alarm exactly once.

    Args:
        path: The file. A half-written last line, as a kill leaves it, is cut off.

    Raises:
        LockTaken: Another process writes it.
        RecordError: A line of it is no JSON.
    """

    kind = 'file'

    def __init__(self, path: str | os.PathLike) -> None:
        self.name = os.fspath(path)
        self._file = JsonlWriter(path, keep_whole=False)
        self._there = {row['id'] for _, row in iter_json_lines(path)
                       if isinstance(row, dict) and 'id' in row}

    def send(self, alarm: Alarm) -> None:
        """Append an alarm, unless it is there."""
        if alarm.id not in self._there:
            self._file.append(alarm.to_json())
            self._there.add(alarm.id)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def split_address(address: str, schemes: tuple[str, ...], option: str,
                  variable: str) -> SplitResult:
    """Split the address of a receiver or a stream, in which there is no password.

    Args:
        address: A URL.
        schemes: That it may have.
        option: Of the command line, for the message.
        variable: Of the environment that may hold the password.

    Raises:
        BadValue: It is none, or has a password; that is not repeated.

    Example:
        >>> split_address('mqtt://me@broker/alarms', ('mqtt', ), '--mqtt', 'PASSWORD').hostname
        'broker'
    """
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018  # it is read when it is asked for
    except ValueError as error:
        raise BadValue(f'{option}: no address ({error})') from error
    if parts.password is not None:
        raise BadValue(f'{option}: an address with a password ends in lists of processes and in '
                       f'logs; leave it out, and set {variable} in the environment')
    if parts.scheme not in schemes or not parts.hostname:
        raise BadValue(f'{option}: an address is {schemes[0]}://host/..., got '
                       f'{Path(parts.path).name if "@" in address else address!r}')
    return parts
