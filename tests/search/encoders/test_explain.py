"""Heat-maps of words and attention roll-out, where the truth is known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from fakes import ColorEncoder
from mmengine.config import Config
from PIL import Image
from tiny_models import shrink
from torch import nn

from mmtbps.errors import UserError
from mmtbps.models import Tokens, Tower
from mmtbps.registry import MODELS
from mmtbps.search.encoders.explain import (
    CannotExplain,
    align_words,
    attention_rollout,
    rollout_map,
    word_heat_map,
)
from mmtbps.search.encoders.torch_encoder import TorchEncoder

CONFIG = Path(__file__).resolve().parents[3] / 'configs/tbps/vit_bert_base_drawn.py'
COLORS = dict(red=(255, 0, 0), green=(0, 255, 0), blue=(0, 0, 255))
TEXT = 'A man in a red coat, blue T-shirt and green shoes.'


@pytest.fixture
def build(micro_set, tmp_path):
    """A function that builds a tiny encoder; keywords change its text tower."""
    def build(width=None, stride=6, **text):
        torch.manual_seed(0)
        cfg = shrink(Config.fromfile(CONFIG), micro_set, tmp_path)
        cfg.model.text_backbone.update(text)
        if width:
            cfg.model.image_neck = cfg.model.text_neck = dict(type='ProjectionNeck',
                                                              out_dims=width)
        cfg.model.image_backbone.stride = stride
        return TorchEncoder(cfg, weights='random', device='cpu')
    return build


def random_image(size=(16, 32), seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3))
    return Image.fromarray(pixels.astype(np.uint8))


@torch.no_grad()
def make_transparent(encoder):
    """Set the weights so that patches and colour words pass the layers as they are.

    A patch is its mean colour in the first three dimensions, and so is a colour word; class token
    and special tokens are nothing. The last layer hands on what it looks at, the others nothing.
    """
    model = encoder.model
    vit, text = model.image_backbone, model.text_backbone
    bert = text.bert
    for block in vit.layers:
        silence(block.attn.qkv, block.attn.proj, block.ffn.layers[1])
    nn.init.eye_(block.attn.qkv.weight[32:])
    nn.init.eye_(block.attn.proj.weight)
    for block in text.layers:
        silence(block.attention.self.value, block.attention.output.dense, block.output.dense)
    nn.init.eye_(block.attention.self.value.weight)
    nn.init.eye_(block.attention.output.dense.weight)
    silence(vit.patch_embed.projection)
    words = bert.embeddings.word_embeddings.weight
    for weight in (vit.cls_token, vit.pos_embed, words, bert.embeddings.position_embeddings.weight,
                   bert.embeddings.token_type_embeddings.weight):
        nn.init.zeros_(weight)
    for channel in range(3):
        vit.patch_embed.projection.weight[channel, channel] = 1 / 64
    for word, color in COLORS.items():
        words[token_of(encoder, word), :3] = torch.tensor(color) / 128 - 1


def silence(*layers):
    for layer in layers:
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)


def token_of(encoder, word):
    ids, _ = encoder.prepare_texts([word])
    assert ids.shape == (1, 3)
    return int(ids[0, 1])


@pytest.mark.parametrize('row, column', [(r, c) for r in range(5) for c in range(2)])
def test_a_known_match_is_found(build, row, column):
    """On a blue picture with one red patch, 'red' is hottest there and 'blue' is coldest."""
    encoder = build()
    make_transparent(encoder)
    image = Image.new('RGB', (16, 32), COLORS['blue'])
    image.paste(COLORS['red'], (6 * column, 6 * row, 6 * column + 8, 6 * row + 8))
    found = word_heat_map(encoder, image, TEXT)
    assert found.grid == (5, 2)
    heat = dict(zip(found.words, found.heat, strict=True))
    assert np.unravel_index(heat['red'].argmax(), (5, 2)) == (row, column)
    assert np.unravel_index(heat['blue'].argmin(), (5, 2)) == (row, column)
    assert heat['red'][row, column] > 0.99 > 0.5 > heat['blue'][row, column]
    assert heat['green'].max() < 0.5
    far = abs(np.arange(5) - row) > 1
    assert (heat['blue'][far] > 0.99).all()


@torch.no_grad()
@pytest.mark.parametrize('pooling', ['pooler', 'cls', 'mean'])
def test_it_is_the_cosine_of_what_the_last_layers_look_at(build, pooling):
    """Against the towers themselves, their last attention forced on one place after the other."""
    encoder = build(pooling=pooling, width=8)
    image, model = random_image((40, 90)), encoder.model
    found = word_heat_map(encoder, image, TEXT)
    vit, bert = model.image_backbone, model.text_backbone
    tokens = vit.run(vit.embed(encoder.prepare_images([image])), 0, 1)
    patches = []
    for place in range(1, 11):
        vit.layers[1].attn.scaled_dot_product_attention = (
            lambda query, key, value, dropout_p, place=place:
            value[:, :, place:place + 1].expand_as(value))
        patches.append(model.image_neck(vit, vit.run(tokens, 1))['global'])
    patches = unit(torch.cat(patches))
    ids, mask = encoder.prepare_texts([TEXT])
    words = bert.run(bert.embed(ids, mask), 0, 1)
    tokens = unit(torch.cat([model.text_neck(bert, bert.run(
        replace(words, mask=torch.arange(17)[None] == place), 1))['global']
        for place in range(17)]))
    # [CLS] a man in a red coat , blue t - shirt and green shoes . [SEP]
    groups = [[n] for n in range(1, 7)] + [[8], [9, 10, 11], [12], [13], [14]]
    assert found.words == TEXT.replace(',', '').replace('.', '').split()
    for heat, group in zip(found.heat, groups, strict=True):
        word = unit(sum(tokens[n] for n in group) / len(group) - (tokens[0] + tokens[16]) / 2)
        # Random words differ little: their difference from the special tokens loses digits.
        np.testing.assert_allclose(heat.ravel(), [word @ patch for patch in patches], atol=2e-4)
    np.testing.assert_allclose(found.total.ravel(), patches @ encoder.encode_texts([TEXT])[0],
                               atol=1e-5)


def unit(vectors):
    vectors = np.asarray(vectors, np.float64)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def test_permuted_patches_permute_the_heat(build):
    encoder = build(stride=8)  # patches side by side
    nn.init.zeros_(encoder.model.image_backbone.pos_embed)
    pixels = np.asarray(random_image())
    order = np.random.default_rng(1).permutation(8)
    tiles = pixels.reshape(4, 8, 2, 8, 3).swapaxes(1, 2).reshape(8, 8, 8, 3)[order]
    moved = tiles.reshape(4, 2, 8, 8, 3).swapaxes(1, 2).reshape(32, 16, 3)
    one, other = (word_heat_map(encoder, Image.fromarray(p), TEXT) for p in (pixels, moved))
    np.testing.assert_allclose(other.heat.reshape(-1, 8), one.heat.reshape(-1, 8)[:, order],
                               atol=1e-5)
    assert abs(one.heat - other.heat).max() > 0.01
    maps = [rollout_map(encoder, Image.fromarray(p)).ravel() for p in (pixels, moved)]
    np.testing.assert_allclose(maps[1], maps[0][order], atol=1e-6)


def test_each_tower_runs_once(build):
    encoder, calls = build(), []
    vit, text = encoder.model.image_backbone, encoder.model.text_backbone
    for module in (vit.patch_embed, text.bert.embeddings):
        module.register_forward_hook(lambda module, *_: calls.append(type(module).__name__))
    word_heat_map(encoder, random_image(), TEXT)
    assert sorted(calls) == ['BertEmbeddings', 'PatchEmbed']
    calls.clear()
    rollout_map(encoder, random_image())
    assert calls == ['PatchEmbed']


def test_words_stand_where_the_user_wrote_them(build):
    text = '  The WOMAN\'s  T-shirt — red/blue, "café" 42! '
    found = word_heat_map(build(), random_image(), text)
    assert found.words == ['The', "WOMAN's", 'T-shirt', 'red', 'blue', 'café', '42']
    assert [text[first:last] for first, last in found.spans] == found.words


def test_words_beyond_the_models_length_are_left_out(build):
    encoder = build()
    found = word_heat_map(encoder, random_image(), 'red ' * 100)
    assert found.words == ['red'] * (encoder.tokenize.max_length - 2)


@pytest.mark.parametrize('text', ['?!', ' ... '])
def test_a_text_without_words_is_refused(build, text):
    with pytest.raises(ValueError, match='no word'):
        word_heat_map(build(), random_image(), text)


def test_what_cannot_be_explained_says_so(build):
    for explain in (lambda encoder: word_heat_map(encoder, random_image(), 'red'),
                    lambda encoder: rollout_map(encoder, random_image())):
        with pytest.raises(TypeError, match='ColorEncoder cannot be explained'):
            explain(ColorEncoder())
        encoder = build()
        encoder.model.image_backbone = nn.Conv2d(3, 4, 1)
        with pytest.raises(UserError, match='image_backbone Conv2d'):
            explain(encoder)


@MODELS.register_module()
class PatchTower(Tower):
    """An image tower of another project, which has nothing but the contract."""

    grid, out_dims = (4, 2), 16

    def __init__(self):
        super().__init__()
        self.patches, self.layers = nn.Conv2d(3, 16, 8, 8), nn.ModuleList([nn.Linear(16, 16)])

    def embed(self, images):
        patches = self.patches(images).flatten(2).transpose(1, 2)
        return Tokens(torch.cat([patches.mean(1, keepdim=True), patches], 1))

    def pool(self, tokens):
        return tokens.token_read()


@MODELS.register_module()
class ExplainedPatchTower(PatchTower):

    def attention_of(self, tokens, layer):
        return tokens.hidden.new_full((len(tokens.hidden), 1, 9, 9), 1 / 9)

    def single_token_features(self, tokens):
        return self.layers[-1](tokens.hidden)


def test_a_tower_of_another_project(micro_set, tmp_path):
    cfg = shrink(Config.fromfile(CONFIG), micro_set, tmp_path)
    cfg.model.image_backbone = dict(type='ExplainedPatchTower')
    encoder = TorchEncoder(cfg, weights='random', device='cpu')
    assert word_heat_map(encoder, random_image(), 'a red coat').heat.shape == (3, 4, 2)
    np.testing.assert_allclose(rollout_map(encoder, random_image()), np.full((4, 2), 1 / 18))
    cfg.model.image_backbone = dict(type='PatchTower')
    encoder = TorchEncoder(cfg, weights='random', device='cpu')
    for explain in (lambda: word_heat_map(encoder, random_image(), 'a red coat'),
                    lambda: rollout_map(encoder, random_image())):
        with pytest.raises(CannotExplain, match='image_backbone PatchTower'):
            explain()
    cfg.model.image_backbone = dict(type='ExplainedPatchTower')
    encoder = TorchEncoder(cfg, weights='random', device='cpu')
    encoder.model.image_backbone.grid = None
    with pytest.raises(CannotExplain, match='no grid'):
        rollout_map(encoder, random_image())


def test_another_image_size_is_noticed(build):
    encoder = build()
    encoder.prepare_images = lambda images: torch.zeros(1, 3, 32, 24)
    with pytest.raises(ValueError, match=r'\(32, 24\)'):
        word_heat_map(encoder, random_image(), 'red')


def test_words_and_their_tokens():
    spans = [(0, 0), (0, 2), (2, 6), (7, 8), (8, 9), (0, 0)]
    assert align_words('unseen, x', spans[:4]) == [((0, 6), [1, 2])]
    assert align_words('unseen x', spans) == [((0, 6), [1, 2]), ((7, 8), [3])]
    assert align_words('', []) == []


# ------------------------------------------------------------------ attention roll-out
@pytest.mark.parametrize('token', [0, 3])
def test_rollout_of_identities_is_the_identity(token):
    shares = attention_rollout([torch.eye(5).expand(2, 5, 5)] * 4, token)
    assert shares.tolist() == torch.eye(5)[token].tolist()


@pytest.mark.parametrize('layers', [1, 2, 6])
def test_rollout_of_uniform_attention_is_uniform(layers):
    """((I + U) / 2)^n = I / 2^n + (1 - 1 / 2^n) U, for U the uniform matrix."""
    shares = attention_rollout([torch.full((3, 8, 8), 1 / 8)] * layers)
    rest = (1 - 0.5 ** layers) / 8
    torch.testing.assert_close(shares, torch.tensor([0.5 ** layers + rest] + [rest] * 7))


def test_rollout_is_the_product_of_the_layers():
    generator = torch.Generator().manual_seed(0)
    attentions = [torch.rand(4, 6, 6, generator=generator) * 3 for _ in range(5)]
    product = np.eye(6)
    for weights in attentions:  # the later layer stands on the left
        mean = weights.double().numpy().mean(0)
        mixed = mean / mean.sum(1, keepdims=True) + np.eye(6)
        product = mixed / mixed.sum(1, keepdims=True) @ product
    for token in range(6):
        shares = attention_rollout(attentions, token)
        np.testing.assert_allclose(shares, product[token], atol=1e-6)
        assert abs(float(shares.sum()) - 1) < 1e-5


def test_rollout_needs_a_layer():
    with pytest.raises(ValueError, match='at least one layer'):
        attention_rollout([])


def test_rollout_map_is_the_rollout_of_the_towers_attention(build):
    encoder, image = build(), random_image()
    shares = rollout_map(encoder, image)
    vit, images = encoder.model.image_backbone, encoder.prepare_images([image])
    with torch.no_grad():
        attentions = [vit.attention(vit.embed(images), layer)[0] for layer in range(vit.depth)]
    whole = attention_rollout(attentions).numpy()
    np.testing.assert_allclose(shares.ravel(), whole[1:], atol=1e-7)
    assert shares.shape == (5, 2) and 0.5 < shares.sum() + whole[0] < 1.0001


def test_rollout_follows_attention_to_one_patch(build):
    """Every head of both layers looks at patch (3, 1) alone: 3/4 of the feature is from there."""
    encoder = build()
    vit = encoder.model.image_backbone
    target = torch.full((1, 2, 11, 11), 0.).index_fill_(3, torch.tensor([1 + 3 * 2 + 1]), 1.)
    vit.attention = lambda tokens, layer: target
    shares = rollout_map(encoder, random_image())
    assert shares[3, 1] == 0.75 and shares.sum() == 0.75
