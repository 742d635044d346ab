"""A training refuses to start from, or to go on with, weights that do not fit."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from tiny_models import shrink

from mmtbps.engine.preflight import MissingFiles
from mmtbps.engine.readiness import stop_if_unready
from mmtbps.models.loading import WeightsMisfit

ROOT = Path(__file__).resolve().parents[2]
STEM = 'image_backbone.patch_embed.projection.weight'
SCALE = 'heads.contrastive.log_temperature'


@pytest.fixture(scope='module')
def config(micro_set, tmp_path_factory):
    cfg = shrink(Config.fromfile(ROOT / 'configs/tbps/vit_bert_base_drawn.py'), micro_set,
                 tmp_path_factory.mktemp('strict'))
    cfg.train_cfg.update(max_epochs=1, val_interval=9)
    cfg.model.heads.contrastive.learnable = True
    return cfg


@pytest.fixture(scope='module')
def trained(config):
    runner = Runner.from_cfg(config)
    runner.train()
    return torch.load(Path(config.work_dir, 'epoch_1.pth'), weights_only=False)


def start(config, checkpoint, folder, resume):
    """Train from a checkpoint until its weights are loaded; return the log as well."""
    torch.save(checkpoint, folder / 'start.pth')
    cfg = Config(config.to_dict())
    cfg.update(work_dir=str(folder), load_from=str(folder / 'start.pth'), resume=resume,
               experiment_name=folder.name)
    runner = Runner.from_cfg(cfg)
    runner.train_loop  # noqa: B018  built, as train() does first
    runner.load_or_resume() if not resume else runner.resume(cfg.load_from)
    return runner.model.state_dict(), next(folder.glob('*/*.log')).read_text('utf-8')


def changed(trained, **changes):
    state = {**trained['state_dict'], **changes}
    return dict(trained, state_dict={key: value for key, value in state.items()
                                     if value is not None})


@pytest.mark.parametrize('resume', [False, True])
@pytest.mark.parametrize('change, said', [
    ({STEM: None}, f'1 misfit: {STEM} is missing'),
    ({STEM: torch.ones(3, 3)}, f'1 misfit: {STEM}: '),
    ({'other': torch.ones(1)}, '1 misfit: other is left over')])
def test_towers_must_fit(config, trained, tmp_path, resume, change, said):
    with pytest.raises(WeightsMisfit, match=said) as refusal:
        start(config, changed(trained, **change), tmp_path, resume)
    assert str(refusal.value).startswith('resume: ' if resume else 'load_from: ')


@pytest.mark.parametrize('change, line', [
    ({SCALE: None}, f'load_from: {SCALE} is missing; this head starts anew there'),
    ({SCALE: torch.ones(2)}, f'load_from: {SCALE}: '),
    ({'heads.other.weight': torch.ones(2)}, 'load_from: heads.other.weight is left over')])
def test_heads_may_start_anew_but_not_in_a_resumed_run(config, trained, tmp_path, change, line):
    (tmp_path / 'a').mkdir()
    state, log = start(config, changed(trained, **change), tmp_path / 'a', resume=False)
    assert line in log
    torch.testing.assert_close(state[STEM], trained['state_dict'][STEM], atol=0, rtol=0)
    (tmp_path / 'b').mkdir()
    with pytest.raises(WeightsMisfit, match='resume: the weights do not fit'):
        start(config, changed(trained, **change), tmp_path / 'b', resume=True)


def test_weights_of_distributed_training_fit(config, trained, tmp_path):
    wrapped = {f'module.{key}': value for key, value in trained['state_dict'].items()}
    state, log = start(config, dict(trained, state_dict=wrapped), tmp_path, resume=True)
    assert f'{len(wrapped)} tensors of the checkpoint fit' in log
    for key, value in trained['state_dict'].items():
        torch.testing.assert_close(state[key], value, atol=0, rtol=0)


def test_a_missing_start_is_found_before_anything_is_built(config):
    cfg = Config(config.to_dict())
    cfg.load_from = 'nowhere/best.pth'
    with pytest.raises(MissingFiles, match='nowhere/best.pth: no such checkpoint'):
        stop_if_unready(cfg)
