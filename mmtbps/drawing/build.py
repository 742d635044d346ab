"""Writing of the drawn data set to disk, in the layout of CUHK-PEDES.

The set grows in ``<root>.partial`` and is moved to ``<root>`` when it is complete, so a set that
can be seen is a whole one, whatever stops the drawing. A second start goes on where the first one
stopped. The lock file ``.<root>.lock``, beside the set, lets one process at a time draw it; it is
empty and stays.
"""

import json
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import Pool, parent_process
from pathlib import Path

from PIL import Image

from mmtbps.errors import BadValue, Remedy, UserError
from mmtbps.fileio import (
    check_writable,
    explained_disk_full,
    file_lock,
    sync_folder,
    write_durably,
)

from .person import Person
from .render import render
from .tokenizer import pretokenize, write_tokenizer
from .versions import VERSIONS, Shot, Version

MARKER, REQUEST = 'drawn.json', 'request.json'


class FolderInUse(UserError, FileExistsError):
    """A folder that holds something else than the set to be drawn."""


@dataclass(frozen=True)
class Size:
    """Number of people and images of a set.

    Attributes:
        train, val, test: People of each split.
        images: Images a person.
        height, width: Of an image, in pixels.
        reserved: Ids kept for people of train, so that sets of several sizes share val and test;
            0 for as many as there are.
    """

    train: int
    val: int
    test: int
    images: int = 2
    height: int = 128
    width: int = 48
    reserved: int = 0

    def people(self) -> list[tuple[int, str]]:
        """List ``(id, split)`` of everybody; ids count from 1."""
        start = max(self.reserved, self.train)
        ids = [*range(1, self.train + 1), *range(start + 1, start + self.val + self.test + 1)]
        return list(zip(ids, ['train'] * self.train + ['val'] * self.val + ['test'] * self.test,
                        strict=True))


SIZES = {
    'micro': Size(24, 8, 8, height=96, width=32),
    'small': Size(300, 100, 200, reserved=2000),
    'default': Size(2000, 100, 200),
    'large': Size(11000, 1000, 1000, images=3),
}


def draw_dataset(root: str | Path, size: str | Size = 'default', seed: int = 0,
                 image_size: tuple[int, int] | None = None, workers: int | None = None,
                 progress: bool = True, overwrite: bool = False, version: int = 1) -> Path:
    """Draw a data set, unless it is there already.

    Args:
        root: Its folder.
        size: A name of ``SIZES``, or counts of your own.
        seed: Another seed, other people.
        image_size: Height and width in pixels, if not those of ``size``.
        workers: Processes; the result does not depend on them. ``None`` for one a core.
        progress: Show a bar with the remaining time.
        overwrite: Replace another drawn set in ``root``.
        version: 1; or 2, with more attributes, cameras and occlusion, any direction, and captions
            of one attribute up to all in free wording.

    Returns:
        ``root``.

    Raises:
        BadValue: If there is no such size, or a number is too small.
        FolderInUse: If ``root`` holds anything else.
        NotWritable: If nothing can be written there.
        DiskFull: If the disk is full; what is drawn stays.
    """
    if workers is not None and workers < 1:
        raise BadValue(f'workers must be at least 1, got {workers}')
    root = Path(root)
    request = _request(size, seed, image_size, version)
    if _is_finished(root, request):
        _clear_up(root)
        return root
    _refuse_strangers(root, request, overwrite)
    check_writable(root, folder=True)
    partial_root = root.with_name(root.name + '.partial')
    root.parent.mkdir(parents=True, exist_ok=True)
    with explained_disk_full(partial_root), file_lock(root.with_name(f'.{root.name}.lock')):
        if _is_finished(root, request):                     # another process was faster
            return root
        _refuse_strangers(root, request, overwrite)         # or drew another set meanwhile
        _begin(partial_root, request)
        _draw_into(partial_root, request, workers or os.cpu_count() or 1, progress)
        _publish(partial_root, root, request)
    return root


def _request(size: str | Size, seed: int, image_size: tuple[int, int] | None,
             version: int) -> dict:
    if version not in VERSIONS:
        raise BadValue(f'no version {version!r} of drawn people; there are '
                       f'{", ".join(map(str, VERSIONS))}')
    if isinstance(size, str):
        if size not in SIZES:
            raise BadValue(f'no size {size!r}; there are {", ".join(SIZES)}')
        name, size = size, SIZES[size]
    else:
        name = 'custom'
    if min(size.train, size.val, size.test, size.images) < 1:
        raise BadValue(f'{size}: train, val, test and images must each be at least 1')
    counts = asdict(size)
    if image_size:
        counts['height'], counts['width'] = image_size
    if seed < 0:
        raise BadValue(f'seed {seed}: must not be negative')
    return dict(version=version, size=name, seed=seed, **counts)


def _is_finished(root: Path, request: dict) -> bool:
    try:
        return json.loads((root / MARKER).read_text(encoding='utf-8')) == request
    except (OSError, json.JSONDecodeError):
        return False


