"""The wheel alone, from an empty folder: every command that the README has for photographs."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import urllib.request
import venv
import zipfile
from email import message_from_bytes
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from doc_blocks import ROOT, blocks
from photographs import save_photographs
from PIL import Image
from pretrained_models import save_tiny
from project_file import EXTRAS, SHIPPED
from published_checkpoints import (
    CLIP_COLORS,
    clip_state,
    expected_images,
    expected_texts,
    irra_heads,
    pixels_of,
)

from mmtbps.version import __version__

README = ROOT / 'README.md'
HEADING = '## Search your own photographs'
TEXT = 'a man in a RED coat'
pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    """A source tree as an editable installation leaves it: what the archive names, and links."""
    pytest.importorskip('setuptools', minversion='77')  # which knows expressions of licences
    folder = tmp_path_factory.mktemp('build') / 'source'
    folder.mkdir()
    for name in SHIPPED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name,
                            ignore=shutil.ignore_patterns('.mim', '__pycache__'))
        else:
            shutil.copyfile(ROOT / name, folder / name)
    (folder / 'mmtbps/.mim').mkdir()
    for name in ('tools', 'configs', 'model-index.yml'):
        (folder / 'mmtbps/.mim' / name).symlink_to(f'../../{name}')
    return folder


def build_wheel(source, folder):
    """Build a wheel of a source tree into a folder, in which nothing of the package changes."""
    before = sorted((source / 'mmtbps').rglob('*')), sorted((source / 'mmtbps/.mim').glob('*'))
    subprocess.run([sys.executable, '-m', 'pip', 'wheel', '--quiet', '--no-deps',
                    '--no-build-isolation', '-w', folder, source], check=True)
    assert before == (sorted((source / 'mmtbps').rglob('*')),
                      sorted((source / 'mmtbps/.mim').glob('*')))
    return next(folder.glob('*.whl'))


@pytest.fixture(scope='module')
def wheel(source):
    """A wheel of the source tree."""
    wheel = build_wheel(source, source.parent)
    for link in (source / 'mmtbps/.mim').iterdir():
        assert link.readlink().as_posix() == f'../../{link.name}'
    return wheel


@pytest.fixture(scope='module')
def installed(wheel, tmp_path_factory):
    """An environment with the wheel, which finds all other packages where they are here.

    Returns:
        A function that starts a program of it in a folder.
    """
    place = tmp_path_factory.mktemp('environment')
    environment = {name: value for name, value in os.environ.items() if name != 'PYTHONPATH'}
    environment |= {'HF_HUB_OFFLINE': '1', 'PYTHONIOENCODING': 'utf-8'}
    venv.create(place, symlinks=os.name != 'nt')
    programs = place / ('Scripts' if os.name == 'nt' else 'bin')
    subprocess.run([sys.executable, '-m', 'pip', '--python', programs / 'python', 'install',
                    '--quiet', '--no-deps', '--no-index', wheel], check=True, env=environment)
    own = next(place.glob('**/site-packages'))
    (own / 'shared.pth').write_text('\n'.join(
        path for path in sys.path if path.endswith(('site-packages', 'dist-packages'))))

    def start(program, *words, folder):
        return subprocess.Popen(
            [programs / program, *map(str, words)], cwd=folder, env=environment, text=True,
            encoding='utf-8', stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    return start


@pytest.fixture
def visitor(installed, tmp_path):
    """An empty folder of a visitor, with a space and an accent in its name."""
    folder = tmp_path / 'mes idées'
    folder.mkdir()

    def run(program, *words):
        process = installed(program, *words, folder=folder)
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err[-3000:]
        return out + err

    where = run('python', '-c', 'import mmtbps; print(mmtbps.__file__)')
    assert 'site-packages' in where and str(ROOT) not in where
    return SimpleNamespace(
        folder=folder, run=run, start=lambda *words: installed(*words, folder=folder))


def section():
    """The README's text on photographs: its commands, its Python and its other models."""
    text = README.read_text('utf-8')
    begin = text.index(f'{HEADING}\n')
    end = text.index('\n## ', begin)
    first, last = (text.count('\n', 0, place) for place in (begin, end))
    found = [block for block in blocks(README) if first < block.line <= last]
    commands = [shlex.split(line, comments=True) for block in found if block.language == 'bash'
                for line in block.code.splitlines()]
    return SimpleNamespace(
        commands=[words for words in commands if words[0] != 'pip'],
        python=[block.code for block in found if block.language == 'python'],
        models=re.findall(r'`--model (\S+?)`', text[begin:end]))


def start_page(visitor, words):
    """Start ``serve`` at a free port and ask its page as a program does."""
    from webui_rig import free_port
    process = visitor.start(*words, '--port', free_port())
    try:
        line = process.stdout.readline()
        assert 'The page is at' in line, line + process.stderr.read()
        from gradio_client import Client
        url = re.search(r'http://\S+?(?=;)', line)[0]
        assert b'Person search' in urllib.request.urlopen(url).read()
        return Client(url, verbose=False).predict(text=TEXT, topk=3, api_name='/search')
    finally:
        process.terminate()
        process.communicate()


