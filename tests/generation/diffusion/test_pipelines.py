"""Pipelines of diffusers: what is refused before a weight is read or an image made."""

import json
from types import SimpleNamespace

import pytest
import torch
from tiny_diffusion import as_pipeline, tiny_unet
from tiny_editors import tiny_kontext, tiny_pix2pix, tiny_sdxl

from mmtbps.errors import BadValue
from mmtbps.generation import DiffusionFinetuner, P2PEditor
from mmtbps.generation.diffusion.pipelines import check_stable_diffusion, load_pipeline

USERS = P2PEditor, DiffusionFinetuner


@pytest.fixture(scope='module')
def others(tmp_path_factory):
    """Models of three other families, by the words that their refusal must have."""
    folder = tmp_path_factory.mktemp('others')
    return {'StableDiffusionXLPipeline: its UNet takes more than a text':
                tiny_sdxl(folder / 'xl', 'StableDiffusionXLPipeline', in_channels=4),
            'FluxKontextPipeline: it has no UNet': tiny_kontext(folder / 'kontext'),
            'StableDiffusionInstructPix2PixPipeline: its UNet takes 8 channels and gives 4':
                tiny_pix2pix(folder / 'pix2pix')}


@pytest.mark.parametrize('user', USERS)
def test_other_families_are_refused_when_the_part_is_built(others, user, tmp_path):
    for words, pipe in others.items():
        folder = tmp_path / type(pipe).__name__
        pipe.save_pretrained(folder)
        for given in (dict(pipeline=pipe), dict(pretrained=str(folder))):
            with pytest.raises(BadValue, match=words) as refused:
                user(**given)
            line = str(refused.value)
            assert line.startswith(user.__name__) and 'InstructEditor' in line
            assert '\n' not in line


@pytest.mark.parametrize('user', USERS)
def test_the_configs_alone_tell(user, tmp_path):
    """Stable Diffusion 3 by the names of its parts: no weight need be there."""
    (tmp_path / 'model_index.json').write_text(json.dumps(dict(
        _class_name='StableDiffusion3Pipeline', transformer=['diffusers', 'SD3Transformer2DModel'],
        vae=['diffusers', 'AutoencoderKL'])))
    with pytest.raises(BadValue, match='takes no StableDiffusion3Pipeline: it has no UNet'):
        user(str(tmp_path))


@pytest.mark.parametrize('setting', [
    dict(class_embed_type='timestep'), dict(num_class_embeds=3), dict(time_cond_proj_dim=8),
    dict(encoder_hid_dim=16, encoder_hid_dim_type='image_proj')])
def test_a_unet_that_wants_a_class_is_refused(setting):
    with pytest.raises(BadValue, match='takes more than a text'):
        check_stable_diffusion(SimpleNamespace(unet=tiny_unet(**setting)), 'P2PEditor')


def test_a_unet_of_another_kind_is_refused(tmp_path, tiny_parts):
    """By the folder too; a scheduler of flow matching when the model is used."""
    from diffusers import FlowMatchEulerDiscreteScheduler, UNet2DModel
    unet = UNet2DModel(in_channels=4, out_channels=4, block_out_channels=(8, ), norm_num_groups=4,
                       down_block_types=('DownBlock2D', ), up_block_types=('UpBlock2D', ))
    unet.save_pretrained(tmp_path / 'unet')
    (tmp_path / 'model_index.json').write_text(json.dumps(dict(
        _class_name='SomePipeline', unet=['diffusers', 'UNet2DModel'])))
    for model in (SimpleNamespace(unet=unet), str(tmp_path)):
        with pytest.raises(BadValue, match='its UNet is a UNet2DModel; it works with'):
            check_stable_diffusion(model, 'P2PEditor')
    parts = {**tiny_parts, 'scheduler': FlowMatchEulerDiscreteScheduler()}
    editor = P2PEditor(pipeline=as_pipeline(parts), dtype='fp32', device='cpu')
    with pytest.raises(BadValue, match='FlowMatchEulerDiscreteScheduler has no noise levels'):
        assert editor.model


def test_what_may_fit_passes(tiny_parts, tmp_path):
    check_stable_diffusion(as_pipeline(tiny_parts), 'P2PEditor')
    check_stable_diffusion(SimpleNamespace(unet=torch.nn.Identity()), 'P2PEditor')
    check_stable_diffusion('some/hub-name', 'P2PEditor')
    check_stable_diffusion(str(tmp_path), 'P2PEditor')   # loading says what is missing there


def test_a_hub_name_is_looked_at_when_it_is_loaded(others, tmp_path, monkeypatch):
    """The folder stands for a hub: the name passes, and the loaded model is refused."""
    pipe = next(iter(others.values()))
    editor = P2PEditor('some/hub-name', dtype='fp32', device='cpu')
    monkeypatch.setattr('mmtbps.generation.editing.prompt_to_prompt.load_pipeline',
                        lambda *_, **__: pipe)
    with pytest.raises(BadValue, match='takes no StableDiffusionXLPipeline'):
        assert editor.model


def test_a_model_without_a_part_of_the_pipeline_is_refused_unread(others, tmp_path):
    others['FluxKontextPipeline: it has no UNet'].save_pretrained(tmp_path)
    for weights in tmp_path.rglob('*.safetensors'):
        weights.unlink()
    for kind, missing in (('StableDiffusionPipeline', 'unet'),
                          ('QwenImageEditPipeline', 'processor')):
        with pytest.raises(BadValue, match=f'holds a FluxKontextPipeline, not a {kind}: it has no '
                                           f'{missing}$'):
            load_pipeline(kind, str(tmp_path), torch.float32)
