"""Trials that would stop late, or choose on the test set, are refused before the first one."""

from pathlib import Path

import pytest
from mmengine.config import Config

from mmtbps.commands.trials import runs
from mmtbps.errors import BadValue

ROOT = Path(__file__).resolve().parents[2]
MIXUPS = ROOT / 'configs/tbps/ablation_mixup_drawn.py'
LOSSES = ROOT / 'configs/clip/ablation_losses_drawn.py'


def test_what_would_stop_a_later_arm_is_refused_before_the_first(micro_set):
    def check(*arms, **options):
        return runs.check_trials([(str(MIXUPS), arm) for arm in arms], micro_set, **options)

    check(dict(name='a'), dict(name='b'))
    with pytest.raises(BadValue, match="two arms would share the folder mixup: 'mixup' and '.*;"):
        check(dict(name='mixup'), dict(name='+ mixup'))
    with pytest.raises(BadValue, match='an arm has no name'):
        check(dict(name='a'), dict(options={}))
    with pytest.raises(BadValue, match='no train_cfg.max_iters'):
        runs.check_trials([(str(MIXUPS), dict(name='a')), (str(LOSSES), dict(name='b'))],
                          micro_set, 9)


@pytest.mark.parametrize('options, says', [
    ({'val_dataloader.dataset.split': 'test'}, "reads what test_dataloader reads .split 'test'"),
    ({'test_dataloader.dataset.split': 'val'}, 'the checkpoint would be chosen on the test'),
    ({'default_hooks.checkpoint.save_best': None}, 'no checkpoint is chosen on validation'),
    ({'val_dataloader': None}, 'no checkpoint is chosen on validation')])
def test_a_checkpoint_is_never_chosen_on_the_test_set(options, says, micro_set):
    with pytest.raises(BadValue, match=f"'careless'.*{says}"):
        runs.check_trials([(str(MIXUPS), dict(name='careless', options=options))], micro_set)


def test_every_ablation_of_ours_selects_on_validation(micro_set, monkeypatch):
    monkeypatch.setattr(runs, 'generated_pairs', lambda kind, root: root / 'pairs.jsonl')
    monkeypatch.setattr(runs, 'write_counted_captions', lambda root, facts: root / 'facts.json')
    configs = sorted(ROOT.glob('configs/*/ablation*.py'))
    assert len(configs) >= 6
    for path in configs:
        runs.check_trials([(str(path), arm) for arm in Config.fromfile(path).arms], micro_set)


def test_a_training_that_chose_nothing_is_one_line(micro_set, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, 'run_process', lambda *words: None)
    with pytest.raises(BadValue, match='seed0: the training left no best checkpoint'):
        runs.run_arm(str(MIXUPS), dict(name='a'), 0, tmp_path, micro_set)
