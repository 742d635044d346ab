"""A cross-encoder's scores of chosen pairs: those of all pairs, each picture read once."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fakes import ColorEncoder, paint

from mmtbps.datasets.skipped import UnreadableImage
from mmtbps.datasets.write_packed import pack_images
from mmtbps.errors import BadValue
from mmtbps.models.backbones import FusionBERT
from mmtbps.models.backbones.vit import OverlapViT
from mmtbps.models.retrievers import CrossEncoderRetriever
from mmtbps.search import PairMatcher

COLORS = ['red', 'blue', 'green', 'white', 'yellow', 'black']


class TinyEncoder(SimpleNamespace):
    """A cross-encoder of random weights with a preprocessing of its own."""

    def __init__(self):
        torch.manual_seed(0)
        vit = OverlapViT(dict(embed_dims=16, num_layers=1, num_heads=2, feedforward_channels=16),
                         img_size=(32, 16), stride=16)
        bert = FusionBERT(width=16, depth=2, heads=2, mlp_width=16, text_layers=1, image_dims=16,
                          vocab_size=40)
        model = CrossEncoderRetriever(vit, bert, match_chunk_size=4).eval()
        for weight in model.parameters():
            middle, spread = (0., 1.2 / weight.shape[-1] ** .5) if weight.ndim > 1 else (.5, .3)
            torch.nn.init.normal_(weight, middle, spread)
        super().__init__(model=model, prepared=0)

    def prepare_images(self, images):
        self.prepared += len(images)
        arrays = [np.asarray(image.resize((16, 32)), np.float32) / 128 - 1 for image in images]
        return torch.tensor(np.stack(arrays)).permute(0, 3, 1, 2)

    def prepare_texts(self, texts):
        ids = [[2, *(3 + ord(word[0]) % 36 for word in text.split()), 1] for text in texts]
        longest = max(map(len, ids))
        return (torch.tensor([row + [0] * (longest - len(row)) for row in ids]),
                torch.tensor([[True] * len(row) + [False] * (longest - len(row)) for row in ids]))


TEXTS = ['red coat', 'a man in a blue shirt', 'green']


@pytest.mark.parametrize('batch_size', [1, 4, 32])
def test_chosen_pairs_have_the_scores_of_all_pairs(batch_size):
    encoder, pictures = TinyEncoder(), [paint(color) for color in COLORS]
    with torch.inference_mode():
        whole = torch.stack([encoder.model.match(
            encoder.prepare_images([picture]), *encoder.prepare_texts([text]))[0, 0]
            for text in TEXTS for picture in pictures]).view(3, 6)
    assert whole.std() > .1  # the scores tell pairs apart
    places = torch.tensor([[5, 0, 2], [2, 1, 5], [0, 5, 2]])
    found = PairMatcher(encoder, batch_size=batch_size).match(TEXTS, pictures, places)
    np.testing.assert_allclose(found, whole.gather(1, places), rtol=1e-4, atol=1e-5)


def test_only_pictures_that_are_asked_for_are_read_and_only_once(tmp_path):
    encoder = TinyEncoder()
    for color in COLORS[:3]:
        paint(color).save(tmp_path / f'{color}.png')
    paths = [tmp_path / f'{color}.png' for color in COLORS]  # the last three are missing
    PairMatcher(encoder).match(TEXTS, paths, torch.tensor([[0, 2], [2, 0], [0, 2]]))
    assert encoder.prepared == 2
    with pytest.raises(UnreadableImage, match='yellow.png cannot be read'):
        PairMatcher(encoder).match(TEXTS[:1], paths, torch.tensor([[4]]))


def test_packed_pictures_have_the_scores_of_their_files(tmp_path):
    (tmp_path / 'imgs').mkdir()
    for color in COLORS:
        paint(color).save(tmp_path / f'imgs/{color}.png')
    pack_images(tmp_path / 'imgs', tmp_path / 'imgs.tars')
    places = torch.tensor([[5, 0, 2], [2, 1, 5], [0, 5, 2]])
    files, packed = (PairMatcher(TinyEncoder()).match(
        TEXTS, [f'{folder}/{color}.png' for color in COLORS], places)
        for folder in (tmp_path / 'imgs', f'packed://{tmp_path}/imgs.tars'))
    assert torch.equal(files, packed)


def test_nothing_to_compare():
    assert PairMatcher(TinyEncoder()).match([], [], torch.empty(0, 5, dtype=torch.long)
                                            ).shape == (0, 5)


def test_a_model_of_towers_alone_is_refused():
    with pytest.raises(BadValue, match='cannot see a picture together with a sentence.*APTM'):
        PairMatcher(SimpleNamespace(model=torch.nn.Linear(1, 1)))
    with pytest.raises(BadValue, match='compares features'):
        PairMatcher(SimpleNamespace(model=ColorEncoder()))
