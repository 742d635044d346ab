"""Every reader on files in the published form: records, items, and arguments that fit copies."""

import csv
import json

import pytest
from published_samples import FEMALE, MALE, OLD, SAMPLES, lines

from mmtbps.datasets import (
    HAMPEDES,
    MALS,
    PAB,
    ImageTextPairs,
    LUPersonMLLM,
    TBPSCLIPFiles,
    UFine6926,
    readers,
)
from mmtbps.datasets.readers.names import READERS
from mmtbps.errors import BadValue, MissingFile, RecordError
from mmtbps.registry import DATASETS


def facts(located):
    return [(item.record.image, item.record.captions, item.record.person_id, item.record.split)
            for item in located]


def test_every_reader_has_a_sample_a_name_and_its_place_in_the_registry():
    assert SAMPLES.keys() | {'luperson_t'} == READERS.keys()  # that one in test_arrow_reader.py
    public = {getattr(readers, name) for name in readers.__all__}
    assert public == set(READERS.values()) - {READERS['jsonl']}
    assert all(DATASETS.get(reader.__name__) is reader for reader in READERS.values())


@pytest.mark.parametrize('name', SAMPLES)
def test_records_are_those_of_the_files(name, read):
    assert facts(read(name)) == SAMPLES[name].records


@pytest.mark.parametrize('name', SAMPLES)
def test_items_are_served_from_the_images(name, write_sample):
    split = SAMPLES[name].records[0][3]
    test_mode = split != 'train'
    dataset = READERS[name](**write_sample(name), split=split, test_mode=test_mode, holdout=0,
                            strict=name != 'itcpr')
    wanted = [record for record in SAMPLES[name].records if record[3] == split]
    served = [dataset[i] for i in range(len(dataset))]
    captions = [text for item in served for text in item.get('captions', [item.get('caption')])]
    assert sorted(captions) == sorted(text for record in wanted for text in record[1])
    assert dataset.metainfo['num_persons'] == len({record[2] for record in wanted})
    assert dataset.num_images == len({record[0] for record in wanted})


@pytest.mark.parametrize('name', ['mals', 'web_person', 'ham_pedes', 'luperson_mllm', 'pab'])
def test_each_image_is_a_person_whatever_file_names_it(name, write_sample):
    dataset = READERS[name](**write_sample(name))
    images = [dataset.get_data_info(i)['img_path'] for i in range(len(dataset))]
    person_of = dict(zip(images, dataset.person_ids.tolist(), strict=True))
    assert len(set(person_of.values())) == len(person_of) == dataset.num_images
    assert all(person_of[image] == person
               for image, person in zip(images, dataset.person_ids, strict=True))


