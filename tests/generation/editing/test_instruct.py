"""Editors by instruction on random weights of the real classes: sizes, batches, masks, refusals."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image
from tiny_diffusion import as_pipeline, request, tiny_sd
from tiny_editors import (
    tiny_flux2,
    tiny_kontext,
    tiny_omnigen,
    tiny_pix2pix,
    tiny_qwen,
    tiny_sdxl,
    without_weight,
)

from mmtbps.errors import BadValue, MissingPackage
from mmtbps.generation import InstructEditor, LocalityGate, MaskGate
from mmtbps.generation.editing.instruct_families import FAMILIES
from mmtbps.registry import TASK_UTILS

CONFIGS = Path(__file__).resolve().parents[3] / 'configs' / 'generation'
REQUESTS = [
    request('A man in a red shirt.', 'red', 'blue', 'shirt', job_id='a', size=(64, 128)),
    request('a woman in dark blue jeans', 'dark blue', 'pink', 'jeans', job_id='b', seed=8,
            size=(64, 144)),
    request('A red bag.', 'red', 'orange', 'bag', job_id='c', target='An orange bag.',
            size=(60, 120)),
]
LAYERS = dict(text_encoder_out_layers=(0, 1, 2))   # tiny text encoders have no tenth
#: Class -> how to build a tiny one, passes of the denoiser in a step, more keywords of its call.
EDITORS = {
    'FluxKontextPipeline': (tiny_kontext, 1, {}),
    'QwenImageEditPipeline': (lambda _: tiny_qwen(), 2, {}),
    'QwenImageEditPlusPipeline': (lambda _: tiny_qwen(plus=True), 2, {}),
    'Flux2Pipeline': (lambda _: tiny_flux2(), 1, LAYERS),
    'Flux2KleinPipeline': (lambda _: tiny_flux2(klein=True), 2, LAYERS),
    'OmniGenPipeline': (lambda _: tiny_omnigen(), 3, {}),
    'StableDiffusionInstructPix2PixPipeline': (tiny_pix2pix, 3, dict(image_guidance_scale=1.2)),
    'StableDiffusionXLInstructPix2PixPipeline': (tiny_sdxl, 3, {}),
}
NAMES = pytest.mark.parametrize('name', EDITORS)


@pytest.fixture(scope='module')
def pipelines(tmp_path_factory):
    """One tiny pipeline of each class."""
    with without_weight():
        yield {name: build(tmp_path_factory.mktemp('tiny'))
               for name, (build, *_) in EDITORS.items()}


def editor(pipe, **settings):
    """Edit in float64, where rounding cannot hide a mistake; OmniGen gives no numbers there."""
    name = type(pipe).__name__
    return InstructEditor('tiny', pipe, **{**dict(
        size=(128, 64), steps=2, guidance=None if name == 'Painter' else 2.5, device='cpu',
        dtype='fp32' if name == 'OmniGenPipeline' else 'fp64',
        call=EDITORS[name][2] if name in EDITORS else {}), **settings})


def pixels(result):
    return np.asarray(result.image).astype(int)


def test_every_family_is_tried():
    assert set(EDITORS) == set(FAMILIES)


@NAMES
def test_results_belong_to_their_requests(pipelines, name):
    results = editor(pipelines[name], batch_size=2).edit(REQUESTS)
    assert [result.job_id for result in results] == ['a', 'b', 'c']
    assert [result.unet_evals for result in results] == [2 * EDITORS[name][1]] * 3
    assert [result.extras['prompt'] for result in results] == [
        'make the shirt blue', 'make the jeans pink', 'make the bag orange']
    for asked, result in zip(REQUESTS, results, strict=True):
        assert result.image.size == asked.image.size and result.image.mode == 'RGB'
        assert result.mask.shape == asked.image.size[::-1] and result.mask.dtype == bool


@NAMES
def test_an_edit_does_not_depend_on_its_batch_nor_on_the_global_state(pipelines, name):
    torch.manual_seed(1)
    together = editor(pipelines[name], batch_size=3).edit(REQUESTS)
    torch.manual_seed(2)
    state = torch.get_rng_state()
    alone = editor(pipelines[name]).edit(REQUESTS[::-1])[::-1]
    assert torch.equal(torch.get_rng_state(), state)
    for one, other in zip(together, alone, strict=True):
        assert np.array_equal(pixels(one), pixels(other)) and np.array_equal(one.mask, other.mask)


@NAMES
def test_seed_instruction_and_image_count(pipelines, name):
    asked = REQUESTS[0]
    pipe = pipelines[name]
    base, *others = (editor(pipe, **settings).edit([given])[0] for settings, given in (
        ({}, asked), (dict(instruction='no {noun}, a coat'), asked), ({}, replace(asked, seed=4)),
        ({}, replace(asked, image=asked.image.rotate(180)))))
    for other in others:
        assert np.abs(pixels(base) - pixels(other)).max() > 0


@NAMES
def test_images_are_seen_in_their_own_aspect(pipelines, name):
    """The autoencoder gets each image in its own aspect, whatever the size of the config."""
    seen, made = set(), set()
    pipe = pipelines[name]
    hooks = [pipe.vae.encoder.register_forward_pre_hook(
                 lambda module, inputs: seen.add(tuple(inputs[0].shape[-2:]))),
             pipe.vae.decoder.register_forward_hook(
                 lambda module, inputs, output: made.add(tuple(output.shape[-2:])))]
    try:
        editor(pipe, size=(100, 100)).edit(REQUESTS[1:2])
    finally:
        for hook in hooks:
            hook.remove()
    assert made == {(144, 64)}
    # Qwen's editors look at every image at about as many pixels, in multiples of 32.
    assert seen == ({(192, 96)} if name.startswith('Qwen') else {(144, 64)})


class Painter:
    """Pipeline that paints green over rows of the image, or returns it in a size of its own."""

    def __init__(self, rows=(0., 0.), size=None):
        self.rows, self.size, self.unet = rows, size, torch.nn.Linear(1, 1)
        self.components = dict(unet=self.unet)

    def to(self, *_):
        return self

    def set_progress_bar_config(self, **_):
        pass

    def __call__(self, image, prompt, num_inference_steps, generator):
        painted = image.copy()
        top, bottom = (round(share * image.height) for share in self.rows)
        painted.paste((30, 140, 40), (image.width // 4, top, image.width * 3 // 4, bottom))
        return SimpleNamespace(images=[painted.resize(self.size or image.size)])


def test_the_mask_is_what_changed_where_the_garment_is_worn():
    asked = request('A red shirt.', 'red', 'green', 'shirt', size=(64, 160))
    shirt = editor(Painter((.2, .5))).edit([asked])[0]
    truth = np.zeros((160, 64), bool)
    truth[32:80, 16:48] = True
    assert (shirt.mask != truth).mean() < .03
    face, both, nothing = (editor(Painter(rows)).edit([asked])[0]
                           for rows in ((0., .1), (.2, .9), (0., 0.)))
    assert MaskGate()(asked, shirt).ok and LocalityGate()(asked, shirt).ok
    assert not face.mask.any() and not MaskGate()(asked, face).ok
    assert not both.mask[100:].any() and not LocalityGate()(asked, both).ok
    assert not nothing.mask.any() and not MaskGate()(asked, nothing).ok
    stricter = editor(Painter((.2, .5)), change_tolerance=200.).edit([asked])[0]
    assert not stricter.mask.any()


def test_another_aspect_is_refused():
    asked = request(job_id='job-7', size=(64, 160))
    with pytest.raises(BadValue, match='job-7: Painter makes 64 x 64 of an image of 160 x 64 '
                                       r'\(height x width\), another aspect'):
        editor(Painter(size=(64, 64))).edit([asked])
    twice = editor(Painter(size=(128, 320))).edit([asked])[0]
    assert twice.image.size == (64, 160)


def test_a_size_too_coarse_for_the_model_is_refused(pipelines):
    for name, size in (('Flux2Pipeline', (64, 32)), ('OmniGenPipeline', (32, 20))):
        with pytest.raises(BadValue, match=f'b: {name} works in multiples of .* too coarse for an '
                                           'image of 144 x 64'):
            editor(pipelines[name], size=size).edit(REQUESTS[1:2])


def test_a_pipeline_that_follows_no_instructions_is_refused(tmp_path):
    from diffusers import StableDiffusionPipeline
    pipe = StableDiffusionPipeline(**tiny_sd(tmp_path), safety_checker=None,
                                   feature_extractor=None, requires_safety_checker=False)
    with pytest.raises(BadValue, match='StableDiffusionPipeline does not edit images by '
                                       'instruction: it takes no image. .*FluxKontextPipeline'):
        editor(pipe).edit(REQUESTS[:1])


@pytest.mark.parametrize('settings, message', [
    (dict(call=dict(guidence=2.)), r'FluxKontextPipeline takes no guidence \(in call\)'),
    (dict(offload='model'), "offload='model' moves parts .* the device is the CPU"),
    (dict(offload='disk'), "offload must be 'model', 'sequential' or None, got 'disk'"),
    (dict(batch_size=0), 'batch_size must be at least 1, got 0'),
    (dict(sampling=dict(inversion=None)), 'sampling takes size, steps, guidance, got inversion'),
    (dict(instruction='{noun} {colour}'), 'and {caption}, got .{noun} {colour}'),
    *[(dict(instruction=text), 'an instruction may use {noun}, ')
      for text in ('{0}', '{noun.color}', '{noun[a]}', '{noun!x}', '{noun:>x}', '{')]])
def test_settings_that_make_no_sense_are_refused(pipelines, settings, message):
    with pytest.raises(BadValue, match=message):
        editor(pipelines['FluxKontextPipeline'], **settings).edit(REQUESTS[:1])


def test_guidance_that_a_pipeline_does_not_take_is_refused():
    with pytest.raises(BadValue, match='Painter takes no guidance_scale: leave guidance out'):
        editor(Painter(), guidance=3.).edit(REQUESTS[:1])


def test_unknown_keys_are_named(pipelines):
    with pytest.raises(TypeError, match='InstructEditor takes no paste_back, stepps'):
        editor(pipelines['FluxKontextPipeline'], stepps=3, paste_back=2.)


@pytest.mark.parametrize('name', ['QwenImageEditPipeline', 'OmniGenPipeline'])
def test_what_a_family_needs_is_named_before_anything_is_loaded(name, monkeypatch):
    monkeypatch.setattr('mmtbps.generation.editing.instruct_families.find_spec', lambda _: None)
    with pytest.raises(MissingPackage, match=f'{name} needs torchvision'):
        InstructEditor('some/model', name)


def test_the_whole_caption_may_be_the_instruction(pipelines):
    chosen = editor(pipelines['FluxKontextPipeline'],
                    instruction='{caption} ({region}, no longer {old_color})')
    result = chosen.edit(REQUESTS[2:])[0]
    assert result.extras == dict(prompt='An orange bag. (upper, no longer red)')


@pytest.mark.parametrize('offload', ['model', 'sequential'])
def test_offload_leaves_moving_to_accelerate(pipelines, offload, monkeypatch):
    pipe, moves = pipelines['FluxKontextPipeline'], []
    for method in ('to', 'enable_model_cpu_offload', 'enable_sequential_cpu_offload'):
        monkeypatch.setattr(type(pipe), method, lambda self, *places, method=method, **named:
                            moves.append((method, *places, named)))
    assert editor(pipe, device='cuda:1', offload=offload).model is pipe
    assert moves == [(f'enable_{offload}_cpu_offload', dict(device='cuda:1'))]
    monkeypatch.setattr('mmtbps.generation.editing.instruct.find_spec', lambda _: None)
    with pytest.raises(MissingPackage, match='offload needs accelerate'):
        assert editor(pipe, device='cuda', offload=offload).model


def test_dropout_is_off_whatever_state_the_pipeline_comes_in(tmp_path):
    pipe = tiny_kontext(tmp_path)
    pipe.text_encoder_2.train()
    one, other = (editor(pipe).edit(REQUESTS[:1])[0] for _ in range(2))
    assert not pipe.text_encoder_2.training and np.array_equal(pixels(one), pixels(other))


def test_bfloat16_edits_on_the_cpu(tmp_path):
    chosen = editor(tiny_kontext(tmp_path), dtype='bf16')
    result = chosen.edit(REQUESTS[:1])[0]
    assert chosen.model.transformer.dtype == torch.bfloat16
    assert pixels(result).std() > 1


def test_a_folder_and_its_lora_edit(tmp_path):
    from diffusers import FluxKontextPipeline
    from peft import LoraConfig, get_peft_model_state_dict
    pipe = tiny_kontext(tmp_path / 'tokenizer')
    pipe.save_pretrained(tmp_path / 'model')

    def loaded(**more):
        return InstructEditor(str(tmp_path / 'model'), 'FluxKontextPipeline', size=(128, 64),
                              steps=2, dtype='fp32', device='cpu', guidance=2.5, **more)

    plain = loaded()
    result = plain.edit(REQUESTS[:1])[0]
    assert np.abs(pixels(result) - pixels(editor(pipe, dtype='fp32').edit(REQUESTS[:1])[0])
                  ).max() <= 1
    pipe.transformer.add_adapter(LoraConfig(r=2, lora_alpha=2, init_lora_weights=False,
                                            target_modules=['to_v']))
    FluxKontextPipeline.save_lora_weights(
        tmp_path / 'lora', transformer_lora_layers=get_peft_model_state_dict(pipe.transformer))
    tuned = loaded(lora=str(tmp_path / 'lora'))
    by_hand = editor(pipe, dtype='fp32').edit(REQUESTS[:1])[0]
    assert np.abs(pixels(tuned.edit(REQUESTS[:1])[0]) - pixels(by_hand)).max() <= 1
    assert np.abs(pixels(by_hand) - pixels(result)).max() > 1
    assert tuned.digest_fields != plain.digest_fields


def test_a_pipeline_without_lora_says_so(pipelines, tmp_path):
    with pytest.raises(BadValue, match='OmniGenPipeline takes no LoRA'):
        editor(pipelines['OmniGenPipeline'], lora=str(tmp_path)).edit(REQUESTS[:1])


def test_the_digest_names_all_that_matters_and_nothing_else(pipelines):
    pipe = pipelines['FluxKontextPipeline']
    base = editor(pipe).digest_fields
    assert json.loads(json.dumps(base)) == base
    for free in (dict(batch_size=3), dict(device='cuda'), dict(offload='model')):
        assert editor(pipe, **free).digest_fields == base
    changes = [dict(steps=4), dict(guidance=None), dict(size=(64, 64)), dict(dtype='fp32'),
               dict(instruction='{caption}'), dict(call=dict(max_sequence_length=9)),
               dict(change_tolerance=9.)]
    digests = {json.dumps(editor(pipe, **change).digest_fields) for change in changes}
    assert len({json.dumps(base), *digests}) == len(changes) + 1
    named = InstructEditor('some/model', 'FluxKontextPipeline', revision='v2').digest_fields
    assert named['model']['revision'] == 'v2' and named['model']['id'] == 'some/model'
    assert named['pipeline'] == base['pipeline'] == 'FluxKontextPipeline'


def test_flat_keys_and_groups_build_the_same_editor():
    flat, groups = (InstructEditor('some/model', **settings).digest_fields for settings in (
        dict(size=(64, 32), steps=3, dtype='fp32'),
        dict(sampling=dict(size=(64, 32), steps=3), weights=dict(dtype='fp32'))))
    assert flat == groups


PRESETS = sorted(CONFIGS.glob('instruct_*.py'))


@pytest.mark.parametrize('path', PRESETS, ids=lambda path: path.stem)
def test_presets_build_and_ask_in_whole_words(path, monkeypatch):
    monkeypatch.setattr('mmtbps.generation.editing.instruct_families.find_spec', lambda name: name)
    settings = Config.fromfile(path).generation
    built = TASK_UTILS.build(settings.editor)
    assert isinstance(built, InstructEditor) and built.name in FAMILIES
    assert settings.runner.out_dir == f'work_dirs/{path.stem}'
    height, width = built.sampling.size
    assert abs(height / width - 2.5) < .01 and min(height, width) >= built.family.least
    result = InstructEditor('tiny', Painter(), built.instruction, device='cpu', dtype='fp32').edit(
        [request('A man in dark blue jeans.', 'dark blue', 'pink', 'jeans', size=(64, 160))])[0]
    assert 'jeans' in result.extras['prompt'] and 'pink' in result.extras['prompt']
    assert '{' not in result.extras['prompt']


def test_every_family_has_a_preset():
    assert {Config.fromfile(path).generation.editor.pipeline for path in PRESETS} == set(FAMILIES)


def test_a_model_of_ones_own_is_not_mistaken_for_an_editor(tiny_parts):
    with pytest.raises(BadValue, match='SimpleNamespace does not edit images by instruction'):
        editor(as_pipeline(tiny_parts)).edit([request(size=(64, 128))])


def test_images_of_one_size_go_together(pipelines):
    """Batches hold images of one size only; each result comes back in its place."""
    pipe, rows = pipelines['FluxKontextPipeline'], []
    hook = pipe.transformer.register_forward_pre_hook(
        lambda module, inputs, keywords: rows.append(len(keywords['hidden_states'])),
        with_kwargs=True)
    small = Image.new('RGB', (64, 128), 'red')
    try:
        editor(pipe, steps=1, batch_size=2).edit(
            [replace(REQUESTS[0], image=small), REQUESTS[1], REQUESTS[0],
             replace(REQUESTS[0], image=small)])
    finally:
        hook.remove()
    assert sorted(rows) == [1, 1, 2]
