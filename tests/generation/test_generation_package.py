"""The package of generation: its public names, its registered parts, and the cost of its import."""

import subprocess
import sys

import pytest

import mmtbps.generation
from mmtbps.generation import (
    color,
    diffusion,
    editing,
    evidence,
    planning,
    quality,
    rewriting,
    runs,
)
from mmtbps.registry import HOOKS, MODELS, TASK_UTILS

#: Sub-packages whose names are many, and are taken from there.
PARTS = dict(evidence=evidence, rewriting=rewriting)


@pytest.mark.parametrize('package', [mmtbps.generation, color, diffusion, editing, evidence,
                                     planning, quality, rewriting, runs],
                         ids=lambda package: package.__name__)
def test_public_names_are_there(package):
    assert package.__all__ == sorted(set(package.__all__))
    for name in package.__all__:
        assert name in PARTS or type(getattr(package, name)).__name__ != 'module', name


@pytest.mark.parametrize('registry, names', [
    (TASK_UTILS, ['P2PEditor', 'RecolorEditor', 'InstructEditor', 'ResizeUpscaler', 'LDMUpscaler',
                  'SDUpscaler', 'DirectInversion', 'NegativePromptInversion', 'NullTextInversion',
                  'EditFriendlyInversion', 'CaptionGate', 'EditStrengthGate', 'KeepColorsGate',
                  'LocalityGate', 'MaskGate', 'PlaceGate', 'PoseGate', 'PreserveGate',
                  'RankingGate', 'SanityGate', 'SeamGate', 'CLIPGate', 'IdentityGate',
                  'VLMJudgeGate', 'CLIPScorer', 'FeatureScorer', 'VLMScorer',
                  'ColorSwitchPlanner', 'AttributeEditPlanner', 'RetellPlanner', 'RetellRunner',
                  'ShardedRunner']),
    (MODELS, ['DiffusionFinetuner', 'CaptionedImages']), (HOOKS, ['SaveLoraHook'])])
def test_every_part_is_registered_and_public(registry, names):
    for name in names:
        assert registry.get(name) is getattr(mmtbps.generation, name)


@pytest.mark.parametrize('part', PARTS)
def test_parts_taken_from_a_sub_package_are_registered_by_the_package(part):
    for name in PARTS[part].__all__:
        if name.endswith(('Provider', 'Collector', 'Planner', 'Runner', 'ModelRewriter',
                          'RuleRewriter', 'RecordedRewriter', 'Captioner')) and name[:4] != 'Base':
            assert TASK_UTILS.get(name) is getattr(PARTS[part], name)


def test_the_import_loads_neither_diffusers_nor_peft():
    """Beyond what the OpenMMLab stack itself loads."""
    code = ('import sys, mmengine.model; before = set(sys.modules); import mmtbps.generation; '
            'print([name for name in sys.modules.keys() - before '
            'if name.split(".")[0] in ("diffusers", "peft")])')
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.stdout == '[]\n', done.stderr
