"""Towers of CLIP, SigLIP and convolutions in the retriever, also with those of other makes."""

import copy

import pytest
import torch
import torch.nn.functional as F
from clip_reference import difference, spread_
from compilation import compiled_layers, compiles
from mmengine.optim import OptimWrapper
from tiny_models import TINY_BERT, TINY_VIT

from mmtbps.engine import MixedPrecisionOptimWrapper
from mmtbps.models.backbones.vit import OverlapViT

PLACES = 12
VIT = dict(type=OverlapViT, arch=TINY_VIT, img_size=(32, 16), patch_size=8, stride=6)
BERT = dict(type='BERTBackbone', config=TINY_BERT)
CLIP_IMAGE = dict(type='CLIPVisionTower', width=24, depth=2, heads=3, patch_size=8, stride=6,
                  img_size=(32, 16))
CLIP_TEXT = dict(type='CLIPTextTower', width=20, depth=2, heads=2, context_length=PLACES,
                 vocab_size=50)
LAYERS = dict(hidden_size=24, intermediate_size=32, num_hidden_layers=2, num_attention_heads=3)
SIGLIP_IMAGE = dict(type='SigLIPVisionTower', img_size=(32, 16),
                    config=dict(LAYERS, image_size=32, patch_size=8))
SIGLIP_TEXT = dict(type='SigLIPTextTower', config=dict(
    LAYERS, vocab_size=50, max_position_embeddings=PLACES, bos_token_id=None, eos_token_id=49))
CONV_IMAGE = dict(type='ConvVisionTower', img_size=(32, 16), width=8, depths=(1, 1, 1), out_dims=24)
CONV_TEXT = dict(type='ConvTextTower', vocab_size=50, width=12, depth=2, kernel_size=3)
PAIRINGS = dict(
    clip=(CLIP_IMAGE, CLIP_TEXT), clip_bert=(CLIP_IMAGE, BERT), vit_clip=(VIT, CLIP_TEXT),
    siglip=(SIGLIP_IMAGE, SIGLIP_TEXT), siglip_clip=(SIGLIP_IMAGE, CLIP_TEXT),
    vit_siglip=(VIT, SIGLIP_TEXT), conv=(CONV_IMAGE, CONV_TEXT), vit_conv=(VIT, CONV_TEXT))
pairings = pytest.mark.parametrize('pairing', PAIRINGS)
#: Every tower once, for what each does alone.
every_tower = pytest.mark.parametrize('pairing', ['clip_bert', 'siglip_clip', 'vit_siglip', 'conv'])


@pytest.fixture
def build(tiny_retriever):
    """A function that builds a retriever of two towers that meet in 16 dimensions."""
    def build(pairing, **parts):
        image, text = copy.deepcopy(PAIRINGS[pairing])
        min_length = PLACES if 'Sig' in text['type'] else 0
        neck = dict(type='ProjectionNeck', out_dims=16)
        return spread_(tiny_retriever(**{**dict(
            image_backbone=image, text_backbone=text, image_neck=neck, text_neck=neck,
            data_preprocessor=dict(type='TextImagePreprocessor', min_length=min_length)), **parts}))
    return build


def step(model, batch, seed=1):
    """Loss and gradients of a batch."""
    model.zero_grad()
    torch.manual_seed(seed)
    loss = model(**model.data_preprocessor(batch, training=True), mode='loss')['loss_contrastive']
    loss.backward()
    return loss.detach(), torch.cat([weight.grad.flatten() for weight in model.parameters()])


@pairings
def test_a_step_trains_every_weight_with_finite_gradients(pairing, build, tiny_batch):
    model = build(pairing, mixup=dict(type='FeatureMixup', prob=0.5, layer=1)).train()
    loss, _ = step(model, tiny_batch(6))
    assert loss > 0
    for name, weight in model.named_parameters():
        assert weight.grad is not None and weight.grad.isfinite().all(), name
        assert weight.ndim < 2 or weight.grad.abs().max() > 1e-6, name
    before = loss
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.01))
    for _ in range(20):
        loss = model.train_step(tiny_batch(6), optimizer)['loss']
    assert loss < before


@pairings
@pytest.mark.parametrize('mixup', [
    None, dict(type='FeatureMixup', prob=0.7, beta=1.0, layer=1),
    dict(type='FeatureMixup', prob=1.0), dict(type='PixelMixup', prob=0.7, max_length=PLACES)])
def test_chunks_and_checkpointing_give_the_same_gradients(pairing, mixup, build, tiny_batch):
    whole = step(build(pairing, mixup=mixup).double().train(), tiny_batch(7))
    pieces = build(pairing, mixup=mixup, chunk_size=3).double().train()
    pieces.image_backbone.with_cp = pieces.text_backbone.with_cp = True
    torch.testing.assert_close(step(pieces, tiny_batch(7)), whole)


