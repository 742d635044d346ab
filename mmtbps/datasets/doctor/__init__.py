"""Data doctor: what is wrong with a data set, a page about it, and a cleaned copy."""

from .clean import Change, check_target, clean_records, write_clean
from .examine import examine
from .findings import Finding, Place
from .kinds import KINDS, Kind
from .likeness import find_alike, hash_picture
from .report import write_report

__all__ = ['KINDS', 'Change', 'Finding', 'Kind', 'Place', 'check_target', 'clean_records',
           'examine', 'find_alike', 'hash_picture', 'write_clean', 'write_report']
