"""tools/benchmarks/input.py: the plain data set does the same work, and every step has its row."""

import argparse
import importlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from PIL import Image

TOOLS = Path(__file__).parents[2] / 'tools'


@pytest.fixture(autouse=True)
def _same_settings_afterwards():
    logger = MMLogger.get_current_instance()
    before = logger.level, torch.get_num_threads(), cv2.getNumThreads()
    yield
    logger.setLevel(before[0])
    torch.set_num_threads(before[1])
    cv2.setNumThreads(before[2])


@pytest.fixture
def module(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    return lambda name: importlib.import_module(f'benchmarks.{name}')


def test_plain_pixels_are_a_normalised_window(module, tmp_path):
    (tmp_path / 'vocab.txt').write_text('[PAD]\n[UNK]\n[CLS]\n[SEP]\na\nman\n##s')
    Image.new('RGB', (60, 90), (200, 100, 50)).save(tmp_path / 'a.png')
    plain = module('plain_input').PlainInput([(str(tmp_path / 'a.png'), 'A mans hat', 7)],
                                             tmp_path / 'vocab.txt')
    pixels, tokens, mask, person = plain[0]
    assert pixels.shape == (3, 384, 128) and person == 7
    expected = (np.array([200, 100, 50]) / 255 - [.485, .456, .406]) / [.229, .224, .225]
    assert pixels[:, 192, 64].tolist() == pytest.approx(expected.tolist(), abs=.01)
    assert tokens.tolist() == [2, 4, 5, 6, 1, 3] + [0] * 58
    assert mask.tolist() == [1] * 6 + [0] * 58


def test_every_step_is_measured(module):
    benchmark = module('input')
    parser = argparse.ArgumentParser()
    benchmark.add_options(parser)
    rows = benchmark.run(parser.parse_args(
        ['--sizes', 'icfg', '--images', '3', '--workers', '1', '--repeats', '1']))
    assert len({tuple(row) for row in rows}) == 1
    named = [row['what'] for row in rows]
    assert named[:3] == ['plain, all of it', 'seeds, annotation', '+ LoadImageFromFile']
    assert named[-3:] == ['loader of 1, folder', 'loader of 1, packed',
                          'loader of 1, folder, pseudo_collate']
    assert all(row['images a second'] > 0 for row in rows)
