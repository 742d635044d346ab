"""CLIP's towers against their published formulas, and against transformers."""

import re

import pytest
import torch
import torch.nn.functional as F
from clip_reference import (
    difference,
    end_places,
    image_feature,
    image_tokens,
    spread_,
    text_feature,
    text_tokens,
)
from clip_towers import END, WORDS, caption_ids, random_images, text, vision
from transformers import CLIPConfig, CLIPModel

from mmtbps.errors import BadValue
from mmtbps.models import CLIPTextTower, CLIPVisionTower


@pytest.fixture
def images():
    return random_images()


@pytest.fixture
def ids():
    return caption_ids()


@torch.no_grad()
@pytest.mark.parametrize('stride', [8, 6, 5])
def test_image_features_equal_the_published_formula(images, stride):
    tower = vision(stride=stride)
    expected = image_feature(images, tower.state_dict(), stride=stride, heads=4)
    assert difference(tower(images), expected) < 1e-5
    assert F.cosine_similarity(expected[0], expected[1], 0) < 0.95, 'weights should spread features'


@torch.no_grad()
def test_text_features_equal_the_published_formula(ids):
    tower = text()
    expected = text_feature(ids, tower.state_dict(), heads=3)
    assert difference(tower(ids, ids > 0), expected) < 1e-5
    assert F.cosine_similarity(expected[0], expected[1], 0) < 0.95, 'weights should spread features'


@torch.no_grad()
@pytest.mark.parametrize('activation, function', [
    ('gelu', F.gelu), ('gelu_tanh', lambda states: F.gelu(states, approximate='tanh'))])
def test_other_activations(images, ids, activation, function):
    image, words = vision(activation=activation), text(activation=activation)
    expected = image_feature(images, image.state_dict(), stride=6, heads=4, activation=function)
    assert difference(image(images), expected) < 1e-5
    expected = text_feature(ids, words.state_dict(), heads=3, activation=function)
    assert difference(words(ids, ids > 0), expected) < 1e-5


@torch.no_grad()
def test_the_comparison_sees_planted_faults(images, ids):
    """Each mistake that an implementation could make is far beyond the tolerance."""
    image, words = vision(), text()
    state, other = image.state_dict(), words.state_dict()
    tokens = text_tokens(ids, other, heads=3)
    wrong = dict(
        gelu=image_feature(images, state, stride=6, heads=4, activation=F.gelu),
        no_post_norm=image_feature(images, state, stride=6, heads=4, post_norm=False),
        mean=image_tokens(images, state, stride=6, heads=4).mean(1),
        heads=image_feature(images, state, stride=6, heads=2))
    for fault, features in wrong.items():
        assert difference(image(images), features) > 1e-3, fault
    wrong = dict(
        gelu=text_feature(ids, other, heads=3, activation=F.gelu),
        not_causal=text_feature(ids, other, heads=3, causal=False),
        first_token=tokens[:, 0], last_token=tokens[:, -1],
        before_the_end=torch.stack([row[place - 1] for row, place in zip(
            tokens, end_places(ids), strict=True)]))
    for fault, features in wrong.items():
        assert difference(words(ids, ids > 0), features) > 1e-3, fault


@torch.no_grad()
@pytest.mark.slow
@pytest.mark.parametrize('stride, grid', [(16, (24, 8)), (12, (31, 10))])
def test_full_size(stride, grid):
    """ViT-B/16 as published."""
    image, words = spread_(CLIPVisionTower(stride=stride)).eval(), spread_(CLIPTextTower()).eval()
    assert image.grid == grid and len(image.positional_embedding) == grid[0] * grid[1] + 1
    images = torch.randn(2, 3, 384, 128)
    expected = image_feature(images, image.state_dict(), stride=stride, heads=12)
    assert difference(image(images), expected) < 1e-5
    ids = torch.randint(1, 49405, (2, 77))
    ids[:, 0], ids[0, 20], ids[0, 21:], ids[1, 76] = 49406, 49407, 0, 49407
    expected = text_feature(ids, words.state_dict(), heads=8)
    assert difference(words(ids, ids > 0), expected) < 1e-5


