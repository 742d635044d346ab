"""Token maps: whatever was not edited maps to itself, wherever it spinkds now."""

import pytest
import torch

from mmtbps.generation.diffusion.tokens import caption_edits, encode_caption, span_tokens, token_map

LENGTH = 24
# source, target, old colour, new colour; "pink" is spelt letter by letter.
EDITS = [
    ('A man in a red shirt.', 'A man in a blue shirt.', 'red', 'blue'),
    ('a man in a red shirt with jeans', 'a man in a pink shirt with jeans', 'red', 'pink'),
    ('a man in a pink shirt with jeans', 'a man in a red shirt with jeans', 'pink', 'red'),
    ('A red, black  SHIRT and a red cap', 'A green, black  SHIRT and a red cap', 'red', 'green'),
    ('man in dark blue jeans and shirt.', 'man in green jeans and shirt.', 'dark blue', 'green'),
    ('a man with a red-shirt,a bag', 'a man with a dark red-shirt,a bag', 'red', 'dark red'),
    ('A red bag and a red cap.', 'An orange bag and a red cap.', 'red', 'orange'),
    ('a red bag, blue cap, red bag', 'a pink bag, blue cap, pink bag', 'red', 'pink'),
]


def encode_edit(tokenizer, source, target, old, new):
    spans = [(text.index(word), text.index(word) + len(word))
             for text, word in ((source, old), (target, new))]
    edits = caption_edits(source, target, *spans)
    return encode_caption(tokenizer, source), encode_caption(tokenizer, target), edits


@pytest.mark.parametrize('source, target, old, new', EDITS)
def test_unedited_tokens_map_to_themselves(tokenizer, source, target, old, new):
    before, after, edits = encode_edit(tokenizer, source, target, old, new)
    mapping, own = token_map(before, after, edits, LENGTH)

    def outside(encoded, side):
        """Token positions and ids that no edit touches, in order: the slow way."""
        spans = [edit[side] for edit in edits]
        return [(i, token) for i, (token, (a, b)) in
                enumerate(zip(encoded.ids, encoded.offsets, strict=True))
                if b == a or not any(a < end and start < b for start, end in spans)]

    kept, moved = outside(before, 0), outside(after, 1)
    assert [token for _, token in kept] == [token for _, token in moved]
    for (s, _), (t, _) in zip(kept[:-1], moved[:-1], strict=True):
        assert mapping[s].nonzero().tolist() == [[t]] and mapping[s, t] == 1
        assert mapping[:, t].nonzero().tolist() == [[s]]
    assert not own.any()


@pytest.mark.parametrize('source, target, old, new', EDITS)
def test_replacing_moves_attention_and_makes_none(tokenizer, source, target, old, new):
    mapping, _ = token_map(*encode_edit(tokenizer, source, target, old, new), LENGTH)
    torch.testing.assert_close(mapping.sum(1), torch.ones(LENGTH))


def test_several_tokens_share_evenly(tokenizer):
    before, after, edits = encode_edit(tokenizer, 'a dark blue shirt', 'a pink shirt',
                                       'dark blue', 'pink')
    s0, s1 = span_tokens(before.offsets, (2, 11))
    t0, t1 = span_tokens(after.offsets, (2, 6))
    assert (s1 - s0, t1 - t0) == (2, 4)
    mapping, _ = token_map(before, after, edits, LENGTH)
    assert mapping[s0:s1, t0:t1].tolist() == [[pytest.approx(1 / 4)] * 4] * 2
    assert mapping[s0:s1].sum().item() == pytest.approx(2)


def test_refining_keeps_the_targets_own_attention_to_new_words(tokenizer):
    before, after, edits = encode_edit(tokenizer, 'a red shirt', 'a pink shirt', 'red', 'pink')
    mapping, own = token_map(before, after, edits, LENGTH, mode='refine')
    t0, t1 = span_tokens(after.offsets, (2, 6))
    assert own.nonzero().flatten().tolist() == list(range(t0, t1))
    assert not mapping[:, t0:t1].any()


def test_an_inserted_word_keeps_its_own_attention_and_a_deleted_one_goes(tokenizer):
    before, after, edits = encode_edit(tokenizer, 'a red shirt', 'a blue shirt with jeans',
                                       'red', 'blue')
    mapping, own = token_map(before, after, edits, LENGTH)
    assert own.nonzero().flatten().tolist() == [4, 5]
    assert mapping[4, 6] == 1  # the end token
    back = [(target, source) for source, target in edits]
    mapping, own = token_map(after, before, back, LENGTH)
    assert not own.any() and not mapping[4:6].any() and mapping[6, 4] == 1


@pytest.mark.parametrize('caption', ['A red, dark-blue  SHIRT!', 'pink', 'a "red" x'])
def test_span_tokens_are_those_that_share_a_character(tokenizer, caption):
    offsets = encode_caption(tokenizer, caption).offsets
    for start in range(len(caption)):
        for end in range(start + 1, len(caption) + 1):
            touching = [i for i, (a, b) in enumerate(offsets)
                        if set(range(a, b)) & set(range(start, end))]
            assert list(range(*span_tokens(offsets, (start, end)))) == touching


def test_edits_away_away_from_the_color_are_found():
    source, target = 'A red bag, the red bag', 'An orange bag, the orange bag'
    edits = caption_edits(source, target, (2, 5), (3, 9))
    assert [(source[a:b], target[c:d]) for (a, b), (c, d) in edits] == [
        ('A', 'An'), ('red', 'orange'), ('red', 'orange')]


def test_bad_input_is_refused(tokenizer):
    with pytest.raises(ValueError, match='26 tokens, the text encoder reads 24'):
        encode_caption(tokenizer, 'red ' * 24)
    encoded = encode_caption(tokenizer, 'red')
    with pytest.raises(ValueError, match="'blend'"):
        token_map(encoded, encoded, [], LENGTH, mode='blend')
