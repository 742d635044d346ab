"""The command with a detector of transformers on the actors of Ray."""

import json

import numpy as np
import pytest
from ray_rig import command_on_ray
from test_detector import LUCK, photographs, save_detector

from mmtbps.commands.main import run_command
from mmtbps.search.galleries.factory import open_gallery

pytest_plugins = 'named_model_fixtures'  # `folders`


@pytest.mark.slow
def test_the_command_finds_the_people_of_one_process(folders, tmp_path):
    (tmp_path / 'photos').mkdir()
    (tmp_path / 'detector').mkdir()
    for number, photograph in enumerate(photographs()):
        photograph.save(tmp_path / f'photos/{number}.png')
    words = [str(tmp_path / 'photos'), '--model', f'hf:{folders("siglip")}', '--detector',
             str(save_detector(tmp_path / 'detector')), '--threshold', str(LUCK['rt_detr'][2]),
             '--commit-every', '1', '--batch-size', '1', '--device', 'cpu', '--quiet']
    code, out, said = command_on_ray('index', 'ray.lance', *words, '--json', cwd=tmp_path)
    assert code == 0, said[-4000:]
    run_command('index', [str(tmp_path / 'one.lance'), *words])
    one, there = (open_gallery(tmp_path / name) for name in ('one.lance', 'ray.lance'))
    ids = sorted(entry.id for entry in one.entries())
    assert json.loads(out)['indexed'] == there.count() == len(ids) > 2
    assert there.get(ids)[0] == one.get(ids)[0]
    np.testing.assert_allclose(there.get(ids)[1], one.get(ids)[1], atol=1e-5)
