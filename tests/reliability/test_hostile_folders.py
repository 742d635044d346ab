"""Galleries and model folders that come from strangers: refused with the file and the reason."""

import json
import os
import shutil

import numpy as np
import pytest
from mmengine.config import Config
from safetensors.numpy import save
from tiny_models import shrink

from mmtbps.config_file import read_config
from mmtbps.search.encoders.torch_encoder import TorchEncoder
from mmtbps.search.galleries import GalleryEntry, open_gallery

pytestmark = pytest.mark.usefixtures('limited')

SHIPPED = 'vit_bert_pdg_drawn'


# ------------------------------------------------------------------ galleries
@pytest.fixture(scope='module')
def gallery(tmp_path_factory):
    """A gallery in a folder, and the name of its one part."""
    folder = tmp_path_factory.mktemp('gallery') / 'people'
    people = open_gallery(str(folder), dict(model='1' * 64, pipeline='2' * 64, dim=12))
    people.upsert([GalleryEntry(str(i), f'{i}.jpg') for i in range(2)],
                  np.eye(12, dtype=np.float32)[:2])
    return folder, next(folder.glob('part-*.json')).stem


def features(values):
    return save({'features': np.asarray(values)})


#: A value by field of an entry that is of another kind.
ODD = dict(id=5, path=None, size='79', sha256=5, camera=['c1'], time=1e300, track=3, frame='7',
           box='0055', extra=dict(coat=5), mtime_ns=[1])
#: What of a gallery is changed: a file (None is a part's), and keys or bytes.
GALLERIES = {
    'empty': ('gallery.json', b''), 'list': ('gallery.json', b'[]'),
    'deep': ('gallery.json', b'[' * 100_000), 'parts a number': ('gallery.json', dict(parts=3)),
    'parts outside': ('gallery.json', dict(parts=['../../x'])),
    'parts numbers': ('gallery.json', dict(parts=[3])),
    'a part that is gone': ('gallery.json', dict(parts=['part-00'])),
    'no fingerprint': ('gallery.json', dict(fingerprint=None)),
    'dim negative': ('gallery.json', dict(fingerprint=dict(dim=-1))),
    'dim huge': ('gallery.json', dict(fingerprint=dict(dim=10**12))),
    'dim a fraction': ('gallery.json', dict(fingerprint=dict(dim=12.))),
    'schema': ('gallery.json', dict(schema=[])),
    'deep part': ('.json', b'[' * 100_000), 'entries an object': ('.json', dict(entries={})),
    'entries numbers': ('.json', dict(entries=[1, 2])), 'removed': ('.json', dict(removed=3)),
    'an entry twice': ('.json', dict(entries=[dict(id='0', path='0.jpg')] * 2)),
    **{f'an odd {key}': ('.json', dict(entries=[
        dict(id='0', path='0.jpg'), dict(id='1', path='1.jpg') | {key: value}]))
       for key, value in ODD.items()},
    'an entry less': ('.json', dict(entries=[dict(id='0', path='0.jpg')])),
    'NaN': ('.safetensors', features(np.full((2, 12), np.nan, np.float32))),
    'other size': ('.safetensors', features(np.ones((2, 3), np.float32))),
    'one row less': ('.safetensors', features(np.ones((1, 12), np.float32))),
    'integers': ('.safetensors', features(np.ones((2, 12), np.int64))),
    'no features': ('.safetensors', save({'x': np.ones((2, 12), np.float32)})),
    'no archive': ('.safetensors', b'PK'), 'a pipe': ('.safetensors', None),
    'a pipe of parts': ('gallery.json', None)}


@pytest.mark.parametrize('name', GALLERIES)
def test_a_hostile_gallery_is_refused(name, gallery, refusal, tmp_path):
    file, content = GALLERIES[name]
    folder = tmp_path / 'people'
    shutil.copytree(gallery[0], folder)
    path = folder / (file if file == 'gallery.json' else gallery[1] + file)
    if content is None:
        path.unlink()
        os.mkfifo(path)
    elif isinstance(content, dict):
        path.write_text(json.dumps(json.loads(path.read_text()) | content))
    else:
        path.write_bytes(content)
    said = refusal(lambda: open_gallery(str(folder)).search(np.eye(1, 12, dtype=np.float32), 1))
    assert str(path if file == 'gallery.json' else folder / gallery[1]) in said


