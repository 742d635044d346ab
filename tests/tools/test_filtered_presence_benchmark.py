"""Presence behind filters, on a world whose right probability can be computed."""

import argparse

import pytest
from presence_worlds import world

from mmtbps.commands.benchmark import load_benchmark
from mmtbps.errors import BadValue, MissingFile
from mmtbps.evaluation.presence import fit_calibration


@pytest.fixture(scope='module')
def benchmark():
    return load_benchmark('filtered-presence')


@pytest.fixture(scope='module')
def rows(benchmark):
    pytest.importorskip('sklearn')
    data = world(600, seed=5, pictures=2, sentences=1)
    cameras = [f'cam_{"abcde"[i % 5]}' for i in range(len(data.gallery))]
    found = benchmark.measure(data, cameras, fit_calibration(world(200, seed=0)), seed=3)
    return {row['filter']: row for row in found}


def test_what_a_filter_keeps_and_who_is_there(rows):
    """Counted by hand: of 1,200 pictures every fifth is of a camera, no person has two of them."""
    assert rows['none'] | dict(pictures='600 of 600', people='300', there='50%') == rows['none']
    one, two = rows['one camera'], rows['two cameras']
    assert (one['pictures'], one['people'], one['there']) == ('240 of 1,200', '240', '40%')
    # Of five people one has the pictures a, b; the others c, d; e, a; b, c; d, e.
    assert (two['pictures'], two['people'], two['there']) == ('480 of 1,200', '360', '60%')
    for name, share in (('a key: half of the people', .5), ('a key: a fifth of the people', .2)):
        people = int(rows[name]['people'])
        assert abs(people / 600 - share) < .06
        assert rows[name]['pictures'] == f'{2 * people:,} of 1,200'
        assert rows[name]['there'] == f'{people / 600:.0%}'


def test_a_calibration_of_this_world_is_right_behind_filters_of_people(rows):
    for name in ('none', 'a key: half of the people', 'a key: a fifth of the people'):
        assert float(rows[name]['ECE']) < .06 and float(rows[name]['skill']) > .2, rows[name]
        assert float(rows[name]['AUROC']) > .75


def test_sentences_of_pictures_that_were_kept_out_are_harder(rows):
    """A sentence is near its own picture alone here, so who is there by another one is lost."""
    assert float(rows['two cameras']['ECE']) > 2 * float(rows['none']['ECE'])
    assert float(rows['two cameras']['AUROC']) < float(rows['none']['AUROC'])


def test_what_cannot_be_measured(benchmark, tmp_path):
    ask = argparse.Namespace(model='hf:owner/name', weights=None, calibration=None, threads=1,
                             data=tmp_path, seed=0)
    with pytest.raises(BadValue, match='name its calibration by --calibration'):
        benchmark.run(ask)
    ask.calibration = tmp_path / 'own.json'
    with pytest.raises(MissingFile, match='no drawn people there'):
        benchmark.run(ask)
