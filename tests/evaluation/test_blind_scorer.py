"""The scorer that sees no picture: its counts, and where its captions come from."""

import json
import math
import re

import numpy as np
import pytest

from mmtbps.errors import BadValue, MissingFile
from mmtbps.evaluation.binding import NGramScorer, read_captions

CAPTIONS = ['a red coat', 'a red hat and a hat', 'a blue coat', 'the red red coat']


def slow_score(text, captions, order):
    """Stupid backoff by searching the captions for every sequence."""
    before = ['<s>'] * (order - 1)
    sentences = [before + caption.split() for caption in captions]

    def count(words, follow):
        found = 0
        for sentence in sentences:
            for start in range(len(sentence) - len(words) + 1):
                end = start + len(words)
                # Contexts are followed by a word; sequences end with one, not with a mark.
                if sentence[start:end] == words and (
                        end < len(sentence) and end >= order - 1 if follow else end >= order):
                    found += 1
        return found

    total = sum(len(caption.split()) for caption in captions)
    kinds = len({word for caption in captions for word in caption.split()})
    words, result = before + text.split(), 0.
    for place in range(order - 1, len(words)):
        factor = 1.
        for size in range(order, 0, -1):
            span = words[place - size + 1:place + 1]
            if size == 1:
                result += math.log(factor * (count(span, False) + 1) / (total + kinds + 1))
            elif count(span, False):
                result += math.log(factor * count(span, False) / count(span[:-1], True))
                break
            else:
                factor *= .4
    return result


@pytest.mark.parametrize('order', [1, 2, 3])
def test_scores_are_those_of_a_slow_count(order):
    texts = ['a red coat', 'the blue hat', 'a green coat and a hat', 'red', 'and and red']
    expected = [slow_score(text, CAPTIONS, order) for text in texts]
    assert np.allclose(NGramScorer(CAPTIONS, order).score(texts), expected)


def test_a_likelier_caption_scores_higher_and_no_caption_is_refused():
    scorer = NGramScorer(['black shoes and a red coat'] * 3 + ['red shoes and a black coat'])
    true, negative = scorer.score(['black shoes and a red coat', 'red shoes and a black coat'])
    assert true > negative
    with pytest.raises(BadValue, match='no caption'):
        NGramScorer([])
    with pytest.raises(BadValue, match='order must be at least 1, got 0'):
        NGramScorer(['a'], order=0)


def test_captions_of_annotations_and_of_a_text(tmp_path):
    annotations, lines = tmp_path / 'reid_raw.json', tmp_path / 'captions.txt'
    annotations.write_text(json.dumps([
        dict(split='train', captions=['one', 'two']), dict(split='test', captions=['three'])]))
    lines.write_text('one\n\n two \n')
    assert read_captions(annotations) == read_captions(lines) == ['one', 'two']


@pytest.mark.parametrize('name, text, says', [
    ('a.json', '{', 'no list of annotations'), ('a.json', '[{"split": "train"}]', "KeyError"),
    ('a.json', '[]', 'no caption of a train split'), ('a.txt', '\n', 'no caption')])
def test_files_without_captions_are_named(name, text, says, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(BadValue, match=says) as caught:
        read_captions(tmp_path / name)
    assert re.match(re.escape(str(tmp_path / name)), str(caught.value))
    with pytest.raises(MissingFile):
        read_captions(tmp_path / 'none.txt')