# ------------------------------------------------------------------ another implementation
RENAMED = (
    (r'^(vision|text)_model\.', ''), (r'embeddings\.class_embedding', 'class_embedding'),
    (r'embeddings\.patch_embedding', 'conv1'), (r'pre_layrnorm', 'ln_pre'),
    (r'embeddings\.position_embedding\.weight', 'positional_embedding'),
    (r'embeddings\.token_embedding', 'token_embedding'), (r'post_layernorm', 'ln_post'),
    (r'final_layer_norm', 'ln_final'), (r'encoder\.layers', 'transformer.resblocks'),
    (r'layer_norm(\d)', r'ln_\1'), (r'mlp\.fc1', 'mlp.c_fc'), (r'mlp\.fc2', 'mlp.c_proj'),
    (r'self_attn\.out_proj', 'attn.out_proj'))


def published_names(state):
    """Weights of a transformers tower under OpenAI's names."""
    renamed = {}
    for key, value in state.items():
        if 'position_ids' in key:
            continue
        for pattern, name in RENAMED:
            key = re.sub(pattern, name, key)
        renamed[key] = value
    for key in [key for key in renamed if 'self_attn.q_proj' in key]:
        kind = key.rpartition('.')[2]
        thirds = [renamed.pop(key.replace('q_proj', f'{part}_proj')) for part in 'qkv']
        renamed[key.partition('self_attn')[0] + f'attn.in_proj_{kind}'] = torch.cat(thirds)
    return renamed


@torch.no_grad()
def test_features_equal_transformers(ids):
    sizes = dict(num_hidden_layers=2, num_attention_heads=2, intermediate_size=64)
    model = spread_(CLIPModel(CLIPConfig(
        vision_config=dict(sizes, hidden_size=16, image_size=24, patch_size=8),
        text_config=dict(sizes, hidden_size=16, vocab_size=WORDS, max_position_embeddings=16,
                         eos_token_id=END, bos_token_id=58, pad_token_id=0),
        projection_dim=8))).eval()
    state = model.state_dict()
    image = CLIPVisionTower(16, 2, 8, (24, 24), heads=2, mlp_width=64).eval()
    words = CLIPTextTower(16, 2, 16, WORDS, heads=2, mlp_width=64).eval()
    for tower, half in ((image, 'vision_model.'), (words, 'text_model.')):
        tower.load_state_dict(published_names(
            {key: value for key, value in state.items() if key.startswith(half)}))
    images = torch.randn(2, 3, 24, 24)
    theirs = model.vision_model(images).pooler_output
    assert difference(image(images), theirs) < 1e-5
    theirs = model.text_model(ids, attention_mask=(ids > 0).long()).pooler_output
    assert difference(words(ids, ids > 0), theirs) < 1e-5


# ------------------------------------------------------------------ captions
@torch.no_grad()
def test_padding_batching_and_cutting_change_no_caption(ids):
    tower = text().double()
    features = tower(ids, ids > 0)
    for row, end in enumerate(end_places(ids)):
        alone = ids[row:row + 1, :end + 1]
        torch.testing.assert_close(tower(alone, alone > 0), features[row:row + 1])
        for filler in (0, 7, END):
            longer = F.pad(alone, (0, 16 - alone.shape[1]), value=filler)
            torch.testing.assert_close(tower(longer, torch.arange(16)[None] <= end),
                                       features[row:row + 1])


@torch.no_grad()
def test_the_mask_changes_no_feature(ids):
    tower = text()
    for mask in (None, torch.ones_like(ids).bool(), torch.arange(12).expand(4, 12) < 3):
        assert torch.equal(tower(ids, mask), tower(ids, ids > 0))


def test_the_end_token_is_the_first_largest_id():
    ids = torch.tensor([[58, 3, END, END, END], [58, 4, 5, END, 0], [7, 9, 8, 9, 1]])
    assert text().embed(ids).read.tolist() == [2, 3, 1]


def test_captions_that_do_not_fit_are_refused(ids):
    tower = text()
    with pytest.raises(BadValue, match=r'17 tokens .*context_length=16'):
        tower(torch.ones(1, 17, dtype=torch.long), None)
    for wrong in (WORDS, -1):
        ids[1, 2] = wrong
        with pytest.raises(BadValue, match=f'token id {wrong} .*vocabulary of {WORDS}'):
            tower(ids, ids > 0)


def test_sizes_that_do_not_fit_are_refused(images):
    with pytest.raises(BadValue, match='5 heads do not divide'):
        CLIPVisionTower(width=32, depth=1, heads=5)
    with pytest.raises(BadValue, match="activation must be one of .*'relu'"):
        CLIPTextTower(width=32, depth=1, activation='relu')
    with pytest.raises(BadValue, match='smaller than a patch'):
        CLIPVisionTower(width=32, depth=1, img_size=(8, 32))
    with pytest.raises(BadValue, match=r'\(48, 16\) pixels do not fit .*\(32, 16\)'):
        vision(img_size=(32, 16))(images)


