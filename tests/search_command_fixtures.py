"""A pytest plugin: search commands with a model of colours, and a folder with a gallery."""

import shutil
import sys
from pathlib import Path

import pytest

from mmtbps.commands.main import main
from mmtbps.search.encoders import loading as encoders

sys.path.insert(0, str(Path(__file__).with_name('search')))  # fakes.py
from fakes import ColorEncoder, paint_folder  # noqa: E402


@pytest.fixture
def call(monkeypatch, capsys):
    """A function that runs a command with a model of colours; gives exit code, stdout, stderr."""
    monkeypatch.setattr(encoders, 'load_encoder', load_colors)

    def run(*words):
        code = 0
        try:
            main([str(word) for word in words])
        except SystemExit as error:
            code = error.code
        return (code, *capsys.readouterr())

    return run


def load_colors(model, weights=None, device=None, notify=None):
    """A model is a file here, also in a folder, and its content what distinguishes it."""
    file = Path(weights or Path(model, 'weights.pth'))
    encoder = ColorEncoder()
    encoder.fingerprint = dict(ColorEncoder.fingerprint, model=file.read_text())
    encoder.save_pretrained = lambda folder: shutil.copy(file, Path(folder, 'weights.pth'))
    return encoder


@pytest.fixture
def home(tmp_path):
    """A folder with crops, a table of them, a config and weights."""
    paint_folder(tmp_path / 'crops', 'red', 'blue', 'red-blue', 'green')
    (tmp_path / 'crops.csv').write_text(
        'path,camera,time,coat\nred.png,c1,2024-01-10,red\nblue.png,c2,2024-01-20,blue\n'
        'green.png,c3,2024-02-01,green\ngone.png,c1,,\n')
    (tmp_path / 'config.py').write_text('')
    (tmp_path / 'weights.pth').write_text('first')
    return tmp_path


@pytest.fixture
def indexed(home, call):
    """The folder with a gallery ``people``."""
    code, out, err = call('index', home / 'people', home / 'crops', '--config', home / 'config.py',
                          '--weights', home / 'weights.pth', '--metadata', home / 'crops.csv')
    assert code == 0, err
    assert '4 indexed, 0 unchanged; 4 in all' in out
    assert '1 rows of' in err and 'gone.png' in err
    return home
