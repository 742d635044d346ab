"""Check data sets: sizes, images, captions, and whatever training leaves out or would mislead it.

All that is judged here is judged by the data sets themselves. With a config its data sets are also
checked against each other, and its tokenizer against the captions. The exit code is 1 if anything
is missing, broken or of another size than published.

Examples:
    mmtbps check-data configs/tbps/vit_bert_base_cuhk.py
    mmtbps check-data --type cuhk --root data/CUHK-PEDES
    mmtbps check-data --type mals --root data/MALS --no-decode
    mmtbps check-data --type jsonl --root data/mine --ann-file pairs.jsonl --images photos
    mmtbps check-data --type icfg --root data/ICFG-PEDES --json > findings.json
    mmtbps check-data --type cuhk --root data/CUHK-PEDES --report report.html --fix data/cleaned
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from mmengine.config import Config
from mmengine.logging import MMLogger

from mmtbps.config_file import read_config
from mmtbps.datasets import TBPSDataset
from mmtbps.datasets.annotations import LocatedRecord, sha256
from mmtbps.datasets.people import count_ids_in_both, find_leaks
from mmtbps.datasets.published_files import READING_ARGUMENTS
from mmtbps.datasets.readers.names import READERS
from mmtbps.datasets.record_checks import count_shared_captions, count_sizes, judge_sizes
from mmtbps.datasets.skipped import SkippedRecord
from mmtbps.engine.data_checks import check_data_sets
from mmtbps.errors import BadValue, Notice, RecordError, UserError, printable
from mmtbps.evaluation.copies import describe_copies, find_copies
from mmtbps.registry import DATASETS

from .options.doctor import add_doctor_options, check_targets, see_doctor
from .wording.json_answers import add_json, answer
from .wording.user_errors import word_error, word_notice

__all__ = ['add_arguments', 'check', 'check_together', 'compare_sizes', 'datasets_of_config', 'run']

#: Published files have these too, and every method leaves them out: worth a note, no fault.
HARMLESS = ('empty caption', 'caption is no text', 'caption with a template left in it')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the data to check, and what is looked at and printed."""
    named = parser.add_mutually_exclusive_group(required=True)
    named.add_argument('config', nargs='?', help='check every data set this config names')
    named.add_argument('--type', choices=READERS, help='or: the kind of data set at --root')
    parser.add_argument('--root', default='', help='folder with annotation file and images')
    parser.add_argument('--ann-file', nargs='+', default='', help='if not the published name')
    parser.add_argument('--images', nargs='+', help='image folder(s), if not the published one')
    parser.add_argument('--strip-prefix', default='', metavar='PATH',
                        help='beginning of the paths of all records that --images does not have')
    parser.add_argument('--shared-ids', action='store_true',
                        help='the annotation files number the same people')
    parser.add_argument('--no-decode', action='store_true',
                        help='only look whether images are there, do not decode them')
    parser.add_argument('--show', type=int, default=20, help='how many findings to print')
    add_doctor_options(parser)
    add_json(parser)


def datasets_of_config(node: Any) -> Iterator[tuple[type[TBPSDataset], dict]]:
    """Yield class and paths of every data set below a node of a config."""
    if isinstance(node, (list, tuple)):
        for child in node:
            yield from datasets_of_config(child)
    elif isinstance(node, dict):
        kind = node.get('type')
        cls = DATASETS.get(kind) if isinstance(kind, str) else kind
        if isinstance(cls, type) and issubclass(cls, TBPSDataset):
            yield cls, {key: node[key] for key in ('ann_file', *READING_ARGUMENTS) if key in node}
        else:
            for key in ('dataset', 'datasets'):
                yield from datasets_of_config(node.get(key))