@pytest.mark.parametrize('size, stride, grid', [
    ((384, 128), None, (24, 8)), ((384, 128), 12, (31, 10)), ((224, 224), None, (14, 14)),
    ((100, 50), 16, (6, 3))])
def test_the_grid_is_rounded_down(size, stride, grid):
    tower = CLIPVisionTower(width=16, depth=1, img_size=size, stride=stride)
    assert tower.grid == grid and tower.embed(torch.zeros(1, 3, *size)).hidden.shape == (
        1, 1 + grid[0] * grid[1], 16)


# ------------------------------------------------------------------ position table
@pytest.mark.parametrize('source, given', [((7, 7), None), ((3, 3), None), ((4, 2), (4, 2))])
@pytest.mark.parametrize('mode', ['bilinear', 'bicubic'])
def test_positions_of_another_grid_are_resized_once(source, given, mode):
    tower = vision(source_grid=given, interpolate_mode=mode)
    assert tower.grid == (7, 2)
    table = torch.randn(source[0] * source[1] + 1, 32)
    tower.load_state_dict(dict(tower.state_dict(), positional_embedding=table))
    grid = table[1:].view(1, *source, 32).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, size=(7, 2), mode=mode, align_corners=False)
    expected = torch.cat([table[:1], grid[0].permute(1, 2, 0).reshape(14, 32)])
    torch.testing.assert_close(tower.positional_embedding, expected)
    again = vision(seed=5)
    again.load_state_dict(tower.state_dict())
    assert torch.equal(again.positional_embedding, tower.positional_embedding)


def test_positions_of_an_odd_grid_ask_for_it():
    tower = vision()
    state = dict(tower.state_dict(), positional_embedding=torch.zeros(9, 32))
    with pytest.raises(BadValue, match='8 patch positions, which is not 2 x 2; set source_grid'):
        tower.load_state_dict(state)


# ------------------------------------------------------------------ half precision
@torch.no_grad()
def test_norms_compute_in_float32(images, ids):
    """A mean of 300 and a spread of 0.5 drown in bfloat16's 8 bits."""
    layer = vision().layers[0].ln_1.bfloat16()
    states = (300 + torch.randn(50, 32) * 40).bfloat16()
    assert layer(states).dtype == torch.bfloat16
    exact = F.layer_norm(states.float(), (32,), layer.weight.float(), layer.bias.float())
    assert torch.equal(layer(states), exact.bfloat16())
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(layer(states), exact.bfloat16())
        halves = vision()(images), text()(ids, ids > 0)
    for half, full in zip(halves, (vision()(images), text()(ids, ids > 0)), strict=True):
        assert half.dtype == torch.float32, 'the stream of states should stay float32'
        assert 0 < difference(half, full) < 0.05


def test_double_precision_stays_double(images):
    tower = vision().double()
    expected = image_feature(images.double(), tower.state_dict(), stride=6, heads=4)
    assert difference(tower(images.double()), expected) < 1e-13


def test_attention_dropout_acts_in_training_alone(ids):
    tower = text(attn_drop=0.5)
    plain = text()
    assert torch.equal(tower(ids, None), plain(ids, None))
    tower.train()
    assert not torch.allclose(tower(ids, None), plain(ids, None))
    assert not torch.allclose(tower(ids, None), tower(ids, None))


def test_random_weights_have_the_published_spread():
    torch.manual_seed(0)
    image, words = CLIPVisionTower(64, 2, 8, (64, 32)), CLIPTextTower(64, 2, vocab_size=500)
    for tower in (image, words):
        block = tower.layers[0]
        for layer, std in ((block.attn.out_proj, 1 / 16), (block.mlp.c_proj, 1 / 16),
                           (block.mlp.c_fc, 128**-0.5)):
            assert layer.weight.std().item() == pytest.approx(std, rel=0.05)
        assert block.attn.in_proj.weight.std().item() == pytest.approx(1 / 8, rel=0.05)
    assert image.positional_embedding.std().item() == pytest.approx(1 / 8, rel=0.1)
    assert words.positional_embedding.std().item() == pytest.approx(0.01, rel=0.05)
    assert words.token_embedding.weight.std().item() == pytest.approx(0.02, rel=0.05)
