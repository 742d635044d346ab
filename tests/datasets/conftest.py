"""Tiny data sets in the published formats, with small real images."""

import gc
import json

import numpy as np
import pytest
from PIL import Image

from mmtbps.datasets import TBPSDataset


@pytest.fixture(scope='session', autouse=True)
def _cheap_collections():
    """MMEngine collects garbage for each data set: spare it the libraries' objects."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def write_image():
    """A function that writes a small JPEG whose colour depends on its name."""

    def write(path, size=(16, 48)):
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(sum(path.name.encode()))
        Image.new('RGB', size, tuple(rng.integers(0, 256, 3).tolist())).save(path)

    return write


@pytest.fixture
def write_dataset(tmp_path, write_image):
    """A function that writes records as one annotation file, and their images."""

    def write(records, ann_file, image_key, images='imgs', root=tmp_path):
        root.mkdir(parents=True, exist_ok=True)
        if ann_file.endswith('.jsonl'):
            text = ''.join(json.dumps(record) + '\n' for record in records)
        else:
            text = json.dumps(records)
        (root / ann_file).write_text(text, encoding='utf-8')
        for record in records:
            write_image(root / images / record[image_key])
        return root

    return write


@pytest.fixture
def cuhk_records():
    """CUHK-PEDES as published: ids from 1, folders, three captions, one-image people."""

    def record(split, person, path, captions):
        return dict(split=split, captions=captions, file_path=path, id=person,
                    processed_tokens=[caption.split() for caption in captions])

    return [
        record('train', 1, 'CUHK01/0363004.png', ['A pedestrian with dark hair.', 'He is tall.']),
        record('train', 1, 'CUHK01/0363005.png', ['Dark hair.', 'White shoes.', 'A third one.']),
        record('train', 5, 'cam_a/000.png', ['A woman in red.', 'A red coat.']),
        record('train', 3, 'Market/0001_c1.jpg', ['Blue jeans.', 'A man in jeans.']),
        record('val', 11004, 'cam_b/001.png', ['A green bag.', 'Bag.']),
        record('test', 12004, 'train_query/p1.jpg', ['A boy.', 'A boy runs.', 'He runs.']),
        record('test', 12004, 'train_query/p2.jpg', ['A boy stands.', 'Stands.']),
        record('test', 12005, 'test_query/p3.jpg', ['An old man.', 'Grey hair.']),
    ]


@pytest.fixture
def cuhk_root(write_dataset, cuhk_records):
    return write_dataset(cuhk_records, 'reid_raw.json', 'file_path')


@pytest.fixture
def pair_records():
    """A function that makes records of users' own data: people with so many images each."""

    def make(images_of, captions=2, split='train'):
        return [dict(image=f'{person}_{i}.jpg', person_id=person, split=split,
                     captions=[f'person {person} image {i} text {c}' for c in range(captions)])
                for person, count in images_of.items() for i in range(count)]

    return make


@pytest.fixture
def own(write_dataset, pair_records):
    """A data set of four people with 3, 1, 2 and 2 images and two captions each."""
    return write_dataset(pair_records({10: 3, 11: 1, 12: 2, 13: 2}), 'pairs.jsonl', 'image')


@pytest.fixture
def build():
    """A function that builds the data set of `own`; keywords replace or add arguments."""

    def make(root, **kwargs):
        return TBPSDataset(**{'data_root': str(root), 'ann_file': 'pairs.jsonl',
                              'data_prefix': dict(img_path='imgs'), **kwargs})

    return make


@pytest.fixture
def edit_line(own):
    """A function that changes keys of one line of `own`, counted from 1."""

    def edit(number, **change):
        lines = (own / 'pairs.jsonl').read_text().splitlines()
        lines[number - 1] = json.dumps(json.loads(lines[number - 1]) | change)
        (own / 'pairs.jsonl').write_text('\n'.join(lines) + '\n')

    return edit