def test_every_command_of_the_readme(visitor, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / 'tests/search')
    pytest.importorskip('lancedb')
    pytest.importorskip('gradio')
    crops = tmp_path / 'toutes les photos'
    files = save_photographs(crops)
    state = clip_state(193, 'base_model.visual.', 'base_model.')
    torch.save(dict(model=state | irra_heads()), visitor.folder / 'best0.pth')
    pixels = pixels_of(map(Image.open, files), (384, 128), Image.Resampling.BILINEAR, CLIP_COLORS)
    expected = (expected_images(pixels, state, 'base_model.visual.')
                @ expected_texts([TEXT], state, 'base_model.')[0]).tolist()
    expected = dict(zip([path.name for path in files], expected, strict=True))

    readme, pages = section(), []
    assert [words[1] for words in readme.commands] == [
        'models', 'convert', 'index', 'query', 'serve']
    for words in readme.commands:
        words = [str(crops) if word == '/path/to/crops' else word for word in words]
        if words[1] == 'serve':
            pages.append(start_page(visitor, words))
        else:
            visitor.run(*words)
    page = (visitor.folder / 'answer.html').read_text('utf-8')
    assert page.count('<img') == 3 and all(name in page for name in expected)
    assert {hit['file']: hit['score'] for hit in pages[0]} == pytest.approx(expected, abs=1e-4)

    found = json.loads(visitor.run('mmtbps', 'query', 'people.lance', TEXT, '--json'))
    assert {hit['path']: hit['score'] for hit in found[0]['hits']} == pytest.approx(
        expected, abs=1e-4)
    for code in readme.python:
        printed = visitor.run('python', '-c', code).splitlines()
        hits = [line.split()[-1] for line in printed if line[:1].isdigit()]
        assert sorted(hits) == sorted(expected)


def test_the_other_model_of_the_readme(visitor, tmp_path):
    """The model that downloads, with a tiny random CLIP in its place."""
    pytest.importorskip('lancedb')
    crops = tmp_path / 'toutes les photos'
    save_photographs(crops)
    readme = section()
    assert readme.models and all(name.startswith('hf:') for name in readme.models)
    tiny = tmp_path / 'un modèle'
    tiny.mkdir()
    save_tiny(tiny, 'clip')
    for words in readme.commands:
        if words[1] in ('index', 'query'):
            words = [{'/path/to/crops': str(crops), 'person-model': f'hf:{tiny}'}.get(word, word)
                     for word in words]
            visitor.run(*words)
    found = json.loads(visitor.run('mmtbps', 'query', 'people.lance', TEXT, '--json'))[0]['hits']
    from mmtbps.models.dual_encoders import load_dual_encoder
    model = load_dual_encoder(f'hf:{tiny}')
    with torch.no_grad():
        images = model.encode_images([Image.open(crops / hit['path']) for hit in found])
        scores = images @ model.encode_texts([TEXT])[0]
    assert len(found) == 3
    np.testing.assert_allclose([hit['score'] for hit in found], scores, atol=1e-5)


def contents(wheel):
    """Bytes and permissions of every file of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {info.filename: (archive.read(info), info.external_attr)
                for info in archive.infolist()}


def test_a_source_archive_becomes_the_same_wheel(source, wheel, tmp_path):
    """File by file, links of an editable installation and all; it brings tests and docs, too."""
    build = 'from setuptools import build_meta; print(build_meta.build_sdist("dist"))'
    done = subprocess.run([sys.executable, '-c', build], cwd=source, check=True,
                          capture_output=True, text=True)
    with tarfile.open(source / 'dist' / done.stdout.split()[-1]) as archive:
        names = {name.partition('/')[2] for name in archive.getnames()}
        archive.extractall(tmp_path / 'unpacked', filter='data')
    first = contents(wheel)
    second = contents(build_wheel(next((tmp_path / 'unpacked').iterdir()), tmp_path))
    assert sorted(first) == sorted(second)
    assert [name for name in first if first[name] != second[name]] == []
    assert {'mmtbps/.mim/tools/search.py', 'mmtbps/.mim/tools/dist_train.sh', 'mmtbps/py.typed',
            'mmtbps/.mim/model-index.yml'} <= set(first)
    assert {'docs/index.md', 'tests/conftest.py', 'CITATION.cff', '.ci/run'} <= names
    assert not [name for name in names if '.mim' in name or '__pycache__' in name]


def test_a_package_index_would_show(wheel):
    """The fields of the page of a package index, as a build writes them."""
    file, = (name for name in contents(wheel) if name.endswith('.dist-info/METADATA'))
    page = message_from_bytes(contents(wheel)[file][0])
    assert page['Name'] == 'mmtbps' and page['Version'] == __version__
    assert page['License-Expression'] == 'Apache-2.0 AND MIT'
    assert page.get_all('License-File') == [
        'LICENSE', 'mmtbps/datasets/transforms/assets/clip/LICENSE']
    assert page['Requires-Python'] == '>=3.10' and page['Summary'] and page['Keywords']
    assert 'Programming Language :: Python :: 3.13' in page.get_all('Classifier')
    assert page['Description-Content-Type'] == 'text/markdown' and '# mmtbps' in page.get_payload()
    assert set(page.get_all('Provides-Extra')) == set(EXTRAS)
