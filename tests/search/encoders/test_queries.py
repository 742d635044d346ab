"""Queries: what is checked is what is encoded, by every encoder alike."""

import numpy as np
import pytest
from fakes import ColorEncoder
from pretrained_models import save_tiny

from mmtbps.errors import BadValue
from mmtbps.search.encoders import PretrainedEncoder
from mmtbps.search.encoders.onnx_encoder import OnnxEncoder
from mmtbps.search.encoders.queries import Query, fuse_features, read_queries

PLAIN = 'The woman has a red coat and a bag.'
ODD = ['The woman has a\u00a0red  coat\u200b and a bag.',
       '\u202eThe woman has a red\u00ad coat and a bag.',
       'The woman has a red coat and a ｂａｇ．', 'The wo\ufeffman has a red coat\nand a bag.']


@pytest.fixture(scope='module')
def encoders(tiny_encoder, exported):
    return [tiny_encoder, OnnxEncoder(exported, 'fp32')]


def test_every_encoder_is_handed_the_same(encoders):
    for encoder in encoders:
        queries = read_queries(encoder, [PLAIN, *ODD])
        assert [query.text for query in queries] == [PLAIN, *ODD]
        assert {query.encoded for query in queries} == {PLAIN}
        assert not any(query.unknown or query.read for query in queries)
        plain = encoder.encode_texts([PLAIN])
        assert (encoder.encode_texts([queries[0].encoded]) == plain).all()


def test_words_not_known_and_not_read_are_named(encoders):
    sentences = ['a red 学 coat, “学” and \U0001f392', 'red coat ' * 2500, '[SEP] a man [MASK]']
    found = [read_queries(encoder, sentences) for encoder in encoders]
    assert found[0] == found[1]
    odd, long, special = found[0]
    assert odd.unknown == ('学', '\U0001f392')
    assert long.unknown == () and long.read.split()[:2] == ['red', 'coat']
    assert len((long.read + ' ' + long.unread).split()) == 5000
    assert special.encoded.startswith('[ SEP]') and special.encoded.endswith('[ MASK]')
    ids = [encoders[1].tokenizer.encode(query.encoded, add_special_tokens=False).ids
           for query in found[0]]
    specials = [encoders[1].tokenizer.token_to_id(name) for name in ('[SEP]', '[MASK]')]
    assert not {*specials} & {*ids[2]}


@pytest.mark.parametrize(('text', 'message'), [
    ('\u200b', 'is empty'), ('\x07\x1b', 'is empty'), ('\u3164', 'is empty'),
    ('?!', 'has no word'), ('\u0301', 'has no word'), ('穿红衣服的男人', 'knows no word'),
    ('мужчина, 学', 'knows no word'), ('\U0001f392\U0001f392', 'knows no word'),
    ('a \udcff man', 'no valid Unicode')])
def test_a_sentence_of_which_nothing_is_left_is_refused(encoders, text, message):
    for encoder in encoders:
        with pytest.raises(BadValue, match=message) as refusal:
            read_queries(encoder, ['a man', text])
        assert '\n' not in str(refusal.value) and '\x1b' not in str(refusal.value)
        str(refusal.value).encode()


def test_the_tokenizer_of_a_pretrained_model_is_asked(tmp_path):
    encoder = PretrainedEncoder(f'hf:{save_tiny(tmp_path, "siglip")}', 'cpu',
                                prompts=['a photo of {}'])
    known, odd = read_queries(encoder, ['a man in a red coat', 'a man </s> 学 <pad>'])
    assert known == Query('a man in a red coat', 'a man in a red coat')
    assert '学' in odd.unknown
    ids = encoder.network.process_texts([odd.encoded])['input_ids'][0].tolist()
    assert ids.index(1) == len(ids) - 1 - ids[::-1].index(1)  # one end token, at the end


def test_an_encoder_that_does_not_tell_is_taken_as_it_is():
    assert read_queries(ColorEncoder(), ['\u201cred\u201d 学']) == [
        Query('\u201cred\u201d 学', '"red" 学')]


def test_a_fused_query_ranks_as_the_weighted_sum_of_scores():
    rng = np.random.default_rng(0)
    image, *texts = (row / np.linalg.norm(row) for row in rng.normal(size=(4, 8)))
    gallery = rng.normal(size=(20, 8))
    for weight in (0, .3, 1):
        fused = fuse_features(image[None], np.array(texts), weight)
        np.testing.assert_allclose(np.linalg.norm(fused, axis=1), 1, atol=1e-6)
        for text, row in zip(texts, fused, strict=True):
            scores = [weight * (image @ person) + (1 - weight) * (text @ person)
                      for person in gallery]
            assert np.argsort(gallery @ row).tolist() == np.argsort(scores).tolist()
    with pytest.raises(BadValue, match='opposite'):
        fuse_features(image[None], -image[None], .5)
