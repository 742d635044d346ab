"""Options of the data doctor: a page about what is wrong with data, and a cleaned copy."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from mmtbps.datasets import TBPSDataset
from mmtbps.datasets.annotations import LocatedRecord
from mmtbps.datasets.doctor import (
    KINDS,
    Finding,
    check_target,
    examine,
    write_clean,
    write_report,
)
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
        check_target(args.fix)


def see_doctor(args: argparse.Namespace, dataset: TBPSDataset, located: Sequence[LocatedRecord],
               sizes: Sequence[dict[str, Any]], number: int,
               say: Callable[[str], None]) -> dict[str, Any]:
    """Examine a data set, if that is asked for; write the page and the cleaned copy.

    Args:
        args: of the command.
        dataset: that the records are of.
        located: its records, of all splits.
        sizes: rows for the page.
        number: of the data set, from 0; from the second on it is added to the names.
        say: prints a line.

    Returns:
        The findings and what was written, as JSON types; empty if neither is asked for.
    """
    if not (args.report or args.fix):
        return {}
    folder = args.fix and _numbered(args.fix, number)
    if folder:
        check_target(folder)
    findings = examine(located, _progress, dataset.fault_of)
    for finding in findings:
        kind = KINDS[finding.kind]
        say(f'{"PROBLEM" if kind.problem else "note   "} {finding.kind}: {finding.text}')
    seen = dict(findings=[dict(finding.to_json(), problem=KINDS[finding.kind].problem)
                          for finding in findings])
    try:
        if folder:  # first, for it must be empty, and the page may lie in it
            seen.update(_clean(dataset, located, findings, folder, say))
    finally:  # the page says why there is no copy
        if args.report:
            page = _numbered(args.report, number)
            write_report(page, dataset.dataset_name, sizes, findings)
            seen['report'] = str(page)
            say(f'report  {page}')
    return seen


def _clean(dataset: TBPSDataset, located: Sequence[LocatedRecord], findings: Sequence[Finding],
           folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Write the cleaned copy; say and return what was written."""
    written, changes = write_clean(located, findings, folder, dataset.fault_of)
    say(f'{len(changes)} changes, listed in {folder / FIXES_FILE}')
    for file, images in written.items():
        say(f'cleaned {file}, with the images of {images}')
    if emptied := len({item.source for item in located}) - len(written):
        say(f'{emptied} annotation files have no record left and are not written')
    return dict(changes=len(changes), cleaned=[
        dict(file=str(file), images=str(images)) for file, images in written.items()])


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f'{path.stem}-{number + 1}{path.suffix}') if number else path


def _progress(items: Iterator, total: int) -> Iterator:
    return track(items, 'Looking at pictures', total=total, console=Console(stderr=True),
                 disable=not sys.stderr.isatty())
