"""The benchmark of answers: its ways answer alike, and what it says of them is what they took."""

import argparse

import numpy as np
import pytest

from mmtbps.commands.benchmark import load_benchmark
from mmtbps.search.answers import Wishes
from mmtbps.search.answers.answering import Answerer


@pytest.fixture(scope='module')
def answers():
    return load_benchmark('answers')


def test_rows_are_of_each_gallery_and_filter(answers):
    pytest.importorskip('lancedb')
    rows = answers.run(argparse.Namespace(size=200, queries=4, backends=['memory', 'lance']))
    assert [(row['gallery'], row['filter']) for row in rows] == [
        (f'{name}, 200 entries', told) for name in ('memory', 'lance')
        for told in ('none', 'one camera of four')]
    # Two wordings of each text; opposites that phrases share are encoded once.
    assert len({row['texts encoded once'] for row in rows}) == 1


def test_shares_are_of_the_plain_search(answers):
    row = answers.word('memory', None, dict(plain=2., presence=3., marks=2.5, both=4.), 7)
    assert row['plain, ms'] == '2.00' and row['presence adds'] == '+1.00 ms (+0.50x)'
    assert row['marks adds'] == '+0.50 ms (+0.25x)' and row['both adds'] == '+2.00 ms (+1.00x)'


def test_what_is_timed_judges_and_marks(answers, tmp_path):
    draw = np.random.default_rng(1)
    features = answers._unit(draw.normal(size=(60, answers.DIM)))
    gallery = answers.fill(tmp_path / 'people', features)
    encoder = answers.RandomEncoder()
    judge = answers.PresenceEstimator(gallery, answers.calibration(features[:8]))
    answerer = Answerer(gallery, answers.PhraseChecker(encoder), None, estimator=judge)
    result, = answers._ask(answerer, Wishes(mark=True), {'camera': 'c1'})(features[1])
    assert result.presence.calibrated and result.presence.searched == 15
    assert result.hits[0].entry.id == '1'
    assert [mark['phrase'] for mark in result.hits[0].marks] == [
        'woman', 'red coat', 'blue jeans', 'black backpack']
