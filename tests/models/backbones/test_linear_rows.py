"""Some rows of a linear layer, plain and with low-rank adapters."""

import peft
import pytest
import torch
from torch import nn

from mmtbps.models.backbones.linear_rows import linear_rows

ROWS = [slice(2), slice(2, None), slice(1, 4), slice(None)]


def layer(bias=True, **options):
    """A layer of 3 to 6; with options, adapters of rank 2 around it that change much."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 6, bias=bias)).double()
    if options:
        module = peft.inject_adapter_in_model(peft.LoraConfig(
            r=2, target_modules=['0'], init_lora_weights=False, **options), module)
    return module[0].double()


@pytest.mark.parametrize('rows', ROWS, ids=str)
@pytest.mark.parametrize('options', [{}, dict(bias=False), dict(lora_alpha=6),
                                     dict(bias=False, lora_alpha=6)], ids=str)
def test_rows_by_a_slow_sum(options, rows):
    module, states = layer(**options), torch.randn(4, 5, 3, dtype=torch.double)
    linear = getattr(module, 'base_layer', module)
    expected = torch.zeros(4, 5, 6, dtype=torch.double)
    for out in range(6):
        for i in range(3):
            weight = linear.weight[out, i]
            if 'lora_alpha' in options:
                down, up = module.lora_A['default'].weight, module.lora_B['default'].weight
                weight = weight + 6 / 2 * sum(up[out, k] * down[k, i] for k in range(2))
            expected[..., out] += weight * states[..., i]
        if linear.bias is not None:
            expected[..., out] += linear.bias[out]
    torch.testing.assert_close(linear_rows(module, states, rows), expected[..., rows])


@pytest.mark.parametrize('rows', ROWS, ids=str)
def test_layers_of_another_make_run_whole(rows):
    """Adapters that are merged, switched off or of another kind; a class of another project."""
    class Doubled(nn.Linear):
        def forward(self, states):
            return 2 * super().forward(states)

    merged, off, dora = layer(lora_alpha=6), layer(lora_alpha=6), layer(use_dora=True)
    merged.merge()
    off.enable_adapters(False)
    dora.lora_magnitude_vector['default'].weight.data.mul_(2)
    states = torch.randn(4, 3, dtype=torch.double)
    for module in (merged, off, dora, Doubled(3, 6).double()):
        torch.testing.assert_close(linear_rows(module, states, rows), module(states)[:, rows])


def test_dropout_acts_while_training_on_what_goes_into_the_adapter():
    module, states = layer(lora_alpha=6, lora_dropout=0.5), torch.randn(4, 3, dtype=torch.double)
    torch.manual_seed(1)
    expected = module(states)[:, 2:]
    torch.manual_seed(1)
    torch.testing.assert_close(linear_rows(module, states, slice(2, None)), expected)
    module.eval()
    assert (linear_rows(module, states, slice(2, None)) - expected).abs().max() > 0.01
