"""Index files of moved captions: good ones of every kind of number, broken and hostile ones."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from mmtbps.datasets.noise import load_noisy_order, reorder_captions
from mmtbps.errors import BadValue, MissingFile

ORDER = [1, 0, 3, 2]


@pytest.mark.parametrize('kind', ['int64', 'uint16', '>i4', 'float64'])
def test_numbers_of_any_kind_move_captions(kind, tmp_path):
    np.save(tmp_path / 'index.npy', np.array(ORDER, kind))
    order = load_noisy_order(tmp_path / 'index.npy', 4)
    assert order.dtype == np.int64
    assert reorder_captions([('a', 'b'), ('c', 'd')], order) == [('b', 'a'), ('d', 'c')]


class Harmful:
    """An object whose pickle runs code."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark, )


def as_bytes(array, tmp_path, save=np.save, **options):
    path = tmp_path / 'made'
    with open(path, 'wb') as file:
        save(file, array, **options)
    return path.read_bytes()


@pytest.mark.parametrize('content, says', [
    (lambda at: b'', 'is no array of numbers in a .npy file'),
    (lambda at: b'hello', 'is no array of numbers in a .npy file'),
    (lambda at: pickle.dumps(Harmful(at / 'run')), 'is no array of numbers in a .npy file'),
    (lambda at: as_bytes(np.array([Harmful(at / 'run')]), at, allow_pickle=True),
     'is no array of numbers in a .npy file'),
    (lambda at: as_bytes(np.array(ORDER), at)[:-8], 'is no array of numbers in a .npy file'),
    (lambda at: as_bytes(np.array(ORDER), at, np.savez), 'holds no integers but an archive'),
    (lambda at: as_bytes(np.zeros(4, [('a', 'i4')]), at), 'holds no integers but'),
    (lambda at: as_bytes(np.array(['0', '1', '2', '3']), at), 'holds no integers but'),
    (lambda at: as_bytes(np.array([True, False] * 2), at), 'holds no integers but bool'),
    (lambda at: as_bytes(np.arange(5), at), r'has shape \(5,\), but the split has 4 captions'),
    (lambda at: as_bytes(np.array([ORDER]), at), r'has shape \(1, 4\)'),
    (lambda at: as_bytes(np.array([-1, 0, 1, 2]), at), r'is no permutation of 0..3'),
    (lambda at: as_bytes(np.array([4, 0, 1, 2]), at), r'is no permutation of 0..3'),
    (lambda at: as_bytes(np.array([1, 1, 0, 2]), at), r'is no permutation of 0..3'),
    (lambda at: as_bytes(np.array([.5, 0, 1, 2]), at), r'is no permutation of 0..3'),
    (lambda at: as_bytes(np.array([np.nan, 0, 1, 2]), at), r'is no permutation of 0..3')])
def test_anything_else_is_one_line_and_never_run(content, says, tmp_path):
    path = tmp_path / 'index.npy'
    path.write_bytes(content(tmp_path))
    with pytest.raises(BadValue, match=f'noise_index .*index.npy {says}'):
        load_noisy_order(path, 4)
    assert not (tmp_path / 'run').exists()


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(MissingFile, match='no such file'):
        load_noisy_order(tmp_path, 4)