@pytest.mark.parametrize('name, files, message', [
    ('mals', {'gene_attrs/g_1.json': [dict(image='a.jpg', caption=MALE)]},
     "g_1.json, record 1: key 'image_id' is missing"),
    ('mals', {'gene_attrs/g_1.json': [dict(image='a.jpg', image_id='a')]},
     "g_1.json, record 1: it needs one of the keys 'caption'"),
    ('mals', {'gene_attrs/g_1.json': [dict(image='a.jpg', image_id='a', caption=3)]},
     "record 1: key 'caption' must be a caption, a list or an object of captions, got 3"),
    ('mals', {'gene_attrs/g_1.json': {'a.jpg': MALE}}, 'g_1.json: expected a list of records'),
    ('mals', {'gene_attrs/g_1.json': [dict(image='../a.jpg', image_id='a', caption=MALE)]},
     'record 1: image .* leads out of the image folder'),
    ('synth_pedes', {'synthpedes-dataset.json': [
        dict(id='7', file_path='a.jpg', captions=[MALE])]},
     "record 1: key 'id' must be an integer"),
    ('synth_pedes', {'synthpedes-dataset.json': [
        dict(id=7, file_path='Part1/7/1.jpg', captions=[MALE]),
        dict(id=7, file_path='Part2/7/1.jpg', captions=[MALE])]},
     'record 2: id 7 is in Part2 and in Part1: set ids_of_parts=True'),
    ('ham_pedes', {'random100w_2HAMcaptions.json': '{"a.jpg": ["x"], "a.jpg": ["y"]}'},
     "2HAMcaptions.json: key 'a.jpg' stands twice"),
    ('luperson_mllm', {'captions/Ts-qwen.json': {'a.jpg': 5}},
     r"Ts-qwen.json, record 1 \(a.jpg\): key 'captions' must be a caption"),
    ('web_person', {'100w.json': [dict(image='a.jpg', text='x', caption='y')]},
     "record 1: it has the keys 'caption' and 'text', of which one would be enough"),
    ('pab', {'annotation/train/attr_0.json': lines(dict(image='a.jpg', caption=MALE, split='x',
                                                        image_id='0_0'))},
     "attr_0.json, record 1: split 'x' is not known"),
    ('itcpr', {'query.json': [dict(file_path='a.jpg', instance_id=1, caption='x')],
               'gallery.json': [dict(file_path='b.jpg', instance_id='01')]},
     "gallery.json, record 1: key 'instance_id' must be an integer"),
    ('itcpr', {'query.json': [dict(file_path='a.jpg', instance_id=-1, caption='x')]},
     r'query.json, record 1: a query \(it has a caption\) must have an instance_id of at least 0'),
    ('itcpr', {'query.json': [dict(file_path='a.jpg', instance_id=1, caption='x')]},
     'query.json: no image of the gallery in it; both files are needed'),
    ('aptm', {'cuhk_train.json': [dict(image='a.jpg', caption='x', image_id=1),
                                  dict(image='a.jpg', caption='x', image_id='c_1')]},
     "record 2: key 'image_id' is 'c_1', and a number in .*record 1; name all people"),
    ('aptm', {'cuhk_train.json': [dict(image='a.jpg', caption='x', image_id='007')]},
     "record 1: key 'image_id' is '007', which is a number to some programs"),
    ('aptm', {'cuhk_train.json': [dict(image='a.jpg', caption=3, image_id=1)]},
     "record 1: key 'caption' must be a caption or a list, got 3"),
    ('rasa', {'processed_data/train.json': [dict(
        file_path='a.jpg', id=1, captions=['x'], split='test')]},
     "train.json, record 1: split 'test' in a file for 'train'"),
    ('tbps_clip', {'train_reid.json': [dict(
        file_path='a.jpg', id=1, captions=['x', 'y'], captions_bt=['x'])]},
     "record 1: key 'captions_bt' must have a translation of each of the 2 captions, got 1"),
    ('ufine6926', {'UFine6926.json': [dict(file_path='a.jpg', id=1, captions=['x'])]},
     "UFine6926.json, record 1: key 'split' is missing"),
])
def test_faults_name_file_record_and_key(name, files, message, read):
    with pytest.raises(RecordError, match=message):
        read(name, files)


@pytest.mark.parametrize('name', [name for name in SAMPLES if name not in ('jsonl', 'pairs')])
def test_a_missing_file_says_where_it_is_from(name, tmp_path):
    reader = READERS[name]
    with pytest.raises(MissingFile, match='Annotation file .* not found') as raised:
        reader(data_root=str(tmp_path))
    assert reader.how_to_get in str(raised.value)


# ------------------------------------------------------------------ traps of single data sets
def test_ids_of_parts_are_told_apart_or_joined(read):
    files = {'other.json': [
        dict(id=7, file_path=f'Part{part}/7/1.jpg', captions=[MALE]) for part in (1, 2)]}
    people = {joined: [fact[2] for fact in facts(read(
        'synth_pedes', files, ids_of_parts=joined, ann_file='other.json'))]
              for joined in (True, False)}
    assert people == {True: [0, 1], False: [7, 7]}
    prompted = read('synth_pedes', prompt_captions=True)
    assert prompted[0].record.captions == (MALE, OLD, 'A man with black hair.')


