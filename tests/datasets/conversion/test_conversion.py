"""Data sets converted to parquet and shards and back: files and bytes, and what strangers' hold."""

import hashlib
import io
import json
import subprocess
import sys
import tarfile
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

from mmtbps.datasets import CUHKPEDES, TBPSDataset
from mmtbps.datasets.conversion import LAYOUTS, convert_data
from mmtbps.errors import BadValue, MissingFile, RecordError

arrow = pytest.importorskip('pyarrow')
import pyarrow.parquet as parquet  # noqa: E402

TOOL = 'tools/convert_data.py'
#: Ways to lay out JSON that published files have.
STYLES = dict(plain=dict(), lines_of_four=dict(indent=4), compact=dict(separators=(',', ':')),
              letters=dict(ensure_ascii=False, indent=1))


def picture(seed):
    """A JPEG file that differs for each seed."""
    noise, file = np.random.default_rng(seed), io.BytesIO()
    Image.fromarray(noise.integers(0, 256, (12, 6, 3), np.uint8)).save(file, 'JPEG')
    return file.getvalue()


def records_of(layout):
    """Splits mixed, a further key, captions that are empty or null, letters beyond ASCII."""
    known = LAYOUTS[layout]
    records = []
    for i, split in enumerate(['train', 'test', 'train', 'val', 'train']):
        record = {'split': split, known.captions_key: ['A man in réd.', ''],
                  known.image_key: f'cam/{i}.jpg', known.id_key: i // 2}
        if not known.says_split:
            del record['split']
        if not known.strict:
            record = {'processed_tokens': [['a', 'man'], []], **record, 'height': 1.5}
        records.append(record)
    if layout == 'rstp':
        records[0]['captions'] = ['A woman.', None]
    if layout == 'rasa':  # the file says it
        del records[3]['split']
    return records


def files_of(layout, ann_file):
    """Name and records of each annotation file; of APTM, a caption of train a record."""
    records, known = records_of(layout), LAYOUTS[layout]
    if not known.by_split:
        return {ann_file or known.ann_files[0]: records}
    files = {}
    for record, split in zip(records, ['train', 'test', 'train', 'val', 'train'], strict=True):
        single = known.single_in == split
        files.setdefault((ann_file or known.ann_files[0]).format(split=split), []).extend(
            [record | {known.captions_key: text} for text in record[known.captions_key]]
            if single else [record])
    return files


@pytest.fixture(params=LAYOUTS)
def layout(request):
    return request.param


@pytest.fixture
def make(tmp_path):
    """A function that makes a data set of a layout; returns its folder."""
    def build(layout, style=None, newline='', name='source', ann_file=None):
        known, folder = LAYOUTS[layout], tmp_path / name
        for i in range(5):
            path = folder / known.images / f'cam/{i}.jpg'
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(picture(i))
        for file, records in files_of(layout, ann_file).items():
            text = json.dumps(records, **(style or {}))
            if layout == 'jsonl':
                text, newline = '\n'.join(map(json.dumps, records)), '\n'
            (folder / file).parent.mkdir(exist_ok=True)
            (folder / file).write_text(text + newline, encoding='utf-8')
        return folder
    return build


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob('*') if path.is_file()}


@pytest.mark.parametrize('style', STYLES)
def test_parquet_and_back_is_the_same_byte_for_byte(make, layout, style, tmp_path):
    source = make(layout, STYLES[style], newline='\n' if style == 'plain' else '')
    there = convert_data(source, tmp_path / 'parquet')
    rows = 8 if layout == 'aptm' else 5
    assert (there.source, there.target, there.records, there.images, there.exact) == (
        layout, 'parquet', rows, rows, True) and not there.left_out
    back = convert_data(tmp_path / 'parquet', tmp_path / 'back')
    assert back.target == layout and back.images == rows
    assert content(tmp_path / 'back') == content(source)


def test_a_file_of_each_split_and_every_shard_is_read(make, tmp_path):
    source = make('cuhk')
    convert_data(source, tmp_path / 'parquet', shard_size=1)
    names = [path.name for path in sorted((tmp_path / 'parquet/data').iterdir())]
    assert names == ['test-00000.parquet', 'train-00000.parquet', 'train-00001.parquet',
                     'train-00002.parquet', 'val-00000.parquet']
    row, = parquet.read_table(tmp_path / 'parquet/data/test-00000.parquet').to_pylist()
    assert row['image'] == dict(bytes=picture(1), path='cam/1.jpg') and row['split'] == 'test'
    assert row['captions'] == ['A man in réd.', ''] and row['person_id'] == 0
    convert_data(tmp_path / 'parquet', tmp_path / 'back')
    assert content(tmp_path / 'back') == content(source)


