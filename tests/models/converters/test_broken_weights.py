"""Weights that are no numbers are refused by every kind, with nothing written."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from albef_reference import aptm_state, blip_state, rasa_state
from published_checkpoints import (
    Draw,
    clip_state,
    irra_heads,
    transformers_state,
    up_person_parts,
)
from test_ctlg import random_timm, to_augreg
from test_hf_siglip import folder, library  # noqa: F401
from test_rde import embedding_layers

from mmtbps.errors import BadValue, UserError
from mmtbps.fileio import BrokenCheckpoint, UnsafeCheckpoint, load_checkpoint_file
from mmtbps.models.converters import KINDS, convert_checkpoint, read_source

ROOT = Path(__file__).resolve().parents[3]
_BASE = dict(image='base_model.visual.', text='base_model.')


@cache
def layouts():
    """A small checkpoint of each kind: its weights, and two keys that a feature depends on."""
    plain, block = clip_state(17), 'transformer.resblocks.0.mlp.c_fc.bias'
    timm = random_timm()
    ctlg = {f'model_img.{key}': value for key, value in timm.items()}
    ctlg['model_txt.embeddings.word_embeddings.weight'] = torch.ones(5, 3)
    return dict(
        irra=(clip_state(193, **_BASE) | irra_heads(),
              ['base_model.visual.proj', f'base_model.{block}']),
        rde=(clip_state(193, **_BASE) | embedding_layers(Draw(3)),
             [f'base_model.{block}', 'texual_emb_layer.linear.weight']),
        up_person=(clip_state(193, **_BASE) | up_person_parts(),
                   ['LORA_learner.lora_text.0.lora_A.1',
                    'vit_prefix_learner.vit_prefix.1.val.tokens']),
        tbps_clip=(clip_state(197, 'visual.', 'encode_text.'),
                   [f'visual.{block}', f'encode_text.{block}']),
        openai_clip=(plain, [f'visual.{block}', 'token_embedding.weight']),
        open_clip=(plain, ['visual.proj', block]),
        hf_clip=(transformers_state(plain),
                 ['vision_model.encoder.layers.1.self_attn.k_proj.bias',
                  'text_model.final_layer_norm.weight']),
        aptm=(aptm_state(9, windows=(4, 4, 4)),  # of images of 384 x 128
              ['vision_encoder.layers.0.downsample.norm.bias',
               'text_encoder.bert.encoder.layer.3.crossattention.self.key.bias']),
        rasa=(rasa_state(9), ['visual_encoder.cls_token', 'itm_head.bias']),
        blip=(blip_state(9), ['text_encoder.encoder.layer.0.output.dense.bias', 'text_proj.bias']),
        ctlg=(ctlg, ['model_img.blocks.1.attn.qkv.weight',
                     'model_txt.embeddings.word_embeddings.weight']),
        timm=(timm, ['pos_embed', 'blocks.0.mlp.fc1.bias']))


@pytest.mark.parametrize('wrong', [torch.nan, -torch.inf])
@pytest.mark.parametrize('kind', layouts())
def test_weights_that_are_no_numbers_are_refused(kind, wrong, convert, tmp_path):
    state, (one, other) = dict(layouts()[kind][0]), layouts()[kind][1]
    options = ['--activation', 'gelu'] if kind in ('open_clip', 'hf_clip') else []
    for key in (one, other):
        state[key] = state[key].clone()
        state[key].view(-1)[-1] = wrong
    torch.save(dict(model=state), tmp_path / 'diverged.pth')
    with pytest.raises(BadValue, match=rf'diverged.pth: 2 of its \d+ weights hold NaN or infinity: '
                                       rf'({one}, {other}|{other}, {one})\. Did'):
        convert(kind, tmp_path / 'diverged.pth', tmp_path / 'ours.pth', *options)
    assert not (tmp_path / 'ours.pth').exists()


def test_arrays_that_are_no_numbers_are_refused(convert, tmp_path):
    arrays = to_augreg(random_timm())
    arrays['Transformer/encoder_norm/bias'][0] = np.nan
    np.savez(tmp_path / 'augreg.npz', **arrays)
    with pytest.raises(BadValue, match='1 of its .* holds NaN or infinity: Transformer/encoder_n'):
        convert('augreg', tmp_path / 'augreg.npz', tmp_path / 'ours.pth')


def test_a_siglip_that_is_no_numbers_is_refused(folder, library, convert, tmp_path):  # noqa: F811
    broken = library.state_dict()
    broken['vision_model.head.probe'] = broken['vision_model.head.probe'] * torch.inf
    library.save_pretrained(folder, state_dict=broken)
    with pytest.raises(BadValue, match='1 of its .* holds NaN or infinity: vision_model.head.pro'):
        convert('hf_siglip', folder, tmp_path / 'ours')


def test_a_training_of_ours_is_refused_likewise(convert, tmp_path):
    file = ROOT / 'tests/fixtures/written_by_0_1/runs/pdg/epoch_1.pth'
    run = load_checkpoint_file(file, 'cpu')
    run['state_dict']['image_backbone.ln1.bias'][0] = torch.nan
    run['meta']['cfg'] = run['meta']['cfg'].replace("'drawn/", f"'{file.parents[2]}/drawn/")
    run['message_hub'] = {}  # its history holds what only our reader takes
    torch.save(run, tmp_path / 'epoch_1.pth')
    with pytest.raises(BadValue, match='1 of its .* holds NaN or infinity: image_backbone.ln1.bia'):
        convert('mmtbps', tmp_path / 'epoch_1.pth', tmp_path / 'ours')
    assert not (tmp_path / 'ours').exists()


def test_every_kind_is_tried():
    assert {*layouts(), 'augreg', 'hf_siglip', 'mmtbps'} == {*KINDS}


def test_a_head_of_training_may_be_no_number(tmp_path):
    state = layouts()['irra'][0] | {'classifier.bias': torch.full((5, ), torch.nan)}
    torch.save(state, tmp_path / 'best.pth')
    assert convert_checkpoint('irra', str(tmp_path / 'best.pth')).complete


@pytest.mark.parametrize('content', ['objects', 'words'])
def test_an_archive_of_more_than_numbers_is_refused_in_words_of_ours(content, tmp_path):
    array = np.array([{}]) if content == 'objects' else np.array(['a', 'b'])
    np.savez(tmp_path / 'evil.npz', array)
    with pytest.raises(UnsafeCheckpoint) as refused:
        read_source(str(tmp_path / 'evil.npz'))
    assert str(refused.value) == (
        f'{tmp_path}/evil.npz: refused, because it holds more than arrays of numbers')


@pytest.mark.parametrize('damage', [lambda data: b'no archive', lambda data: b'',
                                    lambda data: data[:-40], lambda data: b'\x80\x04N.',
                                    lambda data: data[:90] + b'\xff' * 40 + data[130:]])
def test_a_damaged_archive_is_one_line_in_words_of_ours(damage, convert, tmp_path):
    np.savez_compressed(tmp_path / 'whole.npz', **to_augreg(random_timm()))
    (tmp_path / 'half.npz').write_bytes(damage((tmp_path / 'whole.npz').read_bytes()))
    with pytest.raises(UserError, match='half.npz: ') as refused:
        convert('augreg', tmp_path / 'half.npz', tmp_path / 'ours.pth')
    assert isinstance(refused.value, BrokenCheckpoint)
    assert 'pickle' not in str(refused.value) and '\n' not in str(refused.value)
