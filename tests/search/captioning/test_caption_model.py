"""A model of transformers as the captioner of a gallery."""

import sys
from pathlib import Path

import pytest
from fakes import ColorEncoder, paint, paint_folder

from mmtbps.errors import BadValue, MissingFile
from mmtbps.search.captioning import CaptionOptions, open_captions, with_captions
from mmtbps.search.galleries import GalleryEntry, open_gallery
from mmtbps.search.indexing import IndexOptions, index_people

sys.path.insert(0, str(Path(__file__).parents[2] / 'generation/rewriting'))  # tiny_language.py
from tiny_language import SPECIAL, WORDS, save_llama, save_llava  # noqa: E402


@pytest.fixture(scope='module')
def llava(tmp_path_factory):
    return save_llava(tmp_path_factory.mktemp('llava'))


def test_it_describes_each_crop_the_same_in_every_run(llava, tmp_path):
    source = open_captions(f'hf:{llava}', 'cpu')
    one, two = GalleryEntry('1', 'a.png'), GalleryEntry('2', 'b.png')
    found = source.captions(one, paint('red'))
    assert found == source.captions(two, paint('red'))
    assert {word for text in found for word in text.split()} <= {*WORDS, *SPECIAL}
    again = open_captions(f'hf:{llava}', 'cpu')
    assert again.identity == source.identity and again.captions(one, paint('red')) == found
    assert source.identity['captioner'] == f'hf:{Path(llava).name}'


def test_its_captions_are_in_the_gallery(llava, tmp_path):
    crops = paint_folder(tmp_path / 'crops', 'red', 'blue')
    captions = CaptionOptions(open_captions(f'hf:{llava}', 'cpu'))
    gallery = open_gallery(tmp_path / 'people', with_captions(ColorEncoder.fingerprint,
                                                              captions.identity))
    report = index_people(crops, gallery, ColorEncoder(), captions=captions,
                          options=IndexOptions(progress=False))
    told = [captions.source.captions(entry, paint(entry.path[:-4]))[0]
            for entry in gallery.entries()]
    assert report.captioned == 2 and [entry.caption for entry in gallery.entries()] == told
    assert gallery.fingerprint['captions'] == dict(captions.source.identity, weight=.3)


def test_what_is_no_captioner_is_refused(tmp_path):
    with pytest.raises(MissingFile):
        open_captions(f'hf:{tmp_path}/none', 'cpu')
    with pytest.raises(BadValue, match='image-text-to-text'):
        open_captions(f'hf:{save_llama(tmp_path / "llama")}', 'cpu')
    with pytest.raises(BadValue, match='only models of transformers'):
        open_captions('open_clip:ViT-B-16', 'cpu')
