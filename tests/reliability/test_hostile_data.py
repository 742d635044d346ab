"""Hostile annotations and images: refused with the reason, or left out and counted."""

import json
import os
import re

import hostile_annotations
import hostile_images
import pytest
from PIL import Image

import mmtbps.datasets
from mmtbps.datasets.images import find_fault

pytestmark = pytest.mark.usefixtures('limited')


# ------------------------------------------------------------------ annotations
@pytest.fixture
def data(tmp_path):
    """A function: a data set of one kind whose file has the given content."""
    def build(kind, content, test_mode):
        (tmp_path / 'imgs/folder').mkdir(parents=True, exist_ok=True)
        for number in '12':
            Image.new('RGB', (8, 8)).save(tmp_path / f'imgs/{number}.jpg')
        file = hostile_annotations.FILES[kind]
        (tmp_path / file).write_bytes(content(kind))
        built = getattr(mmtbps.datasets, kind)(
            str(tmp_path), ann_file=file, data_prefix=dict(img_path='imgs'), split='train',
            test_mode=test_mode, holdout=0, lazy_init=True)
        built.full_init()
        return built
    return build


@pytest.mark.parametrize('kind', hostile_annotations.FILES)
@pytest.mark.parametrize('name', hostile_annotations.CONTENTS)
def test_a_hostile_annotation_file_is_refused(name, kind, data, refusal, tmp_path):
    content, reason = hostile_annotations.CONTENTS[name]
    for test_mode in (False, True):
        said = refusal(lambda mode=test_mode: data(kind, content, mode))
        assert str(tmp_path / hostile_annotations.FILES[kind]) in said
        assert re.search(reason, said), said


@pytest.mark.parametrize('kind', hostile_annotations.FILES)
@pytest.mark.parametrize('name', hostile_annotations.LEFT_OUT)
def test_a_hostile_caption_or_image_is_left_out_and_counted(name, kind, data, refusal):
    content, reason = hostile_annotations.LEFT_OUT[name]
    built = data(kind, content, False)
    skip, = built.skipped
    assert len(built) == 1 and skip.record == 1 and re.search(reason, skip.reason)
    if name.startswith('image'):  # a test set without it would be an easier one
        assert '1 of 2 images left out (missing)' in refusal(lambda: data(kind, content, True))
    else:
        built = data(kind, content, True)
        assert len(built) == 2 and len(built.skipped) == 1


def test_what_is_odd_but_clear_is_read(data):
    """A mark at the beginning, escapes, and records of different keys in another order."""
    assert len(data('CUHKPEDES', hostile_annotations.encoded('utf-8-sig'), False)) == 1


def test_a_pipe_among_the_images_is_no_image(data, tmp_path):
    (tmp_path / 'imgs').mkdir()
    os.mkfifo(tmp_path / 'imgs/pipe.jpg')
    (tmp_path / 'imgs/zero.jpg').symlink_to('/dev/zero')
    for name in ('pipe.jpg', 'zero.jpg'):
        built = data('TBPSDataset', hostile_annotations.changed(image=name), False)
        assert len(built) == 1 and 'missing image' in built.skipped[0].reason


# ------------------------------------------------------------------ images
@pytest.mark.parametrize('name', hostile_images.IMAGES)
def test_a_hostile_image_is_left_out_in_training_and_refused_in_a_test(name, refusal, tmp_path):
    content, reason = hostile_images.IMAGES[name]
    (tmp_path / 'imgs').mkdir()
    (tmp_path / 'imgs/1.jpg').write_bytes(content)
    (tmp_path / 'imgs/2.jpg').write_bytes(hostile_images.jpeg())
    (tmp_path / 'pairs.jsonl').write_text(''.join(json.dumps(dict(
        image=f'{number}.jpg', captions=['A man.'], person_id=number, split='train')) + '\n'
        for number in (1, 2)))
    fault = find_fault(str(tmp_path / 'imgs/1.jpg'))
    assert re.search(reason, fault.reason) and not fault.unreadable

    def build(test_mode):
        return mmtbps.datasets.TBPSDataset(
            str(tmp_path), ann_file='pairs.jsonl', data_prefix=dict(img_path='imgs'),
            test_mode=test_mode, pipeline=[dict(type='LoadImageFromFile')])

    training = build(False)
    assert training[0]['img_path'].endswith('2.jpg') and len(training.skipped) == 1
    assert '1 of 2 images left out (undecodable)' in refusal(lambda: build(True))
