"""Captions of drawn people."""

import re
from dataclasses import replace

import numpy as np
import pytest

from mmtbps.drawing import caption, render, sample_person, sample_scene
from mmtbps.drawing import wording as words
from mmtbps.drawing.canvas import PART
from mmtbps.drawing.captions import expand, listed, visible


def lot(key):
    rng = np.random.default_rng(key)
    return sample_person(rng), sample_scene(rng)


@pytest.fixture(scope='module', params=['train', 'unseen'])
def texts(request):
    return [caption(*lot((4, i)), seed=i, wording=request.param) for i in range(1500)]


def test_captions_have_about_28_words(texts):
    assert 24 < np.mean([len(text.split()) for text in texts]) < 33


def test_captions_are_tidy_english(texts):
    for text in texts:
        assert re.fullmatch(r"[A-Z][A-Za-z0-9 ,.:'-]*\.", text), text
        assert not re.search(r'\b[Aa] [aeiou]|\b[Aa]n [^aeiou]', text), text
        assert not re.search(r' [,.]|  |,,|\.\.|\b(\w+) \1\b|colored colored', text), text
        assert not re.search(r'standing away|\b(and|with|a|is|has)\.', text), text


def test_captions_vary(texts):
    assert len(set(texts)) > .98 * len(texts)
    assert len({text.split()[0] for text in texts}) >= 4


def test_a_seed_always_says_the_same():
    person, scene = lot((4, 1))
    assert caption(person, scene, 5) == caption(person, scene, 5) != caption(person, scene, 6)


def test_unknown_wording_is_refused():
    with pytest.raises(ValueError, match='no wording .test.; there are train, unseen'):
        caption(*lot((4, 1)), seed=0, wording='test')


def test_unseen_frames_and_words_are_not_in_training_captions():
    training = [caption(*lot((4, i)), seed=i) for i in range(1500)]
    known = set(re.findall(r'[a-z]+', ' '.join(training).lower()))
    assert not known & {'scarlet', 'ebony', 'windbreaker', 'knapsack', 'spectacles', 'denims'}
    unseen = [caption(*lot((4, i)), seed=i, wording='unseen') for i in range(1500)]
    openings = [{' '.join(text.split()[:2]) for text in texts} for texts in (training, unseen)]
    held_out = {'Look for', 'In a'}
    assert held_out < openings[1] and not held_out & openings[0]
    said = set(re.findall(r'[a-z]+', ' '.join(unseen).lower()))
    assert {'scarlet', 'ebony', 'windbreaker', 'knapsack', 'spectacles', 'denims'} < said
    assert not set(words.FRAMES[0]) & set(words.FRAMES[1])


@pytest.mark.parametrize('table', [words.COLOR_WORDS, words.HAIR_COLOR_WORDS, words.NOUNS,
                                   words.PATTERNS, words.HAIR, words.ACTIONS, words.CARRYING])
def test_every_entry_has_words_and_held_out_words(table):
    for key, (train, unseen) in table.items():
        assert train and unseen and not set(train) & set(unseen), key


def test_near_misses_are_as_rare_as_asked():
    person, scene = lot((4, 2))
    person = replace(person, upper='sweater', pattern='plain', colors={
        **person.colors, 'upper': 'yellow'})
    usual = words.COLOR_WORDS['yellow'][0]

    def misses(rate):
        return np.mean([not any(word in caption(person, scene, seed, near_miss=rate)
                                for word in usual) for seed in range(400)])
    assert misses(0.) == 0
    assert misses(.3) == pytest.approx(.3, abs=.08)


def test_hair_is_never_a_near_miss():
    person, scene = lot((4, 3))
    person = replace(person, hair='shoulder-length', hat='none', colors={
        **{slot: 'orange' for slot in person.colors}, 'hair': 'black'})
    said = ' '.join(caption(person, scene, seed, near_miss=1.) for seed in range(200))
    assert set(re.findall(r'length (\w+) hair', said)) == {'black', 'dark'}


@pytest.mark.parametrize('part, few', [('inner', 15), ('hat', 3), ('scarf', 5), ('shoes', 3)])
def test_what_counts_as_visible_is_in_the_picture(part, few):
    checked = 0
    for i in range(400):
        person, scene = lot((6, i))
        if person.wears(part) and part in visible(person, scene):
            if part == 'shoes' and i > 60:
                break
            parts = render(person, scene, with_parts=True)[1]
            assert (parts == PART[part]).sum() >= few, (part, i)
            checked += 1
    assert checked > 15


@pytest.mark.parametrize('yaw, word', [(np.pi, 'glasses'), (np.pi, 'logo'), (np.pi, 'underneath'),
                                       (np.pi, 'beard'), (0., 'ponytail')])
def test_hidden_attributes_are_not_captioned(yaw, word):
    person, scene = lot((4, 5))
    person = replace(person, upper='jacket' if word == 'underneath' else 't-shirt', open=True,
                     pattern='logo' if word == 'logo' else 'plain', contrast_sleeves=False,
                     glasses='glasses', beard=True, hair='ponytail', hat='none')

    def said(angle):
        turned = replace(scene, pose=replace(scene.pose, yaw=angle))
        return any(word in caption(person, turned, seed) for seed in range(80))
    assert said(np.pi - yaw)
    assert not said(yaw)


def test_expand_chooses_fills_and_leaves_out():
    rng = np.random.default_rng(0)
    drawn = {expand('(A|B) {x}[ and {y}].', dict(x='x', y=''), rng) for _ in range(40)}
    assert drawn == {'A x.', 'B x.'}
    assert expand('{x}[ and {y}]', dict(x='x', y='y'), rng) == 'x and y'


@pytest.mark.parametrize('items, text', [([], ''), (['a'], 'a'), (['a', 'b'], 'a and b'),
                                         (['a', 'b', 'c'], 'a, b and c')])
def test_listed(items, text):
    assert listed(items) == text
