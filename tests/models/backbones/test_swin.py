"""Swin against a token-by-token reference, and against Swin of transformers."""

import pytest
import swin_reference
import torch
from published_checkpoints import Draw
from swin_reference import SIZES, published_swin, swin_tokens
from transformers import SwinConfig, SwinModel

from mmtbps.models import SwinTower
from mmtbps.models.backbones.swin_layers import merge_windows, split_windows

PIXELS = torch.randn(2, 3, 64, 32, generator=torch.Generator().manual_seed(3))


def load_published(tower, state, depths):
    """Give a tower the weights of a published state dict, renamed by hand."""
    ours, first = {}, [sum(depths[:stage]) for stage in range(len(depths))]
    for key, value in state.items():
        words = key.split('.')
        if key.endswith(('relative_position_index', 'attn_mask')):
            continue
        if words[0] == 'layers' and words[2] == 'blocks':
            key = '.'.join(['layers', str(first[int(words[1])] + int(words[3])), *words[4:]])
        elif words[0] == 'layers':
            last = first[int(words[1])] + depths[int(words[1])] - 1
            key = '.'.join(['layers', str(last), *words[2:]])
        ours[key] = value
    tower.load_state_dict(ours)
    return tower.eval()


@pytest.fixture(scope='module')
def published():
    return published_swin(Draw(4))


@pytest.fixture
def tower(published):
    return load_published(SwinTower(**SIZES), published, SIZES['depths'])


@torch.no_grad()
def test_tokens_equal_the_reference(tower, published):
    assert tower.grid == (4, 2) and tower.layers[-1].window == 2
    assert [block.shift for block in tower.layers] == [0, 2, 0, 0, 0, 0]  # 16 x 8, 8 x 4, 4 x 2
    tokens = tower.run(tower.embed(PIXELS))
    expected = swin_tokens(PIXELS, published)
    assert (expected[0] - expected[1]).norm(dim=-1).min() > 1
    torch.testing.assert_close(tower.token_features(tokens), expected, rtol=0, atol=2e-5)
    torch.testing.assert_close(tower(PIXELS), expected[:, 0], rtol=0, atol=2e-5)


@torch.no_grad()
def test_the_reference_hides_what_came_around_the_edge():
    bias = swin_reference.bias_of_pairs(torch.zeros(9, 1), (4, 4), window=2, shift=1)[..., 0]
    read = [(row == 0).nonzero().flatten().tolist() for row in bias]
    assert read[0] == [0] and read[1] == read[2] == [1, 2] and read[5] == [5, 6, 9, 10]


def library_names(state, known):
    """Rename published weights to those of transformers, by the version that is installed."""
    former = 'encoder.layers.0.blocks.0.attention.self.query.weight' in known
    names = {'patch_embed.proj': 'embeddings.patch_embeddings.projection',
             'patch_embed.norm': 'embeddings.norm', '.norm1': '.layernorm_before',
             '.norm2': '.layernorm_after',
             **({'.mlp.fc1': '.intermediate.dense', '.mlp.fc2': '.output.dense',
                 '.attn.proj': '.attention.output.dense',
                 '.attn.relative': '.attention.self.relative'} if former else {
                 '.attn.proj': '.attention.o_proj',
                 '.attn.relative': '.attention.relative_position_bias.relative'})}
    part = '.attention.self.{}' if former else '.attention.{:.1}_proj'
    renamed = {}
    for key, value in state.items():
        if key.endswith(('relative_position_index', 'attn_mask')):
            continue
        for theirs, ours in names.items():
            key = key.replace(theirs, ours)
        key = 'layernorm' + key[4:] if key.startswith('norm.') else key
        key = f'encoder.{key}' if key.startswith('layers') else key
        if '.attn.qkv' in key:
            for name, third in zip(('query', 'key', 'value'), value.chunk(3), strict=True):
                renamed[key.replace('.attn.qkv', part.format(name))] = third
        else:
            renamed[key] = value
    return renamed