def test_a_template_that_a_model_left_is_skipped(write_sample):
    files = {'captions/Ts-qwen.json': {'a.jpg': MALE, 'b.jpg': 'A <color> coat.'},
             'captions/Td-qwen.json': {'a.jpg': '[hair description] and a coat', 'b.jpg': OLD}}
    dataset = LUPersonMLLM(**write_sample('luperson_mllm', files))
    assert [dataset[i]['caption'] for i in range(len(dataset))] == [OLD, MALE]
    assert [skip.kind for skip in dataset.skipped] == 2 * ['caption with a template left in it']


def test_folders_of_luperson_stay_if_they_are_meant(read):
    assert facts(read('luperson_mllm', flat=False))[0][0] == 'part1/a.jpg'


def test_people_may_be_folders_or_a_key(read, tmp_path):
    assert [fact[2] for fact in facts(read('ham_pedes', people='folder'))] == [0, 0]
    files = {'mine.json': [dict(image='a.jpg', caption='x', who='Ann'),
                           dict(image='b.jpg', caption='x', who='Bob'),
                           dict(image='c.jpg', caption='x', who='Ann')]}
    assert [fact[2] for fact in facts(read('pairs', files, people='who'))] == [0, 1, 0]


def test_paths_of_another_root_are_stripped(read):
    files = {'100w.json': [{'/home/them/COYO/a.jpg': 'x'}]}
    assert facts(read('web_person', files, strip_prefix='/home/them/COYO/'))[0][0] == 'a.jpg'
    with pytest.raises(RecordError, match='leads out of the image folder'):
        read('web_person', files)
    with pytest.raises(RecordError, match="'/home/them/COYO/a.jpg' does not begin with strip_pre"):
        read('web_person', files, strip_prefix='images/')


def test_only_the_files_of_the_split_are_read_of_pab(write_sample, tmp_path):
    arguments = write_sample('pab')
    (tmp_path / 'test').mkdir()
    (tmp_path / 'train/imgs_0/goal/0.jpg').rename(tmp_path / 'test/0.jpg')
    (tmp_path / 'annotation/train/attr_0.json').write_text('broken')
    test = PAB(**arguments, split='test', test_mode=True)
    assert test[0]['captions'] == [OLD] and len(test) == 1
    assert test.metainfo['other_size'].startswith('published with 1,978 people')
    held_out = PAB(**arguments, split='val', test_mode=True, holdout=1, lazy_init=True)
    assert held_out.ann_file == ('annotation/train/attr_*.json',)
    assert PAB.default_files(arguments['data_root']) == (
        'annotation/train/attr_*.json', 'annotation/test/attr.json')


def test_back_translations_are_further_captions_if_asked(write_sample):
    arguments = write_sample('tbps_clip')
    assert len(TBPSCLIPFiles(**arguments)) == 2
    dataset = TBPSCLIPFiles(**arguments, back_translations=True)
    assert [dataset[i]['caption'] for i in range(4)] == [MALE, OLD, 'Red coat.', 'Old.']


def test_ufine_holds_people_out_unless_it_has_a_val(write_sample):
    records = [dict(split='train', id=i, file_path='images/1.jpg', captions=[f'Number {i}.'])
               for i in range(20)]
    arguments = write_sample('ufine6926', {'UFine6926_Annotations.json': records})
    assert len(UFine6926(**arguments)) == 18
    records[0]['split'] = 'val'
    arguments = write_sample('ufine6926', {'UFine6926_Annotations.json': records})
    assert len(UFine6926(**arguments)) == 19
    assert len(UFine6926(**arguments, split='val', test_mode=True)) == 1
    with pytest.raises(BadValue, match='have a val split of their own'):
        UFine6926(**arguments, holdout=0.1)


def test_generated_pairs_need_people(write_sample):
    with pytest.raises(BadValue, match='MALS has a person an image'):
        MALS(**write_sample('mals'), pairs_root='pdg')


def test_held_out_images_are_those_of_nobody_in_train(write_sample):
    arguments = write_sample('mals')
    train = MALS(**arguments, holdout=1)
    val = MALS(**arguments, holdout=1, split='val', test_mode=True)
    assert not set(train.people.values()) & set(val.people.values())
    assert (len(train), len(val)) == (2, 1)


