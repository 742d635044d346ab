"""Options of detection: of the command line, else as a gallery notes them."""

import argparse
from types import SimpleNamespace

import pytest

from mmtbps.commands.options.detector import (
    add_detector_options,
    choose_detection,
    word_detection,
)
from mmtbps.errors import UserError


@pytest.fixture
def choose(monkeypatch):
    """A function that chooses a detection without loading anything."""
    def detector(name, **settings):
        settings.pop('device')
        return SimpleNamespace(name=name, **settings)

    monkeypatch.setattr('mmtbps.search.media.detector.PersonDetector', detector)
    monkeypatch.setattr('mmtbps.search.media.tracker.PersonTracker',
                        lambda every=.2: SimpleNamespace(every=every))

    def run(*words, **noted):
        parser = argparse.ArgumentParser()
        add_detector_options(parser)
        args = parser.parse_args(list(words))
        args.device = None
        detection = choose_detection(args, 'people', noted or None)
        if detection is None:
            return None
        return vars(detection.detector), detection.tracker is not None, detection.interval

    return run


NOTED = dict(detector='owner/d', weights='7', threshold=.7, min_height=48, every=2., track=False)


@pytest.mark.parametrize('words, noted, chosen', [
    ([], {}, None), ([], dict(detector=None), None),
    (['--detector', 'd'], {}, (dict(name='d', threshold=.5), False, 1.)),
    (['--detector', 'd', '--track'], {}, (dict(name='d', threshold=.5), True, .2)),
    (['--detector', 'd', '--every', '0'], {}, (dict(name='d', threshold=.5), False, 0.)),
    ([], NOTED, (dict(name='owner/d', threshold=.7, min_height=48), False, 2.)),
    (['--threshold', '0', '--every', '3'], NOTED,
     (dict(name='owner/d', threshold=0., min_height=48), False, 3.)),
    ([], dict(NOTED, track=True, every=.1),
     (dict(name='owner/d', threshold=.7, min_height=48), True, .1)),
    (['--track'], NOTED, (dict(name='owner/d', threshold=.7, min_height=48), True, .2))])
def test_settings_that_are_not_named_are_those_of_the_gallery(choose, words, noted, chosen):
    assert choose(*words, **noted) == chosen


@pytest.mark.parametrize('words, noted, message', [
    (['--track'], {}, '--detector'), (['--threshold', '.4'], {}, '--detector'),
    (['--every', '1'], dict(detector=None), '--detector'),
    ([], dict(detector='my.Own', weights=None), 'found by my.Own, which is no detector of'),
    ([], dict(detector='/nowhere/d', weights='7'), 'its detector was /nowhere/d, which is gone'),
    (['--detector', 'd', '--every', '-1'], {}, 'every must be at least 0')])
def test_what_cannot_be_is_refused(choose, words, noted, message):
    with pytest.raises(UserError, match=message):
        choose(*words, **noted)


def test_the_options_of_a_gallery_are_worded():
    assert word_detection(None) == word_detection(dict(detector=None)) == []
    assert word_detection(dict(NOTED, track=True)) == [
        '--detector', 'owner/d', '--threshold', '0.7', '--every', '2.0', '--track']
    assert word_detection(dict(NOTED, detector='my.Own', weights=None))[:2] == [
        '--detector', 'DETECTOR']
