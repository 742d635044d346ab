"""Captions of every length: true parts of the long one, each length as likely."""

from collections import Counter

import numpy as np
import pytest

from mmtbps.datasets.transforms import ShortenCaption
from mmtbps.errors import BadValue
from mmtbps.lexicon.short_captions import named_things, shorten

CAPTION = ('The woman wears a red striped shirt along with blue jeans. Her shoes are white. '
           'She has no hat and is carrying a black handbag.')


@pytest.mark.parametrize('caption, things', [
    (CAPTION, ['a red striped shirt', 'blue jeans', 'white shoes', 'a black handbag']),
    ('A man in an orange coat, an orange coat.', ['an orange coat']),
    ('She walks away.', []), ('Is he in a red coat?', []),
    ('A man in a red coat and a woman in a blue coat.', [])])
def test_things_are_those_that_the_caption_has(caption, things):
    assert named_things(caption) == things


def test_each_number_of_things_is_as_likely():
    things = named_things(CAPTION)
    counts = Counter()
    for seed in range(800):
        text = shorten(CAPTION, np.random.default_rng(seed)).lower()
        told = [thing for thing in things if thing in text]
        counts[len(told)] += 1
        rest = text.rstrip('.')
        for thing in told:
            rest = rest.replace(thing, '')
        assert rest.replace(' and ', ' ').replace(',', ' ').split() == ['a', 'woman']
    assert set(counts) == {1, 2, 3, 4} and min(counts.values()) > 150


def test_the_transform_takes_one_number_and_leaves_test_items_alone():
    transform = ShortenCaption(prob=.5)
    texts = []
    for seed in range(200):
        np.random.seed(seed)
        texts.append(transform(dict(caption=CAPTION))['caption'])
    assert .4 < texts.count(CAPTION) / 200 < .6
    np.random.seed(7)
    np.random.randint(2**32, dtype=np.uint64)
    expected = np.random.random()
    np.random.seed(7)
    assert transform(dict(caption='She walks away.')) == dict(caption='She walks away.')
    assert np.random.random() == expected
    item = dict(captions=[CAPTION])
    assert ShortenCaption(prob=1.)(item) == dict(captions=[CAPTION])
    with pytest.raises(BadValue, match=r'prob must lie in \[0, 1\], got 2'):
        ShortenCaption(prob=2)
    with pytest.raises(BadValue, match='put ShortenCaption before TokenizeCaption'):
        transform(dict(caption=CAPTION, input_ids=[]))
