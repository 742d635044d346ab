"""Check data sets: sizes against the published ones, missing and broken images, bad captions."""

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from mmengine.logging import MMLogger

from mmtbps.commands.command_names import CommandParser
from mmtbps.commands.user_errors import one_line_errors, word_error
from mmtbps.config_file import read_config
from mmtbps.datasets import CUHKPEDES, ICFGPEDES, DrawnPEDES, RSTPReid, TBPSDataset
from mmtbps.errors import UserError
from mmtbps.registry import DATASETS

TYPES = dict(cuhk=CUHKPEDES, icfg=ICFGPEDES, rstp=RSTPReid, drawn=DrawnPEDES, jsonl=TBPSDataset)

#: Published files have these too, and every method leaves them out: worth a note, no fault.
HARMLESS = ('empty caption', 'caption is no text')

EXAMPLES = """examples:
  python tools/check_data.py --type cuhk --root data/CUHK-PEDES
  python tools/check_data.py --type jsonl --root data/mine --ann-file pairs.jsonl --images photos
  python tools/check_data.py configs/tbps/vit_bert_base_cuhk.py

The exit code is 1 if anything is missing, broken or of another size than published."""


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = CommandParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('config', nargs='?', help='check every data set this config names')
    parser.add_argument('--type', choices=TYPES, help='or: the kind of data set at --root')
    parser.add_argument('--root', default='', help='folder with annotation file and images')
    parser.add_argument('--ann-file', nargs='+', default='', help='if not the published name')
    parser.add_argument('--images', nargs='+', help='image folder(s), if not the published one')
    parser.add_argument('--no-decode', action='store_true',
                        help='only look whether images are there, do not decode them')
    parser.add_argument('--show', type=int, default=20, help='how many findings to print')
    args = parser.parse_args(argv)
    if bool(args.config) == bool(args.type):
        parser.error('give either a config or --type')
    return args


def datasets_of_config(node: Any) -> Iterator[tuple[type[TBPSDataset], dict]]:
    """Yield class and paths of every data set below a node of a config."""
    if isinstance(node, (list, tuple)):
        for child in node:
            yield from datasets_of_config(child)
    elif isinstance(node, dict):
        kind = node.get('type')
        cls = DATASETS.get(kind) if isinstance(kind, str) else kind
        if isinstance(cls, type) and issubclass(cls, TBPSDataset):
            yield cls, {key: node[key] for key in ('data_root', 'ann_file', 'data_prefix')
                        if key in node}
        else:
            for key in ('dataset', 'datasets'):
                yield from datasets_of_config(node.get(key))


def compare_sizes(dataset: TBPSDataset) -> tuple[list[str], list[str]]:
    """Print one row a file and split; return the splits and the differences to the published."""
    rows = defaultdict(list)
    for item in dataset.read_records():
        rows[item.source, item.record.split].append(item.record)
    print(f'{"file":<24}{"split":<7}{"people":>9}{"images":>9}{"captions":>10}  published')
    problems = []
    for (source, split), records in rows.items():
        found = (len({r.person_id for r in records}), len(records),
                 sum(len(r.captions) for r in records))
        published = dataset.published_sizes.get(split)
        verdict = '-'
        if published is not None and source.ann_file.suffix == '.json':
            verdict = 'equal' if found == published else f'{published[0]:,} / {published[1]:,} ' \
                                                         f'/ {published[2]:,}'
            if found != published:
                problems.append(f'{source.ann_file}: split {split!r} has another size than '
                                'published')
        print(f'{source.name:<24}{split:<7}{found[0]:>9,}{found[1]:>9,}{found[2]:>10,}  {verdict}')
    splits = list(dict.fromkeys(split for _, split in rows))
    if not rows:
        problems.append(f'{", ".join(str(source.ann_file) for source in dataset.sources())}: '
                        'no record in it')
    problems += [f'{dataset.dataset_name}: split {split!r} is missing'
                 for split in dataset.published_sizes if split not in splits]
    return splits, problems


def check(cls: type[TBPSDataset], paths: dict, decode: bool, show: int) -> int:
    """Print the findings in one data set; return the number of problems."""
    print(f'\n{cls.dataset_name}  {paths.get("data_root", "")}')
    try:
        splits, problems = compare_sizes(cls(**paths, lazy_init=True))
        skipped = []
        for split in splits:
            dataset = cls(**paths, split=split, test_mode=True, holdout=0, verify_images=decode,
                          lazy_init=True)
            try:
                dataset.full_init()
            except ValueError as error:
                if not dataset.skipped:  # otherwise the list of what was skipped says why
                    problems.append(_word(error))
            skipped += dataset.skipped
    except (FileNotFoundError, ValueError) as error:
        print(f'PROBLEM {_word(error)}')
        return 1
    for text in problems:
        print(f'PROBLEM {text}')
    for skip in skipped[:show]:
        print(f'{"note   " if skip.kind in HARMLESS else "PROBLEM"} {skip}')
    if len(skipped) > show:
        print(f'... and {len(skipped) - show} more (--show {len(skipped)} prints them)')
    for kind, count in Counter(skip.kind for skip in skipped).items():
        print(f'{count} x {kind}')
    return len(problems) + sum(skip.kind not in HARMLESS for skip in skipped)


def _word(error: Exception) -> str:
    return word_error(error) if isinstance(error, UserError) else str(error)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    MMLogger.get_current_instance().setLevel('ERROR')  # the data sets' own summaries
    with one_line_errors():
        return check_all(args)


def check_all(args: argparse.Namespace) -> int:
    """Check every data set that is asked for; return the exit code."""
    if args.config:
        config = read_config(args.config)
        loaders = [config.get(f'{name}_dataloader') for name in ('train', 'val', 'test')]
        named = [(cls, paths) for loader in loaders for cls, paths in datasets_of_config(loader)]
        unique = [pair for i, pair in enumerate(named) if pair not in named[:i]]
    else:
        paths = dict(data_root=args.root, ann_file=args.ann_file)
        if args.images:
            paths['data_prefix'] = dict(img_path=args.images)
        unique = [(TYPES[args.type], paths)]
    if not unique:
        print(f'{args.config} names no data set of mmtbps')
        return 1
    problems = sum(check(cls, paths, not args.no_decode, args.show) for cls, paths in unique)
    print(f'\n{problems} problems' if problems else '\nNo problems.')
    return min(problems, 1)


if __name__ == '__main__':
    sys.exit(main())
