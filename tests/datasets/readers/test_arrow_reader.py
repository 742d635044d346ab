"""LUPerson-T: Arrow files that hold their images, read and converted."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from mmtbps.datasets import LUPersonT
from mmtbps.datasets.conversion import convert_data

arrow = pytest.importorskip('pyarrow')


def picture(seed):
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (12, 6, 3), np.uint8)).save(
        file, 'JPEG')
    return file.getvalue()


@pytest.fixture
def root(tmp_path):
    """As the authors' code writes it: one batch a file, images in it, a split of COCO's."""
    def write(split, numbers):
        table = arrow.Table.from_pylist([dict(
            image=picture(i), caption=[f'Caption {i}.', 'A man.'], image_id=f'{i:07}.jpg',
            split=split) for i in numbers])
        with arrow.OSFile(str(tmp_path / f'LUPerson_{split}.arrow'), 'wb') as sink:
            with arrow.RecordBatchFileWriter(sink, table.schema) as file:
                file.write_table(table)

    write('train', range(3))
    write('restval', [3])
    write('test', [4])
    return tmp_path


def test_captions_are_read_without_the_images(root):
    (root / 'images').mkdir()
    located = LUPersonT(data_root=str(root), lazy_init=True).read_records()
    assert [(item.record.image, item.record.captions[0], item.record.person_id, item.record.split)
            for item in located] == [
        (f'{i:07}.jpg', f'Caption {i}.', i, 'train') for i in range(4)]
    test = LUPersonT(data_root=str(root), split='test', lazy_init=True).read_records()
    assert [item.record.image for item in test] == ['0000004.jpg']


def test_images_become_files_and_the_lines_beside_them_are_read(root, tmp_path):
    report = convert_data(root / 'LUPerson_train.arrow', tmp_path / 'out', to='jsonl',
                          each_image=True)
    assert (report.records, report.images) == (3, 3)
    assert (tmp_path / 'out/images/0000001.jpg').read_bytes() == picture(1)
    first = json.loads((tmp_path / 'out/pairs.jsonl').read_text().splitlines()[0])
    assert first == dict(image='0000000.jpg', captions=['Caption 0.', 'A man.'], person_id=0,
                         split='train')
    dataset = LUPersonT(data_root=str(tmp_path / 'out'), ann_file='pairs.jsonl')
    assert len(dataset) == 6 and dataset.person_ids.tolist() == [0, 0, 1, 1, 2, 2]