def compare_sizes(dataset: TBPSDataset, located: list[LocatedRecord], say: Callable[[str], None]
                  ) -> tuple[list[dict[str, Any]], list[str]]:
    """Say the size of each file and split; return them, and the differences to the published."""
    rows = defaultdict(list)
    for item in located:
        rows[item.source, item.record.split].append(item.record)
    files = defaultdict(list)  # published ones, by split
    for source, split in rows:
        if not source.has_lines:
            files[split].append(source.ann_file)
    width = max([24, *(len(source.name) + 2 for source, _ in rows)])
    say(f'{"file":<{width}}{"split":<7}{"people":>9}{"images":>9}{"captions":>10}  published')
    sizes = []
    for (source, split), records in rows.items():
        found = count_sizes(records, dataset.image_a_record)
        size = dataset.published_sizes.get(split)
        size = size if source.ann_file in files[split] else None
        say(_size_line(source.name, width, split, found, size if len(files[split]) == 1 else None))
        sizes.append(dict(file=source.name, split=split, people=found[0], images=found[1],
                          captions=found[2], published=size and list(size)))
    problems = []
    for split, found, size in judge_sizes(located, dataset.published_sizes,
                                          dataset.published_total):
        if len(files[split]) != 1:
            say(_size_line('all files', width, split, found, size))
        if found != size:
            where = files[split][0] if len(files[split]) == 1 else dataset.dataset_name
            problems.append(f'{where}: split {split!r} has another size than published')
    splits = {row['split'] for row in sizes}
    problems += [f'{dataset.dataset_name}: split {split!r} is missing'
                 for split in dataset.published_sizes if split not in splits]
    return sizes, problems


def _size_line(name: str, width: int, split: str, found: tuple[int, ...],
               size: tuple[int, ...] | None) -> str:
    verdict = '-' if size is None else 'equal' if found == size else ' / '.join(
        f'{count:,}' for count in size)
    return f'{name:<{width}}{split:<7}{found[0]:>9,}{found[1]:>9,}{found[2]:>10,}  {verdict}'


def check(cls: type[TBPSDataset], paths: dict, args: argparse.Namespace, number: int,
          say: Callable[[str], None]) -> dict[str, Any]:
    """Say the findings in one data set and return them.

    Args:
        cls: of the data set.
        paths: that it is read from.
        args: of the command.
        number: of the data set, from 0.
        say: prints a line.
    """
    show = args.show
    found = dict(data_set=cls.dataset_name, root=str(paths.get('data_root', '')), sizes=[],
                 problems=[], notes=[], left_out={})
    say(f'\n{cls.dataset_name}  {found["root"]}')
    if not paths.get('ann_file'):
        paths = dict(paths, ann_file=list(cls.default_files(found['root'])))
    try:
        dataset = cls(**paths, lazy_init=True)
        located = dataset.read_records()
        found['sizes'], problems = compare_sizes(dataset, located, say)
        problems += [f'{leak}: a test of people that were trained on says nothing'
                     for leak in find_leaks(located)]
        splits = list(dict.fromkeys(row['split'] for row in found['sizes']))
        skipped = read_splits(cls, paths, splits, not args.no_decode, problems)
    except (FileNotFoundError, ValueError, UserError) as error:
        say(f'PROBLEM {_word(error)}')
        return dict(found, problems=[_word(error)])
    notes = [*describe_names(dataset), *describe_people(dataset, located),
             *describe_galleries(located, args.no_decode)]
    for line in [*(f'note    {text}' for text in notes), *(f'PROBLEM {text}' for text in problems)]:
        say(line)
    for skip in skipped[:show]:
        say(f'{"note   " if skip.kind in HARMLESS else "PROBLEM"} {skip}')
    if len(skipped) > show:
        say(f'... and {len(skipped) - show} more (--show {len(skipped)} prints them)')
    found.update(see_doctor(args, dataset, located, found['sizes'], number, say))
    found['left_out'] = dict(Counter(skip.kind for skip in skipped))
    for kind, count in found['left_out'].items():
        say(f'{count} x {kind}')
    harmless = [str(skip) for skip in skipped if skip.kind in HARMLESS]
    return dict(found, notes=notes + harmless, problems=problems + [
        str(skip) for skip in skipped if skip.kind not in HARMLESS])


def describe_names(dataset: TBPSDataset) -> Iterator[str]:
    """Describe files of another published name beside the one that is read, and unlike it."""
    for source in dataset.sources():
        for name in dataset.ann_files if source.name in dataset.ann_files else ():
            other = source.ann_file.with_name(name)
            if name != source.name and other.is_file() and (
                    sha256(other) != sha256(source.ann_file)):
                yield f'{name} is there, too, and differs; {source.name} is read'