@torch.no_grad()
@pairings
@pytest.mark.parametrize('layer', [0, 1, 2])
def test_mixup_mixes_states_after_a_layer_and_reads_each_rows_own_place(
        pairing, layer, build, tiny_batch):
    model = build(pairing, mixup=dict(type='FeatureMixup', prob=1.0, weight=0.25, layer=layer))
    model = model.double().eval()
    batch = model.data_preprocessor(tiny_batch(4))
    inputs = dict(image=(batch['images'].double(), ),
                  text=(batch['input_ids'], batch['attention_mask']))
    torch.manual_seed(3)
    mixing = model.mixup.draw(4, torch.device('cpu'))
    sides = model.encode_pairs(*inputs['image'], *inputs['text'], mixing)
    for side, name in zip(sides, inputs, strict=True):
        tower, neck = getattr(model, f'{name}_backbone'), getattr(model, f'{name}_neck')
        tokens = tower.run(tower.embed(*inputs[name]), 0, layer)
        hidden = torch.stack([0.75 * tokens.hidden[i] + 0.25 * tokens.hidden[mixing.partner[i]]
                              for i in range(4)])
        mask = None if tokens.mask is None else tokens.mask | tokens.mask[mixing.partner]
        mixed = type(tokens)(hidden, mask, tokens.read, layer)
        expected = neck.project(tower.pool(tower.run(mixed, layer)))
        torch.testing.assert_close(side.parts['global'], expected)


@compiles
@every_tower
def test_compiled_layers_give_the_same_gradients(pairing, build, tiny_batch):
    model = build(pairing, mixup=dict(type='FeatureMixup', prob=0.5, layer=1)).train()
    plain = step(model, tiny_batch(4))
    with compiled_layers(model):
        torch.testing.assert_close(step(model, tiny_batch(4)), plain)


@pairings
def test_half_precision_trains(pairing, build, tiny_batch):
    model = build(pairing).train()
    full = model(**model.data_preprocessor(tiny_batch(4)), mode='loss')['loss_contrastive']
    optimizer = MixedPrecisionOptimWrapper(
        dtype='bfloat16', optimizer=torch.optim.SGD(model.parameters(), lr=1e-3))
    log = model.train_step(tiny_batch(4), optimizer)
    assert log['loss_contrastive'].item() == pytest.approx(full.item(), rel=0.2)
    assert all(weight.isfinite().all() for weight in model.parameters())


@torch.no_grad()
def test_widths_of_any_pairing_meet_in_the_neck(build, tiny_batch):
    """BERT-base and CLIP ViT-B/16 meet in 512 dimensions as CLIP's own towers do."""
    neck = dict(type='ProjectionNeck', out_dims=512)
    for pairing, widths in (('clip_bert', (24, 16)), ('vit_clip', (16, 20))):
        model = build(pairing, image_neck=neck, text_neck=neck).eval()
        weights = model.image_neck.projection.weight, model.text_neck.projection.weight
        assert [tuple(weight.shape) for weight in weights] == [(512, width) for width in widths]
        batch = model.data_preprocessor(tiny_batch(3))
        features = model(**batch)
        for side, tower, inputs in (
                ('image', model.image_backbone, (batch['images'], )),
                ('text', model.text_backbone, (batch['input_ids'], batch['attention_mask']))):
            projection = getattr(model, f'{side}_neck').projection.weight.T
            expected = F.normalize(tower(*inputs) @ projection)
            assert difference(features[f'{side}_feat'], expected) < 1e-6


@every_tower
def test_exported_programs_take_any_batch(pairing, build, tiny_batch):
    """A length of a Python list inside a tower would fix the batch of an exported graph."""
    from mmtbps.search.encoders.onnx_export import TextTower
    model = build(pairing).eval()
    batch = model.data_preprocessor(tiny_batch(5))
    ids, mask = batch['input_ids'], batch['attention_mask']
    fixed = 'Sig' in PAIRINGS[pairing][1]['type']
    shape = {0: torch.export.Dim('batch'), **({} if fixed else {1: torch.export.Dim.AUTO})}
    program = torch.export.export(TextTower(model), (), dict(
        input_ids=ids[:2], attention_mask=mask[:2]), dynamic_shapes=dict(
            input_ids=shape, attention_mask=shape)).module()
    for rows in (slice(0, 1), slice(0, 5)):
        found = program(input_ids=ids[rows], attention_mask=mask[rows])
        torch.testing.assert_close(found, model.encode_text(ids[rows], mask[rows]))
