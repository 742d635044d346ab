"""RSTPReid: another image key, ids from 0, dirty captions."""

import pytest

from mmtbps.datasets import RSTPReid
from mmtbps.records import RecordError


@pytest.fixture
def rstp_root(write_dataset):
    captions = [['A man in black.', 'Black coat.'], ['', 'White shoes.'], ['他穿着黑色', '   '],
                ['A girl.', 'for (int i = 0; i < n; i++)'], ['A boy.', 'Boy.']]
    records = [dict(id=i // 2, img_path=f'{i // 2:04}_c{i}_0001.jpg', captions=c, split='train')
               for i, c in enumerate(captions)]
    records.append(dict(id=3701, img_path='3701_c1.jpg', captions=['v', 'w'], split='val'))
    return write_dataset(records, 'data_captions.json', 'img_path')


def test_empty_captions_are_skipped_and_dirty_ones_kept(rstp_root):
    dataset = RSTPReid(data_root=str(rstp_root))
    assert [dataset[i]['caption'] for i in range(len(dataset))] == [
        'A man in black.', 'Black coat.', 'White shoes.', '他穿着黑色', 'A girl.',
        'for (int i = 0; i < n; i++)', 'A boy.', 'Boy.']
    assert [tuple(skip) for skip in dataset.skipped] == [
        ('data_captions.json', 2, 'empty caption: number 1'),
        ('data_captions.json', 3, 'empty caption: number 2')]
    assert dataset.person_ids.tolist() == [0, 0, 0, 1, 1, 1, 2, 2]


def test_a_cuhk_record_names_the_missing_key(write_dataset, tmp_path):
    record = dict(id=0, file_path='a.jpg', captions=['x'], split='train')
    write_dataset([record], 'data_captions.json', 'file_path')
    with pytest.raises(RecordError, match=r"data_captions\.json, record 1: key 'img_path' is mis"):
        RSTPReid(data_root=str(tmp_path))
