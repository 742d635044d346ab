"""People and scenes drawn by lot."""

from collections import Counter

import numpy as np
import pytest

from mmtbps.drawing import sample_person, sample_scene
from mmtbps.drawing.attributes import COLORS, UPPER_COLORS, dye, pick


def crowd(n=1500, seed=3):
    return [sample_person(np.random.default_rng((seed, i))) for i in range(n)]


@pytest.fixture(scope='module')
def people():
    return crowd()


def test_a_seed_always_gives_the_same_person_and_scene():
    def draw():
        rng = np.random.default_rng((7, 11))
        return sample_person(rng), sample_scene(rng), sample_scene(rng)
    first, second = draw(), draw()
    assert first == second
    assert first[1] != first[2]


def test_different_ids_and_seeds_give_different_people():
    looks = {repr(sample_person(np.random.default_rng(key))) for key in
             [(0, 1), (0, 2), (1, 1), (1, 2)]}
    assert len(looks) == 4


def test_pick_follows_the_weights():
    rng = np.random.default_rng(0)
    drawn = Counter(pick(rng, {'a': .7, 'b': .3, 'c': 0.}) for _ in range(4000))
    assert drawn['a'] / 4000 == pytest.approx(.7, abs=.03)
    assert drawn['c'] == 0


def test_pick_never_gives_what_is_excluded():
    rng = np.random.default_rng(0)
    assert {pick(rng, UPPER_COLORS, without=('black',)) for _ in range(500)} == (
        set(UPPER_COLORS) - {'black'})


@pytest.mark.parametrize('color', list(COLORS))
def test_dyed_cloth_stays_nearest_to_its_own_color_most_of_the_time(color):
    rng = np.random.default_rng(0)
    names, values = list(COLORS), np.array(list(COLORS.values()))
    cloth = np.array([dye(rng, COLORS[color]) for _ in range(300)])
    nearest = ((cloth[:, None] - values) ** 2).sum(-1).argmin(1)
    assert np.mean(nearest == names.index(color)) > .8


def test_colors_keep_their_entropy(people):
    """The captions can only tell people apart if no color dominates."""
    counts = np.array(list(Counter(p.colors['upper'] for p in people).values())) / len(people)
    assert len(counts) == 16
    assert -(counts * np.log2(counts)).sum() > 3.6


def test_combinations_that_could_not_be_seen_never_occur(people):
    for p in people:
        assert (p.lower == 'none') == (p.upper == 'dress')
        assert not (p.upper == 'coat' and p.lower in ('shorts', 'skirt'))
        assert not p.open or p.upper in ('jacket', 'coat')
        assert p.colors['accent'] != p.colors['upper'] != p.colors['inner']


def test_what_the_captions_never_say_does_not_depend_on_gender(people):
    women = [p for p in people if p.gender == 'woman']
    men = [p for p in people if p.gender == 'man']
    share = {g: np.mean([p.bag != 'none' for p in group])
             for g, group in (('woman', women), ('man', men))}
    assert share['woman'] == pytest.approx(share['man'], abs=.08)
    dark = [np.mean([p.rgb['skin'][0] < 170 for p in group]) for group in (women, men)]
    assert dark[0] == pytest.approx(dark[1], abs=.08)
    assert dark[0] == pytest.approx(.4, abs=.08)                 # two of five tones


def test_wears_knows_what_is_there(people):
    assert not next(p for p in people if p.upper == 'dress').wears('lower')
    assert next(p for p in people if p.open).wears('inner')
    assert not next(p for p in people if p.bag == 'none').wears('bag')


def test_wears_refuses_unknown_garments(people):
    with pytest.raises(ValueError, match='no garment .gloves.*upper'):
        people[0].wears('gloves')