# ------------------------------------------------------------------ forms of files
PAIRS = [('a.jpg', (MALE,), 0, 'train'), ('b.jpg', (FEMALE,), 1, 'test'),
         ('a.jpg', (OLD,), 0, 'train')]


def as_table(path, delimiter):
    with open(path, 'w', newline='') as file:
        rows = csv.writer(file, delimiter=delimiter)
        rows.writerow(['image', 'caption', 'split'])
        rows.writerows([image, captions[0], split] for image, captions, _, split in PAIRS)


def as_parquet(path):
    arrow = pytest.importorskip('pyarrow')
    import pyarrow.parquet as parquet
    parquet.write_table(arrow.Table.from_pylist([
        dict(image=dict(bytes=b'jpeg', path=image), caption=captions[0], split=split)
        for image, captions, _, split in PAIRS]), path)


def as_arrow(path):
    arrow = pytest.importorskip('pyarrow')
    table = arrow.Table.from_pylist([dict(image=image, caption=captions[0], split=split, raw=b'x')
                                     for image, captions, _, split in PAIRS])
    with arrow.OSFile(str(path), 'wb') as sink, arrow.ipc.new_stream(sink, table.schema) as file:
        file.write_table(table, max_chunksize=2)


def as_json_lines(path):
    path.write_text(lines(*(dict(image=image, caption=captions[0], split=split)
                            for image, captions, _, split in PAIRS)))


def as_json(path):
    path.write_text(json.dumps([dict(img_path=image, captions=captions, split=split)
                                for image, captions, _, split in PAIRS]))


@pytest.mark.parametrize('name, write', [
    ('a.csv', lambda path: as_table(path, ',')), ('a.tsv', lambda path: as_table(path, '\t')),
    ('a.parquet', as_parquet), ('a.arrow', as_arrow), ('a.jsonl', as_json_lines),
    ('a.json', as_json)])
def test_every_form_gives_the_same_records(name, write, tmp_path):
    write(tmp_path / name)
    dataset = ImageTextPairs(data_root=str(tmp_path), ann_file=name, lazy_init=True)
    assert facts(dataset.read_records()) == PAIRS


@pytest.mark.parametrize('name, content, message', [
    ('a.csv', 'image,caption\na.jpg,x,y\n', r'a\.csv:2: a line must have as many cells as the'),
    ('a.csv', 'image,caption\na.jpg\n', r'a\.csv:2: a line must have as many cells'),
    ('a.csv', 'image,caption\n', r'a\.csv: no record in it'),
    ('a.csv', 'image,words\na.jpg,x\n', 'record 1: it needs one of the keys .captions., .caption.'),
    ('a.parquet', 'PAR1', r'a\.parquet: no readable parquet file'),
    ('a.arrow', 'ARROW', r'a\.arrow: no Arrow file')])
def test_a_broken_table_is_named(name, content, message, tmp_path):
    if name != 'a.csv':
        pytest.importorskip('pyarrow')
    (tmp_path / name).write_text(content)
    with pytest.raises(BadValue, match=message):
        ImageTextPairs(data_root=str(tmp_path), ann_file=name)


def test_a_reader_of_json_says_so(tmp_path):
    (tmp_path / 'a.csv').write_text('image\na.jpg\n')
    with pytest.raises(RecordError, match=r'this data set reads JSON, no \.csv file'):
        MALS(data_root=str(tmp_path), ann_file='a.csv')


def test_a_pattern_stands_for_its_files_and_a_name_with_brackets_for_itself(read, tmp_path):
    files = {'x/a[1].json': {'a.jpg': MALE}, 'x/b.json': {'b.jpg': OLD}}
    assert len(read('pairs', files, ann_file='x/*.json')) == 2
    assert facts(read('pairs', files, ann_file='x/a[1].json'))[0][0] == 'a.jpg'
    with pytest.raises(MissingFile, match=r'Annotation file .*y\*\.json not found'):
        read('pairs', files, ann_file='y*.json')


def test_ham_pedes_finds_the_images_of_synth_pedes(write_sample):
    assert HAMPEDES(**write_sample('ham_pedes'))[0]['img_path'].endswith('Part1/7/1.jpg')
