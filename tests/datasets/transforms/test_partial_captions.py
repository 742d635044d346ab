"""Partial captions in a training pipeline, up to the batch that a head reads."""

import numpy as np
import pytest
import torch

from mmtbps.datasets import stack_pairs
from mmtbps.datasets.transforms import (
    CLIP_TOKENIZER,
    PackTextImage,
    PartialCaptions,
    TokenizeCaption,
)
from mmtbps.errors import BadValue, MissingKey
from mmtbps.lexicon.stated_facts import fact_number, stated_facts
from mmtbps.models import TextImagePreprocessor

TOKENIZE = dict(type=TokenizeCaption, tokenizer=CLIP_TOKENIZER, max_length=77, clean='clip')
KEYS = ['partial_input_ids', 'partial_facts', 'true_facts', 'false_facts']
CAPTION = 'A man in a red shirt and blue jeans carries a backpack.'


TOKENIZE_CLIP = TokenizeCaption(CLIP_TOKENIZER, max_length=77, clean='clip')


def item_of(caption=CAPTION, seed=0, image_captions=None, **options):
    np.random.seed(seed)
    item = TOKENIZE_CLIP(dict(caption=caption, img=np.zeros((8, 4, 3), np.uint8), person_id=1))
    if image_captions is not None:
        item['image_captions'] = image_captions
    return PartialCaptions(TOKENIZE_CLIP, **options)(item)


def test_facts_are_those_of_the_caption():
    item, facts = item_of(count=3), stated_facts(CAPTION)
    assert item['true_facts'][0].tolist() == sorted(map(fact_number, facts.true))
    assert item['false_facts'][0].tolist() == sorted(
        map(fact_number, facts.false | facts.unnamed))
    for asked in item['partial_facts']:
        assert len(asked) and set(asked.tolist()) <= set(item['true_facts'][0].tolist())


def test_what_one_caption_of_an_image_leaves_out_another_says():
    alone = item_of()
    item = item_of(image_captions=(CAPTION, 'He wears a black hat and a blue shirt.'))
    true, false = (set(item[f'{name}_facts'][0].tolist()) for name in ('true', 'false'))
    said = fact_number('a hat')
    assert said in alone['false_facts'][0].tolist() and said in true and said not in false
    assert fact_number('a scarf') in false, 'neither says it'
    # They disagree about the shirt: its own caption is believed, the other's colour is left open.
    red, blue, green = (fact_number(f'upper: {color}') for color in ('red', 'blue', 'green'))
    assert red in true and blue not in true | false and green in false
    assert not true & false
    # Sentences are those of the item's own caption, all the same.
    assert [ids.tolist() for ids in item['partial_input_ids']] == [
        ids.tolist() for ids in alone['partial_input_ids']]


def test_a_caption_that_was_changed_is_read_beside_those_of_the_image():
    item = item_of('A man with a scarf.', image_captions=('A man.', 'A man in a hat.'))
    true = item['true_facts'][0].tolist()
    assert {fact_number('a scarf'), fact_number('a hat')} <= set(true)


def test_silence_rules_nothing_out_of_incomplete_captions():
    item = item_of(complete=False)
    assert fact_number('a hat') not in item['false_facts'][0].tolist()
    assert fact_number('a coat') in item['false_facts'][0].tolist()


def test_a_caption_of_nothing_gives_fillers():
    item = item_of('Somebody walks there.', count=2)
    assert [len(facts) for facts in item['partial_facts']] == [0, 0]
    assert [ids.tolist() for ids in item['partial_input_ids']] == 2 * [
        item['input_ids'][0].tolist()]


def test_one_random_number_is_taken_and_fixes_all():
    first = item_of(count=1)
    after_one = np.random.random()
    again = item_of(count=4)
    assert np.random.random() == after_one
    assert first['partial_input_ids'][0].tolist() == again['partial_input_ids'][0].tolist()
    other = item_of(count=4, seed=1)
    assert [ids.tolist() for ids in again['partial_input_ids']] != [
        ids.tolist() for ids in other['partial_input_ids']]


def test_a_batch_holds_them_padded_with_masks():
    items = [item_of(count=2), item_of('Somebody walks there.', count=2)]
    batch = stack_pairs([PackTextImage(input_keys=KEYS)(item) for item in items])
    inputs = TextImagePreprocessor()(batch, training=True)['inputs']
    assert inputs['partial_facts_mask'].sum(1).tolist() == [
        len(facts) for item in items for facts in item['partial_facts']]
    for name in KEYS:
        rows = [row for item in items for row in item[name]]
        values, mask = inputs[name], inputs[f'{name}_mask']
        assert len(values) == len(rows)
        for i, row in enumerate(rows):
            assert torch.equal(values[i][mask[i]], row), name


@pytest.mark.parametrize('key', ['captions', None])
def test_only_one_tokenised_caption_is_taken(key):
    item = dict(captions=['a man', 'a boy'], input_ids=[1, 2]) if key else dict(caption='a man')
    with pytest.raises(MissingKey, match='put TokenizeCaption before it'):
        PartialCaptions(TOKENIZE)(item)


def test_words_around_and_what_is_seldom_said_are_as_asked_for():
    plain = item_of(count=200, among_others=0, seldom_said=1e-9)
    around = item_of('A man walks in a red shirt.', count=200, among_others=1, seldom_said=1e-9)
    carried = item_of(count=200, among_others=0, seldom_said=1e9)
    backpack, walks = fact_number('a bag'), TOKENIZE_CLIP.encode(['walks'])[0].ids[1]
    only = [facts.tolist() for facts in plain['partial_facts'] if len(facts) == 1]
    assert only and not any(backpack in facts for facts in only)
    assert all({backpack, fact_number('a backpack')} & set(facts.tolist())
               for facts in carried['partial_facts'])
    assert sum(walks in ids for ids in around['partial_input_ids']) > 50
    assert not any(walks in ids for ids in plain['partial_input_ids'])


@pytest.mark.parametrize(('options', 'message'), [
    (dict(among_others=1.5), 'among_others must be from 0 to 1, got 1.5'),
    (dict(among_others=float('nan')), 'among_others must be from 0 to 1, got nan'),
    (dict(seldom_said=0), 'seldom_said must be positive and finite, got 0'),
    (dict(seldom_said=float('inf')), 'seldom_said must be positive and finite, got inf')])
def test_shares_and_weights_that_are_none_are_refused(options, message):
    with pytest.raises(BadValue, match=message):
        PartialCaptions(TOKENIZE, **options)


def test_a_count_below_one_is_refused():
    with pytest.raises(BadValue, match='count must be at least 1, got 0'):
        PartialCaptions(TOKENIZE, count=0)
