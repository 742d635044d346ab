"""Editors end to end on random weights: sizes, counts, batches, sources and refusals."""

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image
from tiny_diffusion import SCHEDULE, as_pipeline, request, tiny_sd, tiny_unet, tiny_vae

from mmtbps.generation.color.colorspace import rgb_to_lab
from mmtbps.generation.color.votes import BANDS
from mmtbps.generation.diffusion.latent_diffusion import fingerprint
from mmtbps.generation.diffusion.pixels import images_to_tensor
from mmtbps.generation.editing.instruct import InstructEditor
from mmtbps.generation.editing.prompt_to_prompt import P2PEditor
from mmtbps.generation.editing.recolor import garment_mask
from mmtbps.generation.evidence.base import PARTS, EditEvidence
from mmtbps.registry import TASK_UTILS

CONFIGS = Path(__file__).resolve().parents[3] / 'configs' / 'generation'
REQUESTS = [
    request('A man in a red shirt.', 'red', 'blue', 'shirt', job_id='a'),
    request('a woman in dark blue jeans', 'dark blue', 'pink', 'jeans', job_id='b', seed=8),
    request('A red bag.', 'red', 'orange', 'bag', job_id='c', target='An orange bag.',
            size=(20, 50)),
]


def editor(parts, **settings):
    pipeline = None if parts is None else as_pipeline(parts)
    return P2PEditor(**{**dict(pipeline=pipeline, size=(64, 32), steps=3, dtype='fp32',
                               device='cpu', local_blend=dict(threshold=.9)), **settings})


def pixels(result):
    return np.asarray(result.image).astype(int)


def test_results_belong_to_their_requests(tiny_parts):
    results = editor(tiny_parts, batch_size=2).edit(REQUESTS)
    assert [result.job_id for result in results] == ['a', 'b', 'c']
    for asked, result in zip(REQUESTS, results, strict=True):
        assert result.image.size == asked.image.size and result.image.mode == 'RGB'
        assert result.mask.shape == asked.image.size[::-1] and result.mask.dtype == bool
        assert 0 < result.mask.mean() < 1


@pytest.mark.parametrize('inversion, expected', [
    ('DirectInversion', 4 * 3), ('NegativePromptInversion', 4 * 3),
    ('EditFriendlyInversion', 4 * 2), (dict(type='NullTextInversion', inner_steps=2), 3 * 5 + 12)])
def test_every_pass_of_the_unet_is_counted(tiny_parts, inversion, expected):
    inversion = dict(type=inversion) if isinstance(inversion, str) else inversion
    chosen = editor(tiny_parts, inversion=inversion)
    chosen.edit(REQUESTS[:1])  # the dry forward of the start belongs to no image
    rows = []
    hook = tiny_parts['unet'].register_forward_pre_hook(
        lambda module, inputs: rows.append(len(inputs[0])))
    try:
        results = chosen.edit(REQUESTS)
    finally:
        hook.remove()
    assert [result.unet_evals for result in results] == [expected] * 3
    assert sum(rows) == 3 * expected
    backwards = [result.extras.get('unet_backwards') for result in results]
    assert backwards == [6 if inversion['type'] == 'NullTextInversion' else None] * 3


def test_an_edit_does_not_depend_on_its_batch(tiny_double):
    settings = dict(dtype='fp64', inversion=dict(type='EditFriendlyInversion'))
    together = editor(tiny_double, **settings).edit(REQUESTS)
    alone = editor(tiny_double, **settings, batch_size=1).edit(REQUESTS)
    for one, other in zip(together, alone, strict=True):
        assert np.array_equal(pixels(one), pixels(other)) and np.array_equal(one.mask, other.mask)


