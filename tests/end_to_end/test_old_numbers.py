"""Losses, gradients and features of small retrievers are those of version 0.1.0."""

import json

import pytest
import torch
from safetensors.torch import load_file
from written_by_0_1 import FIXTURES, run_case

from mmtbps.registry import MODELS

CASES = json.loads((FIXTURES / 'numbers/cases.json').read_text())
# Parameters that are called otherwise today: the old name -> the present one.
RENAMED = {
    'head.log_temperature': 'heads.contrastive.log_temperature',
    'head.image_projection.weight': 'image_neck.projection.weight',
    'head.text_projection.weight': 'text_neck.projection.weight',
}
TOLERANCES = dict(float32=(1e-5, 5e-4), float64=(1e-12, 1e-10))  # of losses and of gradients


@pytest.fixture(scope='module')
def values():
    return load_file(FIXTURES / 'numbers/values.safetensors')


def part_of(values, prefix):
    """Take the weights below a prefix, by their old names."""
    return {key.removeprefix(prefix): value for key, value in values.items()
            if key.startswith(prefix)}


def build(case, weights, precision):
    model = MODELS.build(case['model'])
    model.load_state_dict(weights, strict=True)
    return model.train().to(getattr(torch, precision))


def assert_near(found, expected, tolerance):
    """All gradients, each relative to its largest entry; near 0 there is only rounding."""
    assert found.keys() == expected.keys()
    largest = max(value.abs().max().item() for value in expected.values())
    for name, value in expected.items():
        scale = max(value.abs().max().item(), .01 * largest)
        torch.testing.assert_close(found[name], value, rtol=0, atol=tolerance * scale,
                                   msg=lambda text, name=name: f'{name}: {text}')


@pytest.mark.parametrize('precision', TOLERANCES)
@pytest.mark.parametrize('name', CASES)
def test_numbers(values, name, precision):
    case, (of_loss, of_gradient) = CASES[name]['case'], TOLERANCES[precision]
    model = build(case, part_of(values, f'{name}/weights/'), precision)
    loss, gradients, features = run_case(model, case)
    assert loss.item() == pytest.approx(CASES[name]['loss'][precision], rel=of_loss)
    expected = {RENAMED.get(key, key): value
                for key, value in part_of(values, f'{name}/{precision}/').items()}
    for key in ('image_feat', 'text_feat'):
        # Another make of processor adds in another order: 4.4e-6 apart in float32.
        torch.testing.assert_close(features[key], expected.pop(key), rtol=0,
                                   atol=1e-5 if precision == 'float32' else 2e-6)
    assert_near(gradients, expected, of_gradient)


def test_the_numbers_depend_on_what_they_are_about(values):
    """Each case has another loss or other features, and its features lie apart."""
    losses = {round(CASES[name]['loss']['float64'], 9) for name in CASES}
    assert len(losses) == len(CASES)
    for name in CASES:
        for kind in ('image_feat', 'text_feat'):
            features = values[f'{name}/float64/{kind}']
            cosines = features @ features.T
            assert cosines[~torch.eye(len(cosines), dtype=torch.bool)].min() < .95, (name, kind)


def test_the_comparison_can_fail(values):
    case = CASES['masked']['case']
    weights = part_of(values, 'masked/weights/')
    first = next(name for name, value in weights.items() if value.ndim > 1)
    weights[first] = weights[first] * (1 + 1e-6)
    loss, _, _ = run_case(build(case, weights, 'float64'), case)
    assert loss.item() != pytest.approx(CASES['masked']['loss']['float64'], rel=1e-12)
