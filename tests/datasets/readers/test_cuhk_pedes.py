"""CUHK-PEDES and the item contract, on a file in the published format."""

import numpy as np

from mmtbps.datasets import CUHKPEDES


def test_training_items_are_pairs_with_labels_from_zero(cuhk_root):
    dataset = CUHKPEDES(data_root=str(cuhk_root))
    items = [dataset[i] for i in range(len(dataset))]
    assert [item['caption'] for item in items] == [
        'A pedestrian with dark hair.', 'He is tall.', 'Dark hair.', 'White shoes.',
        'A third one.', 'A woman in red.', 'A red coat.', 'Blue jeans.', 'A man in jeans.']
    # Raw ids 1, 5, 3 in file order: labels follow the sorted ids, not the file.
    assert [item['person_id'] for item in items] == [0] * 5 + [2] * 2 + [1] * 2
    assert [item['image_id'] for item in items] == [0, 0, 1, 1, 1, 2, 2, 3, 3]
    assert items[2]['img_path'] == str(cuhk_root / 'imgs/CUHK01/0363005.png')
    assert dataset.skipped == []


def test_test_items_are_images_with_all_their_captions(cuhk_root):
    dataset = CUHKPEDES(data_root=str(cuhk_root), split='test', test_mode=True)
    items = [dataset[i] for i in range(len(dataset))]
    assert [item['captions'] for item in items] == [
        ['A boy.', 'A boy runs.', 'He runs.'], ['A boy stands.', 'Stands.'],
        ['An old man.', 'Grey hair.']]
    assert [item['person_id'] for item in items] == [12004, 12004, 12005]  # raw
    assert [item['image_id'] for item in items] == [0, 1, 2]
    assert 'caption' not in items[0]


def test_ids_survive_serialising(cuhk_root):
    dataset = CUHKPEDES(data_root=str(cuhk_root))
    assert len(dataset.data_list) == 0  # MMEngine emptied it
    assert dataset.person_ids.dtype == dataset.image_ids.dtype == np.int64
    assert dataset.person_ids.tolist() == [dataset[i]['person_id'] for i in range(len(dataset))]
    assert dataset.image_ids.tolist() == [dataset[i]['image_id'] for i in range(len(dataset))]


def test_val_is_the_published_one(cuhk_root):
    dataset = CUHKPEDES(data_root=str(cuhk_root), split='val', test_mode=True)
    assert dataset.person_ids.tolist() == [11004]
