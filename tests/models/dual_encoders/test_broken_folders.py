"""Folders of transformers that are half broken: one line each, never features of something else."""

import json
import shutil

import pytest
import torch
from pretrained_models import KINDS
from safetensors.torch import load_file, save_file

from mmtbps.errors import BadValue, UserError
from mmtbps.models.dual_encoders import load_dual_encoder

pytest_plugins = 'named_model_fixtures'  # `folders`


def change(folder, source, file, **values):
    """A copy of a folder with settings of a file changed."""
    shutil.copytree(source, folder, dirs_exist_ok=True)
    settings = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps({**settings, **values}))
    return folder


def test_weights_of_another_shape_than_the_config_says_are_refused(folders, tmp_path):
    settings = json.loads((folders('clip') / 'config.json').read_text())
    settings['text_config']['hidden_size'] = 64
    change(tmp_path, folders('clip'), 'config.json', text_config=settings['text_config'])
    with pytest.raises(BadValue, match='are missing or of another shape, first text_model'):
        load_dual_encoder(tmp_path)


@pytest.mark.parametrize('kind', ['clip', 'siglip', 'siglip2', 'chinese_clip'])
def test_a_folder_without_a_vocabulary_is_refused(kind, folders, tmp_path):
    for path in folders(kind).iterdir():
        if path.name != 'tokenizer.json':
            (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(BadValue, match='reads every text alike|backend tokenizer'):
        load_dual_encoder(tmp_path)


def test_a_folder_has_no_revision(folders):
    with pytest.raises(BadValue, match='a folder has no revisions; leave @main out'):
        load_dual_encoder(f'hf:{folders("clip")}@main')


@pytest.mark.parametrize('file', ['config.json', 'preprocessor_config.json', 'tokenizer.json',
                                  'tokenizer_config.json'])
@pytest.mark.parametrize('content', ['[]', 'null', '3', '{'])
def test_a_file_of_a_folder_that_is_no_json_object_is_one_line(folders, tmp_path, file, content):
    for path in folders('clip').iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / file).write_text(content)
    with pytest.raises(UserError):
        load_dual_encoder(f'hf:{tmp_path}')


@pytest.mark.parametrize('key, values, words', [
    ('image_mean', [.5], 'of 0 to 1'), ('image_mean', [.5, .5, float('nan')], 'of 0 to 1'),
    ('image_mean', [.5, -.1, .5], 'of 0 to 1'), ('image_mean', [123., 117., 104.], 'of 0 to 1'),
    ('image_mean', .5, 'of 0 to 1'), ('image_std', [.5, .5, .5, .5], 'above 0'),
    ('image_std', [.5, 0, .5], 'above 0'), ('image_std', [.5, .5, -1.], 'above 0'),
    ('image_std', [float('inf'), .5, .5], 'above 0'), ('image_std', ['.5', .5, .5], 'above 0')])
@pytest.mark.parametrize('kind', ['clip', 'siglip2', 'blip'])
def test_colors_that_do_not_serve_are_named(kind, key, values, words, folders, tmp_path):
    change(tmp_path, folders(kind), 'preprocessor_config.json', **{key: values})
    with pytest.raises(BadValue, match=f': {key} in its preprocessor_config.json must be three '
                                       f'numbers {words}, got'):
        load_dual_encoder(tmp_path)


def test_colors_that_no_pixel_is_normalised_by_may_be_any(folders, tmp_path):
    load_dual_encoder(change(tmp_path, folders('clip'), 'preprocessor_config.json',
                             do_normalize=False, image_std=[0, 0, 0]))


@pytest.mark.parametrize('kind', sorted({*KINDS} - {'siglip2', 'align'}))
@pytest.mark.parametrize('aspect', ['letterbox', 'processor'])
def test_a_processor_of_another_size_than_the_models_is_refused(kind, aspect, folders, tmp_path):
    settings = json.loads((folders(kind) / 'preprocessor_config.json').read_text())
    larger = {key: dict.fromkeys(settings[key], 48) for key in ('size', 'crop_size')
              if key in settings}
    change(tmp_path, folders(kind), 'preprocessor_config.json', **larger)
    with pytest.raises(BadValue, match='its preprocessor_config.json makes pictures of 48 x 48, its'
                                       ' image tower takes 32 x 32'):
        load_dual_encoder(tmp_path, aspect=aspect)


def test_a_processor_that_cuts_no_square_is_refused_where_it_acts_alone(folders, tmp_path):
    change(tmp_path, folders('clip'), 'preprocessor_config.json', do_center_crop=False)
    load_dual_encoder(tmp_path)  # what is letterboxed is a square already
    with pytest.raises(BadValue, match='makes pictures of 80 x 32, its image tower takes 32 x 32'):
        load_dual_encoder(tmp_path, aspect='processor')


