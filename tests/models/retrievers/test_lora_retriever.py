"""Low-rank adapters in a retriever: what is trained, in chunks and compiled, and loaded merged."""

import copy

import pytest
import torch
from clip_reference import spread_
from compilation import compiled_layers
from lora_towers import LAYERS, stir_
from mmengine.model import ExponentialMovingAverage
from mmengine.optim import OptimWrapper
from mmengine.runner.checkpoint import get_state_dict
from tiny_models import TINY_BERT, TINY_VIT

from mmtbps.engine import MixedPrecisionOptimWrapper, ParameterRulesConstructor
from mmtbps.errors import BadValue
from mmtbps.models.backbones.vit import OverlapViT
from mmtbps.models.loading import WeightsMisfit, load_strictly

PLACES, LORA = 12, dict(rank=2, alpha=4)
PAIRINGS = dict(
    vit_bert=(dict(type=OverlapViT, arch=TINY_VIT, img_size=(32, 16), patch_size=8, stride=6),
              dict(type='BERTBackbone', config=TINY_BERT)),
    clip=(dict(type='CLIPVisionTower', width=24, depth=2, heads=3, patch_size=8, stride=6,
               img_size=(32, 16)),
          dict(type='CLIPTextTower', width=20, depth=2, heads=2, context_length=PLACES,
               vocab_size=50)),
    siglip=(dict(type='SigLIPVisionTower', img_size=(32, 16),
                 config=dict(LAYERS, image_size=32, patch_size=8)),
            dict(type='SigLIPTextTower', config=dict(
                LAYERS, vocab_size=50, max_position_embeddings=PLACES, bos_token_id=None,
                eos_token_id=49))))
pairings = pytest.mark.parametrize('pairing', PAIRINGS)
MIXUP = dict(type='FeatureMixup', prob=0.7, layer=1)


@pytest.fixture
def build(tiny_retriever):
    """A function that builds a retriever of two towers with adapters that do much."""
    def build(pairing, lora=LORA, **parts):
        image, text = copy.deepcopy(PAIRINGS[pairing])
        neck = dict(type='ProjectionNeck', out_dims=16)
        model = tiny_retriever(**{**dict(
            image_backbone=image, text_backbone=text, image_neck=neck, text_neck=neck, lora=lora,
            heads=dict(contrastive=dict(type='HardnessAwareContrastiveHead', temperature=0.05,
                                        learnable=True)),
            data_preprocessor=dict(type='TextImagePreprocessor',
                                   min_length=PLACES * (pairing == 'siglip'))), **parts})
        return stir_(spread_(model))
    return build


def step(model, batch, seed=1):
    """Loss and gradients of a batch."""
    model.zero_grad()
    torch.manual_seed(seed)
    loss = model(**model.data_preprocessor(batch, training=True), mode='loss')['loss_contrastive']
    loss.backward()
    return loss.detach(), torch.cat([weight.grad.flatten() for weight in model.parameters()
                                     if weight.requires_grad])


@pairings
def test_a_training_moves_adapters_necks_and_heads_and_no_other_bit(pairing, build, tiny_batch):
    model = build(pairing).train()
    before = copy.deepcopy(model.state_dict())
    wrapper = ParameterRulesConstructor(
        dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=0.01, weight_decay=0.5)),
        dict(rules=[dict(contains='neck', lr_mult=0.1)]))(model)
    losses = [model.train_step(tiny_batch(6), wrapper)['loss'].item() for _ in range(8)]
    assert losses[-1] < 0.9 * losses[0]
    for name, weight in model.state_dict().items():
        trained = 'lora_A' in name or 'lora_B' in name or 'backbone' not in name
        assert torch.equal(weight, before[name]) != trained, name
    assert len(wrapper.optimizer.param_groups) == 2


@pairings
def test_chunks_and_checkpointing_give_the_same_gradients(pairing, build, tiny_batch):
    whole = step(build(pairing, mixup=MIXUP).double().train(), tiny_batch(7))
    pieces = build(pairing, mixup=MIXUP, chunk_size=3).double().train()
    pieces.image_backbone.with_cp = pieces.text_backbone.with_cp = True
    torch.testing.assert_close(step(pieces, tiny_batch(7)), whole)


@pairings
def test_chunks_draw_the_dropout_of_adapters_again(pairing, build, tiny_batch, monkeypatch):
    from mmtbps.models import grad_cache
    model = build(pairing, lora=dict(LORA, dropout=0.5), chunk_size=3).double().train()
    cached = step(model, tiny_batch(7))
    monkeypatch.setattr(grad_cache, 'checkpoint', lambda function, *rows, **_: function(*rows))
    torch.testing.assert_close(step(model, tiny_batch(7)), cached)
    assert not torch.equal(step(model, tiny_batch(7), seed=2)[0], cached[0]), 'no dropout at all'


