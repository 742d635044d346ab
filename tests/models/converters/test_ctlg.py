"""Conversion of foreign weights, against independent forward passes."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from forked_processes import run_tool
from tiny_models import TINY_BERT, TINY_VIT
from transformers import BertConfig, BertModel

from mmtbps.errors import BadValue
from mmtbps.models import TextImageRetriever
from mmtbps.models.backbones.vit import OverlapViT
from mmtbps.models.converters import retriever_from_ctlg, vit_from_augreg, vit_from_timm

TOOL = Path(__file__).resolve().parents[3] / 'tools' / 'convert_weights.py'
DIMS, HEADS, HIDDEN, DEPTH = 16, 2, 32, 2


def random_timm(tokens=21, generator=None):
    """A state dict in timm's names."""
    def draw(*shape):
        return torch.randn(*shape, generator=generator) * 0.2
    state = {'cls_token': draw(1, 1, DIMS), 'pos_embed': draw(1, tokens, DIMS),
             'patch_embed.proj.weight': draw(DIMS, 3, 8, 8), 'patch_embed.proj.bias': draw(DIMS),
             'norm.weight': draw(DIMS), 'norm.bias': draw(DIMS),
             'head.weight': draw(10, DIMS), 'head.bias': draw(10)}
    for i in range(DEPTH):
        for name, shape in (('norm1', (DIMS,)), ('norm2', (DIMS,)), ('attn.qkv', (3 * DIMS, DIMS)),
                            ('attn.proj', (DIMS, DIMS)), ('mlp.fc1', (HIDDEN, DIMS)),
                            ('mlp.fc2', (DIMS, HIDDEN))):
            state[f'blocks.{i}.{name}.weight'] = draw(*shape)
            state[f'blocks.{i}.{name}.bias'] = draw(shape[0])
    return state


