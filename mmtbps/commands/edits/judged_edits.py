"""Edits judged by eye, and gates bounded by those judgements, as commands."""

import argparse
import hashlib
from collections.abc import Sequence
from pathlib import Path

from mmtbps.errors import MissingFile, Remedy, printable
from mmtbps.fileio import as_path
from mmtbps.generation import BaseGate, load_done
from mmtbps.generation.quality.bounds import write_bounds
from mmtbps.generation.quality.calibration import Calibration, calibrate
from mmtbps.generation.quality.labels import read_labels, with_gates
from mmtbps.generation.runs.audit import AUDIT_FILE, Audit, audit_table
from mmtbps.generation.runs.manifest import read_images, read_run
from mmtbps.proportions import Proportion
from mmtbps.records import RecordError

from .audit_page import AuditPage

__all__ = ['add_audit_options', 'add_calibrate_options', 'audit', 'bound_gates']


def add_audit_options(command: argparse.ArgumentParser) -> None:
    """Add what `audit` takes: the run, its images, the sample and the page."""
    command.add_argument('run', type=Path, help='folder of a run')
    command.add_argument('--images', type=Path,
                         help='folder of the source images (default: that of the run)')
    command.add_argument('--samples', type=int, default=100,
                         help='edits, those judged before included (default: %(default)s)')
    command.add_argument('--seed', type=int, default=0, help='of the choice')
    command.add_argument('--port', type=int, default=7861,
                         help='of this machine, to which no other has access')
    command.add_argument('--table', action='store_true', help='print the shares, open no page')
    command.add_argument('--allow-outside', action='store_true',
                         help='show images that the run names outside that folder')


def add_calibrate_options(command: argparse.ArgumentParser) -> None:
    """Add what `bound_gates` takes: labels, precision, and the file to write."""
    command.add_argument('labels', type=Path, help='audit.jsonl of a run, or another labelled set')
    command.add_argument('--precision', type=float, default=.95,
                         help='share of right edits among those that pass (default: %(default)s)')
    command.add_argument('--out', type=Path,
                         help='JSON file of the bounds (default: bounds.json beside the labels)')


def audit(args: argparse.Namespace) -> None:
    """Serve the page on which a sample of edits is judged, then print the share of right ones.

    Args:
        args: Of `add_audit_options`.

    Raises:
        MissingFile: If the folder of the run or that of its images is not there.
        RecordError: If an image of the run lies outside that folder.
    """
    read_run(args.run)  # first: a folder without a run notes no images either
    images = args.images or read_images(args.run)
    if not args.table and (images is None or not as_path(images).is_dir()):
        raise MissingFile(f'{images or args.run}: the folder of the source images is not '
                          f'{"there" if images else "noted in this run"}', Remedy('images_folder'))
    with Audit(args.run, args.samples, args.seed, read_only=args.table) as judged:
        if args.table:
            return _print_shares(judged)
        with _open_page(judged, as_path(images), args) as page:
            try:
                print(f'The page is at {page.url}; Ctrl+C ends it.', flush=True)
                page.serve_forever(poll_interval=.1)
            finally:
                _print_shares(judged)


def _open_page(judged: Audit, images: Path, args: argparse.Namespace) -> AuditPage:
    try:
        return AuditPage(judged, images, args.port, args.allow_outside)
    except RecordError as error:
        error.remedy = Remedy('allow_outside')
        raise


def _print_shares(judged: Audit) -> None:
    for title, share in audit_table(judged.records.values(), judged.labels.values()):
        print(printable(f'{title}: {share} right'))
    print(f'{judged.folder / AUDIT_FILE}: {len(judged.labels)} edits are judged, '
          f'{len(judged.todo)} of the sample are not')


def bound_gates(args: argparse.Namespace, gates: Sequence[BaseGate], out_dir: Path) -> dict:
    """Choose bounds of gates by edits whose truth is known, write them, and print what they do.

    Args:
        args: Of `add_calibrate_options`.
        gates: With the bounds they have so far.
        out_dir: Folder of the run that measured the labelled edits.

    Returns:
        For a script: the file, the bounds of each gate, and the edits they were chosen by.
    """
    measured = {key: record.gates for key, record in load_done(out_dir).items()}
    labels = with_gates(read_labels(args.labels).values(), measured)
    if strange := sum(label.job_id not in measured for label in labels):
        print(f'{strange} of {len(labels)} labels are of jobs that {out_dir} does not have: the '
              'values that stand beside them count')
    found = calibrate(labels, gates, args.precision)
    out = args.out or args.labels.with_name('bounds.json')
    right = sum(label.label == 'right' for label in labels)
    sha256 = hashlib.sha256(args.labels.read_bytes()).hexdigest()[:12]
    source = (f'{args.labels.name} (sha256 {sha256}): {len(labels)} edits, {right} right; for a '
              f'precision of {args.precision:g}: {found.together[0]}')
    rows = _report_rows(found)
    write_bounds(out, found.bounds, source, rows)
    for row in rows:
        print(printable('{gates}: {bounds}; precision {precision}; recall {recall}'.format(**row)))
    print(f"{out}: name it in the config, generation['bounds'] = {str(out)!r}")
    return dict(file=str(out), bounds=found.bounds, edits=len(labels), right=right)


def _report_rows(found: Calibration) -> list[dict[str, str]]:
    """Word what bounds do, gate by gate, together, and on edits they were not chosen on."""
    def row(gates: str, bounds: str, measured: tuple[Proportion, Proportion]) -> dict[str, str]:
        return dict(gates=gates, bounds=bounds, precision=str(measured[0]),
                    recall=str(measured[1]))

    rows = [row(name, ', '.join(f'{side} {value:g}' for side, value in found.bounds[name].items())
                if name in found.bounds else 'bounds kept', measured)
            for name, measured in found.alone.items()]
    rows.append(row('all gates', 'together', found.together))
    if found.held_out:
        rows.append(row('all gates', 'each half by bounds of the other', found.held_out))
    return rows
