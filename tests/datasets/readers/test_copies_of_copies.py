"""Files as other programs leave them, and copies that cleaning and conversion made."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from published_samples import FEMALE, MALE, OLD, SAMPLES, lines

from mmtbps.datasets import ImageTextPairs, RaSaFiles, TBPSDataset
from mmtbps.datasets.conversion import convert_data
from mmtbps.datasets.doctor import examine, write_clean
from mmtbps.datasets.readers.names import READERS
from mmtbps.errors import BadValue, RecordError


@pytest.fixture
def different_pictures(tmp_path):
    """A function that draws other pictures in place of all that are there."""

    def draw():
        draw = np.random.default_rng(0)
        for path in tmp_path.rglob('*'):
            if path.suffix in ('.jpg', '.png'):
                Image.fromarray(draw.integers(0, 255, (16, 8, 3), np.uint8)).save(path)

    return draw


def facts(located):
    """Captions of each image, with split, person and pictures of queries."""
    found = {}
    for item in located:
        record = item.record
        key = record.image, record.split, record.person_id
        captions, pictures = found.get(key, ((), ()))
        found[key] = captions + record.captions, pictures + (record.query_images or ())
    return found


@pytest.mark.parametrize('name', SAMPLES)
def test_a_cleaned_copy_is_read_by_the_same_reader(name, write_sample, tmp_path,
                                                   different_pictures):
    arguments = write_sample(name)
    different_pictures()
    arguments.setdefault('ann_file', list(READERS[name].default_files(str(tmp_path))))
    if name == 'pab':
        arguments['ann_file'] = ['annotation/train/attr_0.json']
    located = READERS[name](**arguments, lazy_init=True).read_records()
    written, changes = write_clean(located, examine(located), tmp_path / 'clean')
    assert changes == []
    for reader, more in ((READERS[name], {}), (TBPSDataset, dict(shared_ids=True))):
        again = reader(ann_file=list(map(str, written)), lazy_init=True, data_prefix=dict(
            img_path=list(map(str, written.values()))), **more)
        assert facts(again.read_records()) == facts(located)


@pytest.mark.parametrize('name', [name for name in SAMPLES if name != 'jsonl'])
def test_every_data_set_becomes_lines_with_all_its_pictures(name, write_sample, tmp_path):
    arguments = write_sample(name)
    if name == 'pab':
        (tmp_path / 'test').mkdir()
        shutil.copy(tmp_path / 'train/imgs_0/goal/0.jpg', tmp_path / 'test/0.jpg')
    arguments.setdefault('ann_file', list(READERS[name].default_files(str(tmp_path))))
    located = READERS[name](**arguments, lazy_init=True).read_records()
    out = tmp_path.with_name(f'{tmp_path.name}_out')
    convert_data(tmp_path, out, 'jsonl', name, 'mine.json' if name == 'pairs' else None)
    again = TBPSDataset(data_root=str(out), ann_file='pairs.jsonl', lazy_init=True,
                        data_prefix=dict(img_path='images')).read_records()
    assert facts(again) == facts(located)
    assert all(Path(path).is_file() for item in again
               for path in (item.image_path, *(item.query_paths or ())))
    # and from lines once more, into a layout that has their keys
    convert_data(out, tmp_path.with_name(f'{tmp_path.name}_again'), 'jsonl')
    assert facts(TBPSDataset(data_root=f'{tmp_path}_again', ann_file='pairs.jsonl',
                             data_prefix=dict(img_path='images'), lazy_init=True
                             ).read_records()) == facts(located)


@pytest.mark.parametrize('form', ['parquet', 'webdataset'])
def test_pictures_of_queries_are_not_lost_where_they_have_no_place(form, write_sample, tmp_path):
    pytest.importorskip('pyarrow')
    write_sample('itcpr')
    out = tmp_path.with_name(f'{tmp_path.name}_out')
    with pytest.raises(RecordError, match='composed query has a picture of its own'):
        convert_data(tmp_path, out, form, 'itcpr')
    assert not out.exists()
    convert_data(tmp_path, out, 'parquet', 'itcpr', embed=False)
    assert out.is_dir()


def test_a_generated_pair_keeps_its_weight(write_image, tmp_path):
    for name in 'ab':
        write_image(tmp_path / f'imgs/x/{name}.jpg')
    (tmp_path / 'reid_raw.json').write_text(json.dumps([
        dict(file_path='x/a.jpg', captions=[MALE], id=1, split='train'),
        dict(file_path='x/b.jpg', captions=[OLD], id=1, split='train', source='x/a.jpg',
             pair_weight=0.25)]))
    for strip_prefix in ('', 'x/'):
        images = f'imgs/{strip_prefix}'
        convert_data(tmp_path, tmp_path / f'out{len(strip_prefix)}', 'jsonl', 'cuhk',
                     images=images if strip_prefix else None, strip_prefix=strip_prefix)
        text = (tmp_path / f'out{len(strip_prefix)}/pairs.jsonl').read_text()
        assert [json.loads(line).get('pair_weight') for line in text.splitlines()] == [None, 0.25]


# ------------------------------------------------------------------ files of other programs
@pytest.mark.parametrize('reader', [RaSaFiles, TBPSDataset])
def test_a_file_of_a_split_may_hold_nothing_where_others_hold_something(reader, read, tmp_path):
    """RaSa's own script writes ``[]`` as the val.json of ICFG-PEDES, which has no val."""
    files = SAMPLES['rasa'].files | {'processed_data/val.json': []}
    if reader is RaSaFiles:
        assert len(read('rasa', files)) == 2
        with pytest.raises(RecordError, match='no record in any of them'):
            read('rasa', dict.fromkeys(files, []))
    else:
        with pytest.raises(RecordError, match=r'g_1\.json: no record in it'):
            read('mals', {'gene_attrs/g_1.json': []})


