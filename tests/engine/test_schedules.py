"""Schedules of all configs: as they were, and as long as the run when only that is changed."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import DefaultScope
from mmengine.runner import IterBasedTrainLoop, Runner

from mmtbps.engine import CosineDecayLR, StepDecayLR, WarmUpLR

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
LENGTH = 40  # steps of an epoch
CURVES = {}

#: The schedules of version 0.1.0, in MMEngine's own classes: length of the run, settings.
FORMER = dict(
    drawn=(12, [dict(type='LinearLR', start_factor=0.01, end=1, convert_to_iter_based=True),
                dict(type='CosineAnnealingLR', begin=1, end=12, T_max=11,
                     convert_to_iter_based=True)]),
    large=(1900, [dict(type='LinearLR', start_factor=0.01, end=190, by_epoch=False),
                  dict(type='CosineAnnealingLR', begin=190, end=1900, T_max=1710,
                       by_epoch=False)]),
    losses=(4, [dict(type='LinearLR', start_factor=0.01, end=1, convert_to_iter_based=True),
                dict(type='CosineAnnealingLR', begin=1, end=4, T_max=3,
                     convert_to_iter_based=True)]),
    irra=(60, [dict(type='LinearLR', start_factor=0.1, end=6),
               dict(type='CosineAnnealingLR', begin=5, end=60, T_max=55)]),
    paper=(70, [dict(type='LinearLR', start_factor=0.1, end=10),
                dict(type='MultiStepLR', milestones=[20, 40, 60], gamma=0.1)]),
    tbps_clip=(5, [dict(type='LinearLR', start_factor=0.01, end=1, convert_to_iter_based=True),
                   dict(type='CosineAnnealingLR', begin=1, end=5, T_max=4, eta_min=5e-6,
                        convert_to_iter_based=True)]),
    syntbpr=(8, [dict(type='LinearLR', start_factor=0.01, end=1, convert_to_iter_based=True),
                 dict(type='CosineAnnealingLR', begin=1, end=8, T_max=7, eta_min=5e-6,
                      convert_to_iter_based=True)]),
    ablation=(450, [dict(type='LinearLR', start_factor=0.01, end=45, by_epoch=False),
                    dict(type='CosineAnnealingLR', begin=45, end=450, T_max=405,
                         by_epoch=False)]),
    tower=(400, [dict(type='LinearLR', start_factor=0.01, end=40, by_epoch=False),
                 dict(type='CosineAnnealingLR', begin=40, end=400, T_max=360, by_epoch=False)]),
    binding=(1200, [dict(type='LinearLR', start_factor=0.01, end=120, by_epoch=False),
                    dict(type='CosineAnnealingLR', begin=120, end=1200, T_max=1080,
                         by_epoch=False)]),
    captions=(300, [dict(type='LinearLR', start_factor=0.01, end=30, by_epoch=False),
                    dict(type='CosineAnnealingLR', begin=30, end=300, T_max=270,
                         by_epoch=False)]),
    finetune=(500, [dict(type='LinearLR', start_factor=0.01, end=50, by_epoch=False)]))
#: Configs that version 0.1.0 did not have, with a length of their own.
NEWER = {'own_data', 'clip_b16_itc_mals'}
NEWER_FOLDERS = {'aptm', 'blip', 'rasa'}
OTHERS = dict(ablation_captions_drawn='captions', ablation_losses_drawn='losses',
              ablation_noise_drawn='losses',
              ablation_methods_drawn='ablation', ablation_drawn='ablation',
              ablation_mixup_drawn='ablation', ablation_binding_drawn='binding',
              ablation_tower_drawn='tower', conv_large_drawn='large', finetune_drawn='finetune')


def former_of(path):
    """Return the key of the former schedule of a config; None for one that trains nothing."""
    if path.parent.name == 'generation' and path.stem != 'finetune_drawn':
        return None
    if path.parent.name in NEWER_FOLDERS and not path.stem.endswith('drawn'):
        return None
    of_folder = dict(tbps='paper', tbps_clip='tbps_clip', syntbpr='syntbpr', **dict.fromkeys(
        ('clip', 'dm_adapter', 'irra', 'nam', 'rde', 'sen', 'up_person'), 'irra'))
    return OTHERS.get(path.stem) or (
        'drawn' if path.stem.endswith('drawn') else of_folder[path.parent.name])


TRAINED = [path for path in sorted(CONFIGS.glob('[!_]*/*.py'))
           if former_of(path) and path.stem not in NEWER]


def curve(settings, rate, loop, total, length=LENGTH):
    """Compute the learning rate of every step, by schedules that MMEngine builds for a run."""
    key = (repr(settings), rate, loop, total, length)  # that many configs share
    if key not in CURVES:
        CURVES[key] = compute_curve(settings, rate, loop, total, length)
    return CURVES[key]


def compute_curve(settings, rate, loop, total, length):
    weight = torch.nn.Parameter(torch.zeros(1))
    wrapper = OptimWrapper(torch.optim.SGD([weight], lr=rate))
    steps = total if loop is IterBasedTrainLoop else total * length
    runner = SimpleNamespace(
        _train_loop=loop.__new__(loop), max_epochs=total, max_iters=steps,
        logger=SimpleNamespace(debug=lambda text: None), train_dataloader=range(length))
    with DefaultScope.overwrite_default_scope('mmtbps'):
        schedulers = Runner._build_param_scheduler(runner, settings, wrapper)
    rates = []
    for step in range(1, steps + 1):
        rates.append(wrapper.param_groups[0]['lr'])
        wrapper.optimizer.step()
        for scheduler in schedulers:
            if not scheduler.by_epoch or step % length == 0:
                scheduler.step()
    return rates


def curve_of(cfg, total):
    return curve(cfg.param_scheduler, cfg.optim_wrapper.optimizer.lr, cfg.train_cfg.type, total)


@pytest.mark.parametrize('path', TRAINED, ids=lambda path: path.stem)
def test_every_config_has_the_learning_rates_that_it_had(path):
    cfg = Config.fromfile(path)
    total, settings = FORMER[former_of(path)]
    assert cfg.train_cfg.get('max_epochs', cfg.train_cfg.get('max_iters')) == total
    rate = cfg.optim_wrapper.optimizer.lr
    found, former = curve_of(cfg, total), curve(settings, rate, cfg.train_cfg.type, total)
    assert found == former


@pytest.mark.parametrize('path', TRAINED, ids=lambda path: path.stem)
@pytest.mark.parametrize('factor', [0.5, 2])
def test_a_run_of_another_length_ends_where_its_schedule_does(path, factor):
    """The same curve, stretched: at each place of the run the rate is the published one."""
    cfg = Config.fromfile(path)
    total = cfg.train_cfg.get('max_epochs', cfg.train_cfg.get('max_iters'))
    ours, published = curve_of(cfg, int(total * factor)), curve_of(cfg, total)
    assert max(ours) == pytest.approx(cfg.optim_wrapper.optimizer.lr, rel=0.02)
    for share in (0.5, 0.7, 0.8, 0.9, 1):
        place = published[int(share * len(published)) - 1]
        assert ours[int(share * len(ours)) - 1] == pytest.approx(
            place, rel=0.25, abs=0.06 * max(published)), share
    assert ours[-1] < 0.05 * max(ours) or former_of(path) in ('finetune', 'syntbpr', 'tbps_clip')


@pytest.mark.parametrize('name', ['tbps/vit_bert_base_cuhk', 'irra/irra_cuhk', 'irra/irra_drawn',
                                  'tbps_clip/tbps_clip_cuhk'])
@pytest.mark.parametrize('epochs', [1, 2, 3, 5])
def test_a_very_short_run_reaches_the_learning_rate(name, epochs):
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    rates = curve_of(cfg, epochs)
    assert max(rates) == pytest.approx(cfg.optim_wrapper.optimizer.lr)
    assert epochs < 3 or rates[-1] < rates[len(rates) // 2]


def optimizer():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.)


def test_places_from_one_on_are_epochs():
    assert WarmUpLR(optimizer(), length=5, end=50).end == 5
    assert CosineDecayLR(optimizer(), begin=5, end=50).begin == 5
    steps = StepDecayLR.build_iter_from_epoch(
        optimizer(), milestones=[0.5, 30], end=40, epoch_length=10)
    assert sorted(steps.milestones) == [200, 300] and not steps.by_epoch
    cosine = CosineDecayLR.build_iter_from_epoch(
        optimizer(), begin=2, T_max=4, end=10, epoch_length=3)
    assert (cosine.begin, cosine.T_max, cosine.end) == (6, 12, 30)


def test_a_cosine_that_begins_where_the_run_ends_does_nothing():
    assert CosineDecayLR(optimizer(), begin=5, end=3).begin == 5
