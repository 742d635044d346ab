"""A watch with a real detector on real pictures: a photograph that is panned over, and a film.

Needs OpenCV 4, ``trackers``, and the packages that the pictures come from (ultralytics, sports2d),
of which nothing but these files is used::

    pip install --no-deps "opencv-python-headless<5" ultralytics sports2d
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from fakes import ColorEncoder
from hog_detector import HogDetector
from mediapipe_models import STREET, street
from videos import encode
from watch_rig import lines_of

from mmtbps.search.galleries import open_gallery
from mmtbps.search.indexing import DetectionOptions, IndexOptions
from mmtbps.search.watching import FileReceiver, Outbox, Rule, RuleJudge, StillSource, Watch

RULES = [Rule('anybody', 'all in white', 'min_score', -1.),
         Rule('nobody', 'all in green', 'min_score', .99)]


def watched(root, video, detector):
    """Alarms of a watch of a video, one track a person."""
    pytest.importorskip('trackers')
    from mmtbps.search.media.tracker import PersonTracker
    encoder = ColorEncoder()
    gallery = open_gallery(root / 'people', encoder.fingerprint)
    source = StillSource(video, gallery, encoder, print,
                         detection=DetectionOptions(detector, PersonTracker()),
                         options=IndexOptions(progress=False))
    Watch(source, gallery, RuleJudge(RULES, gallery, encoder), Outbox(root / 'state'),
          [FileReceiver(root / 'alarms.jsonl')], print).run()
    alarms = lines_of(root / 'alarms.jsonl')
    assert {alarm['rule'] for alarm in alarms} <= {'anybody'}
    assert len({alarm['track'] for alarm in alarms}) == len(alarms) == gallery.count()
    assert all(Path(alarm['picture']) == video for alarm in alarms)
    return alarms


def overlap(one, other):
    """Intersection over union of two boxes."""
    left, top, right, bottom = (*np.maximum(one[:2], other[:2]), *np.minimum(one[2:], other[2:]))
    both = max(right - left, 0) * max(bottom - top, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return both / (sum(areas) - both)


def test_a_man_of_a_photograph_that_is_panned_over_raises_one_alarm(tmp_path):
    scale, shift, seconds = 3, 2, 4
    image = street().reduce(scale)  # 270 x 360
    detector = HogDetector(200, 1.)
    frames = [np.asarray(image.crop((number * shift // 5, 0, 200 + number * shift // 5, 360)))
              for number in range(25 * seconds)]
    video = encode(tmp_path / 'pan.mp4', frames)
    (tmp_path / 'run').mkdir()
    alarms = watched(tmp_path / 'run', video, detector)
    man = np.array(STREET['beige_coat']) / scale
    his = [alarm for alarm in alarms if overlap(
        man - np.array([alarm['frame'] * shift // 5, 0] * 2), alarm['box']) > .4]
    assert len(his) == 1
    assert len(alarms) <= 2  # the detector takes a wheel for somebody at times


@pytest.mark.slow
def test_a_man_of_a_film_raises_an_alarm_where_he_stands(tmp_path):
    if (spec := find_spec('Sports2D')) is None:
        pytest.skip('sports2d, whose film this is, is not installed')
    video = Path(spec.submodule_search_locations[0], 'Demo/demo.mp4')
    alarms = watched(tmp_path, video, HogDetector(640, .3))
    man = [510, 85, 740, 470]  # on a platform, where he stands and jumps
    assert any(overlap(man, alarm['box']) > .3 for alarm in alarms)