def test_a_split_without_records_is_converted(write_sample, tmp_path):
    write_sample('rasa', SAMPLES['rasa'].files | {'processed_data/val.json': []})
    out = tmp_path.with_name(f'{tmp_path.name}_out')
    report = convert_data(tmp_path, out, 'cuhk')
    assert report.records == 2 and json.loads((out / 'reid_raw.json').read_text())


def test_numbers_of_itcpr_may_stand_in_quotes(read):
    files = {name: [entry | {'instance_id': str(entry['instance_id'])} for entry in entries]
             for name, entries in SAMPLES['itcpr'].files.items()}
    assert facts(read('itcpr', files)) == facts(read('itcpr'))


def test_people_of_aptm_known_by_names_are_converted(write_sample, tmp_path):
    files = {'cuhk_train.json': [dict(image='1.jpg', caption=MALE, image_id='ann'),
                                 dict(image='2.jpg', caption=OLD, image_id='bob')]}
    write_sample('aptm', files, images=False)
    for name in '12':
        Image.new('RGB', (4, 8)).save(tmp_path / f'imgs/{name}.jpg')
    report = convert_data(tmp_path, tmp_path / 'out', 'parquet', 'aptm')
    assert report.exact is False  # numbers come back, no names
    convert_data(tmp_path / 'out', tmp_path / 'back', 'cuhk')
    assert [record['id'] for record in json.loads(
        (tmp_path / 'back/reid_raw.json').read_text())] == [0, 1]


@pytest.mark.parametrize('other', ['./a/1.jpg', 'a\\1.jpg', 'a//1.jpg', 'b/../a/1.jpg'])
def test_an_image_is_one_person_however_its_path_is_written(other, read):
    files = {'x.json': [dict(image='a/1.jpg', caption=MALE), dict(image=other, caption=OLD),
                        dict(image='c/2.jpg', caption=FEMALE)]}
    for people in ('image', 'folder'):
        people = [item.record.person_id for item in read('pairs', files, ann_file='x.json',
                                                         people=people)]
        assert people[0] == people[1] != people[2]


@pytest.mark.parametrize('path', ['Part{}/7/1.jpg', './Part{}/7/1.jpg', 'Part{}\\7\\1.jpg',
                                  'SYNTH-PEDES/Part{}/7/1.jpg'])
def test_parts_are_told_apart_however_paths_are_written(path, read):
    files = {'synthpedes-dataset.json': [
        dict(id=7, file_path=path.format(part), captions=[MALE]) for part in (1, 2)]}
    with pytest.raises(RecordError, match='id 7 is in Part2 and in Part1'):
        read('synth_pedes', files)
    assert [item.record.person_id for item in read('synth_pedes', files, ids_of_parts=True)] == [
        0, 1]


@pytest.mark.parametrize('name, content', [
    ('A.JSONL', lines(dict(image='a.jpg', caption=MALE))),
    ('A.CSV', f'image,caption\na.jpg,{MALE}'),
    ('A.TSV', f'image\tcaption\na.jpg\t{MALE}'), ('A.Json', json.dumps({'a.jpg': MALE}))])
def test_names_of_files_may_end_in_capitals(name, content, tmp_path):
    (tmp_path / name).write_text(content)
    dataset = ImageTextPairs(data_root=str(tmp_path), ann_file=name, lazy_init=True)
    assert [item.record.captions for item in dataset.read_records()] == [(MALE,)]


@pytest.mark.parametrize('encoding', ['utf-16', 'utf-16-le', 'utf-32', 'cp1252'])
@pytest.mark.parametrize('name', ['a.jsonl', 'a.json', 'a.csv'])
def test_another_encoding_is_named_and_nothing_is_passed_over(name, encoding, tmp_path):
    record = dict(image='a.jpg', caption='Grün')
    text = {'a.jsonl': json.dumps(record, ensure_ascii=False),  # no newline, as if torn
            'a.json': json.dumps([record], ensure_ascii=False),
            'a.csv': 'image,caption\na.jpg,Grün'}[name]
    (tmp_path / name).write_bytes(text.encode(encoding))
    with pytest.raises(BadValue, match='utf-?8'):
        ImageTextPairs(data_root=str(tmp_path), ann_file=name, lazy_init=True).read_records()


def test_a_line_that_a_kill_cut_within_a_letter_is_a_torn_one(tmp_path):
    text = json.dumps(dict(image='a.jpg', caption=MALE)) + '\n{"image": "b.jpg", "caption": "Grü'
    (tmp_path / 'a.jsonl').write_bytes(text.encode()[:-1])
    dataset = ImageTextPairs(data_root=str(tmp_path), ann_file='a.jsonl', lazy_init=True)
    assert len(dataset.read_records()) == 1
    assert [skip.kind for skip in dataset.skipped] == ['half-written last line']
