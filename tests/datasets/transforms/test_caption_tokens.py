"""Shares of unknown tokens and cut captions, against a count by hand."""

import pytest
from written_by_0_1 import FIXTURES

from mmtbps.datasets.transforms import CLIP_TOKENIZER, TokenizeCaption
from mmtbps.datasets.transforms.caption_tokens import _SAMPLE, count_words, measure_tokens
from mmtbps.datasets.transforms.tokenize import load_tokenizer

DRAWN = str(FIXTURES / 'drawn/tokenizer')
CHINESE = ['一个穿着红色外套和蓝色牛仔裤的男人背着黑色的背包走在街上。', '这位女士有一头长发。']
ENGLISH = ['The man is wearing a red coat and blue jeans, and he carries a black backpack.',
           'A woman in white shoes.']
GERMAN = ['Ein Mann trägt eine rote Jacke und blaue Jeans und hat einen schwarzen Rucksack dabei.',
          'Die Frau mit einer Jacke geht in einem grünen Kleid.']
OTHER = ['Zookeeper juxtaposing quixotic xylophones beyond mythological vaudeville.'] * 2


def slow(name, max_length, captions):
    """Unknown tokens, tokens and cut captions, one caption at a time by transformers itself."""
    tokenizer = load_tokenizer(name)
    tokens = [tokenizer(caption, add_special_tokens=False)['input_ids'] for caption in captions]
    whole = [tokenizer(caption)['input_ids'] for caption in captions]
    unknown = sum(token == tokenizer.unk_token_id for row in tokens for token in row)
    return unknown, sum(map(len, tokens)), sum(len(row) > max_length for row in whole)


@pytest.mark.parametrize('captions', [CHINESE, ENGLISH, OTHER, CHINESE + ENGLISH])
@pytest.mark.parametrize('name, max_length', [(DRAWN, 64), (DRAWN, 12), (CLIP_TOKENIZER, 20)])
def test_shares_equal_those_counted_one_by_one(name, max_length, captions):
    use = measure_tokens(TokenizeCaption(name, max_length), captions)
    unknown, pieces, cut = slow(name, max_length, captions)
    words = sum(map(count_words, captions))
    assert (use.unknown, use.pieces, use.cut) == pytest.approx(
        (unknown / pieces, pieces / words, cut / len(captions)))


@pytest.mark.parametrize('name, captions, unfit', [
    (DRAWN, ENGLISH, False), (DRAWN, CHINESE, True), (DRAWN, OTHER, True),
    (CLIP_TOKENIZER, ENGLISH, False), (CLIP_TOKENIZER, CHINESE, True),
    (CLIP_TOKENIZER, OTHER, False)])
def test_a_tokenizer_for_other_captions_is_known(name, captions, unfit):
    """Unknown words, letters for words, bytes for letters."""
    assert measure_tokens(TokenizeCaption(name, 77), captions).unfit is unfit


def test_captions_of_which_most_are_cut_are_unfit():
    assert measure_tokens(TokenizeCaption(CLIP_TOKENIZER, 12), ENGLISH[:1]).unfit
    assert not measure_tokens(TokenizeCaption(CLIP_TOKENIZER, 12), ENGLISH).unfit


def slow_words(name, captions):
    """Shares of words that are unknown and split, one word at a time by transformers itself."""
    tokenizer = load_tokenizer(name)
    words = [word for caption in captions for word in
             ''.join(sign if sign.isalpha() else ' ' for sign in caption).split()]
    tokens = [tokenizer(word, add_special_tokens=False)['input_ids'] for word in words]
    unknown = [tokenizer.unk_token_id in row for row in tokens]
    split = [len(row) > 1 and not miss for row, miss in zip(tokens, unknown, strict=True)]
    return sum(unknown) / len(words), sum(split) / len(words)


@pytest.mark.parametrize('captions', [GERMAN, ENGLISH, OTHER, ENGLISH + GERMAN])
@pytest.mark.parametrize('name, max_length', [(DRAWN, 64), (DRAWN, 12), (CLIP_TOKENIZER, 20)])
def test_words_equal_those_split_one_by_one(name, max_length, captions):
    use = measure_tokens(TokenizeCaption(name, max_length), captions)
    assert (use.unknown_words, use.split_words) == pytest.approx(slow_words(name, captions))


def test_of_a_script_without_spaces_each_sign_is_a_word():
    use = measure_tokens(TokenizeCaption(DRAWN, 64), ['红色 coat', 'a man'])
    assert (use.unknown_words, use.split_words) == (2 / 5, 0)
    assert use.examples == ('红', '色')


@pytest.mark.parametrize('name, captions, words', [
    (CLIP_TOKENIZER, ENGLISH, None), (DRAWN, ENGLISH, None),
    (CLIP_TOKENIZER, GERMAN, '0.0 % of the words unknown, 64.0 % split: jacke, trägt, '
                             'eine, rote, blaue'),
    (DRAWN, ['A man 漢.'] * 3, '33.3 % of the words unknown, 0.0 % split: 漢')])
def test_words_are_named_where_many_are_hard(name, captions, words):
    assert measure_tokens(TokenizeCaption(name, 77), captions).hard_words == words


def test_of_many_captions_a_sample_is_looked_at():
    captions = ENGLISH[1:] * (3 * _SAMPLE) + CHINESE[:1] * (3 * _SAMPLE)
    use = measure_tokens(TokenizeCaption(DRAWN, 64), captions)
    assert (use.captions, use.looked_at) == (6 * _SAMPLE, _SAMPLE)
    unknown, pieces, _ = slow(DRAWN, 64, [ENGLISH[1], CHINESE[0]])
    assert use.unknown == pytest.approx(unknown / pieces)
    assert '12,000 captions, of which 2,000 looked at' in str(use)
