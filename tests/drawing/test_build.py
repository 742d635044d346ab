"""The drawn data set on disk."""

import itertools
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmtbps.commands.wording.user_errors import word_error
from mmtbps.drawing import build, draw_dataset, render
from mmtbps.drawing.build import MARKER, SIZES, Size
from mmtbps.drawing.versions import plan_person
from mmtbps.errors import BadValue

TINY = Size(4, 2, 2, height=32, width=16)


def draw(root, size=TINY, **options):
    return draw_dataset(root, size, workers=1, progress=False, **options)


def read(root, name='reid_raw.json'):
    return json.loads((root / name).read_text())


@pytest.fixture(scope='module')
def tiny(tmp_path_factory):
    return draw(tmp_path_factory.mktemp('drawn') / 'tiny')


def test_micro_has_the_layout_of_cuhk_pedes(micro_set):
    entries = read(micro_set)
    splits = Counter(entry['split'] for entry in entries)
    assert splits == {'train': 48, 'val': 16, 'test': 16}
    assert [entry['id'] for entry in entries] == [i for i in range(1, 41) for _ in range(2)]
    for entry in entries:
        assert set(entry) == {'split', 'captions', 'file_path', 'processed_tokens', 'id'}
        assert len(entry['captions']) == len(entry['processed_tokens']) == 2
        with Image.open(micro_set / 'imgs' / entry['file_path']) as image:
            assert image.size == (32, 96) and image.format == 'JPEG'
    on_disk = {str(p.relative_to(micro_set / 'imgs')) for p in micro_set.glob('imgs/*/*')}
    assert on_disk == {entry['file_path'] for entry in entries}


def test_nothing_but_the_set_is_left(tiny):
    assert {p.name for p in tiny.iterdir()} == {
        'reid_raw.json', 'unseen_wording.json', 'attributes.json', 'tokenizer', 'imgs', MARKER}
    assert sorted(p.name for p in tiny.parent.iterdir()) == ['.tiny.lock', 'tiny']
    assert not (tiny.parent / '.tiny.lock').read_bytes()


def test_unseen_wording_has_the_test_images_in_other_words(micro_set):
    test = [entry for entry in read(micro_set) if entry['split'] == 'test']
    unseen = read(micro_set, 'unseen_wording.json')
    for usual, other in zip(test, unseen, strict=True):
        assert (usual['file_path'], usual['id'], other['split']) == (
            other['file_path'], other['id'], 'test')
        assert not set(usual['captions']) & set(other['captions'])


def test_attributes_are_those_of_the_people_and_rounded(tiny):
    attributes = read(tiny, 'attributes.json')
    person, shots = plan_person(0, 3, 2)
    stored = attributes['people']['3']
    assert stored['colours'] == person.colors
    assert stored['build'] == round(person.build, 4)
    image = attributes['images'][shots[1].file_path]
    assert image['id'] == 3 and image['scene']['seed'] == shots[1].scene.seed
    assert image['caption_seeds'] == list(shots[1].caption_seeds)


def test_files_show_what_was_planned(tiny):
    person, shots = plan_person(0, 2, 2)
    drawn = render(person, shots[0].scene, (32, 16)).astype(float)
    stored = np.asarray(Image.open(tiny / 'imgs' / shots[0].file_path), float)
    assert np.abs(drawn - stored).mean() < 8


def test_processes_do_not_change_the_set(tmp_path):
    size = Size(98, 2, 2, images=1, height=16, width=8)
    one = draw(tmp_path / 'one', size)
    two = draw_dataset(tmp_path / 'two', size, workers=2, progress=False)
    for name in ('reid_raw.json', 'attributes.json', 'tokenizer/vocab.txt'):
        assert (one / name).read_text() == (two / name).read_text()
    for path in sorted(one.glob('imgs/*/*.jpg'))[::9]:
        assert path.read_bytes() == (two / path.relative_to(one)).read_bytes()


def test_people_do_not_depend_on_the_number_of_images():
    person, shots = plan_person(0, 9, 1)
    same, more = plan_person(0, 9, 3)
    assert person == same and shots[0] == more[0]


def test_small_is_the_beginning_of_default_with_the_same_val_and_test():
    small, default = SIZES['small'].people(), SIZES['default'].people()
    assert [p for p in small if p[1] == 'train'] == default[:300]
    assert [p for p in small if p[1] != 'train'] == [p for p in default if p[1] != 'train']
    assert default[-1] == (2300, 'test')


