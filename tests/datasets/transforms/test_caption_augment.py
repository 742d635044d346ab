"""Approximate text generation on captions composed from templates and the lexicon."""

import pickle
import random
import re

import numpy as np
import pytest

from mmtbps.datasets.transforms.caption_augment import (
    OPERATIONS,
    ApproximateTextGeneration,
    approximate_text,
)
from mmtbps.lexicon import colors, garments, indefinite_article, synonyms
from mmtbps.lexicon.vocabulary import synonym_groups
from mmtbps.registry import TRANSFORMS

SUBJECTS = ['man', 'young woman', 'person', 'Asian lady', 'kid']
VERBS = ['is wearing', 'wears', 'has on', 'is dressed in']
MODIFIERS = ['', 'striped', 'long sleeved', 'knee-length', 'denim', 'button up']
ENDINGS = ['walking toward the street', 'talking on a cell phone next to a bicycle',
           'looking down at an old newspaper', 'carrying a large umbrella in the right hand']
NAMES = sorted(colors())
PLURALS = sorted({g.plural for g in garments().values() if g.plural})
SINGULARS = sorted({g.singular for g in garments().values() if g.article})
LEXICON_WORDS = {word for group in synonym_groups() for term in group for word in term.split()}


def compose(rng):
    """A caption and the phrases of it that must survive, in order."""
    pick = rng.choice
    parts = []

    def protected(phrase):
        parts.append(phrase)
        return phrase

    modifier = pick(MODIFIERS)
    noun = pick(SINGULARS)
    phrase = f'{pick(NAMES)} {modifier} {noun}'.replace('  ', ' ')
    if modifier and rng.random() < 0.3:
        phrase = phrase.replace(f' {modifier}', f', {modifier}', 1)
    caption = f'A {pick(SUBJECTS)} {pick(VERBS)} a '.replace('A Asian', 'An Asian')
    caption += protected(phrase)
    caption += f' and {protected(f"{pick(NAMES)} and {pick(NAMES)} {pick(PLURALS)}")}. '
    garment = pick(PLURALS)
    if rng.random() < 0.5:
        caption += f'The {protected(f"{garment} are {pick(NAMES)}")}. '
    if rng.random() < 0.5:
        negation = pick(['not wearing a {}', 'without any {}', 'with no {}'])
        negation = negation.format(pick(SINGULARS))
        caption += f'The person is {negation}, {pick(ENDINGS)}.'
        parts.append(negation.removeprefix('with '))
    else:
        caption += f'Perhaps {pick(ENDINGS)}.'
    return caption, parts


def composed(count, seed=0):
    rng = random.Random(seed)
    return [compose(rng) for _ in range(count)]


def words_of(text):
    return re.findall(r"[a-z0-9]+(?:['-][a-z0-9]+)*", text.lower())


def contains_in_order(text, parts):
    position = 0
    for part in parts:
        position = text.find(part, position)
        if position < 0:
            return False
        position += len(part)
    return True


@pytest.mark.parametrize('operation', OPERATIONS)
def test_protected_phrases_survive_verbatim_and_no_word_is_made_up(operation):
    rng = np.random.default_rng(0)
    changed = 0
    for caption, parts in composed(1500):
        new = approximate_text(caption, rng, operations=[operation])
        assert contains_in_order(new, parts), (caption, new)
        assert set(words_of(new)) <= {*words_of(caption), *LEXICON_WORDS, 'a', 'an'}
        assert words_of(new)
        changed += new != caption
    assert changed > 1400  # the invariants above would hold for doing nothing, too


@pytest.mark.parametrize('operation', OPERATIONS)
def test_paper_mode_touches_protected_phrases(operation):
    rng = np.random.default_rng(0)
    hit = sum(not contains_in_order(
        approximate_text(caption, rng, operations=[operation], protect=False), parts)
        for caption, parts in composed(300))
    assert hit > 50


@pytest.mark.parametrize('protect', [True, False])
def test_same_seed_same_caption_and_other_seeds_others(protect):
    results = set()
    for caption, _ in composed(50):
        first = [approximate_text(caption, np.random.default_rng(s), protect=protect)
                 for s in range(6)]
        again = [approximate_text(caption, np.random.default_rng(s), protect=protect)
                 for s in range(6)]
        assert first == again
        results.add(len(set(first)))
    assert max(results) > 3


# -- synonyms ------------------------------------------------------------------------------------


def test_every_synonym_leads_back():
    """At rate 1 a lone term becomes another of its group; from there the way back exists."""
    for seed, group in enumerate(synonym_groups()):
        for term in group:
            new = approximate_text(term, np.random.default_rng(seed), synonym_rate=1,
                                   protect=False, operations=['synonym'])
            assert new != term and new in group
            assert term in synonyms(new)