def test_outside_the_mask_the_image_is_the_one_that_was_given(tiny_parts):
    asked = REQUESTS[0]
    shut, half = (editor(tiny_parts, local_blend=dict(threshold=threshold, start=0.))
                  for threshold in (1., .9))
    model = shut.model
    latents = model.encode_images(images_to_tensor([asked.image], (64, 32)))
    seen = ((model.decode(latents)[0].permute(1, 2, 0).clamp(-1, 1) + 1) * 127.5).round().numpy()
    unchanged, changed = shut.edit([asked])[0], half.edit([asked])[0]
    assert not unchanged.mask.any() and np.array_equal(pixels(unchanged), seen)
    assert changed.mask.any() and np.abs(pixels(changed) - seen)[changed.mask].max() > 3


def test_only_pixels_of_the_garment_are_taken_from_the_edit(tiny_parts):
    person = np.full((64, 32, 3), 128, np.uint8)
    person[12:30, 8:24], person[32:60, 10:22] = (190, 30, 40), (40, 70, 170)  # a red shirt
    asked = replace(REQUESTS[0], image=Image.fromarray(person))
    blend = dict(threshold=.5, start=0., coarse=True)
    whole, pasted = (editor(tiny_parts, local_blend=blend, paste_back=back).edit([asked])[0]
                     for back in (None, 25.))
    garment = garment_mask(rgb_to_lab(person), 'red', BANDS['upper'])
    assert np.array_equal(pasted.mask, whole.mask & garment) and 0 < pasted.mask.sum()
    assert pasted.mask.sum() < whole.mask.sum()
    assert np.array_equal(pixels(pasted)[pasted.mask], pixels(whole)[pasted.mask])
    assert np.array_equal(pixels(pasted)[~pasted.mask], person[~pasted.mask])
    assert np.abs(pixels(whole) - person)[~whole.mask].max() > 3  # the autoencoder's blur


def test_what_evidence_calls_no_garment_is_not_taken_from_the_edit(tiny_parts):
    person = np.full((64, 32, 3), 128, np.uint8)
    person[12:30, 8:24] = (190, 30, 40)
    parts = np.full((64, 32), PARTS.index('upper'), np.uint8)
    parts[:20] = PARTS.index('face')
    asked = replace(REQUESTS[0], image=Image.fromarray(person))
    blend = dict(threshold=.5, start=0., coarse=True)
    blind, seeing = (editor(tiny_parts, local_blend=blend, paste_back=25.).edit(
        [replace(asked, evidence=evidence)])[0] for evidence in (None, EditEvidence(parts=parts)))
    assert blind.mask[:20].any() and seeing.mask.any() and not seeing.mask[:20].any()
    assert np.array_equal(pixels(seeing)[~seeing.mask], person[~seeing.mask])


def test_a_folder_gives_what_its_parts_give(tmp_path):
    from diffusers import StableDiffusionPipeline
    parts = tiny_sd(tmp_path / 'tokenizer')
    StableDiffusionPipeline(**parts, safety_checker=None, feature_extractor=None,
                            requires_safety_checker=False).save_pretrained(tmp_path / 'model')
    loaded = editor(None, pretrained=str(tmp_path / 'model'))
    for one, other in zip(loaded.edit(REQUESTS[:2]), editor(parts).edit(REQUESTS[:2]),
                          strict=True):
        assert np.array_equal(pixels(one), pixels(other))


def test_lora_weights_are_fused_into_the_model(tmp_path):
    from diffusers import StableDiffusionPipeline
    from peft import LoraConfig, get_peft_model_state_dict
    parts = tiny_sd(tmp_path / 'tokenizer')
    StableDiffusionPipeline(**parts, safety_checker=None, feature_extractor=None,
                            requires_safety_checker=False).save_pretrained(tmp_path / 'model')
    plain = editor(None, pretrained=str(tmp_path / 'model'), dtype='fp64')
    torch.manual_seed(0)
    parts['unet'].add_adapter(LoraConfig(r=2, lora_alpha=2, init_lora_weights=False,
                                         target_modules=['to_v']))
    StableDiffusionPipeline.save_lora_weights(
        tmp_path / 'lora', unet_lora_layers=get_peft_model_state_dict(parts['unet']))
    tuned = editor(None, pretrained=str(tmp_path / 'model'), dtype='fp64',
                   lora=str(tmp_path / 'lora'))
    asked = REQUESTS[:1]
    assert np.abs(pixels(tuned.edit(asked)[0]) - pixels(plain.edit(asked)[0])).max() > 3
    by_hand = editor(parts, dtype='fp64').edit(asked)[0]
    np.testing.assert_allclose(pixels(tuned.edit(asked)[0]), pixels(by_hand), atol=1)
    assert tuned.digest_fields['lora'] and tuned.digest_fields != plain.digest_fields


