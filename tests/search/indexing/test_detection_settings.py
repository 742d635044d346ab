"""Settings that decide what an entry is: noted, and refused when they contradict."""

import hashlib

import numpy as np
import pytest
from fakes import ColorEncoder, paint
from indexing_rig import Halves, first, index

from mmtbps.search.galleries import GalleryEntry, open_gallery
from mmtbps.search.galleries.provenance import read_provenance, write_provenance
from mmtbps.search.indexing.detection_settings import DetectionMismatch, settle_detection
from mmtbps.search.indexing.options import DetectionOptions

SETTINGS = dict(detector='indexing_rig.Halves', weights=None, threshold=None, min_height=None,
                every=1., track=False)


class Named(Halves):
    """With the settings of a detector that is loaded from a file."""

    address, weights_hash, threshold, min_height = '/models/d', '7' * 64, .5, 32

    def __init__(self, **settings):
        for name, value in settings.items():
            setattr(self, name, value)


def test_whole_pictures_do_not_replace_people(photographs, gallery):
    index(photographs, gallery, detector=Halves())
    before = sorted(gallery.entries(), key=lambda entry: entry.id)
    assert read_provenance(gallery.uri).detection == SETTINGS
    for options in ({}, dict(prune=True, prune_most=True)):
        with pytest.raises(DetectionMismatch, match='people found by indexing_rig.Halves') as error:
            index(photographs, gallery, **options)
        assert error.value.remedy.action == 'name_detector'
    assert sorted(gallery.entries(), key=lambda entry: entry.id) == before


def test_people_do_not_replace_whole_pictures(photographs, gallery):
    index(photographs, gallery)
    assert read_provenance(gallery.uri).detection == dict(detector=None)
    with pytest.raises(DetectionMismatch, match='holds whole pictures'):
        index(photographs, gallery, detector=Halves())
    assert gallery.count() == 3


@pytest.mark.parametrize('change, message', [
    (dict(threshold=.6), 'threshold: 0.5 there, 0.6 here'),
    (dict(min_height=48), 'min_height: 32 there, 48 here'),
    (dict(weights_hash='8' * 64, address='/models/e'),
     'detector: /models/d there, /models/e here')])
def test_other_settings_are_refused(photographs, gallery, change, message):
    index(photographs, gallery, detector=Named())
    with pytest.raises(DetectionMismatch, match=message):
        index(photographs, gallery, detector=Named(**change))


def test_a_detector_may_move(photographs, gallery):
    index(photographs, gallery, detector=Named())
    assert index(photographs, gallery, detector=Named(address='/new/d')).unchanged == 2
    assert read_provenance(gallery.uri).detection['detector'] == '/new/d'


def holding(folder, **facts):
    """A gallery of one entry, which notes nothing."""
    gallery = open_gallery(folder / 'people', ColorEncoder.fingerprint)
    gallery.upsert([GalleryEntry('1', 'a.mp4', **facts)], np.eye(1, 12, dtype=np.float32))
    return gallery


def test_the_interval_matters_where_there_are_videos(tmp_path):
    def settle(frame, every):
        noted = DetectionOptions(Halves()).settings
        gallery = holding(tmp_path, frame=frame, box=(0, 0, 9, 9))
        write_provenance(gallery, detection=noted)
        return settle_detection(gallery, DetectionOptions(Halves(), None, every))

    assert settle(None, 2.)['every'] == 2.
    with pytest.raises(DetectionMismatch, match='every: 1.0 there, 2.0 here'):
        settle(3, 2.)


@pytest.mark.parametrize('box, detection, fits', [
    (None, None, True), ((0, 0, 9, 9), DetectionOptions(Halves()), True),
    ((0, 0, 9, 9), None, False), (None, DetectionOptions(Halves()), False)])
def test_a_gallery_without_a_note_is_judged_by_its_entries(tmp_path, box, detection, fits):
    gallery = holding(tmp_path, box=box)
    if fits:
        assert settle_detection(gallery, detection)
    else:
        with pytest.raises(DetectionMismatch):
            settle_detection(gallery, detection)


def test_an_empty_gallery_takes_any(photographs, gallery):
    index(photographs, gallery)
    gallery.delete(ids=[entry.id for entry in gallery.entries()])
    assert index(photographs, gallery, detector=Halves()).indexed == 4


def test_a_crop_among_people_stays_a_crop(photographs, gallery):
    index(photographs, gallery, detector=Halves())
    paint('purple').save(photographs / 'added.png')
    data = (photographs / 'added.png').read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    gallery.upsert([GalleryEntry('added', 'added.png', len(data), sha256)],
                   ColorEncoder().encode_images([paint('purple')]))
    index(photographs, gallery, detector=Halves(), prune=True)
    assert first(gallery, 'purple').entry.id == 'added'


def test_a_file_that_vanishes_while_the_detector_runs_is_skipped(photographs, gallery):
    class Vanishing(Halves):
        batch_size = 1

        def __call__(self, images):
            (photographs / 'b.png').unlink(missing_ok=True)
            return super().__call__(images)

    paint('black', size=(32, 16)).save(photographs / 'c.png')
    report = index(photographs, gallery, detector=Vanishing())
    assert report.skipped == [('b.png', 'no such file')]
    assert {entry.path for entry in gallery.entries()} == {'a.png', 'c.png'}
