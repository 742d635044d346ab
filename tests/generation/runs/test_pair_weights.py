"""Weights of generated pairs: the scale of a run's own gates, whatever the order."""

import pytest

from mmtbps.generation.runs.manifest import Record
from mmtbps.generation.runs.pair_weights import weigh_pairs


def accepted(key='00', **gates):
    verdicts = {name: dict(value=value, min=low, max=high, ok=True)
                for name, (value, low, high) in gates.items()}
    return Record(key, 'accepted', {}, {}, {}, {}, gates=verdicts)


def test_gates_of_any_unit_count_alike():
    strength, outside = (0.2, 0.35, 0.5, 0.5, 0.9), (0.08, 0.1, 0.02, 0.05, 0.0)
    records = [accepted(strength=(a, 0.2, None), outside=(b, None, 0.1))
               for a, b in zip(strength, outside, strict=True)]
    # Distances inside: 0 .15 .3 .3 .7, median .3; and .02 0 .08 .05 .1, median .05.
    scores = [(0 + 0.4) / 2, (0.5 + 0) / 2, 1, 1, 1]
    assert weigh_pairs(records, 0.6) == pytest.approx([0.6 + 0.4 * s for s in scores], abs=1e-4)
    assert weigh_pairs(records[::-1], 0.6) == weigh_pairs(records, 0.6)[::-1]
    assert weigh_pairs(records, 1.0) == [1.0] * 5


def test_what_says_nothing_of_better_leaves_the_weight():
    records = [accepted(mask=(0.1, 0.02, 0.5), caption=(1.0, None, None), psnr=(None, 20., None)),
               accepted(mask=(0.02, 0.02, 0.5)), accepted()]
    assert weigh_pairs(records) == [1.0, 1.0, 1.0] and weigh_pairs([]) == []


def test_a_gate_that_all_just_pass_does_not_dilute_the_others():
    values = (0.2, 0.5, 0.5)
    alone = [accepted(strength=(value, 0.2, None)) for value in values]
    with_caption = [accepted(strength=(value, 0.2, None), caption=(0.0, None, 0.0))
                    for value in values]
    assert weigh_pairs(with_caption) == weigh_pairs(alone) == [0.5, 1.0, 1.0]


def test_equal_measurements_are_equal_pairs():
    assert weigh_pairs([accepted(a=(0.2, 0.2, None))] * 3) == [1.0] * 3


@pytest.mark.parametrize('floor', [-0.1, 1.1, float('nan')])
def test_a_floor_that_is_no_weight_is_refused(floor):
    with pytest.raises(ValueError, match=r'must lie in \[0, 1\]'):
        weigh_pairs([], floor)
