"""Tokens of CLIP, against those of open_clip's own tokenizer."""

import hashlib
import importlib.util
import json
from pathlib import Path

import pytest
from odd_captions import MISREAD, ODD, draw_captions

from mmtbps.datasets.transforms import CLIP_TOKENIZER, TokenizeCaption, load_tokenizer

START, END = 49406, 49407
GOLDEN = Path(__file__).resolve().parents[2] / 'fixtures' / 'clip_tokens.jsonl'


def tokens(captions, max_length=77):
    clip = TokenizeCaption(CLIP_TOKENIZER, max_length, clean='clip')
    return [ids.tolist() for ids in clip(dict(captions=captions))['input_ids']]


@pytest.fixture(scope='module')
def golden():
    """Notes, and the ids of each odd and misread caption."""
    notes, *captions = map(json.loads, GOLDEN.read_text(encoding='utf-8').splitlines())
    assert notes['made_with']['open_clip_torch'] == '3.3.0'
    # In their order: JSON joins the halves of a surrogate pair.
    return notes, {text: ids for text, (_, ids) in zip(ODD + MISREAD, captions, strict=True)}


@pytest.mark.parametrize('text', ODD)
def test_tokens_of_odd_captions_are_open_clips(text, golden):
    assert tokens([text]) == [golden[1][text]]


@pytest.mark.parametrize('text', MISREAD)
def test_tokens_of_misread_captions_are_open_clips(text, golden):
    pytest.importorskip('ftfy')
    assert tokens([text]) == [golden[1][text]]


def test_tokens_of_ten_thousand_captions_are_open_clips(golden):
    ours = tokens(draw_captions(10_000))
    assert hashlib.sha256(json.dumps(ours).encode()).hexdigest() == golden[0]['drawn_sha256']
    assert {len(ids) for ids in ours} >= set(range(8, 78))


@pytest.mark.skipif(importlib.util.find_spec('open_clip') is None, reason='needs open_clip')
def test_tokens_equal_those_of_the_installed_open_clip():
    from open_clip.tokenizer import SimpleTokenizer
    captions = draw_captions(10_000, seed=1, misread=True)
    for text, row, ids in zip(captions, SimpleTokenizer()(captions).tolist(), tokens(captions),
                              strict=True):
        assert row == ids + [0] * (77 - len(ids)), repr(text)


def test_a_sentence_that_names_the_end_token_means_its_letters(tmp_path):
    """By the transform, by transformers, and by the file alone; also after saving."""
    from tokenizers import Tokenizer
    text = 'a <|endoftext|> b <|startoftext|>'
    expected, = tokens([text])
    assert expected.count(END) == expected.count(START) == 1
    TokenizeCaption(CLIP_TOKENIZER, 77).save_tokenizer(tmp_path)
    for folder in (CLIP_TOKENIZER, str(tmp_path)):
        tokenizer = load_tokenizer(folder)
        assert tokenizer(text)['input_ids'] == expected and len(tokenizer) == 49408
    assert Tokenizer.from_file(str(tmp_path / 'tokenizer.json')).encode(text).ids == expected


@pytest.mark.parametrize('max_length', [3, 20, 77])
def test_a_long_caption_keeps_its_end_token(max_length):
    ids, = tokens(['the red coat ' * 50], max_length)
    assert len(ids) == max_length and ids[0] == START and ids[-1] == END
    assert END not in ids[:-1]


def test_the_licence_goes_where_the_vocabulary_goes(tmp_path):
    from mmtbps.pretrained import resolve_pretrained
    TokenizeCaption(CLIP_TOKENIZER, 77).save_tokenizer(tmp_path)
    for folder in (resolve_pretrained(CLIP_TOKENIZER), tmp_path):
        text = Path(folder, 'LICENSE').read_text(encoding='utf-8')
        assert text.startswith('MIT License') and 'OpenAI' in text


def test_tbps_clip_cleans_more():
    loose, strict = (TokenizeCaption(CLIP_TOKENIZER, 77, clean=clean)(
        dict(caption='A man: "red" coat.'))['input_ids'][0].tolist()
        for clean in ('clip', 'tbps_clip'))
    assert strict == tokens(['a man red coat'])[0] != loose


def test_the_cleaning_is_part_of_the_settings():
    clip = TokenizeCaption(CLIP_TOKENIZER, 77, clean='clip')
    assert repr(clip).endswith("max_length=77, clean='clip')")
    with pytest.raises(ValueError, match='clean'):
        TokenizeCaption(CLIP_TOKENIZER, 77, clean='upper')
