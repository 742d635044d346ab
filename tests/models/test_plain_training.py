"""Our model against the published procedure in plain torch: same loss, same gradients."""

import importlib
from pathlib import Path

import pytest
import torch
from clip_reference import spread_

ROOT = Path(__file__).parents[2]


@pytest.fixture
def load(monkeypatch):
    """A function that imports a module of tools/benchmarks."""
    monkeypatch.syspath_prepend(ROOT / 'tools')
    return lambda name: importlib.import_module(f'benchmarks.{name}')


@pytest.mark.parametrize('pooling', ['pooler', 'cls'])
def test_loss_and_gradients_are_those_of_the_plain_model(load, pooling, tiny_retriever,
                                                         tiny_batch):
    ours = tiny_retriever().double()
    ours.text_backbone.pooling = pooling
    if pooling == 'cls':
        text = ours.text_backbone
        text.bert.pooler = None
    demand_one_function(ours, load('plain_training').PlainRetriever, tiny_batch(6), 'key.bias')


def test_loss_and_gradients_of_clip_are_those_of_the_plain_model(load, tiny_retriever, tiny_batch):
    sizes = dict(width=16, depth=2, heads=2)
    ours = spread_(tiny_retriever(
        image_backbone=dict(type='CLIPVisionTower', img_size=(32, 16), patch_size=8, stride=6,
                            **sizes),
        text_backbone=dict(type='CLIPTextTower', vocab_size=50, **sizes),
        image_neck=dict(type='ProjectionNeck', out_dims=12),
        text_neck=dict(type='ProjectionNeck', out_dims=12),
        heads=dict(contrastive=dict(type='HardnessAwareContrastiveHead', temperature=.1,
                                    learnable=True, min_temperature=.05)))).double()
    with torch.no_grad():
        ours.heads.contrastive.log_temperature.fill_(-2.)
    demand_one_function(ours, load('plain_clip').PlainCLIP, tiny_batch(6), 'qkv.bias')


def demand_one_function(ours, plain, batch, has_less):
    """In double precision both must be one function: what remains is rounding."""
    twin = plain.like(ours).double()
    twin.load_ours(ours.state_dict())
    batch = ours.data_preprocessor(batch)
    images, length = batch['images'].double(), batch['input_ids'].shape[1]
    padding = (0, plain.inputs.length - length)
    loss = ours(images, batch['input_ids'], batch['attention_mask'], batch['data_samples'],
                mode='loss')['loss_contrastive']
    expected = twin(images, torch.nn.functional.pad(batch['input_ids'], padding),
                    torch.nn.functional.pad(batch['attention_mask'], padding))
    torch.testing.assert_close(loss, expected, rtol=1e-9, atol=0)
    loss.backward()
    expected.backward()
    gradients = {name: weight.grad for name, weight in ours.named_parameters()}
    twin.load_ours(gradients)  # now its weights are our gradients
    for name, weight in twin.named_parameters():
        torch.testing.assert_close(weight, weight.grad, rtol=1e-5, atol=1e-9, msg=name)
        # Softmax does not see what is added to every key.
        assert weight.grad.abs().max() > 1e-6 or name.endswith(has_less)


def test_biases_of_plain_clip_learn_as_the_recipe_says(load, monkeypatch):
    """The groups of both optimizers hold the same weights."""
    runs = load('training_runs')
    cfg = runs.load_config(runs.Workload('clip-tiny', '', 'cpu', 1, 0, 1, 0, 1), runs.Setting())
    ours = runs.build_model(cfg)
    optimizer = runs.build_optim_wrapper(ours, cfg.optim_wrapper).optimizer
    plain = load('plain_clip').PlainCLIP.like(ours)
    found = [sorted((group['lr'], group['weight_decay'], sum(map(torch.numel, group['params'])))
                    for group in groups) for groups in (
        optimizer.param_groups, plain.weight_groups(1e-5, 4e-5))]
    assert found[0] == found[1] and len(found[0]) == 2