def test_synonym_rate_by_an_independent_count():
    terms = ['kid', 'street', 'logo', 'bicycle', 'gray', 'striped', 'toward', 'mostly', 'slim',
             'camo']
    caption = ' . '.join(terms)
    rng, rate, trials = np.random.default_rng(3), 0.2, 4000
    counts = np.zeros(len(terms))
    for _ in range(trials):
        new = approximate_text(caption, rng, synonym_rate=rate, protect=False,
                               operations=['synonym']).split(' . ')
        counts += [a != b for a, b in zip(terms, new, strict=True)]
    # Each with `rate`; with probability (1 - rate)^n none was drawn and one of n is taken.
    expected = rate + (1 - rate)**len(terms) / len(terms)
    sigma = np.sqrt(expected * (1 - expected) / trials)
    np.testing.assert_allclose(counts / trials, expected, atol=5 * sigma)


def test_all_members_of_a_group_are_chosen_equally_often():
    rng = np.random.default_rng(1)
    found = [approximate_text('sneakers', rng, protect=False, operations=['synonym'])
             for _ in range(3000)]
    members = synonyms('sneakers')
    share = [found.count(member) / 3000 for member in members]
    np.testing.assert_allclose(share, 1 / len(members), atol=0.04)


@pytest.mark.parametrize(('caption', 'allowed'), [
    ('A person.', {'An individual.', 'A pedestrian.'}),
    ('An individual.', {'A person.', 'A pedestrian.'}),
    ('with an old man', {'with an elderly man', 'with an older man'}),
    ('Women!', {'Ladies!'}),
    ('a big bag', {'a large bag'}),
    ('Slim, a kid', {'Slender, a kid', 'Slim, a child', 'Slender, a child'}),
    ('the mirror image', {'the mirror image'}),
    ("a man's hat", {"a man's hat"}),
])
def test_number_article_and_capital_agree(caption, allowed):
    found = {approximate_text(caption, np.random.default_rng(seed), operations=['synonym'])
             for seed in range(60)}
    assert found == allowed


# -- crop ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(('count', 'rate', 'removed'), [
    (10, 0.2, 2), (28, 0.2, 6), (3, 0.1, 1), (4, 1.0, 3), (2, 0.5, 1), (1, 0.5, 0), (9, 0.0, 0)])
def test_crop_cuts_one_run_of_the_right_length(count, rate, removed):
    words = [f'w{i}' for i in range(count)]
    starts = set()
    for seed in range(200):
        new = approximate_text(' '.join(words), np.random.default_rng(seed), crop_rate=rate,
                               operations=['crop']).split()
        gaps = [k for k in range(count) if words[:k] + words[k + removed:] == new]
        assert gaps and len(new) == count - removed
        starts.add(gaps[0])
    if removed:
        assert starts == set(range(count - removed + 1))


def test_crop_takes_the_longest_free_run_where_the_wish_is_too_long():
    caption = 'one two red coat three blue hat four five'
    found = {approximate_text(caption, np.random.default_rng(s), crop_rate=0.9,
                              operations=['crop']) for s in range(30)}
    assert found == {'red coat three blue hat four five', 'one two red coat three blue hat'}


def test_crop_takes_the_punctuation_inside_the_run_along():
    found = {approximate_text('alpha, beta, red coat.', np.random.default_rng(s), crop_rate=0.6,
                              operations=['crop']) for s in range(20)}
    assert found == {'red coat.'}


# -- delete --------------------------------------------------------------------------------------


def test_delete_rate_by_an_independent_count():
    words = [f'w{i}' for i in range(12)]
    rng, rate, trials = np.random.default_rng(5), 0.2, 4000
    dropped = np.zeros(len(words))
    for _ in range(trials):
        new = approximate_text(' '.join(words), rng, delete_rate=rate,
                               operations=['delete']).split()
        assert new == [word for word in words if word in new]
        dropped += [word not in new for word in words]
    expected = rate + (1 - rate)**len(words) / len(words)
    sigma = np.sqrt(expected * (1 - expected) / trials)
    np.testing.assert_allclose(dropped / trials, expected, atol=5 * sigma)


def test_delete_leaves_one_word_at_least():
    found = [approximate_text('alpha beta gamma.', np.random.default_rng(s), delete_rate=1,
                              operations=['delete']) for s in range(50)]
    assert set(found) == {'alpha.', 'beta.', 'gamma.'}


@pytest.mark.parametrize(('caption', 'expected'), [
    ('an old red coat', 'red coat'),
    ('a man, tall, in red hats', 'red hats'),
    ('red hats, worn, and old.', 'red hats.'),
    ('Old. Red hats. Very old! Blue hats...', 'Red hats. Blue hats...'),
    ('red coat, blue hat', 'red coat, blue hat'),
])
def test_deleting_all_free_words_leaves_the_protected_phrases(caption, expected):
    assert approximate_text(caption, np.random.default_rng(0), delete_rate=1,
                            operations=['delete']) == expected


