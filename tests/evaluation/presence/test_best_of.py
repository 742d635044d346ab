"""Law of the best of N strangers, within what was seen and beyond it."""

from statistics import NormalDist

import numpy as np
import pytest

from mmtbps.errors import BadValue
from mmtbps.evaluation.presence.best_of import PowerLaw, fit_stranger_law
from mmtbps.evaluation.presence.split_normal import (
    SplitNormal,
    fit_split_normal,
    split_normal_of,
)


def test_too_few_sizes_are_refused():
    with pytest.raises(BadValue, match='at least 3 sizes, got 2'):
        fit_stranger_law([20, 50, 50], 3 * [np.arange(15.)], people=60)


def test_a_power_law_is_found_again():
    sizes = np.geomspace(8, 400, 12)
    law = PowerLaw(3., 2.5, .4)
    found = PowerLaw.fit(sizes, law(sizes))
    assert found(np.array([30., 20_000.])) == pytest.approx(law(np.array([30., 20_000.])), abs=.02)
    assert PowerLaw(3., 2.5, .4, least=2.9)(8.) == 2.9


def test_what_noise_leaves_open_is_as_usual():
    sizes = np.geomspace(14, 199, 9)
    values = PowerLaw(3., 2.5, .5)(sizes)
    curves = [PowerLaw.fit(sizes, values, noise=noise).curve for noise in (0., .002, .005, 5.)]
    assert curves[0] == pytest.approx(.5, rel=.06) and curves[-1] == pytest.approx(.2, rel=.06)
    assert curves == sorted(curves, reverse=True) and .21 < curves[2] < .49


@pytest.mark.parametrize('size, near', [(50, .06), (400, .06), (5000, .2)])
def test_the_best_of_more_than_were_seen(size, near):
    """The best in galleries of 10 to 400 tell of the best of 5,000 by a normal law."""
    draw = np.random.default_rng(0)
    sizes = [10, 20, 40, 80, 160, 400]
    law = fit_stranger_law(sizes, [draw.normal(size=(2000, one)).max(1) for one in sizes],
                           people=2000 * 400)  # each gallery is of others
    best = draw.normal(size=(400, size)).max(1)
    assert law.mean(size) == pytest.approx(best.mean(), abs=near)
    assert law.deviation(size) == pytest.approx(best.std(), abs=.1)
    assert law.right_share > .5  # the best of many has the longer tail above
    found = np.exp(law.of(float(size)).log_distribution(np.array([2.5, 3., 3.5])))
    assert found == pytest.approx([NormalDist().cdf(x) ** size for x in (2.5, 3., 3.5)], abs=near)


def test_a_split_normal_law():
    law = SplitNormal(1., .5, 2.)
    places = np.linspace(-4, 14, 200_001)
    density = np.exp(law.log_density(places))
    risen = density.cumsum() * (places[1] - places[0])
    assert risen[-1] == pytest.approx(1, abs=1e-4)
    for value in (-.2, 1., 3.5):
        assert np.exp(law.log_distribution(np.array([value])))[0] == pytest.approx(
            np.interp(value, places, risen), abs=1e-4)
    found = fit_split_normal(places, density)
    assert (found.mode, found.left, found.right) == pytest.approx((1, .5, 2), abs=.05)


@pytest.mark.parametrize('share', [.3, .5, .8])
def test_a_split_normal_law_of_a_mean_and_a_deviation(share):
    law = split_normal_of(2., .5, share)
    places = np.linspace(-8, 12, 200_001)
    density = np.exp(law.log_density(places))
    mean = (places * density).sum() / density.sum()
    assert mean == pytest.approx(2, abs=1e-4)
    assert ((places - mean) ** 2 * density).sum() / density.sum() == pytest.approx(.25, abs=1e-4)
    assert law.right / (law.left + law.right) == pytest.approx(share)


def test_a_law_of_values_that_are_all_one():
    law = fit_split_normal(np.full(9, 2.))
    assert law.mode == pytest.approx(2, abs=.01) and law.left > 0 and law.right > 0
