"""The child registries of MMEngine's roots."""

import pytest
from mmengine import registry as roots
from mmengine.registry import DefaultScope
from mmpretrain import registry as theirs

from mmtbps import registry


@pytest.mark.parametrize('name', registry.__all__)
def test_nobody_is_told_that_the_package_is_not_installed(name, monkeypatch):
    """MMEngine says so of a registry that has no locations."""
    said = []
    monkeypatch.setattr('mmengine.logging.print_log',
                        lambda message, *_, **__: said.append(message))
    child = getattr(registry, name)
    monkeypatch.setattr(child, '_imported', False)
    child.import_from_location()
    assert not [line for line in said if 'not installed' in line]


@pytest.mark.parametrize('name', registry.__all__)
def test_a_part_of_mmpretrain_needs_no_prefix(name):
    """In every kind: a part of ours comes first, then MMEngine's or mmcv's, then mmpretrain's."""
    ours, lender = getattr(registry, name), getattr(theirs, name)
    ours.import_from_location()
    lender.import_from_location()
    above = getattr(roots, {'EVALUATORS': 'EVALUATOR'}.get(name, name), lender)
    for key, part in lender.module_dict.items():
        assert ours.get(key) is (ours.module_dict.get(key) or above.module_dict.get(key) or part)
        assert ours.get(f'mmpretrain.{key}') is part
    assert ours.get('NoSuchPart') is ours.get('mmtbps.NoSuchPart') is None
    assert ours.get('mmpretrain.NoSuchPart') is ours.get('no_such_scope.Part') is None


def test_parts_inside_a_part_of_mmpretrain_are_found_from_our_scope():
    """mmpretrain builds them by its own registry, which goes by the scope of the config."""
    settings = dict(type='ImageClassifier', backbone=dict(type='ResNet', depth=18),
                    neck=dict(type='GlobalAveragePooling'),
                    head=dict(type='LinearClsHead', num_classes=2, in_channels=512))
    with DefaultScope.overwrite_default_scope('mmtbps'):
        model = registry.MODELS.build(settings)
    assert type(model.backbone).__module__.startswith('mmpretrain.')


def test_a_second_stage_is_found_by_its_short_name():
    """In a config of plain text, which imports nothing."""
    assert 'mmtbps.search.reranking' in registry.TASK_UTILS._locations
    registry.TASK_UTILS.import_from_location()
    assert registry.TASK_UTILS.get('PairMatcher').__name__ == 'PairMatcher'
