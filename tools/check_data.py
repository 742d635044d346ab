"""Check data sets: sizes, images, captions, and whatever training leaves out or would mislead it.

All that is judged here is judged by the data sets themselves. With a config its data sets are also
checked against each other, and its tokenizer against the captions.
"""

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from mmengine.config import Config
from mmengine.logging import MMLogger

from mmtbps.commands.command_names import CommandParser
from mmtbps.commands.user_errors import one_line_errors, word_error, word_notice
from mmtbps.config_file import read_config
from mmtbps.datasets import CUHKPEDES, ICFGPEDES, DrawnPEDES, RSTPReid, TBPSDataset
from mmtbps.datasets.annotations import LocatedRecord
from mmtbps.datasets.people import count_ids_in_both, find_leaks
from mmtbps.datasets.record_checks import count_shared_captions, count_sizes
from mmtbps.datasets.skipped import SkippedRecord
from mmtbps.engine.data_checks import check_data_sets
from mmtbps.errors import Notice, RecordError, UserError, printable
from mmtbps.registry import DATASETS

TYPES = dict(cuhk=CUHKPEDES, icfg=ICFGPEDES, rstp=RSTPReid, drawn=DrawnPEDES, jsonl=TBPSDataset)

#: Published files have these too, and every method leaves them out: worth a note, no fault.
HARMLESS = ('empty caption', 'caption is no text')
#: Arguments of a data set that decide what it reads.
READING = ('data_root', 'ann_file', 'data_prefix', 'shared_ids', 'allow_outside')

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
    parser.add_argument('--shared-ids', action='store_true',
                        help='the annotation files number the same people')
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
            yield cls, {key: node[key] for key in READING if key in node}
        else:
            for key in ('dataset', 'datasets'):
                yield from datasets_of_config(node.get(key))


def compare_sizes(dataset: TBPSDataset, located: list[LocatedRecord]
                  ) -> tuple[list[str], list[str]]:
    """Print one row a file and split; return the splits and the differences to the published."""
    rows = defaultdict(list)
    for item in located:
        rows[item.source, item.record.split].append(item.record)
    print(f'{"file":<24}{"split":<7}{"people":>9}{"images":>9}{"captions":>10}  published')
    problems = []
    for (source, split), records in rows.items():
        found = count_sizes(records)
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
    problems += [f'{dataset.dataset_name}: split {split!r} is missing'
                 for split in dataset.published_sizes if split not in splits]
    return splits, problems


def check(cls: type[TBPSDataset], paths: dict, decode: bool, show: int) -> int:
    """Print the findings in one data set; return the number of problems."""
    print(f'\n{cls.dataset_name}  {paths.get("data_root", "")}')
    try:
        dataset = cls(**paths, lazy_init=True)
        located = dataset.read_records()
        splits, problems = compare_sizes(dataset, located)
        problems += [f'{leak}: a test of people that were trained on says nothing'
                     for leak in find_leaks(located)]
        skipped = read_splits(cls, paths, splits, decode, problems)
    except (FileNotFoundError, ValueError, UserError) as error:
        print(printable(f'PROBLEM {_word(error)}'))
        return 1
    for files, count in count_ids_in_both(located).items():
        print(f'note    {" and ".join(files)}: {count} ids are in both, for '
              + ('the same people' if dataset.shared_ids else 'different people (shared_ids=True: '
                 'for the same)'))
    if shared := count_shared_captions(located):
        print(f'note    {shared} captions are at more than one person')
    for text in problems:
        print(printable(f'PROBLEM {text}'))
    for skip in skipped[:show]:
        print(printable(f'{"note   " if skip.kind in HARMLESS else "PROBLEM"} {skip}'))
    if len(skipped) > show:
        print(f'... and {len(skipped) - show} more (--show {len(skipped)} prints them)')
    for kind, count in Counter(skip.kind for skip in skipped).items():
        print(f'{count} x {kind}')
    return len(problems) + sum(skip.kind not in HARMLESS for skip in skipped)


def read_splits(cls: type[TBPSDataset], paths: dict, splits: list[str], decode: bool,
                problems: list[str]) -> list[SkippedRecord]:
    """Read each split as for a test; return what is left out, and add to the problems."""
    skipped = []
    for split in splits:
        dataset = cls(**paths, split=split, test_mode=True, holdout=0, verify_images=decode,
                      allow_missing=True, lazy_init=True)
        try:
            dataset.full_init()
        except ValueError as error:
            if not dataset.skipped:  # otherwise the list of what was skipped says why
                problems.append(_word(error))
        skipped += dataset.skipped
    return list(dict.fromkeys(skipped))  # a torn line is in no split, so it is met in each


def check_together(config: Config) -> int:
    """Print how the data sets of a config fit each other and the tokenizer; count the problems."""
    checked = check_data_sets(config)
    # What stands in a file was found when the file was checked.
    problems = [problem for problem in checked.problems if not isinstance(problem, RecordError)]
    if checked.lines or problems:
        print('\nTogether')
    for line in checked.lines:
        warns = isinstance(line, Notice) and line.warning
        print(('warning ' if warns else '') + printable(word_notice(line)))
    for problem in problems:
        print(printable(f'PROBLEM {_word(problem)}'))
    return len(problems)


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
        paths = dict(data_root=args.root, ann_file=args.ann_file, shared_ids=args.shared_ids)
        if args.images:
            paths['data_prefix'] = dict(img_path=args.images)
        unique = [(TYPES[args.type], paths)]
    if not unique:
        print(f'{args.config} names no data set of mmtbps')
        return 1
    problems = sum(check(cls, paths, not args.no_decode, args.show) for cls, paths in unique)
    if args.config:
        problems += check_together(config)
    print(f'\n{problems} problems' if problems else '\nNo problems.')
    return min(problems, 1)


if __name__ == '__main__':
    sys.exit(main())
