"""Kinds of findings: how grave they are, and what cleaning does about them."""

from typing import NamedTuple

__all__ = ['KINDS', 'Kind']


class Kind(NamedTuple):
    """A kind of finding.

    Args:
        problem: whether it makes numbers wrong; else it is a note.
        cure: what `mmtbps.datasets.doctor.clean` does about it; empty where a person has to decide.
    """

    problem: bool
    cure: str = ''


KINDS = {
    'missing picture': Kind(True, 'the record is left out'),
    'broken picture': Kind(True, 'the record is left out'),
    'picture in two splits': Kind(True, 'left out of train, or of val if the other is of test'),
    'person in two splits': Kind(True, 'left out of train, or of val if the other is of test'),
    'record twice': Kind(True, 'kept once'),
    'picture of two people': Kind(True),
    'caption of several people': Kind(False),
    'empty caption': Kind(False, 'left out'),
    'unusable caption': Kind(False, 'left out'),
    'caption twice': Kind(False, 'kept once'),
    'beyond ASCII': Kind(False, 'signs of typesetters become those of a keyboard'),
    'one picture': Kind(False),
    'id gap': Kind(False),
}