def test_bfloat16_edits_on_the_cpu(tmp_path):
    chosen = editor(tiny_sd(tmp_path), dtype='bf16')
    result = chosen.edit(REQUESTS[:1])[0]
    assert chosen.model.dtype == torch.bfloat16 and chosen.model.latent_dtype == torch.float32
    assert np.isfinite(pixels(result)).all() and result.mask.any()


class WordTokenizer:
    """A list of words and nothing else."""

    model_max_length, pad_token_id = 48, 0

    def __call__(self, text, return_offsets_mapping=False):
        found = [m.span() for m in re.finditer(r'\w+', text)]
        return dict(input_ids=[1, *(3 + hash(text[a:b].lower()) % 50 for a, b in found), 2],
                    offset_mapping=[(0, 0), *found, (0, 0)])


class BagOfWords(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.words = torch.nn.Embedding(53, 16)

    def forward(self, ids):
        return (self.words(ids),)


def test_a_model_of_ones_own_is_edited(tmp_path):
    from diffusers import DDIMScheduler
    torch.manual_seed(0)
    pipeline = SimpleNamespace(
        unet=tiny_unet(), vae=tiny_vae(), text_encoder=BagOfWords(), tokenizer=WordTokenizer(),
        scheduler=DDIMScheduler(**SCHEDULE))  # steps_offset 0, clip_sample: not taken over
    chosen = P2PEditor(pipeline=pipeline, size=(64, 24), steps=4, dtype='fp32', device='cpu')
    result = chosen.edit([request(size=(24, 64))])[0]
    assert result.unet_evals == 16 and result.image.size == (24, 64)
    assert 0 < result.mask.mean() <= 1


def test_the_digest_names_all_that_matters_and_nothing_else(tiny_parts):
    base = editor(tiny_parts)
    assert json.loads(json.dumps(base.digest_fields)) == base.digest_fields
    assert editor(tiny_parts, batch_size=3).digest_fields == base.digest_fields
    changes = [dict(steps=4), dict(guidance=2.), dict(size=(64, 64)), dict(cross_replace=.5),
               dict(self_replace=.5), dict(reweight=2.), dict(mode='refine'), dict(dtype='fp64'),
               dict(local_blend=None), dict(local_blend=dict(threshold=.9, level=0)),
               dict(self_min_level=0), dict(inversion=dict(type='NullTextInversion')),
               dict(inversion=dict(type='EditFriendlyInversion', skip=.1))]
    digests = [json.dumps(editor(tiny_parts, **change).digest_fields) for change in changes]
    assert len({json.dumps(base.digest_fields), *digests}) == len(changes) + 1
    # Only now, when all are read, may a weight change.
    weight = next(tiny_parts['text_encoder'].parameters()).data
    before = fingerprint(tiny_parts['text_encoder'])
    weight[0, 0] += 1
    assert fingerprint(tiny_parts['text_encoder']) != before
    weight[0, 0] -= 1


def test_a_folders_fingerprint_follows_its_files(tmp_path):
    (tmp_path / 'unet').mkdir()
    (tmp_path / 'unet' / 'weights.safetensors').write_bytes(b'12')
    (tmp_path / 'config.json').write_text('{"a": 1}')
    prints = [fingerprint(tmp_path)]
    (tmp_path / 'config.json').write_text('{"a": 2}')
    prints.append(fingerprint(tmp_path))
    (tmp_path / 'unet' / 'weights.safetensors').write_bytes(b'123')
    prints += [fingerprint(tmp_path), fingerprint(tmp_path / 'config.json')]
    assert len(set(prints)) == 4 and fingerprint(tmp_path) == prints[2]


@pytest.mark.parametrize('settings, message', [
    (dict(pretrained='x/y'), 'either pretrained or pipeline'),
    (dict(pipeline=None), 'either pretrained or pipeline'),
    (dict(dtype='int8'), "dtype must be one of .*'int8'"),
    (dict(local_blend=dict(treshold=.3)), "local_blend takes .*treshold"),
    (dict(sampling=dict(step=3)), 'sampling takes size, steps, .*got step'),
])
def test_settings_that_make_no_sense_are_refused(tiny_parts, settings, message):
    with pytest.raises(ValueError, match=message):
        editor(tiny_parts, **settings)


def test_what_is_missing_is_named(tiny_parts, monkeypatch, tmp_path):
    for build in (lambda path: P2PEditor(path), lambda path: InstructEditor(path)):
        with pytest.raises(FileNotFoundError, match='/no/such/model'):
            build('/no/such/model')
    with pytest.raises(FileNotFoundError, match='StableDiffusionPipeline cannot be loaded'):
        P2PEditor(str(tmp_path), dtype='fp32').edit(REQUESTS[:1])
    monkeypatch.setattr('mmtbps.generation.diffusion.latent_diffusion.find_spec', lambda name: None)
    with pytest.raises(ImportError, match=r'pip install "mmtbps\[pdg\]"'):
        P2PEditor('some/model')


def test_a_caption_that_is_too_long_is_named_by_its_job(tiny_parts):
    long = request('a man and ' * 7 + 'a red shirt', job_id='job-7')
    with pytest.raises(ValueError, match='job-7: the caption has 26 tokens'):
        editor(tiny_parts).edit([long])


def test_a_size_the_model_cannot_give_back_is_refused(tiny_parts):
    with pytest.raises(ValueError, match=r'images of \(64, 28\) for size \(64, 30\)'):
        editor(tiny_parts, size=(64, 30)).edit(REQUESTS[:1])


def test_registered_by_name(tiny_parts):
    built = TASK_UTILS.build(dict(type='P2PEditor', pipeline=as_pipeline(tiny_parts)))
    assert isinstance(built, P2PEditor) and built.sampling.size == (640, 256)
    assert built.sampling.steps == 20


@pytest.mark.parametrize('name, evals', [('pdg_fast', 4 * 20), ('pdg_official', 7 * 50),
                                         ('pdg_edit_friendly', 4 * 32)])
def test_shipped_configs_ask_for_what_they_say(name, evals):
    settings = Config.fromfile(CONFIGS / f'{name}.py').generation
    built = TASK_UTILS.build(settings.editor)
    steps, method = built.sampling.steps, built.inversion.digest_fields
    branches = 4 if method['type'] == 'NullTextInversion' else 3
    inverting = 3 if branches == 4 else 1  # and up to 10 more that are optimised
    assert (branches + inverting) * (steps - round(method.get('skip', 0) * steps)) == evals
    upscaler = TASK_UTILS.build(settings.upscaler)
    assert upscaler.size == (640, 256) and built.attention.cross_replace == .8


def test_edit_friendly_inversion_edits_by_its_preset(tiny_parts):
    """The preset's options on random weights: every pass is counted, the garment's pixels move."""
    preset = Config.fromfile(CONFIGS / 'pdg_edit_friendly.py').generation.editor.to_dict()
    preset.pop('type'), preset.pop('pretrained')
    chosen = P2PEditor(**{**preset, **dict(pipeline=as_pipeline(tiny_parts), size=(64, 32),
                                           dtype='fp32', device='cpu')})
    results = chosen.edit(REQUESTS[:2])
    assert [result.unet_evals for result in results] == [4 * 32] * 2
    again = chosen.edit(REQUESTS[1:2])[0]
    assert np.abs(pixels(results[1]) - pixels(again)).max() <= 1
    assert all(result.mask.any() for result in results)