def test_a_second_run_returns_at_once(tiny):
    before = {path: path.stat().st_mtime_ns for path in tiny.rglob('*')}
    assert draw(tiny) == tiny
    assert {path: path.stat().st_mtime_ns for path in tiny.rglob('*')} == before


def test_another_set_in_the_folder_is_kept_unless_told(tmp_path):
    root = draw(tmp_path / 'set')
    with pytest.raises(FileExistsError, match='seed 0 instead of 1.*replace it') as error:
        draw(root, seed=1)
    assert word_error(error.value).endswith('add --overwrite to the command')
    draw(root, seed=1, overwrite=True)
    assert json.loads((root / MARKER).read_text())['seed'] == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ['.set.lock', 'set']


@pytest.mark.parametrize('overwrite', [False, True])
def test_a_folder_of_something_else_is_never_touched(tmp_path, overwrite):
    (tmp_path / 'CUHK-PEDES').mkdir()
    (tmp_path / 'CUHK-PEDES' / 'reid_raw.json').write_text('[]')
    with pytest.raises(FileExistsError, match='CUHK-PEDES holds something that is no drawn'):
        draw(tmp_path / 'CUHK-PEDES', overwrite=overwrite)
    assert (tmp_path / 'CUHK-PEDES' / 'reid_raw.json').read_text() == '[]'


def test_a_stranger_in_the_way_of_the_partial_folder_is_not_deleted(tmp_path):
    (tmp_path / 'set.partial').mkdir()
    (tmp_path / 'set.partial' / 'thesis.txt').write_text('years of work')
    with pytest.raises(FileExistsError, match='set.partial is in the way'):
        draw(tmp_path / 'set')
    assert (tmp_path / 'set.partial' / 'thesis.txt').exists()


@pytest.mark.parametrize('size, seed, message', [
    ('huge', 0, 'no size .huge.; there are micro'), (Size(0, 1, 1), 0, 'at least 1'),
    (TINY, -1, 'must not be negative')])
def test_bad_requests_are_refused(tmp_path, size, seed, message):
    with pytest.raises(ValueError, match=message):
        draw(tmp_path / 'set', size, seed=seed)
    assert not any(tmp_path.iterdir())


def test_killed_drawing_leaves_no_set_and_is_taken_up_again(tmp_path):
    """kill -9 at some moment; then a second start, which keeps the images of the first."""
    root, partial = tmp_path / 'set', tmp_path / 'set.partial'
    code = ('from mmtbps.drawing.build import Size, draw_dataset; '
            f'draw_dataset({str(root)!r}, Size(150, 2, 2, height=64, width=24), workers=2, '
            'progress=False)')
    environment = {**os.environ, 'PYTHONPATH': str(Path(__file__).parents[2])}
    process = subprocess.Popen([sys.executable, '-c', code], env=environment)
    deadline = time.time() + 60
    while len(list(partial.glob('imgs/*/*.jpg'))) < 20 and time.time() < deadline:
        time.sleep(.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert partial.is_dir() and not root.exists()
    kept = {p.relative_to(partial): p.stat().st_mtime_ns for p in partial.glob('imgs/*/*.jpg')}
    draw(root, Size(150, 2, 2, height=64, width=24))
    assert len(list(root.glob('imgs/*/*.jpg'))) == 308
    assert not partial.exists() and not list(root.glob('imgs/*/*.tmp'))
    unchanged = [(root / path).stat().st_mtime_ns == when for path, when in kept.items()]
    assert np.mean(unchanged) > .5          # the orphans may have been writing a few more


def test_leftovers_of_another_request_are_not_mixed_in(tmp_path):
    partial = tmp_path / 'set.partial'
    (partial / 'imgs' / 'cam_a').mkdir(parents=True)
    (partial / 'request.json').write_text('{"seed": 9}')
    (partial / 'imgs' / 'cam_a' / '00001_00.jpg').write_text('of another seed')
    root = draw(tmp_path / 'set')
    assert sorted(str(p.relative_to(root / 'imgs')) for p in root.glob('imgs/*/*')) == sorted(
        entry['file_path'] for entry in read(root))


def test_one_process_at_a_time_draws_also_when_several_wait(tmp_path, monkeypatch):
    """One that waited is in when a third comes; each holds the lock by a descriptor of its own."""
    inside, most, let_out = [], [], {seed: threading.Event() for seed in range(3)}

    def draw_slowly(folder, request, *args):
        inside.append(request['seed'])
        most.append(len(inside))
        assert let_out[request['seed']].wait(20)
        inside.remove(request['seed'])

    monkeypatch.setattr(build, '_draw_into', draw_slowly)
    monkeypatch.setattr(build, '_publish', lambda *args: None)
    threads = [threading.Thread(target=draw, args=(tmp_path / 'set',), kwargs=dict(seed=seed))
               for seed in range(3)]

    def wait_until(condition):
        deadline = time.time() + 20
        while not condition() and time.time() < deadline:
            time.sleep(.01)

    threads[0].start()
    wait_until(lambda: inside == [0])
    threads[1].start()
    time.sleep(.3)  # the second waits for the lock now
    let_out[0].set()
    wait_until(lambda: inside == [1])
    threads[2].start()
    time.sleep(.3)
    assert inside == [1]
    for event in let_out.values():
        event.set()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1] and not inside


