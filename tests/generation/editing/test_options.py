"""Options of the editor: groups, flat keys of version 0.1.0, and one digest for both."""

import json
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from mmengine.config import Config, ConfigDict
from tiny_diffusion import as_pipeline
from written_by_0_1 import FIXTURES

from mmtbps.errors import BadValue, UserError
from mmtbps.generation import (
    AttentionOptions,
    BlendOptions,
    LDMUpscaler,
    P2PEditor,
    ResizeUpscaler,
    SamplingOptions,
    ShardedRunner,
    WeightOptions,
)
from mmtbps.generation.diffusion.latent_diffusion import fingerprint
from mmtbps.generation.editing import InstructSampling
from mmtbps.generation.runs.manifest import engine_digest
from mmtbps.registry import TASK_UTILS

FLAT = dict(
    size=(64, 32), steps=3, guidance=7.5, inversion=dict(type='EditFriendlyInversion', skip=.5),
    cross_replace=.7, self_replace=.2, reweight=2., mode='refine', self_min_level=0,
    local_blend=dict(threshold=.4, start=.1, level=1, coarse=True), paste_back=20., batch_size=2,
    dtype='fp32', device='cpu', revision='v1')
GROUPS = dict(
    weights=dict(dtype='fp32', device='cpu', revision='v1'),
    sampling=dict(size=(64, 32), steps=3, guidance=7.5,
                  inversion=dict(type='EditFriendlyInversion', skip=.5)),
    attention=dict(cross_replace=.7, self_replace=.2, reweight=2., mode='refine',
                   self_min_level=0),
    local_blend=dict(threshold=.4, start=.1, level=1, coarse=True), paste_back=20., batch_size=2)
OBJECTS = dict(
    weights=WeightOptions('fp32', 'cpu', revision='v1'),
    sampling=SamplingOptions((64, 32), 3, 7.5, dict(type='EditFriendlyInversion', skip=.5)),
    attention=AttentionOptions(.7, .2, 2., 'refine', 0),
    local_blend=BlendOptions(.4, .1, 1, True), paste_back=20., batch_size=2)


def options(editor):
    return (editor.weights, editor.sampling, editor.attention, editor.blend, editor.paste_back,
            editor.batch_size)


@pytest.mark.parametrize('settings', [FLAT, GROUPS, OBJECTS, ConfigDict(FLAT), ConfigDict(GROUPS)])
def test_old_keys_and_groups_build_the_same_editor(settings, tiny_parts):
    editor = P2PEditor(pipeline=as_pipeline(tiny_parts), **settings)
    first = P2PEditor(pipeline=as_pipeline(tiny_parts), **FLAT)
    assert options(editor) == options(first)
    assert (editor.sampling.steps, editor.attention.mode, editor.blend.level) == (3, 'refine', 1)
    assert engine_digest(editor.digest_fields) == engine_digest(first.digest_fields)


@pytest.mark.parametrize('settings, expected', [
    (FLAT, dict(
        lora=None, size=[64, 32], steps=3, guidance=7.5,
        inversion=dict(type='EditFriendlyInversion', skip=.5),
        control=dict(cross_replace=.7, self_replace=.2, reweight=2., mode='refine', threshold=.4,
                     blend_start=.1),
        self_min_level=0, blend_level=1, coarse=True, paste_back=20., dtype='fp32')),
    (dict(device='cpu'), dict(
        lora=None, size=[640, 256], steps=20, guidance=5., inversion=dict(type='DirectInversion'),
        control=dict(cross_replace=.8, self_replace=.4, reweight=1., mode='replace', threshold=.3,
                     blend_start=None),
        self_min_level=1, blend_level=None, coarse=False, paste_back=None, dtype='bf16'))])
def test_the_digest_has_the_fields_of_version_0_1(settings, expected):
    """Word by word what that version hashed; or a run that it began would be refused."""
    fields = P2PEditor('some/model', **settings).digest_fields
    model = fields.pop('model')
    assert model.pop('fingerprint') == fingerprint('some/model')
    assert model == dict(id='some/model', revision=settings.get('revision'))
    assert json.dumps(fields) == json.dumps(dict(type='P2PEditor', **expected))


