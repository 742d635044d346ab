"""Small files in the form in which each data set is published, and the records they hold."""

import json
from typing import NamedTuple

MALE = 'A man in a red coat.'
FEMALE = 'A woman with a blue bag.'
OLD = 'An old man in grey.'


class Sample(NamedTuple):
    """Files by name, values for JSON or text; (image, captions, person, split) of each record."""

    files: dict
    records: list


def lines(*values):
    return '\n'.join(map(json.dumps, values)) + '\n'


def _mals(image, caption):
    folder, number = image.split('/')[-2:]
    return dict(image=image, caption=caption, image_id=f'{folder}_{number[:-4]}',
                label=[1, 0, *[-1] * 25])


def _pab(image, caption, number, **kind):
    return dict(image=image, caption=caption, image_id=f'0_{number}', hard_i='imgs_0/full/9.jpg',
                hard_c='He falls.', hard_i_id='0_9', source_id='1_0', source_caption='a band',
                scene='a stage', **kind)


def _synth(person, image, *captions):
    return dict(id=person, file_path=image, attributes=['man,black hair,unknown'],
                captions=list(captions), prompt_caption=['A man with black hair.'])


def _cuhk(split, person, image, *captions, key='file_path', **further):
    return {'split': split, 'captions': list(captions), key: image, 'id': person,
            'processed_tokens': [caption.split() for caption in captions], **further}


_PEDES = [_cuhk('train', 1, 'cam_a/1.png', MALE, OLD), _cuhk('test', 3, 'cam_b/3.png', FEMALE)]
_PEDES_RECORDS = [('cam_a/1.png', (MALE, OLD), 1, 'train'), ('cam_b/3.png', (FEMALE,), 3, 'test')]