def test_one_that_waited_does_not_replace_the_set_of_the_first_unasked(tmp_path, monkeypatch):
    root, let_out, errors = tmp_path / 'set', threading.Event(), []
    draw_into = build._draw_into

    def draw_slowly(folder, request, *args):
        if request['seed'] == 0:
            assert let_out.wait(20)
        draw_into(folder, request, *args)

    def draw_other():
        try:
            draw(root, seed=1)
        except FileExistsError as error:
            errors.append(str(error))

    monkeypatch.setattr(build, '_draw_into', draw_slowly)
    first, second = threading.Thread(target=draw, args=(root,)), threading.Thread(target=draw_other)
    first.start()
    deadline = time.time() + 20
    while not (tmp_path / 'set.partial').is_dir() and time.time() < deadline:
        time.sleep(.01)
    second.start()
    time.sleep(.3)  # the second waits for the lock now
    let_out.set()
    first.join()
    second.join()
    assert len(errors) == 1 and 'seed 0 instead of 1' in errors[0]
    assert json.loads((root / MARKER).read_text())['seed'] == 0


def test_replacing_a_set_leaves_folders_of_like_names_alone(tmp_path):
    root = draw(tmp_path / 'set')
    (tmp_path / 'set.old').mkdir()
    (tmp_path / 'set.old/thesis.txt').write_text('years of work')
    draw(root, seed=1, overwrite=True)
    assert (tmp_path / 'set.old/thesis.txt').read_text() == 'years of work'


def test_a_replacement_killed_at_any_step_loses_no_finished_set(tmp_path, monkeypatch):
    """A process dies before each step of the move; the next start ends with the new set alone."""
    folders = [tmp_path / name for name in ('old', 'new')]
    for seed, folder in enumerate(folders):
        draw(folder, seed=seed)
    left = {path.name for path in folders[1].iterdir()}

    def copy_drawn(partial_root, *_):  # what was drawn once is drawn alike
        shutil.copytree(folders[1], partial_root, dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns(MARKER))

    monkeypatch.setattr(build, '_draw_into', copy_drawn)

    def replace_until(moment, root):
        steps = itertools.count()

        def dying(function):
            def call(*args, **kwargs):
                if next(steps) == moment:
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*args, **kwargs)
            return call

        for name in ('rename', 'replace', 'unlink', 'rmdir', 'fsync'):
            setattr(os, name, dying(getattr(os, name)))
        shutil.rmtree = dying(shutil.rmtree)
        draw(root, seed=1, overwrite=True)

    for moment in itertools.count():
        root = tmp_path / f'at{moment}/set'
        shutil.copytree(folders[0], root)
        process = multiprocessing.get_context('fork').Process(
            target=replace_until, args=(moment, root))
        process.start()
        process.join()
        finished = [folder for folder in root.parent.iterdir() if (folder / MARKER).is_file()]
        assert finished  # the old set or the new one, under whichever name
        draw(root, seed=1, overwrite=True)
        assert {path.name for path in root.parent.iterdir()} == {'set', '.set.lock'}
        assert {path.name for path in root.iterdir()} == left
        assert read(root) == read(folders[1]) and read(root, MARKER)['seed'] == 1
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
    assert moment > 8


@pytest.mark.parametrize('workers', [0, -2])
def test_without_a_worker_nothing_is_drawn(workers, tmp_path):
    with pytest.raises(BadValue, match=f'workers must be at least 1, got {workers}'):
        draw_dataset(tmp_path / 'drawn', 'micro', workers=workers)
    assert not [*tmp_path.iterdir()]
