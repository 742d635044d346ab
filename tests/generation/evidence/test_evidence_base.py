"""Tests of the evidence of one picture."""

import numpy as np
import pytest

from mmtbps.errors import BadValue
from mmtbps.generation.evidence.base import PARTS, EditEvidence, merge_evidence


def test_a_dress_is_a_garment_above_and_below():
    labels = np.array([[PARTS.index(name) for name in ('face', 'upper', 'full', 'lower', 'bag')]],
                      np.uint8)
    evidence = EditEvidence(parts=labels)
    assert evidence.garment('upper').tolist() == [[False, True, True, False, False]]
    assert evidence.garment('lower').tolist() == [[False, False, True, True, False]]
    assert evidence.garment('full').tolist() == [[False, True, True, True, False]]
    assert evidence.part('face', 'bag').tolist() == [[True, False, False, False, True]]


def test_an_unknown_region_is_named():
    with pytest.raises(BadValue, match="'head'; there are upper, lower, full"):
        EditEvidence().garment('head')


@pytest.mark.parametrize('wrong', [
    dict(person=np.zeros((4, 2), np.uint8)), dict(parts=np.full((4, 2), len(PARTS), np.uint8)),
    dict(parts=np.zeros((4, 2), int)), dict(keypoints=np.zeros((33, 3))),
    dict(keypoints=np.full((17, 3), 'a')), dict(keypoints=np.zeros((17, 3), complex)),
    dict(box=(0, 0, np.inf, 1)), dict(box=(np.nan, 0, 1, 1)), dict(box=(5, 5, 1, 1))])
def test_arrays_of_another_form_are_refused(wrong):
    with pytest.raises(ValueError, match=f'{next(iter(wrong))} must be'):
        EditEvidence(**wrong)


def test_the_later_of_two_providers_counts():
    first, second = (EditEvidence(box=box, sources=dict(box=name))
                     for box, name in (((0, 0, 1, 1), 'a'), ((0, 0, 2, 2), 'b')))
    merged = merge_evidence([first, EditEvidence(), second])
    assert merged.box == (0, 0, 2, 2) and merged.sources == dict(box='b')