def test_compiled_layers_are_whole_graphs_of_the_same_gradients(build, tiny_batch):
    model = build('clip', mixup=MIXUP).train()
    plain = step(model, tiny_batch(4))
    with compiled_layers(model) as counters:
        torch.testing.assert_close(step(model, tiny_batch(4)), plain)
        assert counters['stats']['unique_graphs'] and not counters['graph_break']


@pairings
def test_half_precision_trains(pairing, build, tiny_batch):
    model = build(pairing).train()
    full = model(**model.data_preprocessor(tiny_batch(4)), mode='loss')['loss_contrastive']
    optimizer = MixedPrecisionOptimWrapper(
        dtype='bfloat16', optimizer=torch.optim.SGD(model.parameters(), lr=1e-3))
    log = model.train_step(tiny_batch(4), optimizer)
    assert log['loss_contrastive'].item() == pytest.approx(full.item(), rel=0.2)


@pairings
def test_the_moving_average_has_the_names_and_the_average(pairing, build, tiny_batch):
    model = build(pairing).train()
    first = copy.deepcopy(model.state_dict())
    average = ExponentialMovingAverage(model, momentum=0.25)
    model.train_step(tiny_batch(6), OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1)))
    average.update_parameters(model)  # the first is a copy
    average.update_parameters(model)
    step_of = model.state_dict()
    assert average.module.state_dict().keys() == step_of.keys() == get_state_dict(model).keys()
    for name, weight in average.module.state_dict().items():
        torch.testing.assert_close(weight, step_of[name], atol=1e-6, rtol=0, msg=name)
    assert any(not torch.equal(first[name], step_of[name]) for name in first)


# ------------------------------------------------------------------ checkpoints
def features(model, batch):
    with torch.no_grad():
        return model.eval()(**model.data_preprocessor(batch))


def assert_close(one, other, atol=1e-5):
    for name in one:
        torch.testing.assert_close(one[name], other[name], atol=atol, rtol=0, msg=name)


@pairings
def test_a_model_without_adapters_loads_them_merged(pairing, build, tiny_batch):
    model, plain = build(pairing), build(pairing, lora=None)
    before = features(plain, tiny_batch())
    report = load_strictly(plain, {f'module.{k}': v for k, v in model.state_dict().items()})
    assert (report.loaded, report.misfits) == (len(plain.state_dict()), ())
    assert_close(features(plain, tiny_batch()), features(model, tiny_batch()))
    assert all((value - before[name]).abs().max() > 0.01
               for name, value in features(plain, tiny_batch()).items())


def test_adapters_that_the_model_lacks_are_merged_and_its_own_loaded(build, tiny_batch):
    more = build('vit_bert', lora=dict(LORA, targets=('attn', 'attention', 'ffn', 'intermediate')))
    less = build('vit_bert')
    load_strictly(less, more.state_dict())
    assert_close(features(less, tiny_batch()), features(more, tiny_batch()))
    name = 'image_backbone.layers.1.attn.qkv.lora_B.default.weight'
    assert torch.equal(less.state_dict()[name], more.state_dict()[name])


def test_a_plain_start_lacks_adapters_and_nothing_else(build):
    plain, model = build('clip', lora=None), build('clip')
    own = {name for name in model.state_dict() if 'lora_' in name}
    with pytest.raises(WeightsMisfit, match=f'{len(own)} misfits: image_backbone.*lora_.*missing'):
        load_strictly(model, plain.state_dict())
    report = load_strictly(model, plain.state_dict(), new_heads=True)
    assert {line.split()[0] for line in report.misfits} == own
    assert report.loaded == len(plain.state_dict())


def test_adapters_of_another_rank_are_refused_even_for_a_start(build):
    other = build('clip', lora=dict(rank=3, alpha=6)).state_dict()
    with pytest.raises(WeightsMisfit, match=r'16 misfits: \S+in_proj_lora_A\S+: .*\[3, 24\]'):
        load_strictly(build('clip'), other, new_heads=True)


def test_weights_are_drawn_and_adapters_kept(build):
    """mmpretrain draws every linear layer that it finds in a feed-forward network."""
    options = dict(lora=dict(LORA, targets=('attention', 'ffn')))
    model, other = build('vit_bert', **options), build('vit_bert', **options)
    start = copy.deepcopy(model.state_dict())
    torch.manual_seed(5)
    model.init_weights()
    state = model.state_dict()
    weight = 'image_backbone.layers.0.ffn.layers.1.weight'
    assert not torch.equal(state[weight], start[weight]) and state.keys() == start.keys()
    assert all(torch.equal(state[name], start[name]) for name in state if 'lora_' in name)
    other.init_weights()
    assert model.image_backbone.is_init and not torch.equal(other.state_dict()[weight],
                                                            state[weight])


def test_both_towers_are_asked(build):
    with pytest.raises(BadValue, match='nothing in text_backbone, BERTBackbone, is a target'):
        build('vit_bert', lora=dict(LORA, targets=('qkv', )))
    model = build('vit_bert', lora=dict(LORA, targets=('qkv', 'query', 'value')))
    assert sum('lora_A' in name for name in model.state_dict()) == 2 + 4
