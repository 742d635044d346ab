"""Binding benchmarks in every layout, and what is said of broken ones."""

import json

import pytest

from mmtbps.errors import BadValue, MissingFile, RecordError
from mmtbps.evaluation.binding import read_binding

OWN = dict(format='mmtbps-binding', version=1, name='mine', captions='train.txt',
           items=[dict(image='imgs/a.jpg', caption='a red coat', negative='a blue coat',
                       kind='replaced', group='color')],
           pairs=[dict(images=['imgs/a.jpg', 'imgs/b.jpg'],
                       captions=['a red coat', 'a blue coat'], kind='permuted')])
CREPE = {'0': dict(filename='imgs/a.jpg', caption='a red coat', negative_caption='a blue coat'),
         '7': dict(filename='imgs/b.jpg', caption='a hat', negative_caption='a cap')}
SWAP = [dict(id=3, image_1='imgs/a.jpg', image_2='imgs/b.jpg', caption_1='a red coat, blue jeans',
             caption_2='a blue coat, red jeans')]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'imgs').mkdir()
    for name in 'ab':
        (tmp_path / 'imgs' / f'{name}.jpg').touch()
    return tmp_path


def write(folder, content, name='set.json'):
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), 'utf-8')
    return path


def test_our_own_layout(folder):
    found = read_binding(write(folder, OWN))
    assert found.name == 'mine' and found.captions == folder / 'train.txt'
    assert found.items == ((str(folder / 'imgs/a.jpg'), 'a red coat', 'a blue coat', 'replaced',
                            'color'),)
    assert found.pairs == (((str(folder / 'imgs/a.jpg'), str(folder / 'imgs/b.jpg')),
                            ('a red coat', 'a blue coat'), 'permuted'),)


def test_published_layouts(folder):
    crepe = read_binding(write(folder, CREPE, 'swap_att.json'))
    assert [item[1:] for item in crepe.items] == [
        ('a red coat', 'a blue coat', 'swap_att', 'swap_att'),
        ('a hat', 'a cap', 'swap_att', 'swap_att')]
    swap = read_binding(write(folder, SWAP, 'colorswap.json'))
    assert not swap.items and swap.pairs[0].captions == (
        'a red coat, blue jeans', 'a blue coat, red jeans')
    assert [path.rsplit('/', 1)[1] for path in swap.pairs[0].images] == ['a.jpg', 'b.jpg']


@pytest.mark.parametrize('text, kinds', [
    ('image,caption,negative\na.jpg,"red, blue",blue\n', ['own']),
    ('\ufeffkind,negative,caption,image\nhat,blue,red,b.jpg\n,blue,red,a.jpg\n', ['hat', 'own'])])
def test_a_table_of_ones_own(text, kinds, folder):
    found = read_binding(write(folder, text, 'own.csv'), images=folder / 'imgs')
    assert [item.kind for item in found.items] == kinds
    assert all(item.negative == 'blue' for item in found.items)


def changed(**changes):
    return {**OWN, 'pairs': [], 'items': [{**OWN['items'][0], **changes}]}


@pytest.mark.parametrize('content, name, error, says', [
    ('{', 'set.json', BadValue, 'no JSON'),
    ([], 'set.json', BadValue, 'no binding benchmark: neither'),
    ({'a': 1}, 'set.json', BadValue, 'SugarCrepe'),
    ({**OWN, 'version': 2}, 'set.json', BadValue, 'version 2 of mmtbps-binding; this one reads 1'),
    ({**OWN, 'items': [], 'pairs': []}, 'set.json', BadValue, 'no item in it'),
    ({**OWN, 'items': 5}, 'set.json', BadValue, 'items must be a list'),
    ({**OWN, 'pairs': 5}, 'set.json', BadValue, 'pairs must be a list'),
    (changed(image='imgs/c.jpg'), 'set.json', MissingFile, r'item 0: no picture .*imgs/c\.jpg'),
    (changed(caption=' '), 'set.json', RecordError, "item 0: caption must be a text, got ' '"),
    (changed(negative='a  red coat'), 'set.json', RecordError, 'the negative is the caption'),
    ({**OWN, 'pairs': [dict(images=['imgs/a.jpg'], captions=['a', 'b'])]}, 'set.json', RecordError,
     'pair 0: images and captions must be two each'),
    ([{**SWAP[0], 'caption_2': SWAP[0]['caption_1']}], 'set.json', RecordError, 'both captions'),
    ('image,caption\na.jpg,red\n', 'own.csv', BadValue, 'no column negative'),
    ('image,caption,negative\nimgs/a.jpg,red,\n', 'own.csv', RecordError, 'negative must be a text')
])
def test_broken_files_are_named(content, name, error, says, folder):
    with pytest.raises(error, match=says) as caught:
        read_binding(write(folder, content, name))
    assert str(folder / name) in str(caught.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(MissingFile, match='no such file'):
        read_binding(tmp_path / 'none.json')
