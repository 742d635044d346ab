"""Generated pairs beside the originals of a training set: found, checked, and put into words."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from mmtbps.errors import BadValue, MissingFile, Notice, Remedy
from mmtbps.fileio import is_remote, why_no_file
from mmtbps.lexicon.query_text import is_blank
from mmtbps.merged_pairs import PAIRS_FILE, RUN_FILE, MergeNote, fingerprint_sources

from .annotations import LocatedRecord, Source
from .images import find_missing_images
from .packed import SUFFIX
from .record_checks import caption_fault

__all__ = ['check_merge', 'check_pairs', 'describe_pairs', 'find_pairs']


def find_pairs(root: str) -> Source | None:
    """Find the merged pairs of a generation run.

    Args:
        root: Folder of the run. Its images may lie packed in ``ROOT.tars``.

    Returns:
        Their annotation file and image folder; ``None`` if nothing is merged there, or the gates
        accepted nothing.

    Raises:
        BadValue: If ``root`` is a file or an address of an object store, or the note beside the
            pairs cannot be read.
        MissingFile: If there is something of that name which is no file.
    """
    if is_remote(root):
        raise BadValue(f'pairs_root={root!r}: merged pairs are read from a folder of this machine '
                       'alone; copy them here')
    folder = Path(root)
    pairs = folder / PAIRS_FILE
    if folder.is_file():
        raise BadValue(f'pairs_root={root!r} must be the folder that has {PAIRS_FILE}, not a file')
    if not pairs.exists():
        return None
    if reason := why_no_file(pairs):
        raise MissingFile(f'{pairs}: {reason}', Remedy('generate_merge'))
    note = MergeNote.read(folder)
    if note is not None and note.accepted == 0 and pairs.stat().st_size == 0:
        return None
    packed = Path(f'{folder}{SUFFIX}')
    images = packed if packed.is_dir() and not (folder / 'images').is_dir() else folder
    return Source(PAIRS_FILE, pairs, images)


def check_merge(root: str, dataset: str) -> None:
    """Refuse merged files that have changed since, or are of another data set, before any is read.

    Args:
        root: Folder of the run.
        dataset: Name of the data set.

    Raises:
        BadValue: If they are.
    """
    if find_pairs(root) is None or (note := MergeNote.read(root)) is None:
        return
    note.check_files(root)
    if note.dataset != dataset:
        raise BadValue(f'{Path(root, PAIRS_FILE)} was made from {note.dataset}, not from '
                       f'{dataset}: name the folder of pairs of this data set as pairs_root, or '
                       'pairs_root=None')


def check_pairs(located: Sequence[LocatedRecord], root: str) -> None:
    """Refuse generated pairs, if there are any, that do not fit the originals or are not whole.

    Args:
        located: Records of all splits, originals and generated.
        root: Folder of the run that the pairs are from.

    Raises:
        BadValue: If the pairs were made from another data set, or images are missing.
    """
    if find_pairs(root) is None:
        return
    file = Path(root, PAIRS_FILE)
    generated = [item for item in located if item.source.ann_file == file]
    _check_sources(generated, located, file, MergeNote.read(root))
    _check_images(generated, file)


def _check_sources(generated: Sequence[LocatedRecord], located: Iterable[LocatedRecord],
                   file: Path, note: MergeNote | None) -> None:
    asked = {item.record.source for item in generated}
    train = [item for item in located if item.record.source is None
             and item.record.split == 'train' and item.record.image in asked]
    strange = asked - {item.record.image for item in train}
    other = ('they were made from another data set, or an older state of this one. Name the folder '
             'of its own pairs as pairs_root, or merge again with this one')
    if strange:
        raise BadValue(f'{file}: {len(strange)} of {len(asked)} images that pairs were made from, '
                       f'first {min(map(str, strange))}, are not in split train of the data set: '
                       f'{other}', Remedy('generate_merge'))
    if note is not None and note.sources != fingerprint_sources(
            (item.record.image, item.identity.id, item.record.captions) for item in train):
        raise BadValue(f'{file}: the images that pairs were made from show other people, or have '
                       f'other captions, in the data set: {other}', Remedy('generate_merge'))


def _check_images(generated: Sequence[LocatedRecord], file: Path) -> None:
    first: dict[str, LocatedRecord] = {}
    for item in generated:
        earlier = first.setdefault(item.image_path, item)
        if earlier is not item:
            raise BadValue(f'{file}, record {item.number}: {item.record.image} stands in record '
                           f'{earlier.number} already; merge again', Remedy('generate_merge'))
    if missing := find_missing_images(first):
        raise BadValue(f'{file}: {len(missing)} of {len(first)} generated images are missing, '
                       f'first {min(missing)}: copy them there, or merge again, which leaves '
                       'their pairs out', Remedy('generate_merge'))


def describe_pairs(located: Sequence[LocatedRecord], root: str, title: str) -> Notice:
    """Word what a training set has of generated pairs.

    Args:
        located: Records of its split.
        root: Folder of the run that pairs would be from.
        title: Begins the line.

    Returns:
        A line with counts, run and weights; or that there are originals only, with the command
        that makes pairs.
    """
    source = find_pairs(root)
    originals, pairs, weights = 0, 0, []
    for item in located:
        count = sum(isinstance(text, str) and not is_blank(text) and not caption_fault(text)
                    for text in item.record.captions)
        if source is None or item.source.ann_file != source.ann_file:
            originals += count
        elif count:
            pairs += count
            weight = item.record.pair_weight
            weights.append(1. if weight is None else weight)
    if source is None:
        return _originals_only(root, title, originals)
    note = MergeNote.read(root)
    accepted, run = ('', 'an unknown run') if note is None else (
        f' of {note.accepted} accepted', f'run {note.digest}')
    spread = '' if set(weights) <= {1.} else (
        f', weights {min(weights):g} to {max(weights):g}, {sum(weights) / len(weights):.2f} on '
        'average')
    return Notice(f'{title}: {originals} original pairs and {pairs} generated, of {len(weights)} '
                  f'images{accepted}, from {root}, {run}{spread}')


def _originals_only(root: str, title: str, originals: int) -> Notice:
    folder, remedy = Path(root), Remedy('generate_pairs', dict(folder=root))
    why = ''
    if (folder / PAIRS_FILE).is_file():
        why = ' (the gates accepted none)'
    elif (folder / RUN_FILE).is_file():
        why, remedy = ' (a run is there that is not merged)', Remedy('generate_merge')
    return Notice(f'{title}: no generated pairs at {root}{why}: originals only, {originals} pairs',
                  remedy)
