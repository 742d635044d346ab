"""Weights without a place are refused by every kind with the reason, and nothing is written."""

import json

import numpy as np
import pytest
import torch
from published_checkpoints import clip_state, transformers_state
from test_broken_weights import layouts
from test_ctlg import random_timm, to_augreg
from test_hf_siglip import folder, library  # noqa: F401

from mmtbps.errors import BadValue
from mmtbps.models.converters import (
    KINDS,
    ConversionOptions,
    convert_checkpoint,
    vit_from_timm,
)

#: A key of each part that other networks have, as their libraries call it, and its reason.
PARTS = {
    'LayerScale': 'blocks.0.ls1.gamma', 'a norm before the first layer': 'norm_pre.weight',
    'norms of queries and keys': 'blocks.1.attn.q_norm.weight', 'register tokens': 'reg_token',
    'a distillation token': 'dist_token', 'features pooled from patches': 'fc_norm.weight',
    'tables of relative positions': 'blocks.0.attn.relative_position_bias_table',
    'rotary positions': 'rope.freqs', 'gated layers': 'blocks.0.mlp.w12.weight',
    'adapters': 'blocks.0.attn.qkv.lora_A.weight', 'learned prompts': 'prompt_tokens',
    'another beginning than one convolution': 'patch_embed.backbone.stem.conv.weight'}
PREFIXES = dict(
    irra=('base_model.visual.', 'base_model.', 'base_model.transformer.', ''),
    rde=('base_model.visual.', 'base_model.', 'texual_emb_layer.', ''),
    up_person=('base_model.visual.', 'base_model.', 'LORA_learner.', 'vit_prefix_learner.', ''),
    tbps_clip=('visual.', 'encode_text.', ''), openai_clip=('visual.', 'transformer.', ''),
    aptm=('vision_encoder.', 'text_encoder.bert.', ''),
    rasa=('visual_encoder.', 'text_encoder.bert.', 'itm_head.', ''),
    blip=('visual_encoder.', 'text_encoder.encoder.layer.0.', ''),
    open_clip=('visual.', 'transformer.', ''), hf_clip=('vision_model.', 'text_model.', ''),
    ctlg=('model_img.', 'model_txt.', 'model_txt.encoder.layer.0.', ''), timm=('', ))


def places_of(kind):
    """Each part at one place of a checkpoint in turn; at the other places it is slow."""
    for number, reason in enumerate(PARTS):
        for place, prefix in enumerate(PREFIXES[kind]):
            in_turn = place == number % len(PREFIXES[kind])
            yield pytest.param(kind, reason, prefix, marks=[] if in_turn else pytest.mark.slow)


def light(state):
    """Names and shapes of weights, with one number in the file for each large table."""
    return {key: value.flatten()[:1].expand(value.shape) if value.numel() > 1e5 else value
            for key, value in state.items()}


@pytest.mark.parametrize('kind, reason, prefix', [
    place for kind in PREFIXES for place in places_of(kind)])
def test_a_part_that_ours_does_not_have_is_refused_with_its_name(kind, reason, prefix, tmp_path):
    options = dict(activation='gelu') if kind in ('open_clip', 'hf_clip') else {}
    key = PARTS[reason]
    torch.save(light(layouts()[kind][0]) | {prefix + key: torch.ones(3)}, tmp_path / 'other.pth')
    with pytest.raises(BadValue, match=rf'other.pth: it has {reason}.*: \S*{key} '):
        convert_checkpoint(kind, str(tmp_path / 'other.pth'), ConversionOptions(**options))


@pytest.mark.parametrize('reason, key', PARTS.items())
def test_augreg_refuses_them_too(reason, key, convert, tmp_path):
    arrays = to_augreg(random_timm()) | {key: np.ones(3)}
    np.savez(tmp_path / 'augreg.npz', **arrays)
    with pytest.raises(BadValue, match=f'augreg.npz: it has {reason}.*: {key} '):
        convert('augreg', tmp_path / 'augreg.npz', tmp_path / 'ours.pth')
    assert not (tmp_path / 'ours.pth').exists()


@pytest.mark.parametrize('key', ['vision_model.register_tokens', 'text_model.x', 'further.weight'])
def test_hf_siglip_refuses_them_too(key, folder, library, convert, tmp_path):  # noqa: F811
    library.save_pretrained(folder, state_dict=library.state_dict() | {key: torch.ones(3)})
    with pytest.raises(BadValue, match=f'it has .*: {key} '):
        convert('hf_siglip', folder, tmp_path / 'ours')


def test_every_kind_is_tried():
    assert {*PREFIXES, 'augreg', 'hf_siglip', 'mmtbps'} == {*KINDS}  # mmtbps: test_mmtbps.py


@pytest.mark.parametrize('key', ['head.weight', 'head.fc.bias', 'pre_logits.fc.weight'])
def test_a_classifier_passes(key):
    result = vit_from_timm(random_timm() | {key: torch.ones(3)})
    assert 'classifier' in result.dropped[key] and not result.unexpected