def test_paths_alone_give_the_annotations_alone(make, tmp_path):
    source = make('icfg', ann_file='ICFG_PEDES.json')
    report = convert_data(source, tmp_path / 'parquet', embed=False)
    assert report.images == 0
    convert_data(tmp_path / 'parquet', tmp_path / 'back')
    assert content(tmp_path / 'back') == {
        'ICFG_PEDES.json': (source / 'ICFG_PEDES.json').read_bytes()}


def test_an_odd_layout_of_text_keeps_its_content(make, tmp_path, capsys, tool):
    source = make('cuhk')
    file = source / 'reid_raw.json'
    file.write_text(file.read_text().replace('1.5', '1.50'))
    tool.main([str(source), str(tmp_path / 'parquet')])
    assert 'has the same content in another layout' in capsys.readouterr().out
    convert_data(tmp_path / 'parquet', tmp_path / 'back')
    assert json.loads((tmp_path / 'back/reid_raw.json').read_text()) == records_of('cuhk')


def test_another_layout_is_read_by_its_data_set(make, tmp_path):
    report = convert_data(make('cuhk'), tmp_path / 'mine', to='jsonl')
    assert report.left_out == dict(processed_tokens=5, height=5)
    data = TBPSDataset(data_root=str(tmp_path / 'mine'), ann_file='pairs.jsonl',
                       data_prefix=dict(img_path='images'), split='train')
    assert len(data) == 3  # one of the captions of each is empty
    convert_data(tmp_path / 'mine', tmp_path / 'cuhk', to='cuhk')
    assert len(CUHKPEDES(data_root=str(tmp_path / 'cuhk'), split='train')) == 3


def test_images_that_are_packed_go_along(make, tmp_path):
    from mmtbps.datasets.write_packed import pack_images
    source = make('rstp')
    pack_images(source / 'imgs', source / 'imgs.tars', progress=False)
    (source / 'imgs').rename(tmp_path / 'away')
    convert_data(source, tmp_path / 'parquet')
    convert_data(tmp_path / 'parquet', tmp_path / 'back')
    assert content(tmp_path / 'back/imgs') == content(tmp_path / 'away')


@pytest.mark.parametrize('damage, error, message', [
    (lambda folder: (folder / 'imgs/cam/2.jpg').unlink(), MissingFile,
     r'record 3: image .*2\.jpg is not there'),
    (lambda folder: (folder / 'reid_raw.json').write_text('[{"id": 1}]'), RecordError,
     "record 1: key 'captions' is missing"),
    (lambda folder: (folder / 'reid_raw.json').unlink(), BadValue, 'do not say which form'),
    (lambda folder: (folder / 'reid_raw.json').write_text(json.dumps([dict(
        records_of('cuhk')[0], file_path='../../etc/passwd')])), RecordError, 'leads out of')])
def test_a_fault_of_the_source_is_named_and_nothing_is_written(make, tmp_path, damage, error,
                                                               message):
    source = make('cuhk')
    damage(source)
    with pytest.raises(error, match=message):
        convert_data(source, tmp_path / 'out')
    assert [path.name for path in tmp_path.iterdir()] == ['source']


# ------------------------------------------------------------------ strangers' files
def write_rows(path, rows):
    parquet.write_table(arrow.Table.from_pylist(rows), path)


def test_a_strangers_parquet_is_read_by_names_of_columns(tmp_path, tool, capsys):
    write_rows(tmp_path / 'validation-0.parquet', [
        dict(img=dict(bytes=picture(i), path=None), text='A man.', who=i) for i in range(2)])
    tool.main([str(tmp_path / 'validation-0.parquet'), str(tmp_path / 'out'), '--column',
               'person_id=who'])
    assert 'parquet to jsonl: 2 records, 2 with their images' in capsys.readouterr().out
    lines = [json.loads(line) for line in (tmp_path / 'out/pairs.jsonl').read_text().splitlines()]
    name = f'{hashlib.sha256(picture(1)).hexdigest()[:16]}.jpg'
    assert lines[1] == dict(image=name, captions=['A man.'], person_id=1, split='val')
    assert (tmp_path / 'out/images' / name).read_bytes() == picture(1)


