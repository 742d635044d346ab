"""Keywords that a config hands to a pipeline, and which pipelines are asked at all."""

from dataclasses import replace

import numpy as np
import pytest
from tiny_diffusion import request
from tiny_editors import tiny_kontext, tiny_pix2pix

from mmtbps.errors import BadValue, UserError
from mmtbps.generation import InstructEditor

ASKED = request('A man in a red shirt.', 'red', 'blue', 'shirt', job_id='a', size=(64, 128))


def editor(pipe, **settings):
    return InstructEditor('tiny', pipe, **{**dict(size=(128, 64), steps=2, guidance=2.5,
                                                  device='cpu', dtype='fp64'), **settings})


def pixels(result):
    return np.asarray(result.image).astype(int)


@pytest.fixture(scope='module')
def kontext(tmp_path_factory):
    return tiny_kontext(tmp_path_factory.mktemp('tiny'))


@pytest.mark.parametrize('key, value', [
    ('num_inference_steps', 3), ('height', 64), ('image', None), ('prompt', 'x'), ('self', 1),
    ('generator', None), ('output_type', 'pt'), ('return_dict', False), ('latents', None),
    ('num_images_per_prompt', 2), ('max_area', 4096)])
def test_what_the_editor_says_itself_is_not_the_configs_to_say(kontext, key, value):
    with pytest.raises(BadValue, match=rf'{key} \(in call\): the editor itself hands that to Flux'):
        editor(kontext, call={key: value}).edit([ASKED])


def test_a_negative_instruction_goes_to_each_image(tmp_path):
    """Alone or in a batch; the pipeline wants as many of them as of instructions."""
    pipe = tiny_pix2pix(tmp_path)
    asked = [replace(ASKED, job_id='a2', seed=3), ASKED]
    plain = editor(pipe).edit(asked)
    led, alone = (editor(pipe, call=dict(negative_prompt='a red coat'), batch_size=size).edit(asked)
                  for size in (2, 1))
    for one, other, without in zip(led, alone, plain, strict=True):
        assert np.array_equal(pixels(one), pixels(other))
        assert np.abs(pixels(one) - pixels(without)).max() > 0


def test_a_pipeline_of_another_kind_is_refused_before_its_weights_are_read(tmp_path):
    """LEDITS++ describes what to add and what to take away; nothing lies in the folder."""
    for name in ('LEditsPPPipelineStableDiffusion', 'StableDiffusionPipeline'):
        with pytest.raises(BadValue, match=f'{name} does not edit images by instruction'):
            InstructEditor(str(tmp_path), name, dtype='fp32', device='cpu').edit([ASKED])


@pytest.mark.parametrize('device, offload', [('gpu', None), ('cuda:99', None), ('gpu', 'model')])
def test_a_device_that_is_not_there_is_named(kontext, device, offload):
    with pytest.raises(UserError, match=f"device '{device}' cannot be used"):
        assert editor(kontext, device=device, offload=offload).model
