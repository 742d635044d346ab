"""Another wording of a caption: its own changes and tokens, nothing else of the item changed."""

import numpy as np
import pytest
import torch

from mmtbps.datasets.transforms import (
    CLIP_TOKENIZER,
    ApproximateTextGeneration,
    CaptionView,
    PackTextImage,
    TokenizeCaption,
)

TOKENIZE = dict(type=TokenizeCaption, tokenizer=CLIP_TOKENIZER)
REWORD = dict(type=ApproximateTextGeneration, prob=1.0, mode='paper', operations=['delete'])
CAPTION = 'a tall man walks in a long red coat and carries two bags'


def item():
    return dict(img=np.zeros((4, 2, 3), np.uint8), caption=CAPTION, img_path='a.jpg')


def test_a_view_has_words_of_its_own_and_the_caption_keeps_its_words():
    np.random.seed(1)
    done = CaptionView([REWORD, TOKENIZE])(item())
    np.random.seed(1)
    words = ApproximateTextGeneration(1.0, 'paper', operations=['delete'])(item())['caption']
    expected = TokenizeCaption(CLIP_TOKENIZER)(dict(caption=words))['input_ids']
    assert words != CAPTION and torch.equal(done.pop('input_ids_2')[0], expected[0])
    assert np.array_equal(done.pop('img'), item()['img'])
    assert done == dict(caption=CAPTION, img_path='a.jpg')  # no input_ids: they are another's


def test_a_view_may_stand_before_and_behind_the_tokens_of_the_caption():
    view, tokenize = CaptionView([REWORD, TOKENIZE]), TokenizeCaption(CLIP_TOKENIZER)
    rows = []
    for steps in ((view, tokenize), (tokenize, view)):
        np.random.seed(1)
        done = item()
        for step in steps:
            done = step(done)
        packed = PackTextImage(input_keys=['input_ids_2'])(done)['inputs']
        assert packed['input_ids_2_lengths'].tolist() == [len(packed['input_ids_2'])]
        assert len(packed['input_ids_2']) < len(packed['input_ids'])
        rows.append(packed)
    for key in ('input_ids', 'input_ids_2'):
        assert torch.equal(rows[0][key], rows[1][key])


def test_items_for_testing_pass_through():
    tested = dict(captions=['a man'], img_path='a.jpg')
    state = np.random.get_state()[1].copy()
    assert CaptionView([REWORD, TOKENIZE])(dict(tested)) == tested
    assert np.array_equal(state, np.random.get_state()[1])


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="name of its own.*'input_ids'"):
        CaptionView([], 'input_ids')
    with pytest.raises(KeyError, match="a.jpg: key 'caption' is missing"):
        CaptionView([TOKENIZE])(dict(img_path='a.jpg'))
    with pytest.raises(ValueError, match='a.jpg: the transforms of CaptionView make no tokens'):
        CaptionView([REWORD])(item())
    view = CaptionView([TOKENIZE])
    with pytest.raises(ValueError, match="a.jpg: the item has a 'input_ids_2' already"):
        view(view(item()))