@pytest.mark.parametrize('path', ['a.jpg', None])
def test_rows_of_one_caption_become_an_image_with_several(tmp_path, path):
    image = dict(bytes=picture(0), path=path)
    write_rows(tmp_path / 'train.parquet', [
        dict(image=image, caption='A man.', id=1), dict(image=image, caption='In red.', id=1)])
    convert_data(tmp_path / 'train.parquet', tmp_path / 'out')
    record = json.loads((tmp_path / 'out/pairs.jsonl').read_text())
    assert record['captions'] == ['A man.', 'In red.'] and record['person_id'] == 1
    write_rows(tmp_path / 'train.parquet', [
        dict(image=image, caption='A man.', id=i) for i in range(2)])
    with pytest.raises(RecordError, match='is person 1 here, and person 0 in the row before'):
        convert_data(tmp_path / 'train.parquet', tmp_path / 'other')


@pytest.mark.parametrize('row, options, message', [
    (dict(), {}, 'no column person_id or id or pid .* for person_id; it has image, captions'),
    (dict(person_id=1), {}, 'neither a column nor its name says the split'),
    (dict(person_id=1), dict(split='train', columns=dict(image='nothing')), 'no column nothing'),
    (dict(person_id=1, record='[1]'), dict(split='train'), "key 'record' must be an object"),
    (dict(person_id=1, record='{'), dict(split='train'), 'its column record is no JSON'),
    (dict(person_id=1, number='x'), dict(split='train'), "key 'number' must be an integer"),
    (dict(person_id='x'), dict(split='train'), "x.parquet, row 1: key 'person_id' must be an int"),
    (dict(person_id=1, image='../../x.jpg'), dict(split='train'), 'leads out of the image folder')])
def test_what_a_strangers_parquet_lacks_is_named(tmp_path, row, options, message):
    image = dict(bytes=picture(0), path=row.pop('image', 'a.jpg'))
    write_rows(tmp_path / 'x.parquet', [dict(image=image, captions=['A man.'], **row)])
    with pytest.raises(BadValue, match=message):
        convert_data(tmp_path / 'x.parquet', tmp_path / 'out', **options)
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('note, message', [
    ('[1]', 'its note on the layout cannot be read'), ('{', 'its note on the layout'),
    ('{"layout": "mine"}', "its note on the layout cannot be read .*mine")])
def test_a_broken_note_is_named(tmp_path, note, message):
    table = arrow.Table.from_pylist([dict(image='a.jpg', captions=['x'], id=1)])
    parquet.write_table(table.replace_schema_metadata({'mmtbps': note}), tmp_path / 'train.parquet')
    with pytest.raises(BadValue, match=f'train.parquet: {message}'):
        convert_data(tmp_path / 'train.parquet', tmp_path / 'out')


@pytest.mark.parametrize('ann_file', ['../../evil.json', '..', '/etc/evil.json', 'evil.py'])
def test_a_note_writes_nothing_elsewhere_and_takes_no_memory(tmp_path, ann_file):
    note = dict(layout='cuhk', ann_file=ann_file, style=dict(
        lines=False, indent=10**9, compact=False, ascii_only=True, newline=True))
    table = arrow.Table.from_pylist([dict(image='a.jpg', captions=['x'], id=1)])
    parquet.write_table(table.replace_schema_metadata({'mmtbps': json.dumps(note)}),
                        tmp_path / 'train.parquet')
    convert_data(tmp_path / 'train.parquet', tmp_path / 'out')
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['reid_raw.json']
    assert (tmp_path / 'out/reid_raw.json').stat().st_size < 200


def test_two_images_of_one_path_are_refused(tmp_path):
    write_rows(tmp_path / 'train.parquet', [
        dict(image=dict(bytes=picture(i), path='a.jpg'), captions=['x'], id=1) for i in range(2)])
    with pytest.raises(RecordError, match=r'row \d: another image than before has the path a\.jpg'):
        convert_data(tmp_path / 'train.parquet', tmp_path / 'out')