def _refuse_strangers(root: Path, request: dict, overwrite: bool) -> None:
    """Refuse to write over any other folder, or over another drawn set unasked."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return
    if not (root / MARKER).is_file():
        raise FolderInUse(f'{root} holds something that is no drawn data set; '
                          'choose another folder')
    if not overwrite:
        present = json.loads((root / MARKER).read_text(encoding='utf-8'))
        differs = ', '.join(f'{key} {present.get(key)} instead of {value}'
                            for key, value in request.items() if present.get(key) != value)
        raise FolderInUse(f'{root} holds another drawn data set ({differs}); choose another '
                          'folder, or replace it', Remedy('overwrite'))


def _begin(folder: Path, request: dict) -> None:
    """Open the folder; keep the images of an interrupted drawing only if it was the same one."""
    opened = folder / REQUEST
    # The note of the request is the first file; a kill may leave its beginning alone.
    if folder.exists() and {path.name for path in folder.iterdir()} - {f'{REQUEST}.partial'}:
        if not opened.is_file():
            raise FolderInUse(f'{folder} is in the way: it is no drawing that was interrupted; '
                              'move it')
        if opened.read_text(encoding='utf-8') != json.dumps(request):
            shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_durably(opened, json.dumps(request))
    for camera in VERSIONS[request['version']].cameras:
        (folder / 'imgs' / f'cam_{camera}').mkdir(parents=True, exist_ok=True)


def _publish(folder: Path, root: Path, request: dict) -> None:
    """Write the marker, then move the folder to the place of the set."""
    os.sync()  # the drawn images: one by one it would take longer than to draw them
    write_durably(folder / MARKER, json.dumps(request, indent=2) + '\n')
    old = _replaced(root)
    shutil.rmtree(old, ignore_errors=True)      # of an earlier replacement that was killed
    if root.exists():
        root.rename(old)
    folder.rename(root)
    sync_folder(root.parent)
    _clear_up(root)


def _replaced(root: Path) -> Path:
    """Name the place of a set that another one replaces; hidden, so no folder of the user's own."""
    return root.with_name(f'.{root.name}.old')


def _clear_up(root: Path) -> None:
    """Remove what a finished set has no use for, also after a kill in the midst of it."""
    shutil.rmtree(_replaced(root), ignore_errors=True)
    with suppress(OSError):  # a set that somebody else may only read
        (root / REQUEST).unlink(missing_ok=True)


def _draw_into(root: Path, request: dict, workers: int, progress: bool) -> None:
    size = Size(**{key: request[key] for key in Size.__dataclass_fields__})
    people = size.people()
    draw = partial(_draw_person, root=root, seed=request['seed'], size=size,
                   version=request['version'])
    entries, unseen, images, persons = [], [], {}, {}
    for result in _tracked(draw, people, workers, progress):
        person_id, person, shots, own, own_unseen = result
        entries += own
        unseen += own_unseen
        persons[person_id] = person
        images.update(shots)
    write_durably(root / 'reid_raw.json', json.dumps(entries))
    write_durably(root / 'unseen_wording.json', json.dumps(unseen))
    write_durably(root / 'attributes.json', json.dumps(dict(people=persons, images=images)))
    write_tokenizer(root / 'tokenizer', (text for entry in entries if entry['split'] == 'train'
                                         for text in entry['captions']))


def _tracked(draw, people: list, workers: int, progress: bool) -> Iterator:
    """Yield results in order, drawn by ``workers`` processes, with a bar."""
    from rich.progress import track
    with _maybe_pool(min(workers, 1 + len(people) // 50)) as pool:
        results = pool.imap(draw, people, chunksize=8) if pool else map(draw, people)
        yield from track(results, f'drawing {len(people)} people', total=len(people),
                         disable=not progress)


@contextmanager
def _maybe_pool(workers: int):
    if workers == 1:
        yield None
        return
    with Pool(workers, initializer=_die_with_parent) as pool:
        yield pool


def _die_with_parent() -> None:
    """Leave no worker behind when the drawing process is killed."""
    def watch() -> None:
        parent_process().join()
        os._exit(1)
    threading.Thread(target=watch, daemon=True).start()


def _draw_person(who: tuple[int, str], root: Path, seed: int, size: Size, version: int) -> tuple:
    person_id, split = who
    chosen = VERSIONS[version]
    person, shots = chosen.plan(seed, person_id, size.images)
    entries, unseen, images = [], [], {}
    for shot in shots:
        target = root / 'imgs' / shot.file_path
        if not target.exists():
            pixels = render(person, shot.scene, (size.height, size.width))
            fresh = target.with_suffix('.tmp')  # whole, but on disk only when all are
            Image.fromarray(pixels).save(fresh, 'JPEG', quality=shot.scene.quality)
            os.replace(fresh, target)
        entry, facts = _entry(chosen, person_id, split, person, shot, 'train')
        entries.append(entry)
        if split == 'test':
            unseen.append(_entry(chosen, person_id, split, person, shot, 'unseen')[0])
        images[shot.file_path] = _rounded(dict(id=person_id, caption_seeds=shot.caption_seeds,
                                               scene=asdict(shot.scene), **facts))
    # The file keeps the spelling it always had.
    looks = {'colours' if key == 'colors' else key: value
             for key, value in asdict(person).items()}
    return person_id, _rounded(looks), images, entries, unseen


def _entry(version: Version, person_id: int, split: str, person: Person, shot: Shot,
           wording: str) -> tuple[dict, dict]:
    """Write the captions of an image; return its record, and what they tell if that is known."""
    told = [version.caption(person, shot.scene, seed, wording) for seed in shot.caption_seeds]
    captions = [one.text for one in told]
    facts = dict(facts=[one.facts for one in told], known=told[0].known) if told[0].known else {}
    return dict(split=split, captions=captions, file_path=shot.file_path,
                processed_tokens=[pretokenize(text) for text in captions], id=person_id), facts


def _rounded(value):
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return round(value, 4) if isinstance(value, float) else value
