"""Perfectly edited pairs: only the garment differs, and they train beside the originals."""

import json

import numpy as np
import pytest
from PIL import Image

from mmtbps.datasets import DrawnPEDES, SeededSampler, UniquePersonBatchSampler
from mmtbps.drawing.edited_pairs import draw_edited_pairs
from mmtbps.drawing.edits import garment_mask
from mmtbps.drawing.versions import plan_person
from mmtbps.errors import Remedy
from mmtbps.records import read_jsonl


@pytest.fixture(scope='module')
def pairs(micro_set, tmp_path_factory):
    return draw_edited_pairs(micro_set, tmp_path_factory.mktemp('edited'))


def test_one_pair_an_image_one_new_id_a_person(pairs, micro_set):
    records = read_jsonl(pairs)
    originals = {entry['file_path']: entry
                 for entry in json.loads((micro_set / 'reid_raw.json').read_text())}
    assert sorted(record.source for record in records) == sorted(
        path for path, entry in originals.items() if entry['split'] == 'train')
    new_ids = {}
    for record in records:
        new_ids.setdefault(originals[record.source]['id'], set()).add(record.person_id)
    assert all(len(ids) == 1 for ids in new_ids.values())
    assert min(map(min, new_ids.values())) > max(entry['id'] for entry in originals.values())


def test_the_picture_differs_inside_the_garment_only(pairs, micro_set):
    inside, outside = [], []
    for record in read_jsonl(pairs)[:12]:
        person, shots = plan_person(0, int(record.source.split('/')[1][:5]), 2)
        shot = next(shot for shot in shots if shot.file_path == record.source)
        mask = garment_mask(person, shot.scene, record.edit['garment'], (96, 32))
        before = np.asarray(Image.open(micro_set / 'imgs' / record.source), dtype=float)
        after = np.asarray(Image.open(pairs.parent / 'imgs' / record.image), dtype=float)
        change = np.abs(before - after).mean(-1)
        inside.append(change[mask].mean())
        outside.append(change[~mask].mean())
    assert np.median(inside) > 25 and np.median(outside) < 4  # blur and JPEG bleed a little


def test_captions_name_the_new_color_where_they_name_the_garments(pairs, micro_set):
    originals = {entry['file_path']: entry['captions']
                 for entry in json.loads((micro_set / 'reid_raw.json').read_text())}
    changed = [old != new for record in read_jsonl(pairs)
               for old, new in zip(originals[record.source], record.captions, strict=True)]
    assert np.mean(changed) > 0.9


def test_they_are_one_data_set_with_the_originals(pairs, micro_set):
    dataset = DrawnPEDES(data_root=str(micro_set), ann_file=['reid_raw.json', str(pairs)],
                         data_prefix=dict(img_path=['imgs', str(pairs.parent / 'imgs')]))
    assert len(dataset) == 2 * 96 and dataset.metainfo['num_persons'] == 48


def test_a_second_call_changes_nothing_and_a_stranger_is_refused(pairs, micro_set, tmp_path):
    before = pairs.stat().st_mtime_ns
    assert draw_edited_pairs(micro_set, pairs.parent) == pairs
    assert pairs.stat().st_mtime_ns == before
    with pytest.raises(FileNotFoundError, match='no finished drawn data set') as error:
        draw_edited_pairs(tmp_path, tmp_path / 'out')
    assert error.value.remedy == Remedy('draw_dataset', dict(root=tmp_path))


def test_a_control_keeps_edits_out_of_the_batches_of_their_originals(pairs, micro_set):
    dataset = DrawnPEDES(data_root=str(micro_set), ann_file=['reid_raw.json', str(pairs)],
                         data_prefix=dict(img_path=['imgs', str(pairs.parent / 'imgs')]))
    family = dataset.family_ids
    assert len(np.unique(family)) == 24 and len(np.unique(dataset.person_ids)) == 48
    together = {}
    for kind in ('person_ids', 'family_ids'):
        sampler = UniquePersonBatchSampler(SeededSampler(dataset, seed=0), 12, kind)
        batches = [[item.index for item in batch] for batch in sampler]
        assert all(len(set(getattr(dataset, kind)[batch])) == 12 for batch in batches)
        together[kind] = sum(len(set(family[batch])) < 12 for batch in batches)
    assert together['person_ids'] > 0 and together['family_ids'] == 0
