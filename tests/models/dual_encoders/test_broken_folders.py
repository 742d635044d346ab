"""Folders of transformers that are half broken: one line each, never features of something else."""

import json
import shutil

import pytest
from PIL import Image

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


def test_colors_that_do_not_serve_are_named(folders, tmp_path):
    model = load_dual_encoder(change(tmp_path, folders('clip'), 'preprocessor_config.json',
                                     image_mean=[.5], image_std=[.5]), aspect='stretch')
    with pytest.raises(BadValue, match='its preprocessor_config.json does not serve'):
        model.encode_images([Image.new('RGB', (6, 16))])
