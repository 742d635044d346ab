"""Parts of a batch that heads ask for: some tokens of images, single tokens."""

from types import SimpleNamespace

import clip_towers
import pytest
import torch
from torch import nn

from mmtbps.models import (
    BaseHead,
    PooledBackbone,
    ProjectionNeck,
    SwinTower,
    TextImageRetriever,
)
from mmtbps.models.retrievers.encoding import encode_some, finish

IMAGES = clip_towers.random_images()


@pytest.fixture
def tower_and_neck():
    torch.manual_seed(0)
    return clip_towers.vision(), ProjectionNeck(32, 12)


def test_all_tokens_kept_are_the_whole_image(tower_and_neck):
    tower, neck = tower_and_neck
    whole = finish(tower, neck, tower.embed(IMAGES), read_only=False)
    places = torch.arange(whole.tokens.shape[1]).expand(3, -1)
    side = encode_some(tower, neck, IMAGES, places)
    torch.testing.assert_close(side.tokens, whole.tokens)
    torch.testing.assert_close(side.parts['global'], whole.parts['global'])


def test_tokens_that_are_left_out_are_read_by_nobody(tower_and_neck):
    """By hand: the embedded tokens of one image, cut before the layers."""
    tower, neck = tower_and_neck
    kept = torch.tensor([[0, 2, 5], [0, 1, 7], [0, 3, 4]])
    side = encode_some(tower, neck, IMAGES, kept)
    for row in range(3):
        hidden = tower.embed(IMAGES[row:row + 1]).hidden[:, kept[row].tolist()]
        for block in tower.layers:
            hidden = block(hidden)
        expected = tower.ln_post(hidden) @ neck.projection.weight.T
        torch.testing.assert_close(side.tokens[row], expected[0])
        torch.testing.assert_close(side.parts['global'][row], expected[0, 0])


def test_a_tower_that_merges_tokens_can_leave_none_out():
    swin = SwinTower(img_size=(64, 32), width=8, depths=(1, 1), heads=(1, 2), window=4)
    with pytest.raises(TypeError, match='SwinTower merges neighbouring tokens'):
        encode_some(swin, ProjectionNeck(16, 12), torch.zeros(2, 3, 64, 32),
                    torch.tensor([[0, 1, 2]] * 2))


def test_single_tokens_are_what_each_gives_to_the_pooled_one(tower_and_neck):
    """With all attention on one token, as its value alone would be read."""
    tower, neck = tower_and_neck
    side = finish(tower, neck, tower.embed(IMAGES), read_only=False)
    before = tower.run(tower.embed(IMAGES), 0, tower.depth - 1).hidden
    block = tower.layers[-1]
    values = block.ln_1(before) @ block.attn.in_proj.weight[64:].T + block.attn.in_proj.bias[64:]
    states = before[:, :1] + block.attn.out_proj(values)
    states = states + block.mlp(block.ln_2(states))
    torch.testing.assert_close(side.single_tokens, neck.projection(tower.ln_post(states)))


def test_what_is_not_there_is_said(tower_and_neck):
    tower, neck = tower_and_neck
    side = finish(tower, neck, tower.embed(IMAGES), read_only=True)
    for name in ('tokens', 'single_tokens'):
        with pytest.raises(RuntimeError, match='must say so, needs_tokens = True'):
            getattr(side, name)
    pooled = PooledBackbone.__new__(PooledBackbone)
    nn.Module.__init__(pooled)
    with pytest.raises(TypeError, match='an image tower without tokens cannot leave some out'):
        encode_some(pooled, neck, IMAGES, torch.zeros(3, 1, dtype=torch.long))


class Watcher(BaseHead):
    """A head that keeps the pairs it has been given."""

    needs_tokens = True

    def forward(self, pairs, samples):
        self.pairs = pairs
        return dict(loss_watched=pairs.image.parts['global'].sum())


@pytest.mark.parametrize('mode', ['replace', 'add'])
def test_pairs_bring_their_inputs_as_they_were_before_mixup(mode):
    torch.manual_seed(0)
    vision = dict(type='CLIPVisionTower', width=16, depth=2, heads=2, patch_size=8, stride=6,
                  img_size=(48, 16))
    text = dict(type='CLIPTextTower', width=16, depth=2, heads=2, vocab_size=60)
    model = TextImageRetriever(vision, text, dict(watch=Watcher()), mixup=dict(
        type='FeatureMixup', prob=1.0, weight=0.5, layer=1, mode=mode)).train()
    ids = clip_towers.caption_ids()[:3]
    mask = torch.arange(12) <= ids.argmax(1, keepdim=True)
    model.loss(IMAGES, ids, mask, [SimpleNamespace(person_id=i) for i in range(3)])
    pairs = model.heads['watch'].pairs
    for given, wanted in ((pairs.images, IMAGES), (pairs.input_ids, ids),
                          (pairs.attention_mask, mask)):
        assert torch.equal(given, wanted)
    assert pairs.image.grid == (7, 2) and pairs.text.grid is None
    again = pairs.encode_image(IMAGES, torch.tensor([[0, 1, 2]] * 3))
    assert again.tokens.shape == (3, 3, 16)
    # Mixed features are others than those of a second pass.
    assert not torch.allclose(pairs.image.parts['global'], pairs.encode_image(IMAGES).parts[
        'global'], atol=1e-3)
