"""Options of the data doctor: a page about what is wrong with data, and a cleaned copy."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from mmtbps.datasets.annotations import LocatedRecord
from mmtbps.datasets.doctor import KINDS, examine, write_clean, write_report
from mmtbps.datasets.doctor.clean import FIXES_FILE
from mmtbps.fileio import check_writable

__all__ = ['add_doctor_options', 'check_targets', 'see_doctor']


def add_doctor_options(parser: argparse.ArgumentParser) -> None:
    """Add what is written about a data set."""
    parser.add_argument('--report', type=Path, metavar='FILE.html', help='look closer, with copies '
                        'of pictures in two splits, and write a page with pictures')
    parser.add_argument('--fix', type=Path, metavar='FOLDER', help='look closer, and write cleaned '
                        'annotation files there, with a list of what was done')


def check_targets(args: argparse.Namespace) -> None:
    """Refuse targets that cannot be written, before anything is read."""
    if args.report:
        check_writable(args.report)
    if args.fix:
        check_writable(args.fix, folder=True)


def see_doctor(args: argparse.Namespace, name: str, located: Sequence[LocatedRecord],
               sizes: Sequence[dict[str, Any]], number: int,
               say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Examine a data set, if that is asked for; write the page and the cleaned copy.

    Args:
        args: of the command.
        name: of the data set.
        located: its records, of all splits.
        sizes: rows for the page.
        number: of the data set, from 0; from the second on it is added to the names.
        say: prints a line.

    Returns:
        The findings, as JSON types.
    """
    if not (args.report or args.fix):
        return []
    findings = examine(located, _progress)
    for finding in findings:
        kind = KINDS[finding.kind]
        say(f'{"PROBLEM" if kind.problem else "note   "} {finding.kind}: {finding.text}')
    if args.report:
        page = _numbered(args.report, number)
        write_report(page, name, sizes, findings)
        say(f'report  {page}')
    if args.fix:
        folder = _numbered(args.fix, number)
        written, changes = write_clean(located, findings, folder)
        say(f'{len(changes)} changes, listed in {folder / FIXES_FILE}')
        for file, images in written.items():
            say(f'cleaned {file}, with the images of {images}')
    return [dict(finding.to_json(), problem=KINDS[finding.kind].problem) for finding in findings]


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f'{path.stem}-{number + 1}{path.suffix}') if number else path


def _progress(items: Iterator, total: int) -> Iterator:
    return track(items, 'Looking at pictures', total=total, console=Console(stderr=True),
                 disable=not sys.stderr.isatty())
