"""Damage in archives."""

import zipfile

import pytest
import torch

from mmtbps.fileio import BrokenCheckpoint, damaged_record, load_checkpoint_file


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / 'epoch_1.pth'
    torch.save(dict(state_dict=dict(weight=torch.arange(4096.))), path)
    return path


def test_one_flipped_bit_in_a_weight_is_found(checkpoint):
    content = bytearray(checkpoint.read_bytes())
    place = content.index(torch.tensor([7., 8., 9.]).numpy().tobytes())
    content[place] ^= 1
    checkpoint.write_bytes(content)
    # torch itself takes the wrong weight.
    assert torch.load(checkpoint, weights_only=True)['state_dict']['weight'][7] != 7
    with pytest.raises(BrokenCheckpoint, match=r'epoch_1\.pth: damaged, .*data/0 does not fit'):
        load_checkpoint_file(checkpoint)


def test_a_whole_checkpoint_and_what_is_no_archive_pass(checkpoint, tmp_path):
    assert damaged_record(checkpoint) is None
    (tmp_path / 'text').write_text('no archive')
    assert damaged_record(tmp_path / 'text') is None
    torch.save(torch.ones(3), tmp_path / 'former.pth', _use_new_zipfile_serialization=False)
    assert load_checkpoint_file(tmp_path / 'former.pth', mmap=True).tolist() == [1, 1, 1]


def test_damage_of_a_compressed_record_is_found(tmp_path):
    path = tmp_path / 'some.npz'
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('features.npy', bytes(range(256)) * 40)
    content = bytearray(path.read_bytes())
    content[60:70] = bytes(10)
    path.write_bytes(content)
    assert damaged_record(path) == 'features.npy'