def test_articles_agree_after_a_deletion():
    seen = set()
    for seed in range(80):
        new = approximate_text('a tall old elk', np.random.default_rng(seed), delete_rate=0.4,
                               operations=['delete'])
        for article, following in re.findall(r'\b(an?) (\w+)', new):
            assert article == indefinite_article(following), new
            seen.add((article, following))
    assert {('a', 'tall'), ('an', 'old'), ('an', 'elk')} <= seen


# -- borders -------------------------------------------------------------------------------------


@pytest.mark.parametrize('caption', ['', ' ', '...', '?!', '红色 外套', 'red coat', 'x'])
@pytest.mark.parametrize('operation', OPERATIONS)
@pytest.mark.parametrize('protect', [True, False])
def test_odd_captions_never_lose_their_last_word(caption, operation, protect):
    for seed in range(10):
        new = approximate_text(caption, np.random.default_rng(seed), synonym_rate=1, crop_rate=1,
                               delete_rate=1, protect=protect, operations=[operation])
        assert bool(new.strip()) == bool(caption.strip())
        if len(caption.split()) < 2:
            assert new == caption


def test_operations_are_picked_equally_often():
    rng, hits = np.random.default_rng(2), 0
    for _ in range(3000):
        hits += approximate_text('alpha beta gamma', rng, synonym_rate=0,
                                 delete_rate=0) != 'alpha beta gamma'
    assert abs(hits / 3000 - 1 / 3) < 5 * np.sqrt(2 / 9 / 3000)


@pytest.mark.parametrize(('arguments', 'message'), [
    (dict(operations=['swap']), 'operations'),
    (dict(operations=[]), 'operations'),
    (dict(operations='crop'), 'operations'),
    (dict(crop_rate=1.2), 'crop_rate'),
    (dict(synonym_rate=-0.1), 'synonym_rate'),
    (dict(delete_rate=float('nan')), 'delete_rate'),
])
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        approximate_text('a man', np.random.default_rng(0), **arguments)
    with pytest.raises(ValueError, match=message):
        ApproximateTextGeneration(**arguments)


@pytest.mark.parametrize(('arguments', 'message'), [
    (dict(prob=1.5), 'prob'), (dict(mode='wild'), "'protected', 'paper'")])
def test_bad_transform_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ApproximateTextGeneration(**arguments)


# -- the transform -------------------------------------------------------------------------------

CAPTION = composed(1)[0][0]


def test_transform_takes_exactly_one_global_number_whatever_happens():
    states = []
    for prob in (0.0, 0.5, 1.0):
        np.random.seed(7)
        ApproximateTextGeneration(prob=prob)(dict(caption=CAPTION))
        states.append(np.random.random())
    np.random.seed(7)
    np.random.randint(2**32, dtype=np.uint64)
    assert states == [np.random.random()] * 3


def test_transform_is_fixed_by_the_global_seed():
    transform, found = ApproximateTextGeneration(), []
    for seed in [*range(20), *range(20)]:
        np.random.seed(seed)
        found.append(transform(dict(caption=CAPTION))['caption'])
    assert found[:20] == found[20:] and len(set(found)) > 5


def test_prob_is_the_share_of_changed_captions():
    np.random.seed(0)
    transform = ApproximateTextGeneration(prob=0.3, mode='paper', operations=['crop'])
    share = np.mean([transform(dict(caption=CAPTION))['caption'] != CAPTION for _ in range(2000)])
    assert abs(share - 0.3) < 5 * np.sqrt(0.21 / 2000)


def test_modes_differ_in_what_is_protected():
    for mode, survives in (('protected', True), ('paper', False)):
        np.random.seed(0)
        transform = ApproximateTextGeneration(prob=1, mode=mode)
        assert survives == all(contains_in_order(transform(dict(caption=caption))['caption'], parts)
                               for caption, parts in composed(100))


def test_items_for_testing_pass_through_untouched():
    np.random.seed(3)
    item = dict(captions=[CAPTION, 'A man.'], img_path='a.jpg')
    assert ApproximateTextGeneration(prob=1)(dict(item)) == item
    untouched = np.random.random()
    np.random.seed(3)
    assert np.random.random() == untouched


def test_a_tokenised_item_is_refused():
    with pytest.raises(ValueError, match='a.jpg.*before TokenizeCaption'):
        ApproximateTextGeneration()(dict(caption='A man.', input_ids=[], img_path='a.jpg'))


def test_built_from_the_registry_pickled_and_shown():
    transform = TRANSFORMS.build(dict(type='mmtbps.ApproximateTextGeneration', crop_rate=0.3))
    copy = pickle.loads(pickle.dumps(transform))
    assert repr(copy) == repr(transform) and 'crop_rate=0.3' in repr(copy)
