"""Training really learns, and several processes evaluate like one."""

import json
import os
import re
import socket
import sys
from pathlib import Path

import pytest
from forked_processes import Tool, run_tool
from mmengine.config import Config
from mmengine.runner import Runner
from tiny_models import shrink

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs/tbps/vit_bert_base_drawn.py'
ENVIRONMENT = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1', PYTHON=sys.executable)


@pytest.fixture(scope='module')
def overfitted(micro_set, tmp_path_factory):
    """32 drawn pairs of 16 people, learned by heart; returns the work folder and the metrics."""
    work_dir = tmp_path_factory.mktemp('overfit')
    records = [r for r in json.loads((micro_set / 'reid_raw.json').read_text())
               if r['split'] == 'train'][:32]
    for number, record in enumerate(records):  # each image its own person, one caption
        record.update(id=number + 1, captions=record['captions'][:1])
    annotation = work_dir / 'pairs.json'
    annotation.write_text(json.dumps(records))
    cfg = shrink(Config.fromfile(CONFIG), micro_set, work_dir)
    cfg.model.image_backbone.arch.update(embed_dims=32, feedforward_channels=64)
    cfg.model.text_backbone.config.update(hidden_size=32, intermediate_size=64)
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        cfg[name].dataset.update(ann_file=str(annotation), split='train')
        cfg[name].dataset.data_prefix = dict(img_path=str(micro_set / 'imgs'))
        cfg[name].dataset.allow_train_people = name != 'train_dataloader'
    cfg.train_dataloader.dataset.pipeline = cfg.test_dataloader.dataset.pipeline
    cfg.train_dataloader.batch_size = 32
    cfg.train_cfg.update(max_epochs=160, val_interval=160)
    cfg.optim_wrapper.optimizer.lr = 2e-3
    # Rising at first and falling to nothing: with a constant rate it depends on seed and machine.
    cfg.param_scheduler = [dict(type='LinearLR', start_factor=0.05, end=15),
                           dict(type='CosineAnnealingLR', T_max=145, begin=15)]
    cfg.default_hooks.checkpoint.interval = 160
    cfg.dump(work_dir / 'config.py')
    runner = Runner.from_cfg(cfg)
    runner.train()
    return work_dir, runner.test()


def test_32_pairs_are_learned_by_heart(overfitted):
    _, metrics = overfitted
    assert metrics['t2i/R1'] == 100 and metrics['i2t/R1'] == 100
    assert metrics['t2i/queries'] == 32 and metrics['t2i/gallery'] == 32


def test_the_log_states_the_protocol(overfitted):
    work_dir, _ = overfitted
    log = next(work_dir.glob('*/*.log')).read_text()
    line = next(line for line in log.splitlines() if 'pairs.json' in line and 'sha256' in line)
    assert re.search(r'32 .*quer', line) and 'gallery' in line and 'checkpoint: unknown' in line


def test_two_processes_evaluate_like_one_on_a_set_that_does_not_divide(overfitted, tmp_path):
    """31 images on two processes: the padding of the last batch must not count."""
    work_dir, _ = overfitted
    results = []
    options = ['--cfg-options', 'test_dataloader.dataset.indices=31',
               'test_dataloader.dataset.verify_images=False']
    with socket.create_server(('127.0.0.1', 0)) as probe:
        meeting = dict(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(probe.getsockname()[1]))
    for world in (1, 2):
        out = tmp_path / f'{world}.json'
        command = ['tools/test.py', work_dir / 'config.py', work_dir / 'epoch_160.pth',
                   '--out', out, '--work-dir', tmp_path / str(world),
                   '--show-dir', tmp_path / f'lists{world}',
                   *options, *(['--launcher', 'pytorch'] if world > 1 else [])]
        ranks = [Tool(command, cwd=ROOT, env=dict(
            ENVIRONMENT, **meeting, RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(world)))
            for rank in range(world)]
        for rank in ranks:
            _, errors = rank.communicate()
            assert rank.returncode == 0, errors[-3000:]
        results.append(json.loads(out.read_text()))
        assert list((tmp_path / f'lists{world}').glob('*.png'))
    assert results[0] == results[1]
    assert results[0]['t2i/queries'] == 31
    assert not (ROOT / '.dist_test').exists()  # MMEngine's folder for results as pickles


def test_a_missing_data_set_stops_the_tool_at_once(tmp_path):
    done = run_tool([ROOT / 'tools/train.py', ROOT / 'configs/tbps/vit_bert_pdg_cuhk.py',
                     '--work-dir', tmp_path], cwd=tmp_path, env=ENVIRONMENT)
    assert done.returncode == 1
    assert 'reid_raw.json' in done.stderr and 'Traceback' not in done.stderr


def test_the_learning_rate_follows_the_batch_size(micro_set, tmp_path):
    cfg = shrink(Config.fromfile(CONFIG), micro_set, tmp_path)  # batch 8, written for 64
    cfg.train_cfg.update(max_epochs=1, val_interval=2)
    cfg.auto_scale_lr.enable = True
    cfg.param_scheduler = None
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert set(runner.optim_wrapper.get_lr()['lr']) == {1e-3 / 8}
