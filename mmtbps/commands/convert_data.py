"""Convert a data set to parquet, as Hugging Face has it, to tar shards of webdataset, to the files
of other projects, and back.

The new folder appears when it is whole. Of parquet with images, and back, files of images and of
annotations are those of the original, byte for byte.

Examples:
    mmtbps convert-data data/CUHK-PEDES cuhk_parquet
    mmtbps convert-data data/CUHK-PEDES cuhk_parquet --paths
    mmtbps convert-data cuhk_parquet data/CUHK-again
    mmtbps convert-data data/RSTPReid mine --to jsonl
    mmtbps convert-data theirs.parquet mine --column person_id=pid --split train
    mmtbps convert-data shards mine --to jsonl
    mmtbps convert-data data/CUHK-PEDES rasa --to rasa
    mmtbps convert-data aptm/data data/again --from aptm --to cuhk --ann-file 'cuhk_{split}.json'
    mmtbps convert-data data/MALS mals --from mals --to parquet
    mmtbps convert-data LUPerson_train.arrow data/LUPerson-T --each-image --to jsonl
"""

import argparse

from mmtbps.datasets.conversion import convert_data
from mmtbps.datasets.conversion.convert import FORMS, SOURCES, ConversionReport
from mmtbps.datasets.conversion.parquet_files import COLUMNS
from mmtbps.errors import BadValue, printable

from .wording.json_answers import add_json, answer

__all__ = ['add_arguments', 'run']

INTERRUPTED = 'interrupted; nothing was written'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add both places, their forms, and names that a stranger's files have."""
    parser.add_argument('source', help='folder with annotations and images; file or folder of '
                        'parquet or of tar shards')
    parser.add_argument('target', help='the new folder')
    parser.add_argument('--to', choices=FORMS, help='form of the new folder (default: parquet; of '
                        'parquet the layout that it was made of)')
    parser.add_argument('--from', choices=SOURCES, dest='form',
                        help='form of the source (default: what its files say)')
    parser.add_argument('--ann-file', help='annotation file, if it is called otherwise')
    parser.add_argument('--images', help='image folder below the source, if it is called otherwise')
    parser.add_argument('--column', nargs='+', action='extend', default=[], metavar='OURS=THEIRS',
                        help=f'name of a column of parquet, of {", ".join(COLUMNS)}')
    parser.add_argument('--split', help='of rows that do not say theirs')
    parser.add_argument('--each-image', action='store_true',
                        help='of parquet and Arrow: no column says the person, each image is one')
    parser.add_argument('--strip-prefix', default='', metavar='PATH', help='beginning of the paths '
                        'of all records that the image folder does not have')
    parser.add_argument('--paths', action='store_true',
                        help='parquet with the paths of the images, without the images')
    parser.add_argument('--shard-size', type=int, default=500, metavar='MB',
                        help='after which the next file begins (default: %(default)s)')
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Convert, and say what was written and what was left out."""
    if args.shard_size < 1:
        raise BadValue('--shard-size must be at least 1')
    report = convert_data(args.source, args.target, args.to, args.form, args.ann_file, args.images,
                          _columns(args.column), args.split, not args.paths,
                          args.shard_size * 10**6, args.each_image, args.strip_prefix)
    print(printable(f'{args.target}: {word_report(report)}'))
    answer(dict(report._asdict(), source=args.source, target=args.target, source_form=report.source,
                target_form=report.target))


def word_report(report: ConversionReport) -> str:
    """Word a report in one line.

    Example:
        >>> word_report(ConversionReport('cuhk', 'jsonl', 1200, 1200, dict(tokens=3), None))
        'cuhk to jsonl: 1,200 records, 1,200 with their images; left out: tokens of 3 records'
    """
    words = [f'{report.source} to {report.target}: {report.records:,} records, '
             f'{report.images:,} with their images']
    words += [f'left out: {key} of {count:,} records' for key, count in report.left_out.items()]
    if report.exact is False:
        words.append('converted back, the annotation file has the same content in another layout')
    return '; '.join(words)


def _columns(pairs: list[str]) -> dict[str, str]:
    """Read OURS=THEIRS."""
    columns = dict(pair.partition('=')[::2] for pair in pairs)
    for ours, theirs in columns.items():
        if ours not in COLUMNS or not theirs:
            raise BadValue(f'--column must be OURS=THEIRS with OURS of {", ".join(COLUMNS)}; got '
                           f'{ours}={theirs}')
    return columns
