"""Folders for other libraries: these alone, in a process of their own, give our features."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import transformers
from PIL import Image
from pretrained_models import SENTENCES, save_tiny

from mmtbps.errors import BadValue, UserError
from mmtbps.search.encoders import PretrainedEncoder
from mmtbps.search.encoders.hub_folders import MAX_DIFFERENCE, export_hub_folder
from mmtbps.search.media.images import read_image

TOOL = 'tools/export.py'
#: The tiny models of most families are built by transformers 5.
FIVE = int(transformers.__version__.split('.')[0]) >= 5
NEEDS_FIVE = pytest.mark.skipif(not FIVE, reason='needs transformers 5')
#: The use that the cards of the folders show, for every folder that is named.
LIBRARY = '''
import json, sys
import numpy as np, torch
from PIL import Image, ImageOps
from transformers import AutoModel, AutoProcessor
assert not {'mmtbps', 'mmengine', 'mmcv'} & {*sys.modules}
images = [ImageOps.exif_transpose(Image.open(name)).convert('RGB')
          for name in sys.argv[2].split(',')]
texts = json.loads(sys.argv[1])
for folder in sys.argv[3:]:
    model = AutoModel.from_pretrained(folder, trust_remote_code=False).eval()
    processor = AutoProcessor.from_pretrained(folder, trust_remote_code=False, backend='pil')
    option = dict(interpolate_pos_encoding=True) if 'upright' in folder else {}
    with torch.inference_mode():
        pixels = processor(images=images, return_tensors='pt')
        found = dict(
            images=model.get_image_features(**pixels, **option),
            texts=model.get_text_features(**processor(text=texts, return_tensors='pt')))
    np.savez(f'{folder}.npz', **{side: torch.nn.functional.normalize(
        getattr(each, 'pooler_output', each)).numpy() for side, each in found.items()})
'''
SENTENCE_TRANSFORMERS = '''
import json, sys
import numpy as np, transformers
from pathlib import Path
from PIL import Image, ImageOps
from sentence_transformers import SentenceTransformer
images = [ImageOps.exif_transpose(Image.open(name)).convert('RGB')
          for name in sys.argv[2].split(',')]
texts = json.loads(sys.argv[1])
for folder in sys.argv[3:]:
    if transformers.__version__ < '5':  # as the card says
        settings = Path(folder, 'sentence_bert_config.json')
        settings.write_text(settings.read_text().replace('"pooler_output"', 'null'))
    model = SentenceTransformer(folder, device='cpu')
    option = dict(interpolate_pos_encoding=True) if 'upright' in folder else {}
    np.savez(f'{folder}.npz', images=model.encode(images, **option), texts=model.encode(texts))
'''
JAVASCRIPT = '''
const {env, AutoProcessor, AutoTokenizer, RawImage, ...library} =
  require('@huggingface/transformers');
const fs = require('node:fs');
env.allowRemoteModels = false;
env.localModelPath = './';
const [captions, pictures, ...folders] = process.argv.slice(1);
const rows = (embeds) => embeds.normalize().tolist();
(async () => {
  const images = await Promise.all(pictures.split(',').map((file) => RawImage.read(file)));
  for (const folder of folders) {
    const siglip = folder.startsWith('siglip');
    const kind = siglip ? ['SiglipVisionModel', 'SiglipTextModel']
      : ['CLIPVisionModelWithProjection', 'CLIPTextModelWithProjection'];
    const [vision, text] = await Promise.all(
      kind.map((name) => library[name].from_pretrained(folder, {dtype: 'fp32'})));
    const processor = await AutoProcessor.from_pretrained(folder);
    const tokenizer = await AutoTokenizer.from_pretrained(folder);
    const words = tokenizer(JSON.parse(captions),
      {padding: siglip ? 'max_length' : true, truncation: true});
    fs.writeFileSync(folder + '.json', JSON.stringify({
      images: rows((await vision(await processor(images))).image_embeds),
      texts: rows((await text(words)).text_embeds)}));
  }
})();
'''
CAPTIONS = [*SENTENCES, ' '.join(SENTENCES * 9), 'A  RED_coat, a T-shirt &amp; 2 bags; (blue)!',
            'a <|endoftext|> man & “so” on']


@pytest.fixture(scope='module')
def pictures(tmp_path_factory):
    folder, noise = tmp_path_factory.mktemp('pictures'), np.random.default_rng(0)
    for name in 'abc':
        Image.fromarray(noise.integers(0, 256, (8, 4, 3), np.uint8)).resize(
            (50, 120), Image.Resampling.BICUBIC).save(folder / f'{name}.png')
    first, turned = Image.open(folder / 'a.png'), Image.Exif()
    turned[274] = 6  # by a quarter
    first.transpose(Image.Transpose.ROTATE_90).save(folder / 'turned.jpg', exif=turned, quality=99)
    first.convert('L').save(folder / 'grey.png')
    first.convert('P').resize((300, 90)).save(folder / 'wide.png')
    return sorted(folder.iterdir())


def run_elsewhere(code, folder, pictures, names, python=sys.executable):
    """Run a program that has the library, and not us; return what it wrote for each name."""
    done = subprocess.run(
        [python, '-P', '-c', code, json.dumps(CAPTIONS), ','.join(map(str, pictures)), *names],
        cwd=folder, capture_output=True, text=True,
        env={key: value for key, value in os.environ.items() if key != 'PYTHONPATH'})
    assert done.returncode == 0, done.stderr
    return {name: np.load(folder / f'{name}.npz') for name in names}


def assert_ours(encoders, pictures, found):
    images = [read_image(path) for path in pictures]
    for name, features in found.items():
        for ours, theirs in ((encoders[name].encode_images(images), features['images']),
                             (encoders[name].encode_texts(CAPTIONS), features['texts'])):
            assert np.linalg.norm(ours - theirs, axis=1).max() < 1e-5, name
            assert np.linalg.norm(ours[0] - ours[1]) > .01, 'rows should differ'


@pytest.mark.parametrize('name', ['clip_square', 'clip_upright', 'siglip_upright', pytest.param(
    'library', marks=NEEDS_FIVE)])
def test_a_folder_is_whole_and_its_features_are_ours(encoders, name, tmp_path):
    done = export_hub_folder(encoders[name], tmp_path / name, captions=CAPTIONS)
    assert max(done['check'].values()) < 1e-5 and {
        'README.md', 'config.json', 'model.safetensors', 'preprocessor_config.json',
        'tokenizer.json', 'tokenizer_config.json'} <= done['files'].keys()
    assert done['resized_positions'] == ('upright' in name)
    assert ('NOTICE.md' in done['files']) == name.startswith('clip')  # of CLIP's own tokenizer
    card = (tmp_path / name / 'README.md').read_text()
    assert ('interpolate_pos_encoding=True' in card) == done['resized_positions']
    compile(re.search(r'```python\n(.*?)```', card, re.DOTALL)[1], 'card', 'exec')


@pytest.mark.slow
def test_transformers_alone_gives_our_features(encoders, pictures, tmp_path):
    for name, encoder in encoders.items():
        export_hub_folder(encoder, tmp_path / name)
    assert_ours(encoders, pictures, run_elsewhere(LIBRARY, tmp_path, pictures, encoders))


@pytest.mark.slow
@pytest.mark.skipif(not find_spec('sentence_transformers'),
                    reason='needs sentence-transformers 5.4 or later')
def test_sentence_transformers_alone_gives_our_features(encoders, pictures, tmp_path):
    for name, encoder in encoders.items():
        export_hub_folder(encoder, tmp_path / name, 'sentence-transformers')
    assert_ours(encoders, pictures,
                run_elsewhere(SENTENCE_TRANSFORMERS, tmp_path, pictures, encoders))


def has_transformers_js():
    node = shutil.which('node')
    return bool(node) and not subprocess.run(
        [node, '-e', "require.resolve('@huggingface/transformers')"], capture_output=True
        ).returncode


@pytest.mark.slow
@pytest.mark.skipif(not has_transformers_js(), reason='needs node, and NODE_PATH to a node_modules '
                    'into which npm has installed @huggingface/transformers')
def test_transformers_js_gives_our_features(encoders, pictures, tmp_path):
    pytest.importorskip('onnxscript')
    names = [name for name in encoders if name != 'library']  # one more of its kind
    for name in names:
        export_hub_folder(encoders[name], tmp_path / name, 'transformers.js')
    # JavaScript resizes otherwise than Pillow, so each model has pictures of its own size.
    for name in names:
        size = encoders[name].model.image_backbone.img_size[::-1]
        own = []
        for path in pictures[:3]:
            own.append(tmp_path / f'{name}_{path.name}')
            Image.open(path).resize(size, Image.Resampling.BICUBIC).save(own[-1])
        done = subprocess.run(['node', '-e', JAVASCRIPT, json.dumps(CAPTIONS),
                               ','.join(map(str, own)), name],
                              cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found = json.loads((tmp_path / f'{name}.json').read_text())
        assert_ours(encoders, own, {name: {side: np.array(rows) for side, rows in found.items()}})


def test_the_files_of_sentence_transformers(encoders, tmp_path):
    done = export_hub_folder(encoders['siglip_upright'], tmp_path / 'x', 'sentence-transformers')
    first, last = json.loads((tmp_path / 'x/modules.json').read_text())
    assert first['kwargs'] == ['interpolate_pos_encoding']
    assert (tmp_path / 'x' / last['path'] / 'config.json').is_file()
    settings = json.loads((tmp_path / 'x/sentence_bert_config.json').read_text())
    assert settings['processing_kwargs'] == dict(text=dict(
        padding='max_length', truncation=True, max_length=20))
    assert settings['processor_kwargs'] == dict(backend='pil'), 'torchvision gives other pixels'
    assert 'SentenceTransformer(' in (tmp_path / 'x/README.md').read_text()
    assert 'config.json' in done['files']


@NEEDS_FIVE
def test_a_family_that_transformers_js_does_not_know_is_refused(tmp_path):
    save_tiny(tmp_path / 'chinese_clip', 'chinese_clip')
    encoder = PretrainedEncoder(f'hf:{tmp_path / "chinese_clip"}', 'cpu', aspect='stretch')
    with pytest.raises(BadValue, match='chinese_clip: no class of Transformers.js'):
        export_hub_folder(encoder, tmp_path / 'out', 'transformers.js')


@NEEDS_FIVE
@pytest.mark.parametrize('kind, aspect', [
    ('siglip', 'stretch'), ('siglip2', None), ('metaclip_2', 'processor'),
    ('chinese_clip', 'stretch'), ('altclip', 'stretch'), ('align', 'processor')])
def test_every_family_that_is_promised_gives_the_features(kind, aspect, tmp_path):
    save_tiny(tmp_path / kind, kind)
    encoder = PretrainedEncoder(f'hf:{tmp_path / kind}', 'cpu', aspect=aspect)
    assert max(export_hub_folder(encoder, tmp_path / 'out')['check'].values()) < 1e-5


@NEEDS_FIVE
@pytest.mark.parametrize('kind, options, reason', [
    ('clip', {}, 'aspect letterbox .* no processor of transformers pads'),
    ('clip', dict(aspect='stretch', prompts=['a photo of {}']), 'with prompts'),
    ('align', dict(aspect='stretch'), 'resizes a second time'),
    ('blip', dict(aspect='stretch'), 'not of BlipForImageTextRetrieval')])
def test_what_a_folder_cannot_say_is_refused(kind, options, reason, tmp_path):
    save_tiny(tmp_path / kind, kind)
    encoder = PretrainedEncoder(f'hf:{tmp_path / kind}', 'cpu', **options)
    with pytest.raises(BadValue, match=f'{kind} .*cannot be exported: .*{reason}|{reason}'):
        export_hub_folder(encoder, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_another_architecture_and_another_feature_are_refused(
        tiny_encoder, encoders, tmp_path, monkeypatch):
    with pytest.raises(BadValue, match='no class for this model: its image tower is a OverlapViT'):
        export_hub_folder(tiny_encoder, tmp_path / 'out')
    encoder = encoders['clip_square']
    features = encoder.encode_texts
    monkeypatch.setattr(encoder, 'encode_texts', lambda texts: features(texts) * np.float32(
        1 + 2 * MAX_DIFFERENCE))
    with pytest.raises(BadValue, match='other features: the largest difference is .* of capt'):
        export_hub_folder(encoder, tmp_path / 'out')
    assert list(tmp_path.iterdir()) == []
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out/mine').touch()
    with pytest.raises(UserError, match='remove it or name another folder'):
        export_hub_folder(encoder, tmp_path / 'out')


def test_an_exported_square_is_a_model_of_transformers_here_too(encoders, pictures, tmp_path):
    export_hub_folder(encoders['clip_square'], tmp_path / 'out')
    again = PretrainedEncoder(f'hf:{tmp_path / "out"}', 'cpu', aspect='processor')
    images = [Image.open(path) for path in pictures]
    for mine, theirs in ((encoders['clip_square'].encode_images(images),
                          again.encode_images(images)),
                         (encoders['clip_square'].encode_texts(CAPTIONS),
                          again.encode_texts(CAPTIONS))):
        assert np.linalg.norm(mine - theirs, axis=1).max() < 1e-5


def test_the_tool_writes_a_folder_and_says_what_it_needs(tool, encoders, tmp_path, capsys, refused):
    encoders['siglip_upright'].save_pretrained(tmp_path / 'model')
    words = ['--model', str(tmp_path / 'model'), '--format', 'transformers', str(tmp_path / 'out')]
    with refused('--int8 is of --format onnx, not of transformers: leave one of them out'):
        tool.main([*words, '--int8'])
    with refused('--evaluate and --cfg-options need a CONFIG'):
        tool.main([*words, '--evaluate'])
    with refused('--evaluate is of --format onnx: .*leave --evaluate out, or name --images'):
        tool.main(['c.py', 'c.pth', str(tmp_path / 'out'), '--evaluate', *words[2:4]])
    tool.main(words)
    said = capsys.readouterr().out
    assert 'model.safetensors: ' in said and 'give interpolate_pos_encoding=True' in said
    assert json.loads((tmp_path / 'out/config.json').read_text())['model_type'] == 'siglip'
    with refused('out exists; remove it or name another folder'):
        tool.main(words)
