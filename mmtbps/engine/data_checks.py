"""Checks of the data sets of a config against each other and against their tokenizers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mmengine.config import Config

from mmtbps.datasets import TBPSDataset
from mmtbps.datasets.annotations import Identity, LocatedRecord
from mmtbps.datasets.people import people_in, word_people
from mmtbps.datasets.published_files import READING_ARGUMENTS
from mmtbps.datasets.transforms import TokenizeCaption
from mmtbps.datasets.transforms.caption_tokens import measure_tokens
from mmtbps.errors import BadValue, MissingFile, Notice, SeveralFaults, UserError
from mmtbps.lexicon.query_text import is_blank
from mmtbps.registry import DATASETS, TRANSFORMS

from .preflight import LOADERS, data_settings, dicts_in

__all__ = ['UnfitData', 'check_data_sets', 'stop_if_unfit']

#: Arguments that decide which records there are, before a split is chosen; so do the files.
_READING = ('type', 'pairs_root', *READING_ARGUMENTS)


class UnfitData(SeveralFaults, BadValue):
    """Data sets that must not be trained on, or tested with, as they are."""

    heading = 'cannot start, because of the data:'


class Checked(NamedTuple):
    """Findings in the data sets of a config: lines to print, and faults."""

    lines: list[str]
    problems: list[UserError]


class _Part(NamedTuple):
    """One data set of a loader, its settings and the records of its split."""

    loader: str
    settings: Mapping[str, Any]
    dataset: TBPSDataset
    located: list[LocatedRecord]


def stop_if_unfit(cfg: Config) -> list[str]:
    """Check the data sets of a config before anything slow begins.

    Args:
        cfg: a complete config.

    Returns:
        Lines for the log: generated pairs, and how well each tokenizer knows the captions, with a
        warning (`Notice`) where many words are unknown to it or split.

    Raises:
        UnfitData: with every fault of `check_data_sets`.
    """
    checked = check_data_sets(cfg)
    if checked.problems:
        raise UnfitData(checked.problems)
    return checked.lines


def check_data_sets(cfg: Config) -> Checked:
    """Find people shared by training and evaluation, and captions that a tokenizer does not know.

    Generated pairs that do not belong to their originals are found, too. No image is read, no
    random number drawn, and files that are missing are passed over, as are data sets of other
    projects.

    Args:
        cfg: a complete config.
    """
    parts, problems = _read_parts(cfg)
    problems += _shared_people(parts)
    lines = []
    for part in parts:
        if pairs := part.dataset.describe_pairs(part.located):
            lines.append(pairs)
        for step in _tokenizers(part.settings):
            try:
                # What the words are is said once, of the data that are trained on if any are.
                found, faults = _check_captions(part, TRANSFORMS.build(dict(step)),
                                                part.loader == parts[0].loader)
            except MissingFile:
                continue
            except UserError as error:
                found, faults = [], [error]
            lines += found
            problems += faults
    unique = {str(problem): problem for problem in problems}
    return Checked(list(dict.fromkeys(lines)), list(unique.values()))


def _read_parts(cfg: Config) -> tuple[list[_Part], list[UserError]]:
    """Read the records of each data set; those of the same files are read once."""
    parts, problems, read = [], [], {}
    for loader in LOADERS:
        for settings in data_settings(cfg[loader]['dataset']) if cfg.get(loader) else ():
            dataset = DATASETS.build(dict(settings, lazy_init=True, pipeline=[]))
            if not isinstance(dataset, TBPSDataset):
                continue
            key = repr([dataset.ann_file, *(settings.get(name) for name in _READING)])
            try:
                if key not in read:
                    read[key] = dataset.read_records()
                located = dataset.select_records(read[key])
            except MissingFile:
                continue
            except UserError as error:
                problems.append(error)
            else:
                parts.append(_Part(loader, settings, dataset, located))
    return parts, problems


def _shared_people(parts: Sequence[_Part]) -> list[UserError]:
    """Find the people of a training set in sets that judge the training."""
    trained = {person for part in parts if part.loader == 'train_dataloader'
               for person in _people(part)}
    problems = []
    for part in parts:
        people = _people(part)
        shared = people & trained
        if part.loader == 'train_dataloader' or not shared or part.dataset.allow_train_people:
            continue
        problems.append(BadValue(
            f'{part.loader}: {word_people(shared)} of {len(people)} are in train_dataloader, too, '
            'so that its scores would say nothing about strangers. Give both data sets the same '
            'holdout and holdout_seed and different splits; or set allow_train_people=True in the '
            f'data set of {part.loader} if this is meant'))
    return problems


def _people(part: _Part) -> set[Identity]:
    """Return the people of a data set, their files as one name for whatever path leads there."""
    people = people_in(part.located)
    real = {file: file.resolve() for file in {person.file for person in people}}
    return {Identity(real[person.file], person.id) for person in people}


def _check_captions(part: _Part, tokenize: TokenizeCaption, name_words: bool
                    ) -> tuple[list[str], list[UserError]]:
    """Word how well a tokenizer knows the captions of a data set, and name words it does not."""
    captions = [caption for item in part.located for caption in item.record.captions
                if isinstance(caption, str) and not is_blank(caption)]
    if not captions:
        return [], []
    use = measure_tokens(tokenize, captions)
    title = f'{part.dataset.dataset_name} {part.dataset.split}: '
    lines = [f'{title}{use}']
    if use.unfit and not tokenize.allow_unfit:
        return lines, [BadValue(
            f'{lines[0]}. The tokenizer {tokenize.tokenizer} is not for these captions: a model '
            'would learn next to nothing of them. Take one of their language, with the text tower '
            'that belongs to it, or a larger max_length; or set allow_unfit=True in '
            'TokenizeCaption')]
    if name_words and use.hard_words and not tokenize.allow_unfit:
        lines.append(Notice(
            f'{title}{use.hard_words}. A text tower that was trained with the tokenizer '
            f'{tokenize.tokenizer} reads such words badly: correct those that are misspelt; take '
            'a tower of the language and the field of the captions, or expect to need many pairs '
            'of each of these words; '
            'allow_unfit=True in TokenizeCaption ends this warning', warning=True))
    return lines, []


def _tokenizers(settings: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for step in dicts_in(list(settings.get('pipeline') or ())):
        kind = step.get('type')
        kind = TRANSFORMS.get(kind) if isinstance(kind, str) else kind
        if isinstance(kind, type) and issubclass(kind, TokenizeCaption):
            yield step
