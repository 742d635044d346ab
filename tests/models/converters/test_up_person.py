"""Checkpoints of UP-Person through the command, against its forward from the published names."""

import json

import pytest
import torch
import torch.nn.functional as F
import up_person_reference as reference
from PIL import Image
from published_checkpoints import (
    CAPTIONS,
    CLIP_COLORS,
    DEPTH,
    LENGTH,
    PATCH,
    TEXT_WIDTH,
    WIDTH,
    clip_state,
    half,
    pixels_of,
    up_person_parts,
)

IRRA = dict(image='base_model.visual.', text='base_model.')


@pytest.fixture(scope='module')
def state():
    return clip_state(193, **IRRA) | up_person_parts()


def extras_of(state, side):
    """The extras of each block by the published names."""
    kind, blocks = dict(image='vit', text='text')[side], []
    for i in range(DEPTH):
        block = f'{IRRA[side]}transformer.resblocks.{i}'
        prefix, lora = f'{kind}_prefix_learner.{kind}_prefix.{i}', f'LORA_learner.lora_{side}.{i}'
        added = [state[f'{lora}.scale.{j}.scale'] * state[f'{lora}.lora_B.{j}']
                 @ state[f'{lora}.lora_A.{j}'] for j in (0, 1)]
        blocks.append(dict(
            prefix_key=state[f'{prefix}.key.tokens'] * state[f'{prefix}.key.scaler.scale'],
            prefix_value=state[f'{prefix}.val.tokens'] * state[f'{prefix}.val.scaler.scale'],
            mass=state[f'{prefix}.scale_to_grad'], key_added=added[0], value_added=added[1],
            adapters=tuple((*(state[f'{block}.adapter_ln_{place}.{part}'] for part in (
                'down.weight', 'down.bias', 'up.weight', 'up.bias')), state[f'{block}.scale_{j}'])
                for j, place in enumerate(('msa', 'mlp'), start=1))))
    return blocks


def expected_images(crops, state):
    own = half(state, IRRA['image'])
    pixels = pixels_of(crops, (384, 128), Image.BILINEAR, CLIP_COLORS)
    feature = reference.image_feature(pixels, own, PATCH, WIDTH // 64, extras_of(state, 'image'))
    return F.normalize(feature @ own['proj'], dim=-1)


def expected_texts(state):
    own = half(state, IRRA['text'])
    ids = torch.zeros(len(CAPTIONS), LENGTH, dtype=torch.long)
    for row, values in zip(ids, CAPTIONS.values(), strict=True):
        row[:len(values)] = torch.tensor(values)
    feature = reference.text_feature(ids, own, TEXT_WIDTH // 64, extras_of(state, 'text'))
    return F.normalize(feature @ own['text_projection'], dim=-1)


@torch.no_grad()
def test_a_folder_has_the_features_of_the_method(state, convert, open_folder, crops, tmp_path):
    torch.save(dict(model=state), tmp_path / 'best.pth')
    report = convert('up_person', tmp_path / 'best.pth', tmp_path / 'person')
    copies = sum('.attn.prefix.' in key for key in state)
    assert copies == 2 * DEPTH * 5
    assert (f'used {len(state) - copies} keys, dropped {copies}, missing 0, unexpected 0'
            in report)
    assert 'dropped (a second copy of a prefix): base_model.visual.transformer.resblocks.{0-1}' in (
        report)
    settings = json.loads((tmp_path / 'person/config.json').read_text('utf-8'))['retriever']
    assert settings['peft'] == dict(prefix=dict(length=3), adapter=dict(reduction=8))

    encoder = open_folder(tmp_path / 'person')
    plain = torch.from_numpy(encoder.encode_images(crops))
    torch.testing.assert_close(plain, expected_images(crops, state), rtol=0, atol=2e-5)
    texts = torch.from_numpy(encoder.encode_texts(list(CAPTIONS)))
    torch.testing.assert_close(texts, expected_texts(state), rtol=0, atol=2e-5)
    assert plain.std(0).max() > 0.01 and (texts[0] - texts[1]).abs().max() > 0.05


def test_every_key_is_named_once(state, convert, tmp_path):
    torch.save(state, tmp_path / 'best.pth')
    found = json.loads(convert('up_person', tmp_path / 'best.pth', tmp_path / 'ours.pth', '--json'))
    named = [*found['used'], *found['dropped']]
    assert sorted(named) == sorted(state)


def test_a_checkpoint_with_some_of_the_parts(state, convert, open_folder, tmp_path):
    torch.save({key: value for key, value in state.items() if 'prefix' not in key},
               tmp_path / 'best.pth')
    convert('up_person', tmp_path / 'best.pth', tmp_path / 'person')
    settings = json.loads((tmp_path / 'person/config.json').read_text('utf-8'))['retriever']
    assert settings['peft'] == dict(adapter=dict(reduction=8))


@pytest.mark.parametrize('drop, said', [
    (('LORA', 'prefix', 'adapter', 'scale_'), 'no UP-Person: it has no prefixes.*of kind irra'),
    (('lora_image.1.lora_B.0', ), r'LORA_learner\.lora_image\.1\.lora_B\.0 is missing, and low'),
    (('vit_prefix.1.key.tokens', ), 'incomplete'), (('scale_2', ), 'incomplete')])
def test_what_is_missing_is_named(drop, said, state, convert, tmp_path):
    torch.save({key: value for key, value in state.items()
                if not any(word in key for word in drop)}, tmp_path / 'best.pth')
    with pytest.raises(ValueError, match=said):
        convert('up_person', tmp_path / 'best.pth', tmp_path / 'person')
    assert not (tmp_path / 'person').exists()


def test_other_sizes_are_named(state, convert, tmp_path):
    key = 'LORA_learner.lora_text.0.lora_A.0'
    for name in ('lora_A.0', 'lora_A.1'):
        state = state | {f'LORA_learner.lora_text.0.{name}': torch.ones(2, 3)}
    torch.save(state, tmp_path / 'best.pth')
    with pytest.raises(ValueError, match=rf'{key} and .* are \(2, 3\) and .* a width of 64 needs'):
        convert('up_person', tmp_path / 'best.pth', tmp_path / 'person')


def test_irra_says_which_kind_it_is(state, convert, tmp_path):
    torch.save(state, tmp_path / 'best.pth')
    with pytest.raises(ValueError, match='model of UP-Person.*kind up_person'):
        convert('irra', tmp_path / 'best.pth', tmp_path / 'person')
