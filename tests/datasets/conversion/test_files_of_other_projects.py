"""Files of RaSa, TBPS-CLIP and APTM, and data sets with a reader, converted there and back."""

import json

import pytest
from published_samples import SAMPLES

from mmtbps.datasets import ITCPR, APTMFiles, ImageTextPairs, RaSaFiles, TBPSCLIPFiles, TBPSDataset
from mmtbps.datasets.conversion import convert_data
from mmtbps.datasets.readers.names import READERS
from mmtbps.errors import BadValue, RecordError

OTHERS = dict(rasa=RaSaFiles, tbps_clip=TBPSCLIPFiles, aptm=APTMFiles)
NAMES = dict(cuhk='reid_raw.json', icfg='ICFG-PEDES.json', rstp='data_captions.json')


def records(key='file_path'):
    """Splits mixed; one to three captions, one empty; a further key."""
    texts = ['A man.', 'Red coat.', 'A man in réd.']
    return [{'split': split, 'captions': texts[:1 + i % 3] + [''] * (i == 4), key: f'cam/{i}.jpg',
             'processed_tokens': [['a']], 'id': i // 2}
            for i, split in enumerate(['train', 'train', 'test', 'test', 'train', 'train', 'val'])]


@pytest.fixture(params=NAMES)
def source(request, tmp_path, write_image):
    """A data set in its published layout; name of the layout, and folder."""
    folder = tmp_path / 'source'
    held = records('img_path' if request.param == 'rstp' else 'file_path')
    for i in range(len(held)):
        write_image(folder / f'imgs/cam/{i}.jpg')
    (folder / NAMES[request.param]).write_text(json.dumps(held))
    return request.param, folder


def facts(located):
    """Captions of each image with split and person, however they are spread over records."""
    found = {}
    for item in located:
        key = item.record.image, item.record.split, item.record.person_id
        found[key] = found.get(key, ()) + item.record.captions
    return found


@pytest.mark.parametrize('other', OTHERS)
def test_what_is_written_is_read_by_its_reader_and_comes_back(other, source, tmp_path):
    layout, folder = source
    original = facts(READERS[layout](data_root=str(folder), lazy_init=True).read_records())
    there = convert_data(folder, tmp_path / 'there', to=other)
    assert (there.source, there.target, there.records, there.images) == (layout, other, 7, 7)
    assert there.left_out == (dict(processed_tokens=7) if other == 'aptm' else {})
    names = dict(ann_file=f'{layout}_*.json') if other == 'aptm' else {}
    dataset = OTHERS[other](data_root=str(tmp_path / 'there'), lazy_init=True, **names)
    assert facts(dataset.read_records()) == original
    back = convert_data(tmp_path / 'there', tmp_path / 'back', to=layout)
    assert (back.source, back.records, back.left_out) == (
        other, 12 if other == 'aptm' else 7, {})
    again = json.loads((tmp_path / 'back' / NAMES[layout]).read_text())
    expected = sorted(json.loads((folder / NAMES[layout]).read_text()),
                      key=lambda record: ['train', 'val', 'test'].index(record['split']))
    if other == 'aptm':
        for record in expected:
            del record['processed_tokens']
    assert again == expected
    for path in (folder / 'imgs').rglob('*.jpg'):
        assert (tmp_path / 'back/imgs/cam' / path.name).read_bytes() == path.read_bytes()


def test_aptm_has_a_record_of_each_caption_of_train(source, tmp_path):
    layout, folder = source
    convert_data(folder, tmp_path / 'there', to='aptm')
    train = json.loads((tmp_path / f'there/{layout}_train.json').read_text())
    assert train[:3] == [
        dict(image='cam/0.jpg', caption='A man.', image_id=0),
        dict(image='cam/1.jpg', caption='A man.', image_id=0),
        dict(image='cam/1.jpg', caption='Red coat.', image_id=0)]
    test = json.loads((tmp_path / f'there/{layout}_test.json').read_text())
    assert test[0] == dict(image='cam/2.jpg', caption=['A man.', 'Red coat.', 'A man in réd.'],
                           image_id=1)


def test_rasa_renames_the_path_of_rstp_alone(source, tmp_path):
    layout, folder = source
    convert_data(folder, tmp_path / 'there', to='rasa')
    train = json.loads((tmp_path / 'there/processed_data/train.json').read_text())
    assert train[0] == records()[0] and 'img_path' not in train[0]


def test_originals_beside_files_of_rasa_are_what_is_converted(source, tmp_path):
    layout, folder = source
    (folder / 'processed_data').mkdir()
    (folder / 'processed_data/train.json').write_text('[]')
    assert convert_data(folder, tmp_path / 'there', to='jsonl').source == layout


def test_what_aptm_has_no_record_for_is_counted(tmp_path, write_image):
    write_image(tmp_path / 'source/imgs/a.jpg')
    (tmp_path / 'source/reid_raw.json').write_text(json.dumps([
        dict(split='train', captions=[None, 'A man.'], file_path='a.jpg', id=1),
        dict(split='train', captions=[], file_path='a.jpg', id=1)]))
    report = convert_data(tmp_path / 'source', tmp_path / 'there', to='aptm')
    assert report.left_out == {'captions that are no text': 1, 'images without a caption': 1}


@pytest.mark.parametrize('change, error, message', [
    (dict(split='restval'), BadValue, "split 'restval' has no file in this layout"),
    (dict(id='1'), RecordError, "record 1: key 'id' must be an integer, got '1'")])
def test_what_does_not_fit_is_named(change, error, message, tmp_path, write_image):
    write_image(tmp_path / 'source/imgs/cam/0.jpg')
    (tmp_path / 'source/reid_raw.json').write_text(json.dumps([records()[0] | change]))
    with pytest.raises(error, match=message):
        convert_data(tmp_path / 'source', tmp_path / 'there', to='rasa')
    assert not (tmp_path / 'there').exists()


@pytest.mark.parametrize('files, message', [
    ({'cuhk_train.json': [dict(image='a.jpg', caption='x', image_id=1)],
      'icfg_train.json': [dict(image='a.jpg', caption='x', image_id=1)]},
     'annotations of several data sets are there, cuhk_{split}.json and icfg_{split}.json; name'),
    ({'cuhk_train.json': [dict(image='a.jpg', caption='x', image_id=1.5)]},
     "cuhk_train.json, record 1: key 'image_id' must be an integer"),
    ({'cuhk_test.json': [dict(image='a.jpg', caption='x', image_id=1, split='val')]},
     "cuhk_test.json, record 1: split 'val' in a file for 'test'"),
    ({'cuhk_train.json': [dict(image='a.jpg', caption=3, image_id=1)]},
     "cuhk_train.json, record 1: key 'caption' must be a list, got 3")])
def test_faults_of_aptm_files_are_named(files, message, tmp_path):
    (tmp_path / 'source/imgs').mkdir(parents=True)
    for name, content in files.items():
        (tmp_path / 'source' / name).write_text(json.dumps(content))
    with pytest.raises(BadValue) as raised:
        convert_data(tmp_path / 'source', tmp_path / 'there', to='cuhk')
    assert message in str(raised.value)


# ------------------------------------------------------------------ data sets with a reader
@pytest.fixture
def sample(tmp_path, write_image):
    """A function that writes the files of a sample with images; returns the folder."""
    def write(name):
        folder = tmp_path / 'sample'
        for file, content in SAMPLES[name].files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(
                content if isinstance(content, str) else json.dumps(content))
        queries = [entry['file_path'] for entry in SAMPLES[name].files.get('query.json', ())]
        for image in [*(record[0] for record in SAMPLES[name].records), *queries]:
            write_image(folder / READERS[name].image_folder / image)
        if name == 'pab':
            write_image(folder / 'test/0.jpg')
        return folder
    return write


@pytest.mark.parametrize('name', ['mals', 'synth_pedes', 'ham_pedes', 'luperson_mllm', 'web_person',
                                  'pab', 'ufine6926', 'ufine3c'])
def test_a_data_set_with_a_reader_becomes_json_lines(name, sample, tmp_path):
    report = convert_data(sample(name), tmp_path / 'mine', to='jsonl', form=name)
    mine = TBPSDataset(data_root=str(tmp_path / 'mine'), ann_file='pairs.jsonl',
                       data_prefix=dict(img_path='images'), lazy_init=True).read_records()
    expected = {}
    for image, captions, person, split in SAMPLES[name].records:
        key = image, split, person
        expected[key] = expected.get(key, ()) + captions
    if name == 'pab':  # both files are converted
        expected['test/0.jpg', 'test', 0] = ('An old man in grey.',)
        assert report.records == 3 and len(facts(mine)) == 3
        return
    assert facts(mine) == expected and report.images == report.records == len(expected)


def test_composed_queries_keep_their_pictures(sample, tmp_path):
    convert_data(sample('itcpr'), tmp_path / 'mine', to='jsonl', form='itcpr')
    lines = [json.loads(line) for line in (tmp_path / 'mine/pairs.jsonl').read_text().splitlines()]
    assert lines[2] == dict(
        image='PRCC/2.jpg', captions=['A man in a red coat.', 'A woman with a blue bag.'],
        person_id=4, split='test', query_images=['PRCC/1.jpg', 'LAST/9.jpg'])
    original = ITCPR(data_root=str(tmp_path / 'sample'), lazy_init=True).read_records()
    assert len(lines) == len(original) == 5


def test_a_prefix_is_stripped_on_the_way(tmp_path, write_image):
    write_image(tmp_path / 'source/images/a.jpg')
    (tmp_path / 'source/100w.json').write_text(json.dumps([{'/them/a.jpg': 'A man.'}]))
    report = convert_data(tmp_path / 'source', tmp_path / 'mine', to='jsonl', form='web_person',
                          strip_prefix='/them/')
    assert report.images == 1 and (tmp_path / 'mine/images/a.jpg').is_file()


def test_rows_without_people_are_a_person_an_image(tmp_path):
    arrow = pytest.importorskip('pyarrow')
    import pyarrow.parquet as parquet
    parquet.write_table(arrow.Table.from_pylist([
        dict(image=image, caption=text) for image, text in (
            ('a.jpg', 'A man.'), ('a.jpg', 'In red.'), ('b.jpg', 'A woman.'))]),
        tmp_path / 'train.parquet')
    with pytest.raises(BadValue, match='no column person_id'):
        convert_data(tmp_path / 'train.parquet', tmp_path / 'no')
    convert_data(tmp_path / 'train.parquet', tmp_path / 'mine', each_image=True)
    lines = [json.loads(line) for line in (tmp_path / 'mine/pairs.jsonl').read_text().splitlines()]
    assert [(line['image'], line['person_id'], line['captions']) for line in lines] == [
        ('a.jpg', 0, ['A man.', 'In red.']), ('b.jpg', 1, ['A woman.'])]
    (tmp_path / 'mine/images').mkdir()
    pairs = ImageTextPairs(data_root=str(tmp_path / 'mine'), ann_file='pairs.jsonl', lazy_init=True,
                           data_prefix=dict(img_path='images'))
    assert [item.record.person_id for item in pairs.read_records()] == [0, 1]
