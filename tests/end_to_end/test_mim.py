"""The commands of ``mim`` on this package, where both are installed."""

import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys

import pytest
from doc_blocks import ROOT

CONFIG = ROOT / 'configs/tbps/vit_bert_base_drawn.py'
QUICK = ['train_cfg.max_epochs=1', 'train_dataloader.batch_size=24',
         *(f'{name}_dataloader.num_workers=0' for name in ('train', 'val', 'test'))]


def editable():
    try:
        source = importlib.metadata.distribution('mmtbps').read_text('direct_url.json')
    except importlib.metadata.PackageNotFoundError:
        return False
    return bool(source and json.loads(source).get('dir_info', {}).get('editable'))


pytestmark = [pytest.mark.slow, pytest.mark.skipif(
    importlib.util.find_spec('mim') is None or not editable(),
    reason='needs onedl-mim and an editable install of mmtbps')]


def mim(folder, *words):
    done = subprocess.run(
        [sys.executable, '-m', 'mim', *map(str, words)], cwd=folder, capture_output=True, text=True,
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(
            [str(ROOT), os.environ.get('PYTHONPATH', '')])))
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_it_trains_tests_and_runs_tools_from_another_folder(micro_set, tmp_path):
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data/DrawnPEDES').symlink_to(micro_set)
    said = mim(tmp_path, 'train', 'mmtbps', CONFIG, '--work-dir', 'mine', '--cfg-options', *QUICK)
    assert 'Training finished successfully' in said
    said = mim(tmp_path, 'test', 'mmtbps', CONFIG, '--checkpoint', 'mine/epoch_1.pth',
               '--cfg-options', *QUICK)
    assert 'Testing finished successfully' in said and 't2i/R1' in said
    assert "default_scope = 'mmtbps'" in mim(
        tmp_path, 'run', 'mmtbps', 'print_config', 'vit_bert_base_drawn')
