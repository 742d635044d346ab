"""Masked captions: shares, seeds, which words, the tokenizer's own mask."""

import numpy as np
import pytest
import torch

from mmtbps.datasets.transforms import MaskCaption, load_tokenizer

START, END, MASK = 49406, 49407, 49405


def caption(count=20, seed=0):
    words = torch.from_numpy(np.random.default_rng(seed).integers(1, 49405, count))
    return torch.cat([torch.tensor([START]), words, torch.tensor([END])])


def run(transform, *ids, seed=0):
    np.random.seed(seed)
    item = transform(dict(input_ids=list(ids)))
    return item['mlm_input_ids'], item['mlm_labels']


def test_labels_are_the_words_that_were_there():
    ids = caption(500)
    (hidden,), (labels,) = run(MaskCaption(prob=0.5), ids)
    chosen = labels != 0
    assert torch.equal(labels[chosen], ids[chosen]) and torch.equal(hidden[~chosen], ids[~chosen])
    assert not chosen[[0, -1]].any()
    assert (hidden[chosen] == MASK).any() and (hidden[chosen] == ids[chosen]).any()


def test_the_shares_are_those_of_the_paper():
    ids = caption(40_000)
    (hidden,), (labels,) = run(MaskCaption(), ids)
    chosen = labels != 0
    assert chosen.float().mean().item() == pytest.approx(0.15, abs=0.01)
    shares = [(hidden[chosen] == MASK).float().mean().item(),
              (hidden[chosen] == ids[chosen]).float().mean().item()]
    assert shares == pytest.approx([0.8, 0.1], abs=0.02)
    other = hidden[chosen & (hidden != ids) & (hidden != MASK)]
    assert other.min() >= 1 and other.max() <= 49404 and len(other.unique()) > 300


def test_at_least_the_first_word_is_masked():
    ids = torch.tensor([START, 320, 786, END])
    (hidden,), (labels,) = run(MaskCaption(prob=0), ids)
    assert hidden.tolist() == [START, MASK, 786, END] and labels.tolist() == [0, 320, 0, 0]
    (hidden,), (labels,) = run(MaskCaption(prob=1.0), torch.tensor([START, 0, END]))
    assert hidden.tolist() == [START, 0, END], '"!" is the filler too, and never masked'
    assert not labels.any()


def test_in_place_every_loss_reads_the_masked_caption():
    ids = [caption(30, 1), caption(7, 2)]
    np.random.seed(3)
    item = MaskCaption(prob=0.4, in_place=True)(dict(input_ids=list(ids)))
    hidden, labels = run(MaskCaption(prob=0.4), *ids, seed=3)
    for read, mlm, ours, label, whole in zip(item['input_ids'], item['mlm_input_ids'], hidden,
                                             item['mlm_labels'], ids, strict=True):
        assert torch.equal(read, mlm) and torch.equal(read, ours) and not torch.equal(read, whole)
        chosen = label != 0
        assert torch.equal(label[chosen], whole[chosen]), 'labels are of the words as they were'
    assert all(torch.equal(*pair) for pair in zip(item['mlm_labels'], labels, strict=True))


def test_the_seed_fixes_the_masks_and_one_number_is_drawn():
    ids = [caption(30, 1), caption(7, 2)]
    one, other = (run(MaskCaption(prob=0.4), *ids, seed=5) for _ in range(2))
    for first, second in zip([*one[0], *one[1]], [*other[0], *other[1]], strict=True):
        assert torch.equal(first, second)
    drawn = np.random.random()
    run(MaskCaption(prob=0.9), ids[0], seed=5)
    assert np.random.random() == drawn
    assert not torch.equal(run(MaskCaption(prob=0.4), *ids, seed=6)[0][0], one[0][0])
    assert ids[0].equal(caption(30, 1)), 'the caption itself stays'


def test_the_tokenizers_mask_and_words(micro_set):
    name = str(micro_set / 'tokenizer')
    tokenizer = load_tokenizer(name)
    ids = torch.tensor(tokenizer('a man in a red coat')['input_ids'])
    (hidden,), (labels,) = run(MaskCaption(name, prob=1.0, ignored=-100), ids)
    assert (hidden == tokenizer.mask_token_id).any()
    assert labels.tolist() == [-100, *ids[1:-1].tolist(), -100]


def test_bad_items_and_options_are_refused():
    with pytest.raises(KeyError, match='TokenizeCaption before MaskCaption'):
        MaskCaption()(dict(caption='a man'))
    with pytest.raises(ValueError, match='prob must lie'):
        MaskCaption(prob=1.5)
