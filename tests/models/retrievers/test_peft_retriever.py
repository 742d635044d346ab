"""Parts of parameter-efficient tuning in a retriever: training, loading, copies, exports."""

import copy

import pytest
import torch
from clip_reference import spread_
from compilation import compiled_layers
from lora_towers import LAYERS
from mmengine.model import ExponentialMovingAverage
from mmengine.optim import OptimWrapper
from peft_towers import PARTS, UP_PERSON, is_own, stir_parts_

from mmtbps.engine import MixedPrecisionOptimWrapper, ParameterRulesConstructor
from mmtbps.errors import BadValue
from mmtbps.models import inference_settings
from mmtbps.models.exporters import describe_for_transformers
from mmtbps.models.loading import WeightsMisfit, load_strictly
from mmtbps.models.publishing import publish_weights
from mmtbps.search.encoders.saved_model import inference_weights

PLACES = 12
PAIRINGS = dict(
    clip=(dict(type='CLIPVisionTower', width=24, depth=2, heads=3, patch_size=8, stride=8,
               img_size=(32, 16)),
          dict(type='CLIPTextTower', width=20, depth=2, heads=2, context_length=PLACES,
               vocab_size=50)),
    siglip=(dict(type='SigLIPVisionTower', img_size=(32, 16),
                 config=dict(LAYERS, image_size=32, patch_size=8)),
            dict(type='SigLIPTextTower', config=dict(
                LAYERS, vocab_size=50, max_position_embeddings=PLACES, bos_token_id=None,
                eos_token_id=49))))
CASES = [('clip', part) for part in PARTS] + [('siglip', 'mixture'), ('siglip', 'adapter')]
cases = pytest.mark.parametrize('pairing, part', CASES)
MIXUP = dict(type='FeatureMixup', prob=0.7, layer=1)


@pytest.fixture
def build(tiny_retriever):
    """A function that builds a retriever of two towers with parts that do something."""
    def build(pairing='clip', *names, tune=True, **parts):
        image, text = copy.deepcopy(PAIRINGS[pairing])
        neck = dict(type='ProjectionNeck', out_dims=16)
        own = {name: dict(PARTS[name]) for name in names or UP_PERSON}
        model = tiny_retriever(**{**dict(
            image_backbone=image, text_backbone=text, image_neck=neck, text_neck=neck,
            peft=own if tune else None,
            heads=dict(contrastive=dict(type='HardnessAwareContrastiveHead', temperature=0.05,
                                        learnable=True)),
            data_preprocessor=dict(type='TextImagePreprocessor',
                                   min_length=PLACES * (pairing == 'siglip'))), **parts})
        return stir_parts_(spread_(model))
    return build


def step(model, batch, seed=1):
    """Loss and gradients of a batch."""
    model.zero_grad()
    torch.manual_seed(seed)
    losses = model(**model.data_preprocessor(batch, training=True), mode='loss')
    loss = sum(value for name, value in losses.items() if 'loss' in name)
    loss.backward()
    return loss.detach(), torch.cat([weight.grad.flatten() for weight in model.parameters()
                                     if weight.requires_grad])


def features(model, batch):
    with torch.no_grad():
        return model.eval()(**model.data_preprocessor(batch))


def assert_close(one, other, atol):
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(one[name], other[name], atol=atol, rtol=0, msg=name)


@cases
def test_a_training_moves_the_part_and_no_bit_of_a_tower(pairing, part, build, tiny_batch):
    model = build(pairing, part).train()
    before = copy.deepcopy(model.state_dict())
    wrapper = ParameterRulesConstructor(
        dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=0.02, weight_decay=4e-5)),
        dict(rules=[dict(contains='neck', frozen=True)]))(model)
    losses = [model.train_step(tiny_batch(6), wrapper)['loss'].item() for _ in range(12)]
    assert losses[-1] < 0.98 * losses[0]
    for name, weight in model.named_parameters():
        trained = is_own(name) or name.startswith('heads.')
        assert weight.requires_grad == trained, name
    for name, weight in model.state_dict().items():
        trained = any(word in name for word in ('.prefix.', 'kv_lora', '.adapter.', '.mixture.',
                                                'heads.'))
        assert torch.equal(weight, before[name]) != trained, name


@pytest.mark.parametrize('pairing, names', [('clip', UP_PERSON), ('siglip', ('adapter', ))])
def test_chunks_and_checkpointing_give_the_same_gradients(pairing, names, build, tiny_batch):
    whole = step(build(pairing, *names, mixup=MIXUP).double().train(), tiny_batch(7))
    pieces = build(pairing, *names, mixup=MIXUP, chunk_size=3).double().train()
    pieces.image_backbone.with_cp = pieces.text_backbone.with_cp = True
    torch.testing.assert_close(step(pieces, tiny_batch(7)), whole)


def test_a_mixture_is_balanced_over_a_whole_batch(build, tiny_batch):
    with pytest.raises(ValueError, match='chunk_size: image_backbone.*mlp, AdapterMixture, '
                                         'balances the experts of a whole batch unless balance=0'):
        build('clip', 'mixture', chunk_size=3)
    peft = dict(mixture=dict(PARTS['mixture'], balance=0.))
    chunks = build('clip', chunk_size=3, peft=peft).double().train()
    whole = build('clip', peft=peft).double().train()
    torch.testing.assert_close(step(chunks, tiny_batch(7)), step(whole, tiny_batch(7)))
    model = build('clip', 'mixture', mixup=MIXUP).double().train()
    found = step(model, tiny_batch(6))
    model.image_backbone.with_cp = model.text_backbone.with_cp = True
    torch.testing.assert_close(step(model, tiny_batch(6)), found)
    copy.deepcopy(model)  # no graph of a loss stands in the way