def test_a_processor_of_other_patches_than_the_models_is_refused(folders, tmp_path):
    change(tmp_path, folders('siglip2'), 'preprocessor_config.json', patch_size=4)
    with pytest.raises(BadValue, match='makes patches of 48 numbers, its image tower takes 192'):
        load_dual_encoder(tmp_path)


@pytest.mark.parametrize('kind, half', [
    *((kind, 'text_config') for kind in KINDS),
    *((kind, 'vision_config') for kind in KINDS if kind != 'align')])  # it has blocks of many sizes
def test_fewer_layers_in_the_config_than_in_the_weights_are_refused(kind, half, folders, tmp_path):
    settings = json.loads((folders(kind) / 'config.json').read_text())[half]
    if (kind, half) == ('tipsv2', 'vision_config'):
        few = dict(num_hidden_layers=1, out_features=['stage1'], out_indices=[1],
                   stage_names=['stem', 'stage1'])
    else:
        few = dict(num_hidden_layers=1)
    change(tmp_path, folders(kind), 'config.json', **{half: {**settings, **few}})
    with pytest.raises(BadValue, match=r'its weights hold \d+ that \w+ does not use by its '
                                       r'config.json, first \S+\.1\.'):
        load_dual_encoder(tmp_path)


@pytest.mark.parametrize('kind, key', [
    ('clip', 'text_model.embeddings.position_ids'),
    ('chinese_clip', 'text_model.pooler.dense.weight'),
    ('siglip', 'vision_model.embeddings.position_ids')])
def test_what_no_feature_depends_on_may_be_left_over(kind, key, folders, tmp_path):
    file = change(tmp_path, folders(kind), 'config.json') / 'model.safetensors'
    save_file({**load_file(file), key: torch.ones(3)}, file, dict(format='pt'))
    torch.testing.assert_close(load_dual_encoder(tmp_path).encode_texts(['a red coat']),
                               load_dual_encoder(folders(kind)).encode_texts(['a red coat']))
    save_file({**load_file(file), 'adapter.weight': torch.ones(3)}, file, dict(format='pt'))
    with pytest.raises(BadValue, match='hold 1 that .* first adapter.weight'):
        load_dual_encoder(tmp_path)


@pytest.mark.parametrize('kind', KINDS)
def test_weights_that_are_no_numbers_are_refused(kind, folders, tmp_path):
    file = change(tmp_path, folders(kind), 'config.json') / 'model.safetensors'
    weights = load_file(file)
    name = sorted(name for name in weights if weights[name].is_floating_point())[7]
    weights[name].view(-1)[0] = torch.nan
    save_file(weights, file, dict(format='pt'))
    with pytest.raises(BadValue, match=r'1 of its \d+ weights holds NaN or infinity: '):
        load_dual_encoder(tmp_path)


@pytest.mark.parametrize('kind', KINDS)
def test_a_folder_without_the_settings_of_its_tokenizer_is_refused(kind, folders, tmp_path):
    (change(tmp_path, folders(kind), 'config.json') / 'tokenizer_config.json').unlink()
    if kind == 'chinese_clip':  # is published so
        torch.testing.assert_close(load_dual_encoder(tmp_path).encode_texts(['A red coat', 'man']),
                                   load_dual_encoder(folders(kind)).encode_texts(
                                       ['A red coat', 'man']))
        return
    with pytest.raises(BadValue, match='tokenizer_config.json of its tokenizer is not in the fold'):
        load_dual_encoder(tmp_path)


@pytest.mark.parametrize('file', ['vocab.json', 'merges.txt'])
def test_half_a_vocabulary_is_refused(file, folders, tmp_path):
    change(tmp_path, folders('clip'), 'config.json')
    words = json.loads((tmp_path / 'tokenizer.json').read_text())['model']
    (tmp_path / 'vocab.json').write_text(json.dumps(words['vocab']))
    (tmp_path / 'merges.txt').write_text('#version: 0.2\n' + ''.join(
        f'{" ".join(pair)}\n' for pair in words['merges']))
    (tmp_path / 'tokenizer.json').unlink()
    torch.testing.assert_close(load_dual_encoder(tmp_path).encode_texts(['a red coat', 'man']),
                               load_dual_encoder(folders('clip')).encode_texts(
                                   ['a red coat', 'man']))
    (tmp_path / file).unlink()
    with pytest.raises(BadValue, match=f': {file} of its tokenizer is not in the folder'):
        load_dual_encoder(tmp_path)
