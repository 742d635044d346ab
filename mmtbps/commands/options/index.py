"""Options and warnings of an index run on a command line."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mmtbps.errors import BadValue, printable
from mmtbps.fileio import AnyPath, JobShard

from .addresses import path_or_address

if TYPE_CHECKING:
    from mmtbps.search.captioning import CaptionOptions
    from mmtbps.search.indexing import IndexOptions, IndexReport

__all__ = ['add_index_options', 'print_warnings', 'read_caption_options', 'read_index_options',
           'word_similar']

_SHOWN = 10  # skipped files and unknown rows that are named; the log has all


class _Once(argparse.Action):
    """Option that may not be given twice, of which argparse would take the last alone."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace,
                 values: AnyPath, option_string: str | None = None) -> None:
        if getattr(namespace, self.dest) is not None:
            parser.error(f'{option_string} is given twice: index once with each table')
        setattr(namespace, self.dest, values)


def add_index_options(command: argparse.ArgumentParser) -> None:
    """Add the folder and the options of `IndexOptions`, and ``--metadata``."""
    command.add_argument('source', type=path_or_address, help='a folder of crops, one person each, '
                         'or its address (s3://, gs://, az://, https://); a tar shard or parquet '
                         'file of crops; with --detector, of photographs and videos')
    command.add_argument('--images', type=path_or_address, help='folder that paths are kept '
                         'relative to, if source is only a part of it (default: the folder '
                         'indexed first)')
    command.add_argument('--metadata', type=path_or_address, action=_Once, help='CSV or JSONL '
                         'with path and any of camera, time, track and keys of your own')
    command.add_argument('--captioner', metavar='SOURCE', help='mix captions into the features: '
                         'hf:NAME of an image-to-text model of transformers, or a .json or .jsonl '
                         'of captions by path')
    command.add_argument('--caption-weight', type=float, metavar='W', help='share of the captions, '
                         '0 to below 1 (default: 0.3)')
    command.add_argument('--prune', action='store_true', help='remove what is gone from the folder')
    command.add_argument('--prune-most', action='store_true', help='the same, also if that is more '
                         'than half of what the gallery has of the folder')
    command.add_argument('--exclude', action='append', default=[], metavar='GLOB', help='pass over '
                         'these files and folders, by name or path; may be given several times')
    command.add_argument('--rehash', action='store_true', help='read every file; otherwise one of '
                         'known size and time of change is not read')
    command.add_argument('--batch-size', type=int, default=64, help='default: %(default)s')
    command.add_argument('--workers', type=int, default=2, help='threads that read images '
                         '(default: %(default)s)')
    command.add_argument('--commit-every', type=int, default=512, help='crops stored at once '
                         '(default: %(default)s)')
    command.add_argument('--shard', metavar='I/N', help='the i-th of n parts, i from 0 (default: '
                         'what a SLURM array or torchrun says, else all)')
    command.add_argument('--log', type=Path, help='append a JSON line for each file that is safe '
                         'or was skipped')
    command.add_argument('--metrics', type=Path, metavar='FILE.prom', help='write metrics of a '
                         'complete run for Prometheus, to be collected by its node exporter')
    command.add_argument('--quiet', action='store_true', help='show no progress')


def read_index_options(args: argparse.Namespace) -> 'IndexOptions':
    """Read the options of `add_index_options`.

    Raises:
        BadValue: A number is below 1, the shard is none, or a SLURM array is not evenly
            numbered.
    """
    from mmtbps.search.indexing import IndexOptions
    shard = JobShard.parse(args.shard) if args.shard else JobShard.from_environment()
    return IndexOptions(
        batch_size=args.batch_size, workers=args.workers, commit_every=args.commit_every,
        prune=args.prune or args.prune_most, prune_most=args.prune_most, exclude=args.exclude,
        progress=not args.quiet, shard=shard, log=args.log,
        images=args.images, rehash=args.rehash)


def read_caption_options(args: argparse.Namespace) -> 'CaptionOptions | None':
    """Open the captions of a command line; None where none are named.

    Raises:
        BadValue: The weight is none, or stands alone.
    """
    from mmtbps.search.captioning import CaptionOptions, check_caption_weight, open_captions
    if args.captioner is None:
        if args.caption_weight is not None:
            raise BadValue('--caption-weight is the share of --captioner; name both')
        return None
    weight = {} if args.caption_weight is None else dict(
        weight=check_caption_weight(args.caption_weight))  # before a model is loaded
    return CaptionOptions(open_captions(args.captioner, args.device), **weight)


def print_warnings(report: 'IndexReport', metadata: AnyPath | None) -> None:
    """Print what of a run should be looked at, with the option that helps."""
    said = [f'skipped {path}: {reason}' for path, reason in report.skipped[:_SHOWN]]
    if (more := len(report.skipped) - _SHOWN) > 0:
        said.append(f'... and {more} more; --log FILE keeps all')
    said += [f'note {path}: {note}' for path, note in report.notes[:_SHOWN]]
    said += [f'without a caption {path}: {reason}'
             for path, reason in report.uncaptioned[:_SHOWN]]
    if (more := len(report.uncaptioned) - _SHOWN) > 0:
        said.append(f'... and {more} more without a caption; --log FILE keeps all')
    if report.cut_captions:
        said.append(f'{report.cut_captions} captions are longer than the model reads: their rest '
                    'is shown, and in no feature')
    said += [f'--exclude {pattern} fits nothing' for pattern in report.unused]
    if report.unknown:
        named = [path + word_similar(report.similar.get(path)) for path in report.unknown[:_SHOWN]]
        said.append(f'{len(report.unknown)} rows of {metadata} name no file: {", ".join(named)}')
    if report.forgotten:
        said.append(f'{report.forgotten} files hold another picture than before: of what was said '
                    'of the former, only the camera is kept. Name --metadata with what is known')
    if report.wide:
        said.append(f'{len(report.wide)} new pictures have not the shape of a person who stands, '
                    f'or more than 2 million pixels, such as {report.wide[0]}. If they are whole '
                    'photographs, find the people in them with --detector, into a new gallery')
    if report.videos:
        said.append(f'{len(report.videos)} videos were passed over, such as {report.videos[0]}: '
                    'the people in them are found with --detector, into a new gallery')
    if report.packed:
        said.append(f'{len(report.packed)} shards and parquet files beside the images were passed '
                    f'over, such as {report.packed[0]}: index one by its name, if it holds others')
    if report.nobody:
        said.append(f'in {len(report.nobody)} files nobody was found, such as {report.nobody[0]}; '
                    'a lower --threshold finds more')
    for line in said:
        print(printable(line), file=sys.stderr)


def word_similar(similar: str | None) -> str:
    """Word the name that may have been meant.

    Example:
        >>> 'b.jpg' + word_similar('B.JPG'), 'c.jpg' + word_similar(None)
        ('b.jpg (did you mean B.JPG?)', 'c.jpg')
    """
    return f' (did you mean {similar}?)' if similar else ''
