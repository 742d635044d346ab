"""Cleanings as normalizers of a tokenizer, against the cleanings themselves."""

import json

import pytest
from tokenizers import Tokenizer

from mmtbps.errors import BadValue
from mmtbps.lexicon.caption_cleaning import CLEANINGS
from mmtbps.search.encoders.hub_folders.cleaning_normalizers import cleaning_normalizers

CAPTIONS = [
    'A man in a RED coat.', '  Two \t spaces\nand   lines ',
    'A RED_coat, a T-shirt & 2 bags; (blue)!', 'a man\u2019s \u201cdark-blue\u201d jeans.',
    'tom &amp; jerry &lt;b&gt; &quot;x&quot; &amp;amp; &#39;s',
    'a &amp b &AMP; &#39s &apos;t &apos',
    'CAF\u00c9 cafe\u0301', 'a~b:c#d*e', "it's a [bag] {x} \\ ^ $5 + 3 = 8", 'end.']


#: Of cross-encoders, which other libraries cannot hold.
WITHOUT = ('aptm', 'rasa', 'blip')


@pytest.mark.parametrize('clean', [name for name in CLEANINGS if name not in WITHOUT])
def test_a_normalizer_cleans_as_the_cleaning_does(clean):
    tokenizer = Tokenizer.from_str(json.dumps(dict(
        version='1.0', truncation=None, padding=None, added_tokens=[], pre_tokenizer=None,
        normalizer=dict(type='Sequence', normalizers=cleaning_normalizers(clean)),
        post_processor=None, decoder=None, model=dict(
            type='WordLevel', vocab={'x': 0}, unk_token='x'))))
    for caption in CAPTIONS:
        assert tokenizer.normalizer.normalize_str(caption) == CLEANINGS[clean](caption)


@pytest.mark.parametrize('clean', ['mine', *WITHOUT])
def test_an_unknown_cleaning_is_refused(clean):
    with pytest.raises(BadValue, match=f"'{clean}' of captions cannot be written into a token"):
        cleaning_normalizers(clean)