def changed(key, shape):
    return random_timm() | {key: torch.ones(shape)}


@pytest.mark.parametrize('state, words', [
    (changed('blocks.0.mlp.fc1.weight', (64, 16)), 'gated layers .SwiGLU'),
    (changed('patch_embed.proj.weight', (16, 1, 8, 8)), '1 channels'),
    (changed('pos_embed', (1, 16, 16)), '16 places')])
def test_shapes_of_another_make_are_refused(state, words):
    with pytest.raises(BadValue, match=words):
        vit_from_timm(state)


@pytest.mark.parametrize('key, shape', [
    ('cls_token', (1, 2, 16)), ('pos_embed', (21, 16)), ('pos_embed', (1, 21, 8)),
    ('blocks.1.attn.qkv.weight', (16, 48)), ('blocks.1.mlp.fc2.weight', (16, 30)),
    ('norm.bias', (15, ))])
def test_shapes_that_do_not_go_together_are_named(key, shape):
    conversion = vit_from_timm(changed(key, shape))
    assert not conversion.complete and conversion.misshapen == [
        line for line in conversion.misshapen if line.startswith(f'{key} is {shape}')]


def test_an_augreg_without_a_class_token_is_refused(tmp_path):
    arrays = to_augreg(random_timm(tokens=16))
    np.savez(tmp_path / 'augreg.npz', **arrays)
    with pytest.raises(BadValue, match='gives its class token none'):
        convert_checkpoint('augreg', str(tmp_path / 'augreg.npz'))
    del arrays['cls']
    np.savez(tmp_path / 'augreg.npz', **arrays)
    with pytest.raises(BadValue, match='augreg.npz: cls is missing'):
        convert_checkpoint('augreg', str(tmp_path / 'augreg.npz'))


@pytest.mark.parametrize('config, words', [
    (dict(global_pool='avg'), "global_pool is 'avg'"),
    (dict(model_args=dict(act_layer='relu')), "act_layer is 'relu'"),
    (dict(architecture='vit_base_patch16_clip_quickgelu_224'), 'architecture is')])
def test_the_config_of_timm_says_what_weights_do_not(config, words, tmp_path):
    torch.save(random_timm(), tmp_path / 'pytorch_model.bin')
    (tmp_path / 'config.json').write_text(json.dumps(dict(
        dict(architecture='vit_base_patch16_224', global_pool='token'), **config)))
    with pytest.raises(BadValue, match=words):
        convert_checkpoint('timm', str(tmp_path))
    (tmp_path / 'config.json').write_text('{"architecture": "vit_base_patch16_224"}')
    assert convert_checkpoint('timm', str(tmp_path)).complete


@pytest.mark.parametrize('half, key, value', [
    ('vision_cfg', 'pool_type', 'avg'), ('vision_cfg', 'attentional_pool', True),
    ('vision_cfg', 'norm_kwargs', dict(eps=1e-6)), ('text_cfg', 'pool_type', 'last'),
    ('text_cfg', 'no_causal_mask', True), ('text_cfg', 'act_kwargs', dict(approximate='tanh')),
    ('vision_cfg', 'timm_model_name', 'vit_base_patch16_224')])
def test_the_config_of_open_clip_says_what_weights_do_not(half, key, value, tmp_path):
    torch.save(clip_state(17), tmp_path / 'open_clip_pytorch_model.bin')
    settings = dict(vision_cfg=dict(width=128), text_cfg=dict(heads=1, pool_type='argmax'))
    path = tmp_path / 'open_clip_config.json'
    path.write_text(json.dumps(dict(model_cfg=settings)))
    assert convert_checkpoint('open_clip', str(tmp_path)).complete
    settings[half][key] = value
    path.write_text(json.dumps(dict(model_cfg=settings)))
    with pytest.raises(BadValue, match=f'{half}.{key} is .*other features'):
        convert_checkpoint('open_clip', str(tmp_path))


@pytest.mark.parametrize('settings, words', [
    (dict(hidden_act='relu'), 'relu'), (dict(layer_norm_eps=1e-6), 'epsilon')])
def test_the_config_of_transformers_says_what_weights_do_not(settings, words, tmp_path):
    torch.save(transformers_state(clip_state(17)), tmp_path / 'pytorch_model.bin')
    half = dict(num_attention_heads=2)
    (tmp_path / 'config.json').write_text(json.dumps(dict(
        vision_config=dict(half, **settings),
        text_config=dict(num_attention_heads=1, **settings))))
    with pytest.raises(BadValue, match=words):
        convert_checkpoint('hf_clip', str(tmp_path))


def test_relative_positions_of_a_bert_are_refused(tmp_path):
    key = 'model_txt.encoder.layer.0.attention.self.distance_embedding.weight'
    torch.save(layouts()['ctlg'][0] | {key: torch.ones(3)}, tmp_path / 'ctlg.pth')
    with pytest.raises(BadValue, match=f'no place for.*: {key}'):
        convert_checkpoint('ctlg', str(tmp_path / 'ctlg.pth'))