def timm_forward(state, images, stride):
    """A pre-norm ViT written out from the paper, in timm's names."""
    hidden = F.conv2d(images, state['patch_embed.proj.weight'], state['patch_embed.proj.bias'],
                      stride=stride).flatten(2).transpose(1, 2)
    hidden = torch.cat([state['cls_token'].expand(len(images), -1, -1), hidden], 1)
    hidden = hidden + state['pos_embed']

    def norm(values, name):
        return F.layer_norm(values, (DIMS,), state[f'{name}.weight'], state[f'{name}.bias'], 1e-6)

    def linear(values, name):
        return F.linear(values, state[f'{name}.weight'], state[f'{name}.bias'])

    for i in range(DEPTH):
        block = f'blocks.{i}'
        qkv = linear(norm(hidden, f'{block}.norm1'), f'{block}.attn.qkv')
        q, k, v = qkv.view(len(images), -1, 3, HEADS, DIMS // HEADS).permute(2, 0, 3, 1, 4)
        attention = (q @ k.transpose(-1, -2) / (DIMS // HEADS) ** 0.5).softmax(-1)
        mixed = (attention @ v).transpose(1, 2).flatten(2)
        hidden = hidden + linear(mixed, f'{block}.attn.proj')
        inner = F.gelu(linear(norm(hidden, f'{block}.norm2'), f'{block}.mlp.fc1'))
        hidden = hidden + linear(inner, f'{block}.mlp.fc2')
    return norm(hidden, 'norm')[:, 0]


def vit():
    return OverlapViT(TINY_VIT, img_size=(32, 32), patch_size=8, stride=6).eval()


@pytest.mark.parametrize('keys, reason', [
    (['blocks.0.ls1.gamma', 'blocks.0.ls2.gamma'], 'LayerScale'),
    (['norm_pre.weight'], 'a norm before the first layer'),
    (['blocks.1.attn.q_norm.weight'], 'norms of queries and keys'),
    (['reg_token'], 'register tokens'),
    (['dist_token', 'head_dist.weight'], 'a distillation token'),
    (['fc_norm.weight'], 'features pooled from patches'),
    (['blocks.0.attn.relative.table'], 'weights that OverlapViT has no place for')])
def test_a_vit_of_another_make_is_refused_with_the_reason(keys, reason):
    with pytest.raises(BadValue, match=rf'{reason}.*: {keys[0]}.*\({len(keys)} weights\)'):
        vit_from_timm(random_timm() | {key: torch.ones(1) for key in keys})
    assert [*vit_from_timm(random_timm()).dropped] == ['head.weight', 'head.bias']


def test_a_table_without_a_place_for_the_class_token_is_refused():
    with pytest.raises(BadValue, match='pos_embed has 16 places: .* class token'):
        vit_from_timm(random_timm(tokens=16))


def test_timm_weights_give_timms_features():
    state = random_timm(tokens=26, generator=torch.Generator().manual_seed(0))
    conversion = vit_from_timm(state)
    assert not conversion.missing and not conversion.unexpected
    assert [*conversion.dropped] == ['head.weight', 'head.bias']
    model = vit()
    model.load_state_dict(conversion.state_dict)
    images = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(model(images), timm_forward(state, images, stride=6))


def to_augreg(state):
    """timm's names and shapes to those of the Flax release."""
    arrays = {
        'cls': state['cls_token'], 'Transformer/posembed_input/pos_embedding': state['pos_embed'],
        'embedding/kernel': state['patch_embed.proj.weight'].permute(2, 3, 1, 0),
        'embedding/bias': state['patch_embed.proj.bias'], 'head/kernel': state['head.weight'].T,
        'Transformer/encoder_norm/scale': state['norm.weight'],
        'Transformer/encoder_norm/bias': state['norm.bias']}
    for i in range(DEPTH):
        theirs, ours = f'Transformer/encoderblock_{i}/', f'blocks.{i}.'
        attention = theirs + 'MultiHeadDotProductAttention_1/'
        for n, name in enumerate(('query', 'key', 'value')):
            rows = slice(n * DIMS, (n + 1) * DIMS)
            arrays[f'{attention}{name}/kernel'] = state[ours + 'attn.qkv.weight'][rows].T.reshape(
                DIMS, HEADS, -1)
            arrays[f'{attention}{name}/bias'] = state[ours + 'attn.qkv.bias'][rows].reshape(
                HEADS, -1)
        arrays[attention + 'out/kernel'] = state[ours + 'attn.proj.weight'].T.reshape(
            HEADS, -1, DIMS)
        arrays[attention + 'out/bias'] = state[ours + 'attn.proj.bias']
        for number, name in ((0, 'norm1'), (2, 'norm2')):
            arrays[f'{theirs}LayerNorm_{number}/scale'] = state[f'{ours}{name}.weight']
            arrays[f'{theirs}LayerNorm_{number}/bias'] = state[f'{ours}{name}.bias']
        for number, name in ((0, 'mlp.fc1'), (1, 'mlp.fc2')):
            arrays[f'{theirs}MlpBlock_3/Dense_{number}/kernel'] = state[f'{ours}{name}.weight'].T
            arrays[f'{theirs}MlpBlock_3/Dense_{number}/bias'] = state[f'{ours}{name}.bias']
    return {key: np.asarray(value) for key, value in arrays.items()}


def test_augreg_arrays_give_the_same_model_as_timm():
    state = random_timm()
    conversion, reference = vit_from_augreg(to_augreg(state)), vit_from_timm(state)
    assert [*conversion.dropped] == ['head/kernel']
    assert not conversion.unexpected and not conversion.missing
    assert conversion.state_dict.keys() == reference.state_dict.keys()
    for key, value in reference.state_dict.items():
        assert torch.equal(conversion.state_dict[key], value), key


@pytest.mark.parametrize('image, text', [('', 'bert.'), ('base.', ''), ('vit.', 'text_embed.')])
def test_a_ctlg_checkpoint_fills_both_towers(image, text):
    bert = BertModel(BertConfig(**TINY_BERT)).eval()
    state = {f'module.model_img.{image}{k}': v for k, v in random_timm(tokens=26).items()}
    state |= {f'module.model_txt.{text}{k}': v for k, v in bert.state_dict().items()}
    state[f'module.model_txt.{text}embeddings.position_ids'] = torch.arange(64)[None]
    state['module.classifier.weight'] = torch.ones(1)
    state[f'module.model_txt.{text}cls.predictions.bias'] = torch.ones(1)
    conversion = retriever_from_ctlg(state)
    assert not conversion.missing and not conversion.unexpected
    assert 'people of the training set' in conversion.dropped['module.classifier.weight']
    assert 'ImageNet' in conversion.dropped[f'module.model_img.{image}head.weight']
    assert 'language head' in conversion.dropped[f'module.model_txt.{text}cls.predictions.bias']
    model = TextImageRetriever(
        image_backbone=dict(type=OverlapViT, arch=TINY_VIT, img_size=(32, 32), patch_size=8,
                            stride=6),
        text_backbone=dict(type='BERTBackbone', config=TINY_BERT),
        heads=dict(contrastive=dict(type='HardnessAwareContrastiveHead'))).eval()
    model.load_state_dict(conversion.state_dict)
    ids = torch.tensor([[2, 7, 9, 3]])
    torch.testing.assert_close(model.text_backbone(ids, ids > 0),
                               bert(input_ids=ids).pooler_output)


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_the_tool_writes_what_the_backbone_loads(suffix, tmp_path):
    state = random_timm(tokens=17)
    torch.save(dict(model=state), tmp_path / 'timm.pth')
    target = tmp_path / f'ours{suffix}'
    done = run_tool([TOOL, 'timm', tmp_path / 'timm.pth', target])
    assert done.returncode == 0, done.stderr
    assert 'dropped 2, missing 0, unexpected 0' in done.stdout
    assert 'dropped (classifier of ImageNet or other classes, not used): head.weight' in done.stdout
    model = OverlapViT(TINY_VIT, img_size=(32, 32), patch_size=8, stride=6,
                       init_cfg=dict(type='Pretrained', checkpoint=str(target)))
    model.init_weights()
    assert torch.equal(model.layers[1].attn.qkv.weight, state['blocks.1.attn.qkv.weight'])


def test_what_is_no_such_checkpoint_is_refused():
    with pytest.raises(ValueError, match='timm'):
        vit_from_timm({'conv1.weight': torch.ones(1)})
    with pytest.raises(ValueError, match='augreg'):
        vit_from_augreg({})
    with pytest.raises(ValueError, match='model_txt'):
        retriever_from_ctlg({'model_img.patch_embed.proj.weight': torch.ones(1)})
    for head in ('img_head', 'txt_head', 'share_head'):
        with pytest.raises(ValueError, match=f'head after its towers .{head}.weight'):
            retriever_from_ctlg({f'module.{head}.weight': torch.ones(1)})
    incomplete = random_timm()
    del incomplete['blocks.1.attn.qkv.bias']
    assert vit_from_timm(incomplete).missing == ['layers.1.attn.qkv.bias']