#: By the name of the reader.
SAMPLES = dict(
    cuhk=Sample({'reid_raw.json': _PEDES}, _PEDES_RECORDS),
    drawn=Sample({'reid_raw.json': _PEDES}, _PEDES_RECORDS),
    icfg=Sample({'ICFG_PEDES.json': _PEDES}, _PEDES_RECORDS),
    rstp=Sample({'data_captions.json': [
        _cuhk('train', 0, '0_c1.jpg', MALE, OLD, key='img_path')]},
        [('0_c1.jpg', (MALE, OLD), 0, 'train')]),
    jsonl=Sample({'pairs.jsonl': lines(
        dict(image='1.jpg', captions=[MALE], person_id=5, split='val'))},
        [('1.jpg', (MALE,), 5, 'val')]),
    ufine6926=Sample({'UFine6926_Annotations.json': [
        dict(split='train', id=1, file_path='images/1.jpg', captions=[MALE, OLD])]},
        [('images/1.jpg', (MALE, OLD), 1, 'train')]),
    # Its `source` is the name of a data set; some copies have no split.
    ufine3c=Sample({'UFine3C_Annotations.json': [
        dict(id=1, source='UFine6926', split='test', file_path='images/1.jpg', captions=[MALE]),
        dict(id=2, source='RSTPReid', file_path='images/2.jpg', captions=[FEMALE, OLD])]},
        [('images/1.jpg', (MALE,), 1, 'test'), ('images/2.jpg', (FEMALE, OLD), 2, 'test')]),
    # `image_id` is another one for each image; two files number people together.
    mals=Sample({
        'gene_attrs/g_4x_attrs.json': [_mals('gene_crop/4x/0.jpg', MALE)],
        'gene_attrs/g_c_g_a_0_attrs.json': [_mals('gene_crop/c_g_a_0/0.jpg', FEMALE),
                                            _mals('gene_crop/c_g_a_0/7.jpg', OLD)]},
        [('gene_crop/4x/0.jpg', (MALE,), 0, 'train'),
         ('gene_crop/c_g_a_0/0.jpg', (FEMALE,), 1, 'train'),
         ('gene_crop/c_g_a_0/7.jpg', (OLD,), 2, 'train')]),
    synth_pedes=Sample({'synthpedes_dataset.json': [
        _synth(7, 'Part1/7/1.jpg', MALE, OLD), _synth(7, 'Part1/7/2.jpg', MALE),
        _synth(9000, 'Part2/9000/1.jpg', FEMALE)]},
        [('Part1/7/1.jpg', (MALE, OLD), 7, 'train'), ('Part1/7/2.jpg', (MALE,), 7, 'train'),
         ('Part2/9000/1.jpg', (FEMALE,), 9000, 'train')]),
    ham_pedes=Sample({'random100w_2HAMcaptions.json': {
        'Part1/7/1.jpg': [MALE, OLD], 'Part1/7/2.jpg': [FEMALE, OLD]}},
        [('Part1/7/1.jpg', (MALE, OLD), 0, 'train'), ('Part1/7/2.jpg', (FEMALE, OLD), 1, 'train')]),
    # Names have folders that differ between the files; the image is the same.
    luperson_mllm=Sample({
        'captions/Td-qwen.json': {'part1/a.jpg': MALE, 'part1/b.jpg': FEMALE},
        'captions/Ts-qwen.json': {'b.jpg': OLD, 'x/a.jpg': OLD}},
        [('a.jpg', (MALE,), 0, 'train'), ('b.jpg', (FEMALE,), 1, 'train'),
         ('b.jpg', (OLD,), 1, 'train'), ('a.jpg', (OLD,), 0, 'train')]),
    web_person=Sample({'100w.json': [
        {'0/a.jpg': dict(caption1=MALE, caption2=OLD)}, {'0/b.jpg': dict(caption1=FEMALE)}]},
        [('0/a.jpg', (MALE, OLD), 0, 'train'), ('0/b.jpg', (FEMALE,), 1, 'train')]),
    # Called .json, a record a line; a list is read as well.
    pab=Sample({
        'annotation/train/attr_0.json': lines(
            _pab('train/imgs_0/goal/0.jpg', MALE, 0, normal='Performing'),
            _pab('train/imgs_0/full/1.jpg', FEMALE, 1, anomaly='Falling')),
        'annotation/test/attr.json': [_pab('test/0.jpg', [OLD], 0, normal='Walking')]},
        [('train/imgs_0/goal/0.jpg', (MALE,), 0, 'train'),
         ('train/imgs_0/full/1.jpg', (FEMALE,), 1, 'train')]),
    pab_ucc=Sample({'annotation/test/ucc.json': lines(_pab('ucc/0.jpg', MALE, 0))},
                   [('ucc/0.jpg', (MALE,), 0, 'test')]),
    itcpr=Sample({
        'query.json': [
            dict(file_path='PRCC/1.jpg', datasets='PRCC', person_id=1, instance_id=4, caption=MALE),
            dict(file_path='LAST/1.jpg', datasets='LAST', person_id=1, instance_id=2, caption=OLD),
            dict(file_path='LAST/9.jpg', datasets='LAST', person_id=9, instance_id=4,
                 caption=FEMALE)],
        'gallery.json': [
            dict(file_path='LAST/2.jpg', datasets='LAST', person_id=1, instance_id=2),
            dict(file_path='LAST/3.jpg', datasets='LAST', person_id=1, instance_id=-1),
            dict(file_path='PRCC/2.jpg', datasets='PRCC', person_id=1, instance_id=4),
            dict(file_path='PRCC/3.jpg', datasets='PRCC', person_id=1, instance_id=4),
            dict(file_path='PRCC/4.jpg', datasets='PRCC', person_id=8, instance_id=-1)]},
        [('LAST/2.jpg', (OLD,), 2, 'test'), ('LAST/3.jpg', (), -3, 'test'),
         ('PRCC/2.jpg', (MALE, FEMALE), 4, 'test'), ('PRCC/3.jpg', (), 4, 'test'),
         ('PRCC/4.jpg', (), -6, 'test')]),
    # `image_id` is the person; a caption of train has a record of its own.
    aptm=Sample({
        'cuhk_train.json': [dict(image='cam_a/1.png', caption=text, image_id=1)
                            for text in (MALE, OLD)],
        'cuhk_val.json': [dict(image='cam_a/2.png', caption=[OLD, MALE], image_id='2')],
        'cuhk_test.json': [dict(image='cam_b/3.png', caption=[FEMALE], image_id=3)]},
        [('cam_a/1.png', (MALE,), 1, 'train'), ('cam_a/1.png', (OLD,), 1, 'train'),
         ('cam_a/2.png', (OLD, MALE), 2, 'val'), ('cam_b/3.png', (FEMALE,), 3, 'test')]),
    # No val, as of ICFG-PEDES.
    rasa=Sample({'processed_data/train.json': _PEDES[:1], 'processed_data/test.json': _PEDES[1:]},
                _PEDES_RECORDS),
    tbps_clip=Sample({'train_reid.json': [_PEDES[0] | dict(captions_bt=['Red coat.', 'Old.'])],
                      'test_reid.json': _PEDES[1:]}, _PEDES_RECORDS),
    pairs=Sample({'mine.json': {'a.jpg': MALE, 'b.jpg': [FEMALE, OLD]}},
                 [('a.jpg', (MALE,), 0, 'train'), ('b.jpg', (FEMALE, OLD), 1, 'train')]),
)