def describe_people(dataset: TBPSDataset, located: list[LocatedRecord]) -> Iterator[str]:
    """Describe ids that several files have, and captions of several people."""
    for files, count in count_ids_in_both(located).items():
        yield (f'{" and ".join(files)}: {count} ids are in both, for '
               + ('the same people' if dataset.shared_ids else 'different people (shared_ids=True: '
                  'for the same)'))
    if shared := count_shared_captions(located):
        yield f'{shared} captions are at more than one person'


def describe_galleries(located: list[LocatedRecord], bytes_alone: bool) -> Iterator[str]:
    """Describe the exact copies among the pictures of each split that is not trained on."""
    for split in dict.fromkeys(item.record.split for item in located):
        if split == 'train':
            continue
        captions = Counter()
        people = {}
        for item in located:
            if item.record.split == split:
                people.setdefault(item.image_path, item.identity)
                captions[item.identity] += len(item.record.captions)
        copies = find_copies(list(people), pixels=not bytes_alone)
        if said := describe_copies(copies, list(people), list(people.values()),
                                   list(captions.elements())):
            yield f'{split}: {said}'


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


def check_together(config: Config, say: Callable[[str], None]) -> dict[str, list[str]]:
    """Say how the data sets of a config fit each other and the tokenizer; return it."""
    checked = check_data_sets(config)
    # What stands in a file was found when the file was checked.
    problems = [_word(problem) for problem in checked.problems
                if not isinstance(problem, RecordError)]
    notes = [('warning ' if isinstance(line, Notice) and line.warning else '') + word_notice(line)
             for line in checked.lines]
    if notes or problems:
        say('\nTogether')
    for line in [*notes, *(f'PROBLEM {problem}' for problem in problems)]:
        say(line)
    return dict(notes=notes, problems=problems)


def _word(error: Exception) -> str:
    return word_error(error) if isinstance(error, UserError) else str(error)


def run(args: argparse.Namespace) -> int:
    """Check every data set that is asked for; return the exit code."""
    MMLogger.get_current_instance().setLevel('ERROR')  # the data sets' own summaries
    check_targets(args)
    say = _stay_silent if args.json else _say
    config = read_config(args.config) if args.config else None
    chosen = datasets_in(config) if config is not None else [named_dataset(args)]
    if not chosen:
        raise BadValue(f'{args.config} names no data set of mmtbps')
    found = dict(data_sets=[check(cls, paths, args, number, say)
                            for number, (cls, paths) in enumerate(chosen)])
    if config is not None:
        found['together'] = check_together(config, say)
    problems = sum(len(part['problems']) for part in [*found['data_sets'],
                                                      *([found['together']] if config else [])])
    problems += sum(finding['problem'] for part in found['data_sets']
                    for finding in part.get('findings', ()))
    say(f'\n{problems} problems' if problems else '\nNo problems.')
    answer(found)
    return min(problems, 1)


def datasets_in(config: Config) -> list[tuple[type[TBPSDataset], dict]]:
    """List class and paths of every data set of a config's loaders, each once."""
    loaders = [config.get(f'{name}_dataloader') for name in ('train', 'val', 'test')]
    named = [pair for loader in loaders for pair in datasets_of_config(loader)]
    return [pair for i, pair in enumerate(named) if pair not in named[:i]]


def named_dataset(args: argparse.Namespace) -> tuple[type[TBPSDataset], dict]:
    """Return class and paths of the data set that the command line names."""
    paths = dict(data_root=args.root, ann_file=args.ann_file, shared_ids=args.shared_ids or None,
                 strip_prefix=args.strip_prefix)
    if args.images:
        paths['data_prefix'] = dict(img_path=args.images)
    return READERS[args.type], paths


def _say(line: str) -> None:
    print(printable(line) if not line.startswith('\n') else '\n' + printable(line[1:]))


def _stay_silent(line: str) -> None:
    """Take a line of the table, which JSON has in its own way."""