@torch.no_grad()
def test_it_equals_swin_of_transformers():
    draw = Draw(7)
    sizes = dict(img_size=(32, 64), width=8, depths=(2, 2), heads=(2, 4), window=4)
    state = published_swin(draw, depths=(2, 2), heads=(2, 4), windows=(4, 4))
    tower = load_published(SwinTower(**sizes), state, (2, 2))
    assert [block.shift for block in tower.layers] == [0, 2, 0, 0]
    config = SwinConfig(image_size=(32, 64), embed_dim=8, depths=[2, 2], num_heads=[2, 4],
                        window_size=4, layer_norm_eps=1e-5)
    library = SwinModel(config, add_pooling_layer=False).eval()
    renamed = library_names(state, library.state_dict())
    missing, unexpected = library.load_state_dict(renamed, strict=False)
    assert not unexpected and all('relative_position_index' in key for key in missing)
    pixels = torch.randn(2, 3, 32, 64, generator=torch.Generator().manual_seed(1))
    expected = library(pixel_values=pixels).last_hidden_state
    tokens = tower.token_features(tower.run(tower.embed(pixels)))
    torch.testing.assert_close(tokens[:, 1:], expected, rtol=0, atol=2e-5)


@torch.no_grad()
def test_slices_of_layers_make_the_whole(tower):
    tokens = tower.embed(PIXELS)
    for stop in range(1, tower.depth + 1):
        tokens = tower.run(tokens, stop - 1, stop)
    torch.testing.assert_close(tower.pool(tokens), tower(PIXELS))
    shares = tower.read_shares(tokens)
    single = tower.single_token_features(tower.run(tower.embed(PIXELS), 0, tower.depth - 1))
    torch.testing.assert_close(torch.einsum('np,npd->nd', shares, single), tower(PIXELS),
                               rtol=0, atol=1e-6)


def test_gradients_reach_every_weight_and_are_the_same_recomputed(tower):
    weights = torch.randn(16 * 2, generator=torch.Generator().manual_seed(2))
    gradients = []
    for tower.with_cp in (False, True):
        tower.train().zero_grad()
        (tower(PIXELS) * weights).sum().backward()
        gradients.append({name: value.grad for name, value in tower.named_parameters()})
    assert all(grad is not None and grad.abs().max() > 0 for grad in gradients[0].values())
    torch.testing.assert_close(*gradients)


def test_a_dropped_path_drops_whole_samples_and_keeps_the_mean():
    tower = SwinTower(**SIZES, drop_path=0.5).train()
    assert [block.drop_path for block in tower.layers] == pytest.approx([0, .1, .2, .3, .4, .5])
    change = tower.layers[-1]._drop(torch.ones(2000, 2, 3))
    assert set(change.flatten().tolist()) == {0.0, 2.0}
    assert torch.equal(change, change[:, :1, :1].expand_as(change))
    assert change.mean() == pytest.approx(1, abs=0.15)
    tower.eval()
    assert torch.equal(tower.layers[-1]._drop(change), change)


def test_depths_of_weights_follow_the_blocks(tower):
    depths = {name: tower.get_layer_depth(name)[0] for name, _ in tower.named_parameters()}
    assert depths['patch_embed.proj.weight'] == 0 and depths['norm.weight'] == 7
    assert depths['layers.1.downsample.reduction.weight'] == 2
    assert depths['layers.5.mlp.fc2.bias'] == 6


def test_windows_are_cut_and_put_together():
    states = torch.arange(2 * 4 * 6 * 3.).view(2, 4, 6, 3)
    windows = split_windows(states, 2)
    assert windows.shape == (12, 4, 3)
    assert torch.equal(windows[1, :, 0], states[0, :2, 2:4, 0].flatten())
    assert torch.equal(merge_windows(windows, 2, (4, 6)), states)


@pytest.mark.parametrize('changed, message', [
    (dict(depths=(2, 2)), 'depths=.2, 2. and heads=.2, 4, 4.'),
    (dict(img_size=(62, 32)), 'images of 62 x 32 cannot be cut into patches of 4'),
    (dict(img_size=(64, 40)), 'windows of 4'),
    (dict(heads=(3, 4, 4)), '3 heads do not divide a width of 8')])
def test_sizes_that_do_not_fit_are_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        SwinTower(**{**SIZES, **changed})


def test_images_of_another_size_are_refused(tower):
    with pytest.raises(ValueError, match='takes images of 64 x 32, got 32 x 64'):
        tower(torch.zeros(1, 3, 32, 64))
