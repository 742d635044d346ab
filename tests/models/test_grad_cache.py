"""Gradient caching and activation checkpointing: the same numbers in less memory."""

import copy

import pytest
import torch
from mmengine.optim import OptimWrapper
from process_group import run_in_group
from tiny_models import TINY_BERT, TINY_VIT
from torch.nn.parallel import DistributedDataParallel

from mmtbps.engine import MixedPrecisionOptimWrapper
from mmtbps.models import grad_cache as checkpointing
from mmtbps.models.backbones.vit import OverlapViT

MIXUPS = {'none': None,
          'features': dict(type='FeatureMixup', prob=0.5, beta=1.0, layer=1),
          'embeddings': dict(type='FeatureMixup', prob=1.0),
          'pixels': dict(type='PixelMixup', prob=0.5, max_length=12),
          'added': dict(type='FeatureMixup', prob=0.7, layer=1, mode='add'),
          'outside': dict(type='FeatureMixup', prob=0.7, layer=1, partner='outside'),
          'added pixels from outside': dict(type='PixelMixup', prob=0.5, max_length=12, mode='add',
                                            partner='outside')}


def with_dropout(**parts):
    """Towers with dropout in every place the configs offer."""
    return dict(
        image_backbone=dict(type=OverlapViT, arch=TINY_VIT, img_size=(32, 16), patch_size=8,
                            stride=6, drop_rate=0.2, drop_path_rate=0.2, **parts),
        text_backbone=dict(type='BERTBackbone', config=dict(
            TINY_BERT, hidden_dropout_prob=0.2, attention_probs_dropout_prob=0.2), **parts))


def gradients(model, batch, seed=1):
    """Loss and gradients of a batch, with its own random numbers."""
    model.zero_grad(set_to_none=True)
    torch.manual_seed(seed)
    losses = model(**model.data_preprocessor(batch, training=True), mode='loss')
    losses['loss_contrastive'].backward()
    return losses['loss_contrastive'].detach(), {
        name: parameter.grad.clone() for name, parameter in model.named_parameters()
        if parameter.grad is not None}


def assert_same(found, expected, **tolerance):
    torch.testing.assert_close(found[0], expected[0], **tolerance)
    assert found[1].keys() == expected[1].keys()
    for name, gradient in expected[1].items():
        torch.testing.assert_close(found[1][name], gradient, **tolerance, msg=lambda m, n=name:
                                   f'{n}: {m}')


@pytest.mark.parametrize('mixup', MIXUPS)
def test_a_step_in_chunks_of_8_equals_the_step_of_64(mixup, tiny_retriever, tiny_batch):
    stepped = []
    for chunk_size in (None, 8):
        model = tiny_retriever(mixup=MIXUPS[mixup], chunk_size=chunk_size).double()
        optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
        torch.manual_seed(1)
        log = model.train_step(tiny_batch(64), optimizer)
        stepped.append([log['loss'], *model.parameters()])
    start = next(tiny_retriever().double().parameters())
    assert not torch.allclose(stepped[0][1], start, atol=1e-4), 'the step went nowhere'
    for whole, chunked in zip(*stepped, strict=True):
        torch.testing.assert_close(chunked, whole, atol=1e-10, rtol=0)


