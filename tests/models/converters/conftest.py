"""The command that converts, and pictures to compare features on."""

import numpy as np
import pytest
from PIL import Image

from mmtbps.commands import convert as command
from mmtbps.commands.main import read_words
from mmtbps.commands.wording.json_answers import json_alone
from mmtbps.search.encoders import TorchEncoder


@pytest.fixture
def convert(capsys):
    """Run the command without its handling of errors; gives what it prints."""
    def run(*words):
        with json_alone('--json' in words):
            command.run(read_words('convert', [*map(str, words)]))
        return capsys.readouterr().out
    return run


@pytest.fixture
def open_folder(monkeypatch, tmp_path_factory):
    """Open a model folder from another working directory."""
    def open_it(folder):
        monkeypatch.chdir(tmp_path_factory.mktemp('elsewhere'))
        return TorchEncoder.from_pretrained(folder, device='cpu', batch_size=2)
    return open_it


@pytest.fixture(scope='session')
def crops():
    """Three crops of people's shape."""
    noise = np.random.default_rng(0)
    return [Image.fromarray(noise.integers(0, 256, (90, 40, 3), dtype=np.uint8)).resize((50, 120))
            for _ in range(3)]
