"""Negatives in the pipeline: their tokens, fillers, seeds, and their way to the model."""

import numpy as np
import pytest
import torch

from mmtbps.datasets.transforms import (
    CLIP_TOKENIZER,
    PackTextImage,
    PermuteColors,
    TokenizeCaption,
    load_tokenizer,
    stack_pairs,
)
from mmtbps.errors import BadValue, MissingKey
from mmtbps.models import TextImagePreprocessor
from mmtbps.models.retrievers.training_batch import TrainingBatch

TOKENIZE = TokenizeCaption(CLIP_TOKENIZER, max_length=77, clean='clip')
CAPTION = 'A man in a red coat and blue jeans, white shoes.'


def run(caption=CAPTION, seed=0, **options):
    np.random.seed(seed)
    return PermuteColors(TOKENIZE, **options)(TOKENIZE(dict(caption=caption)))


def words(ids):
    tokens = load_tokenizer(CLIP_TOKENIZER).convert_ids_to_tokens(ids[1:-1].tolist())
    return ''.join(tokens).replace('</w>', ' ').replace(' .', '.').replace(' ,', ',').strip()


def test_negatives_are_tokens_of_permuted_captions():
    item = run(count=9)
    found = {words(ids) for ids, real in zip(
        item['negative_input_ids'], item['negative_real'], strict=True) if real}
    assert found == {f'a man in a {a} coat and {b} jeans, {c} shoes.' for a, b, c in (
        ('red', 'white', 'blue'), ('blue', 'red', 'white'), ('blue', 'white', 'red'),
        ('white', 'red', 'blue'), ('white', 'blue', 'red'))}
    assert item['negative_real'].tolist() == [True] * 5 + [False] * 4
    assert all((ids == item['input_ids'][0]).all() for ids in item['negative_input_ids'][5:])


def test_a_caption_of_one_color_has_fillers_or_replaced_colors():
    assert run('A red coat.', count=2)['negative_real'].tolist() == [False, False]
    item = run('A red coat.', count=2, replaced=1)
    assert item['negative_real'].tolist() == [True, True]
    for ids in item['negative_input_ids']:
        assert words(ids).split()[-1] == 'coat.' and 'red' not in words(ids)
    assert run('He walks.', count=1, replaced=1)['negative_real'].tolist() == [False]


@pytest.mark.parametrize(('replaced', 'left'), [(0, [3, 3, 3]), (1, [3, 3, 2]), (3, [2, 2, 2])])
def test_some_of_the_negatives_have_a_replaced_color(replaced, left):
    for seed in range(5):
        item = run('A red coat, white pants, black shoes.', count=3, replaced=replaced, seed=seed)
        kept = [sum(color in words(ids).lower() for color in ('red', 'white', 'black'))
                for ids in item['negative_input_ids']]
        assert item['negative_real'].all() and kept == left


def test_no_more_are_replaced_than_there_are():
    with pytest.raises(BadValue, match='replaced must be from 0 to count=1, got 2'):
        run(CAPTION, replaced=2)


def test_one_number_fixes_the_negatives_of_an_item():
    first, again, other = (run(count=2, seed=seed) for seed in (1, 1, 5))
    same = [all(map(torch.equal, first['negative_input_ids'], one['negative_input_ids']))
            for one in (again, other)]
    assert same == [True, False]
    np.random.seed(3)
    np.random.randint(2**32, dtype=np.uint64)
    expected = np.random.random()
    run_with_state = TOKENIZE(dict(caption=CAPTION))
    np.random.seed(3)
    PermuteColors(TOKENIZE)(run_with_state)
    assert np.random.random() == expected


def test_they_come_to_the_model_in_rows_of_their_pairs():
    items = []
    for caption in (CAPTION, 'A red coat.', 'An orange hat, a blue coat.'):
        item = run(caption, count=2)
        item.update(img=np.zeros((4, 2, 3), np.uint8), person_id=1)
        items.append(PackTextImage(input_keys=['negative_input_ids', 'negative_real'])(item))
    batch = TextImagePreprocessor()(stack_pairs(items), training=True)
    inputs = batch['inputs']
    assert inputs['negative_real'].tolist() == [[True, True], [False, False], [True, False]]
    ids, mask = inputs['negative_input_ids'], inputs['negative_input_ids_mask']
    assert len(ids) == len(mask) == 6
    assert words(ids[4][mask[4]]) == 'a blue hat, an orange coat.'
    # Of the first pairs alone, as with mixup: their rows, and no others.
    some = TrainingBatch(batch['images'], batch['input_ids'], batch['attention_mask'],
                         batch['data_samples'], inputs).first(2)
    assert (some.inputs['negative_input_ids'] == ids[:4]).all()
    assert some.inputs['negative_real'].tolist() == [[True, True], [False, False]]


def test_mistakes_are_named():
    with pytest.raises(BadValue, match='count must be at least 1, got 0'):
        PermuteColors(TOKENIZE, count=0)
    with pytest.raises(MissingKey, match='TokenizeCaption before it'):
        PermuteColors(TOKENIZE)(dict(caption=CAPTION))
    with pytest.raises(MissingKey, match='a.jpg: .*in training alone'):
        PermuteColors(TOKENIZE)(TOKENIZE(dict(captions=[CAPTION, CAPTION], img_path='a.jpg')))
    settings = dict(type='TokenizeCaption', tokenizer=CLIP_TOKENIZER, max_length=77)
    assert 'count=3' in repr(PermuteColors(settings, count=3))