@pytest.mark.parametrize('chunk_size', [1, 3, 7, 10, 11])
def test_gradients_in_chunks_that_do_not_divide(chunk_size, tiny_retriever, tiny_batch):
    """In float64, mixed after the first layer with partners from all over the batch."""
    batch = tiny_batch(10)
    whole = tiny_retriever(mixup=MIXUPS['features']).double()
    chunked = tiny_retriever(mixup=MIXUPS['features'], chunk_size=chunk_size).double()
    assert_same(gradients(chunked, batch), gradients(whole, batch), atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize('mixup', ['none', 'features', 'added', 'outside'])
def test_weighted_pairs_in_chunks(mixup, tiny_retriever, tiny_batch):
    batch, plain = tiny_batch(10), tiny_batch(10)
    for sample, weight in zip(batch['data_samples'][:4], (0.5, 1.0, 0.25, 0.75), strict=True):
        sample.set_field(weight, 'pair_weight', field_type='metainfo')
    whole, chunked = (tiny_retriever(mixup=MIXUPS[mixup], chunk_size=size).double()
                      for size in (None, 3))
    expected = gradients(whole, batch)
    assert_same(gradients(chunked, batch), expected, atol=1e-12, rtol=1e-9)
    assert expected[0] < gradients(whole, plain)[0] - 0.05


@pytest.mark.parametrize('device', ['cpu', pytest.param('cuda', marks=pytest.mark.gpu)])
def test_the_second_computation_draws_the_same_random_numbers(device, monkeypatch, tiny_retriever,
                                                              tiny_batch):
    batch = tiny_batch(9)
    model = tiny_retriever(**with_dropout(), mixup=MIXUPS['features'], chunk_size=4)
    model = model.double().to(device)
    cached = gradients(model, batch)
    monkeypatch.setattr(checkpointing, 'checkpoint', lambda function, *rows, **_: function(*rows))
    assert_same(cached, gradients(model, batch), atol=1e-12, rtol=1e-9)
    assert not torch.equal(cached[0], gradients(model, batch, seed=2)[0]), 'no dropout at all'


def test_the_generator_of_the_batchs_device_is_the_one_replayed(monkeypatch):
    """torch finds the device by the tensors handed to it; on a GPU nothing else would replay it."""
    handed = []
    monkeypatch.setattr(checkpointing, 'checkpoint',
                        lambda function, *rows, **_: handed.append(rows) or function(*rows))
    inputs = torch.randn(5, 2)
    checkpointing.encode_in_chunks(lambda x, start, stop: (x[start:stop],), inputs, 2)
    assert [rows[0] is inputs for rows in handed] == [True] * 3
    assert [rows[1:] for rows in handed] == [(0, 2), (2, 4), (4, 5)]


@pytest.mark.parametrize('chunk_size', [None, 4])
def test_activation_checkpointing_changes_no_gradient(chunk_size, tiny_retriever, tiny_batch):
    batch = tiny_batch(8)
    kept = tiny_retriever(**with_dropout(), chunk_size=chunk_size).double()
    again = tiny_retriever(**with_dropout(with_cp=True), chunk_size=chunk_size).double()
    assert_same(gradients(again, batch), gradients(kept, batch), atol=1e-12, rtol=1e-9)


def kept_bytes(model, batch):
    """Count the bytes that the forward pass keeps for the backward pass."""
    data = model.data_preprocessor(batch, training=True)
    with torch.profiler.profile(profile_memory=True) as profile:
        losses = model(**data, mode='loss')
    assert losses['loss_contrastive'].requires_grad
    return sum(event.self_cpu_memory_usage for event in profile.key_averages())


def test_both_keep_less(tiny_retriever, tiny_batch):
    batch = tiny_batch(32)
    everything = kept_bytes(tiny_retriever(), batch)
    layers = kept_bytes(tiny_retriever(image_backbone=with_dropout(with_cp=True)['image_backbone'],
                                       text_backbone=with_dropout(with_cp=True)['text_backbone']),
                        batch)
    chunks = kept_bytes(tiny_retriever(chunk_size=4), batch)
    assert layers < everything / 3 and chunks < everything / 10


def test_in_mixed_precision_chunks_lose_nothing(tiny_retriever, tiny_batch):
    """The gradients of many chunks are added up in float32, so the sum strays no further."""
    batch, errors = tiny_batch(256), {}
    _, exact = gradients(tiny_retriever().double(), batch)
    for chunk_size in (None, 2):
        model = tiny_retriever(chunk_size=chunk_size)
        wrapper = MixedPrecisionOptimWrapper(
            optimizer=torch.optim.SGD(model.parameters(), lr=0.0))
        with wrapper.optim_context(model):
            losses = model(**model.data_preprocessor(batch, training=True), mode='loss')
        wrapper.backward(losses['loss_contrastive'])
        errors[chunk_size] = torch.tensor([
            float((parameter.grad - exact[name]).norm() / exact[name].norm())
            for name, parameter in model.named_parameters() if parameter.ndim > 1])
    assert errors[None].mean() > 1e-3, 'was it bfloat16?'
    assert errors[2].mean() < 1.1 * errors[None].mean()


def work(rank, model, own_batches):
    """One of two processes: the loss of its half, whole and in chunks, with and without mixup."""
    results = {}
    for name, mixup in (('none', None), ('features', model.mixup)):
        for chunk_size in (None, 2):
            one = copy.deepcopy(model)
            one.mixup, one.chunk_size = mixup, chunk_size
            wrapped = DistributedDataParallel(one)
            wrapped.data_preprocessor = one.data_preprocessor
            results[name, chunk_size] = gradients(wrapped, own_batches[rank], seed=rank)
            del wrapped
    return results


def test_two_processes_in_chunks_equal_one_process_at_once(tmp_path, tiny_retriever, tiny_batch):
    model, batch = tiny_retriever(mixup=MIXUPS['features']).double(), tiny_batch(10)
    halves = [dict(inputs={key: values[part] for key, values in batch['inputs'].items()},
                   data_samples=batch['data_samples'][part]) for part in (slice(5), slice(5, 10))]
    joined = gradients(tiny_retriever().double(), batch)
    for result in run_in_group(work, 2, tmp_path, model, halves):
        results = {key: (loss, {name.removeprefix('module.'): grad for name, grad in grads.items()})
                   for key, (loss, grads) in result.items()}
        for chunk_size in (None, 2):
            assert_same(results['none', chunk_size], joined, atol=1e-11, rtol=1e-8)
        assert_same(results['features', 2], results['features', None], atol=1e-11, rtol=1e-8)


def test_what_cannot_be_cached_is_refused(tiny_retriever):
    with pytest.raises(ValueError, match='chunk_size must be positive, got 0'):
        tiny_retriever(chunk_size=0)
    normed = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3), torch.nn.BatchNorm2d(16))
    with pytest.raises(ValueError, match=r'image_backbone\.backbone\.1 is a BatchNorm2d'):
        tiny_retriever(chunk_size=4, image_backbone=dict(
            type='PooledBackbone', backbone=normed, out_dims=16))