def test_no_parquet_and_no_shard_are_named(tmp_path):
    for name in ('x.parquet', 'x.tar'):
        (tmp_path / name).write_bytes(b'nothing of the kind' * 99)
        with pytest.raises(BadValue, match=f'{name}: no (parquet|tar) file'):
            convert_data(tmp_path / name, tmp_path / 'out', split='train')
    with pytest.raises(MissingFile, match='nowhere: no such file or folder'):
        convert_data(tmp_path / 'nowhere', tmp_path / 'out')


# ------------------------------------------------------------------ shards
def test_shards_and_back_keep_images_and_records(make, tmp_path):
    source = make('jsonl')
    convert_data(source, tmp_path / 'shards', to='webdataset', shard_size=1)
    assert len(list((tmp_path / 'shards').glob('train-*.tar'))) == 3
    convert_data(tmp_path / 'shards', tmp_path / 'back')
    back = content(tmp_path / 'back')
    lines = back.pop('pairs.jsonl').decode().splitlines()
    assert [json.loads(line) for line in lines] == records_of('jsonl')
    assert back == {name: data for name, data in content(source).items() if name != 'pairs.jsonl'}


def add(shard, name, data):
    member = tarfile.TarInfo(name)
    member.size = len(data)
    shard.addfile(member, io.BytesIO(data))


def test_a_strangers_shard_has_captions_as_text(tmp_path):
    with tarfile.open(tmp_path / 'train-0.tar', 'w') as shard:
        for i in range(2):
            add(shard, f'a/x{i}.jpg', picture(i))
            add(shard, f'a/x{i}.txt', b'A man in red.\n')
            add(shard, f'a/x{i}.json', json.dumps(dict(id=i, camera='c1')).encode())
    report = convert_data(tmp_path / 'train-0.tar', tmp_path / 'out')
    assert report.left_out == dict(camera=2)
    assert json.loads((tmp_path / 'out/pairs.jsonl').read_text().splitlines()[0]) == dict(
        image='a/x0.jpg', captions=['A man in red.'], person_id=0, split='train')
    assert (tmp_path / 'out/images/a/x1.jpg').read_bytes() == picture(1)


@pytest.mark.parametrize('files, message', [
    ({'x.json': b'{}'}, 'key x: no image among json'),
    ({'x.jpg': b'1', 'x.json': b'{'}, 'key x: its JSON or text cannot be read'),
    ({'x.jpg': b'1', 'x.txt': b'A man.'}, "key x: key 'person_id' is missing"),
    ({'../x.jpg': b'1', '../x.json': b'{"caption": "A", "id": 1}'}, 'leads out of the image')])
def test_what_a_shard_lacks_is_named(tmp_path, files, message):
    with tarfile.open(tmp_path / 'train-0.tar', 'w') as shard:
        for name, data in files.items():
            add(shard, name, data)
    with pytest.raises(BadValue, match=message):
        convert_data(tmp_path / 'train-0.tar', tmp_path / 'out')


# ------------------------------------------------------------------ around it
def test_licences_go_along_and_a_folder_in_the_way_stays(make, tmp_path, tool, refused):
    source = make('cuhk')
    (source / 'LICENSE.txt').write_text('Research only.')
    convert_data(source, tmp_path / 'parquet')
    assert (tmp_path / 'parquet/LICENSE.txt').read_text() == 'Research only.'
    with refused('parquet exists; remove it or name another folder'):
        tool.main([str(source), str(tmp_path / 'parquet')])
    with refused('--column must be OURS=THEIRS'):
        tool.main([str(source), str(tmp_path / 'x'), '--column', 'who=pid'])


@pytest.mark.slow
@pytest.mark.skipif(not find_spec('datasets'), reason='needs the package datasets')
def test_the_package_datasets_reads_splits_and_images(make, tmp_path):
    convert_data(make('cuhk'), tmp_path / 'parquet')
    code = ('import datasets, json; data = datasets.load_dataset("parquet");'
            'row = data["test"][0];'
            'print(json.dumps([{name: len(rows) for name, rows in data.items()}, row["captions"],'
            'row["person_id"], row["image"].size]))')
    done = subprocess.run([sys.executable, '-P', '-c', code], cwd=tmp_path, capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [
        dict(train=3, test=1, validation=1), ['A man in réd.', ''], 0, [6, 12]]