@pytest.mark.parametrize('name', ['pdg_fast', 'pdg_official', 'pdg_drawn'])
def test_presets_have_the_digest_of_the_old_ones(name):
    now = Path(__file__).parents[3] / 'configs/generation'
    editors = [TASK_UTILS.build(Config.fromfile(folder / f'{name}.py').generation.editor)
               for folder in (now, FIXTURES / 'configs/generation')]
    assert engine_digest(editors[0].digest_fields) == engine_digest(editors[1].digest_fields)
    assert options(editors[0])[2:] == options(editors[1])[2:]


def test_a_flat_key_takes_the_place_of_its_groups():
    editor = P2PEditor('some/model', sampling=dict(steps=50, guidance=7.), steps=10,
                       attention=AttentionOptions(reweight=6.), mode='refine')
    assert editor.sampling == SamplingOptions(steps=10, guidance=7.)
    assert editor.attention == AttentionOptions(reweight=6., mode='refine')


def test_without_a_blend_nothing_is_held_to_the_source():
    assert P2PEditor('some/model').blend == BlendOptions(start=None)
    assert P2PEditor('some/model', local_blend={}).blend == BlendOptions(start=.2)


def test_wrong_keys_are_named():
    with pytest.raises(BadValue, match='attention takes cross_replace, .*, got self_reweight'):
        P2PEditor('some/model', attention=dict(self_reweight=2.))
    with pytest.raises(TypeError, match='P2PEditor takes no guidence, step$'):
        P2PEditor('some/model', step=3, guidence=2.)
    with pytest.raises(BadValue, match="dtype must be one of .*, got 'int8'"):
        WeightOptions('int8')
    with pytest.raises(FrozenInstanceError):
        SamplingOptions().steps = 3


@pytest.mark.parametrize('device', ['gpu', 'cuda:99'])
def test_a_device_that_is_not_there_is_named(device, tiny_parts):
    editor = P2PEditor(pipeline=as_pipeline(tiny_parts), dtype='fp32', device=device)
    with pytest.raises(UserError, match=f"device '{device}' cannot be used"):
        assert editor.model


@pytest.mark.parametrize('group', [SamplingOptions, InstructSampling])
@pytest.mark.parametrize('settings, message', [
    (dict(size=(0, 64)), r'size must be \(height, width\), two whole numbers from 1 on'),
    (dict(size=(64, -8)), 'got .64, -8.'), (dict(size=(64, )), 'got .64,.'),
    (dict(size=(64, 64, 3)), 'size must be'), (dict(size='640x256'), "got '640x256'"),
    (dict(size=(64., 32)), 'size must be'), (dict(size=640), 'got 640'),
    (dict(steps=0), 'steps must be a whole number from 1 on, got 0'),
    (dict(steps=-1), 'got -1'), (dict(steps=2.5), 'got 2.5'), (dict(steps='3'), "got '3'"),
    (dict(steps=True), 'got True'),
    (dict(guidance=float('nan')), 'guidance must be a finite number, got nan'),
    (dict(guidance='7'), "guidance must be a finite number, got '7'")])
def test_numbers_that_make_no_sense_are_named(group, settings, message):
    with pytest.raises(BadValue, match=message):
        group(**settings)


def test_upscalers_and_runs_take_the_same_sizes():
    for build in (ResizeUpscaler, lambda size: LDMUpscaler('a/b', size=size),
                  lambda size: ShardedRunner('out', shard='0/1', output_size=size)):
        for size in ((0, 0), (64, -32), (64, ), (64., 64)):
            with pytest.raises(BadValue, match='size must be'):
                build(size)
        build([64, 32])
    with pytest.raises(BadValue, match='steps must be a whole number'):
        LDMUpscaler('a/b', steps=0)
