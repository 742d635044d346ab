"""Corrupted captions: shares, order, seeds, and a word that always stays."""

import re

import numpy as np
import pytest
import torch

from mmtbps.datasets.transforms import CorruptCaption
from mmtbps.errors import BadValue, MissingKey

START, END, MASK = 49406, 49407, 49405


def run(prob, ids, seed=0):
    np.random.seed(seed)
    return CorruptCaption(prob)(dict(input_ids=[ids]))['input_ids'][0]


def words(count):
    """Distinct words in ascending order, so that what is left out can be told from the rest."""
    return torch.cat([torch.tensor([START]), torch.arange(1, count + 1), torch.tensor([END])])


def test_the_shares_are_those_of_the_released_code():
    count = 40_000
    found = run(0.2, words(count))
    assert found[0] == START and found[-1] == END
    gone = count + 2 - len(found)
    masked = (found == MASK).sum().item()
    kept = np.intersect1d(found.numpy(), np.arange(1, count + 1)).size
    assert masked / count == pytest.approx(0.12, abs=0.01)
    assert gone / count == pytest.approx(0.04, abs=0.005)
    # What stays is all but a fifth; random words hit missing ones now and then.
    assert kept / count == pytest.approx(0.8 + 0.04 * 0.15, abs=0.01)


def test_the_rest_closes_up_in_order():
    found = run(0.5, words(200)).tolist()
    plain = [word for word in found[1:-1] if word <= 200]
    inversions = sum(a > b for a, b in zip(plain, plain[1:], strict=False))
    assert len(found) < 202 and inversions <= 1  # but for a random word that is small by chance


def test_a_caption_keeps_a_word():
    for seed in range(40):
        found = run(1.0, torch.tensor([START, 320, END]), seed)
        assert len(found) == 3 and found[0] == START and found[-1] == END
    assert run(1.0, torch.tensor([START, END])).tolist() == [START, END]


def test_the_seed_fixes_the_words_and_one_number_is_drawn():
    assert torch.equal(run(0.5, words(50), 3), run(0.5, words(50), 3))
    assert not torch.equal(run(0.5, words(50), 3), run(0.5, words(50), 4))
    run(0.1, words(5), 7)
    after = np.random.random()
    run(0.9, words(50), 7)
    assert np.random.random() == after


def test_mistakes_are_named():
    with pytest.raises(BadValue, match=re.escape('prob must lie in [0, 1], got 2')):
        CorruptCaption(2)
    with pytest.raises(MissingKey, match='put TokenizeCaption before CorruptCaption'):
        CorruptCaption()(dict(img_path='a.jpg'))