def test_the_gallery_they_are_made_of_is_opened(gallery):
    (hit, ), = open_gallery(str(gallery[0])).search(np.eye(12, dtype=np.float32)[1:2], 1)
    assert hit.entry.id == '1'


# ------------------------------------------------------------------ model folders
@pytest.fixture(scope='module')
def model(micro_set, tmp_path_factory):
    """A model folder of ours."""
    work = tmp_path_factory.mktemp('model')
    cfg = shrink(read_config(SHIPPED), micro_set, work)
    TorchEncoder(Config(cfg._cfg_dict), weights='random', device='cpu').save_pretrained(
        work / 'model')
    return work / 'model'


#: Where a size stands in the settings of a folder.
SIZES = {
    'img_size': lambda settings: settings['retriever']['image_backbone'],
    'embed_dims': lambda settings: settings['retriever']['image_backbone']['arch'],
    'num_layers': lambda settings: settings['retriever']['image_backbone']['arch'],
    'vocab_size': lambda settings: settings['retriever']['text_backbone']['config'],
    'num_hidden_layers': lambda settings: settings['retriever']['text_backbone']['config'],
    'scale': lambda settings: next(step for step in settings['test_pipeline'] if 'scale' in step)}


@pytest.mark.parametrize('key', SIZES)
@pytest.mark.parametrize('value', [10**12, -1, 0, 'x', 1.5])
def test_a_folder_of_impossible_sizes_is_refused(key, value, model, refusal, tmp_path):
    folder = tmp_path / 'model'
    shutil.copytree(model, folder)
    settings = json.loads((folder / 'config.json').read_text())
    SIZES[key](settings)[key] = [value, value] if key in ('img_size', 'scale') else value
    (folder / 'config.json').write_text(json.dumps(settings))
    said = refusal(lambda: TorchEncoder.from_pretrained(folder, device='cpu'))
    assert f'model/config.json: {key} must be a whole number from 1 to ' in said


@pytest.mark.parametrize('content, reason', [
    (b'', 'not what save_pretrained writes'), (b'[]', 'not what save_pretrained writes'),
    (b'[' * 100_000, 'not what save_pretrained writes'),
    (dict(auto_map=dict(AutoModel='evil.Model')), 'auto_map'),
    (dict(test_pipeline=3), 'must be a list of transforms'),
    (dict(retriever=[]), 'it has no encode_image'),
    (dict(retriever=dict(type='os.system', command='touch hacked')), 'no registered class')])
def test_a_folder_of_hostile_settings_is_refused(content, reason, model, refusal, tmp_path):
    folder = tmp_path / 'model'
    shutil.copytree(model, folder)
    path = folder / 'config.json'
    if isinstance(content, dict):
        content = json.dumps(json.loads(path.read_text()) | content).encode()
    path.write_bytes(content)
    assert reason in refusal(lambda: TorchEncoder.from_pretrained(folder, device='cpu'))


def test_a_folder_of_transformers_with_code_or_impossible_sizes_is_refused(refusal, tmp_path):
    from mmtbps.models.dual_encoders import load_dual_encoder
    (tmp_path / 'evil.py').write_text('import os\nos.system("touch hacked")\n')
    for config, reason in (
            (dict(model_type='evil', auto_map=dict(AutoConfig='evil.C', AutoModel='evil.M')), ''),
            (dict(model_type='clip', vision_config=dict(num_hidden_layers=10**9)),
             'num_hidden_layers must be a whole number from 1 to 512'),
            (dict(model_type='clip', text_config=dict(hidden_size=-1)), 'hidden_size must be')):
        (tmp_path / 'config.json').write_text(json.dumps(config))
        assert reason in refusal(lambda: load_dual_encoder(f'hf:{tmp_path}'))