@pytest.mark.parametrize('name', ['up_person', 'mixture'])
def test_compiled_layers_are_whole_graphs_of_the_same_gradients(name, build, tiny_batch):
    names = UP_PERSON if name == 'up_person' else (name, )
    model = build('clip', *names, mixup=MIXUP).train()
    plain = step(model, tiny_batch(4))
    with compiled_layers(model) as counters:
        torch.testing.assert_close(step(model, tiny_batch(4)), plain, atol=1e-4, rtol=1e-4)
        assert counters['stats']['unique_graphs'] and not counters['graph_break']


@cases
def test_half_precision_trains(pairing, part, build, tiny_batch):
    model = build(pairing, part).train()
    full = model(**model.data_preprocessor(tiny_batch(4)), mode='loss')['loss_contrastive']
    optimizer = MixedPrecisionOptimWrapper(
        dtype='bfloat16', optimizer=torch.optim.SGD(model.parameters(), lr=1e-3))
    log = model.train_step(tiny_batch(4), optimizer)
    assert log['loss_contrastive'].item() == pytest.approx(full.item(), rel=0.2)


def test_the_moving_average_has_the_names_and_the_average(build, tiny_batch):
    model = build('clip', *PARTS).train()
    average = ExponentialMovingAverage(model, momentum=0.25)
    model.train_step(tiny_batch(6), OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1)))
    average.update_parameters(model)  # the first is a copy
    average.update_parameters(model)
    assert_close(average.module.state_dict(), model.state_dict(), 1e-6)


# ------------------------------------------------------------------ checkpoints
def test_the_model_for_inference_keeps_what_cannot_be_merged(build, tiny_batch):
    model = build('clip')
    assert inference_settings(dict(text_backbone={}, lora={}, peft=dict(
        prefix={}, kv_lora={}, adapter={}))) == dict(text_backbone={}, peft=dict(
            prefix={}, adapter={}))
    assert inference_settings(dict(text_backbone={}, peft=dict(kv_lora={}))) == dict(
        text_backbone={})
    plain = build('clip', 'prefix', 'adapter', heads={})
    expected = features(model, tiny_batch())
    report = load_strictly(plain, model.state_dict())
    assert report.misfits == ()
    assert_close(features(plain, tiny_batch()), expected, 1e-6)
    assert plain.state_dict().keys() == inference_weights(model).keys()


def test_a_plain_model_refuses_a_prefix_and_a_start_lacks_it(build):
    model, plain = build('clip'), build('clip', tune=False)
    with pytest.raises(WeightsMisfit, match=r'prefix\.\S+ is left over'):
        load_strictly(plain, model.state_dict())
    own = {name for name in model.state_dict() if name not in plain.state_dict()}
    report = load_strictly(model, plain.state_dict(), new_heads=True)
    assert {line.split()[0] for line in report.misfits} == own
    with pytest.raises(WeightsMisfit, match='is missing'):
        load_strictly(model, plain.state_dict())


def test_towers_start_from_a_file_and_parts_from_nothing(build, tmp_path):
    plain = build('clip', tune=False)
    file = tmp_path / 'vision.pth'
    torch.save(plain.image_backbone.state_dict(), file)
    model = build('clip', *PARTS, image_backbone=dict(
        PAIRINGS['clip'][0], init_cfg=dict(type='Pretrained', checkpoint=str(file))))
    start = copy.deepcopy(model.state_dict())
    with torch.no_grad():
        for name, weight in model.image_backbone.named_parameters():
            if not is_own(name):
                weight.zero_()
    model.init_weights()
    state = model.state_dict()
    for name, weight in plain.image_backbone.state_dict().items():
        assert torch.equal(state[f'image_backbone.{name}'], weight), name
    for name in set(start) - set(plain.state_dict()):
        assert torch.equal(state[name], start[name]), name


def test_a_published_file_is_merged(build, tmp_path, tiny_batch):
    model = build('clip')
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'epoch_1.pth')
    file = publish_weights(tmp_path / 'epoch_1.pth', tmp_path / 'model.pth')
    plain = build('clip', 'prefix', 'adapter', heads={})
    assert load_strictly(plain, file).misfits == ()
    assert_close(features(plain, tiny_batch()), features(model, tiny_batch()), 1e-6)


@pytest.mark.parametrize('pairing, names, said', [
    ('clip', UP_PERSON, 'prefixes of keys and values and adapters beside norms'),
    ('siglip', ('mixture', ), 'mixtures of adapters')])
def test_transformers_has_no_class_for_kept_parts(pairing, names, said, build):
    model = build(pairing, *names, heads={})
    with pytest.raises(BadValue, match=f'no class for this model: it has {said}, which CLIP and '
                                       'SigLIP have no place for; a model folder and ONNX'):
        describe_for_transformers(model, inference_weights(model), 49)


def test_transformers_has_a_class_for_merged_ones(build):
    model = build('clip', 'kv_lora', heads={})
    found = describe_for_transformers(model, inference_weights(model), 49)
    assert not [name for name in found.state_dict if 'lora' in name]
    name = 'text_model.encoder.layers.0.self_attn.k_proj.weight'
    assert not torch.equal(found.state_dict[name], model.state_dict()[
        'text_backbone.transformer.resblocks.0.attn.in_proj_weight'][20:40])
