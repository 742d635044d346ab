"""Depth of weights and the learning rate that decays with it, against what each weight acts on."""

import clip_towers
import pytest
import siglip_towers
import text_towers
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmpretrain.models import VisionTransformer
from text_towers import families

from mmtbps.models import PooledBackbone
from mmtbps.models.backbones.vit import OverlapViT
from mmtbps.registry import MODELS

TOKENS = torch.tensor([[5, 9, 3, 7], [8, 4, 11, 6]])


def depth_by_trial(tower, inputs, name):
    """First state that changes with a weight: 0 for the tokens, i for layer i, then the rest."""
    def states():
        tokens = tower.embed(*inputs)
        yield tokens.hidden
        for layer in range(tower.depth):
            tokens = tower.run(tokens, layer, layer + 1)
            yield tokens.hidden
        yield tower.pool(tokens)

    weight = dict(tower.named_parameters())[name]
    with torch.no_grad():
        before, kept = list(states()), weight.clone()
        weight.add_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)))
        after = list(states())
        weight.copy_(kept)
    return next((depth for depth, pair in enumerate(zip(before, after, strict=True))
                 if not torch.equal(*pair)), None)


def check(tower, inputs, silent=()):
    tower.eval()
    found = {}
    for name, weight in tower.named_parameters():
        depth, count = tower.get_layer_depth(f'model.x.{name}', 'model.x.')
        assert count == tower.depth + 2
        if not any(word in name for word in silent):
            assert depth == depth_by_trial(tower, inputs, name), name
        found[depth] = found.get(depth, 0) + weight.numel()
    assert set(range(tower.depth + 1)) <= found.keys()
    assert tower.get_layer_depth('model.heads.x', 'model.x.') == (count - 1, count)


def test_an_image_tower_of_mmpretrain():
    vit = text_towers.spread(OverlapViT(dict(embed_dims=8, num_layers=3, num_heads=2,
                                             feedforward_channels=8), img_size=(40, 16)))
    check(vit, (torch.randn(2, 3, 40, 16), ), silent=['qkv.bias'])
    for name, _ in vit.named_parameters():  # as mmpretrain itself counts
        assert vit.get_layer_depth(name) == VisionTransformer.get_layer_depth(vit, name)


@families
def test_text_towers(family):
    tower = text_towers.tower(family, 'pooler' if family in text_towers.WITH_POOLER else 'cls')
    mask = torch.ones_like(TOKENS, dtype=torch.bool)
    # A key's bias cancels; a table that all layers share belongs to what stands before them.
    check(tower, (TOKENS, mask), silent=['key.bias', 'k_lin.bias', '.k.bias', 'attn.k',
                                         'relative_attention_bias'])


@pytest.mark.parametrize('towers', [clip_towers, siglip_towers])
def test_towers_of_clip_and_siglip(towers):
    silent = ['k_proj.bias', 'in_proj_bias']
    vision = towers.vision()
    check(vision, (torch.randn(2, 3, *vision.image_size), ), silent)
    ids = towers.caption_ids()
    check(towers.text(), (ids, torch.ones_like(ids, dtype=torch.bool)), silent)


def test_a_backbone_of_another_project_counts_its_own_stages():
    swin = MODELS.build(dict(type='SwinTransformer', img_size=(32, 32), patch_size=2, window_size=4,
                             arch=dict(embed_dims=8, depths=[1, 2], num_heads=[1, 2]),
                             out_indices=(1, )))
    tower = PooledBackbone(swin, out_dims=16)
    for name, _ in swin.named_parameters():
        assert tower.get_layer_depth(f'a.backbone.{name}', 'a.') == swin.get_layer_depth(name)
    plain = PooledBackbone(torch.nn.Conv2d(3, 4, 1), out_dims=4)
    assert plain.get_layer_depth('backbone.weight') == (1, 2)


def test_the_rate_of_every_group_by_hand(tiny_retriever):
    """Towers of two layers and rate 0.5: 1/8 before them, 1/4 and 1/2 in them, 1 after them."""
    model = tiny_retriever()
    settings = dict(
        type='OptimWrapper', constructor='LearningRateDecayOptimWrapperConstructor',
        optimizer=dict(type='AdamW', lr=.8, weight_decay=.1),
        paramwise_cfg=dict(layer_decay_rate=.5, norm_decay_mult=0., flat_decay_mult=0.,
                           custom_keys={'.cls_token': dict(decay_mult=0.)}))
    with DefaultScope.overwrite_default_scope('mmtbps'):
        groups = build_optim_wrapper(model, settings).optimizer.param_groups
    rates = {group['param_name']: group['lr'] for group in groups}
    by_hand = {
        'image_backbone.cls_token': .1, 'image_backbone.pos_embed': .1,
        'image_backbone.patch_embed.projection.weight': .1,
        'image_backbone.layers.0.attn.qkv.weight': .2, 'image_backbone.layers.0.ln1.bias': .2,
        'image_backbone.layers.1.ffn.layers.0.0.weight': .4, 'image_backbone.ln1.weight': .8,
        'text_backbone.bert.embeddings.word_embeddings.weight': .1,
        'text_backbone.bert.encoder.layer.0.attention.self.query.weight': .2,
        'text_backbone.bert.encoder.layer.1.output.dense.bias': .4}
    for name, rate in by_hand.items():
        assert rates[name] == pytest.approx(rate), name
    table = {'cls_token': .1, 'pos_embed': .1, 'patch_embed': .1, 'layers.0': .2, 'layers.1': .4,
             'bert.embeddings': .1, 'bert.encoder.layer.0': .2, 'bert.encoder.layer.1': .4}
    assert rates.keys() == {name for name, _ in model.named_parameters()}
    for name, rate in rates.items():
        rest = name.partition('_backbone.')[2]
        expected = next((one for words, one in table.items() if rest.startswith(words)), .8)
        assert rate == pytest.approx(expected), name
    decays = {group['param_name']: group['weight_decay'] for group in groups}
    assert decays['image_backbone.cls_token'] == decays['image_backbone.ln1.weight'] == 0
    assert decays['image_backbone.layers.0.attn.qkv.weight'] == .1


def test_adapters_have_the_depth_of_their_layer(tiny_retriever):
    model = tiny_retriever(lora=dict(rank=2))
    found = {model.get_layer_depth(name) for name, weight in model.named_parameters()
             if 'lora' in name and 'layers.0' in name}
    assert found == {(1, 4)}
    model = tiny_retriever(peft=dict(kv_lora=dict(rank=2)))
    found = [model.get_layer_depth(name) for name, weight in model.named_parameters()
             if 'kv_lora' in name and '.1.' in name]
    assert set(found) == {(2, 4)} and len(found) == 3 + 2 * 3
