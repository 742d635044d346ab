"""Our model against the published procedure in plain torch: same loss, same gradients."""

import importlib
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]


@pytest.fixture
def plain(monkeypatch):
    """The module of the plain training."""
    monkeypatch.syspath_prepend(ROOT / 'tools')
    return importlib.import_module('benchmarks.plain_training')


@pytest.mark.parametrize('pooling', ['pooler', 'cls'])
def test_loss_and_gradients_are_those_of_the_plain_model(plain, pooling, tiny_retriever,
                                                         tiny_batch):
    """In double precision both must be one function: what remains is rounding."""
    ours = tiny_retriever().double()
    ours.text_backbone.pooling = pooling
    if pooling == 'cls':
        text = ours.text_backbone
        text.bert.pooler = None
    twin = plain.PlainRetriever.like(ours).double()
    twin.load_ours(ours.state_dict())
    batch = ours.data_preprocessor(tiny_batch(6))
    images, length = batch['images'].double(), batch['input_ids'].shape[1]
    padding = (0, plain.CAPTION_LENGTH - length)
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
        assert weight.grad.abs().max() > 1e-6 or name.endswith('key.bias')
