"""Source images of a run in an object store: the same edits as of those in a folder."""

import pytest
from fake_parts import make_plan, outcome, run
from object_store_rig import new_bucket, put

from mmtbps.errors import MissingFile
from mmtbps.fileio import as_path
from mmtbps.generation.runs.manifest import note_images, read_images
from mmtbps.generation.runs.source_images import read_source


def test_a_source_in_a_store_is_read_as_training_sees_it(tmp_path):
    make_plan(tmp_path, people=1)
    address, name = new_bucket(), 'cam_a/1_0.png'
    put(tmp_path / 'imgs', address)
    here, there = read_source(tmp_path / 'imgs' / name), read_source(as_path(address, name))
    assert there.error is None and there.sha256 == here.sha256
    assert there.image.tobytes() == here.image.tobytes()
    missing = read_source(as_path(address, 'none.png'))
    assert isinstance(missing.error, MissingFile) and 'none.png' in str(missing.error)


def test_the_outcome_is_that_of_the_folder(planned, quiet, tmp_path):
    address = new_bucket()
    put(planned / 'imgs/cam_a', f'{address}/cam_a')
    run(planned, tmp_path / 'stored', images=address)
    assert outcome(tmp_path / 'stored') == quiet
    assert read_images(tmp_path / 'stored') == address


def test_a_store_without_the_images_is_refused_at_once(planned, tmp_path):
    address = new_bucket()
    put(planned / 'imgs/cam_a/1_0.png', f'{address}/other/x.png')
    with pytest.raises(MissingFile, match='image folder memory://.*none not found'):
        run(planned, tmp_path / 'none', images=f'{address}/none')
    with pytest.raises(MissingFile, match='none of the first .* images of the plan is in memory://'):
        run(planned, tmp_path / 'other', images=f'{address}/other')


def test_the_note_keeps_an_address(tmp_path):
    note_images(tmp_path, 's3://bucket/imgs')
    assert read_images(tmp_path) == 's3://bucket/imgs'
