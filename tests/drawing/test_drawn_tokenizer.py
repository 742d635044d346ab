"""The tokenizer folder of the drawn data set."""

import json

import pytest

from mmtbps.drawing.tokenizer import SPECIAL, build_vocabulary, pretokenize, write_tokenizer

CAPTIONS = ['A man in a dark-blue T-shirt.', 'The man carries a bag.']


def test_vocabulary_is_special_tokens_then_words_by_frequency_then_alphabet():
    words = build_vocabulary(CAPTIONS)
    assert words[:5] == list(SPECIAL)
    assert words[5:9] == ['a', '-', '.', 'man']
    assert words[9:12] == ['bag', 'blue', 'carries']
    assert len(set(words)) == len(words)
    assert {'z', '##z', '0', '##9', ','} <= set(words)


@pytest.fixture(scope='module')
def tokenizer(tmp_path_factory):
    transformers = pytest.importorskip('transformers')
    folder = tmp_path_factory.mktemp('tokenizer')
    write_tokenizer(folder, CAPTIONS)
    return transformers.AutoTokenizer.from_pretrained(str(folder))


def test_auto_tokenizer_gives_the_ids_of_the_vocabulary(tokenizer):
    vocabulary = build_vocabulary(CAPTIONS)
    ids = [vocabulary.index(word) for word in
           ['[CLS]', *pretokenize('A man in a dark-blue T-shirt.'), '[SEP]']]
    assert tokenizer('A man in a dark-blue T-shirt.')['input_ids'] == ids
    assert tokenizer.unk_token_id not in ids
    assert (tokenizer.pad_token_id, tokenizer.cls_token_id, tokenizer.sep_token_id) == (0, 2, 3)


def test_unknown_words_are_spelled_out(tokenizer):
    assert tokenizer.tokenize('Knapsack') == ['k', *(f'##{c}' for c in 'napsack')]


def test_all_captions_of_a_set_are_known_words(micro_set):
    transformers = pytest.importorskip('transformers')
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(micro_set / 'tokenizer'))
    entries = json.loads((micro_set / 'reid_raw.json').read_text())
    for entry in entries:
        for text, words in zip(entry['captions'], entry['processed_tokens'], strict=True):
            tokens = tokenizer.tokenize(text)
            assert tokenizer.unk_token not in tokens
            if entry['split'] == 'train':
                assert tokens == words
