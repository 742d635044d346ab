"""Faults of settings are found before the first step, all together, and nothing is changed."""

from pathlib import Path

import pytest
import torch
from mmengine.runner import Runner

from mmtbps.engine.rehearsal_hook import SettingsMisfit
from mmtbps.fileio import load_checkpoint_file


def with_validation(cfg, **changes):
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    cfg.merge_from_dict(changes)
    return cfg


def problems_of(cfg):
    """List what is said before any step was taken."""
    runner = Runner.from_cfg(cfg)
    with pytest.raises(SettingsMisfit) as caught:
        runner.train()
    assert runner.iter == 0 and not list(Path(cfg.work_dir).glob('*.pth'))
    return [str(problem) for problem in caught.value.problems]


def test_a_caption_longer_than_the_text_tower_reads(short_config):
    cfg = with_validation(short_config())
    for step in cfg.train_dataloader.dataset.pipeline:
        if 'max_length' in step:
            step.max_length = 77
    cfg.model.data_preprocessor.max_length = 77
    problems = problems_of(cfg)
    assert len(problems) == 1
    assert problems[0].startswith('TokenizeCaption(max_length=77): the text tower cannot read')


def test_a_tokenizer_of_other_words_than_the_tower(short_config):
    cfg = with_validation(short_config(), **{'model.text_backbone.config.vocab_size': 20})
    (problem, ) = problems_of(cfg)
    assert 'words, but the text tower knows 20' in problem


@pytest.mark.parametrize('changes, words', [
    ({'val_evaluator.topk': (5, 10)}, ["save_best='t2i/R1'", 't2i/R5']),
    ({'val_evaluator.directions': ('i2t', )}, ["save_best='t2i/R1'", 'i2t/R1']),
    ({'val_evaluator.distractors': 'nowhere'}, ['nowhere'])])
def test_an_evaluation_that_would_fail_after_the_first_epoch(short_config, changes, words):
    (problem, ) = problems_of(with_validation(short_config(), **changes))
    assert all(word in problem for word in words)


def test_all_that_is_wrong_is_said_together(short_config):
    cfg = with_validation(short_config(), **{
        'train_dataloader.batch_size': 1, 'model.text_backbone.config.vocab_size': 20})
    one, other = problems_of(cfg)
    assert 'a batch of one pair has nothing to tell it apart from' in one and 'knows 20' in other


def test_a_run_is_the_same_with_and_without_it(short_config):
    ends = []
    for hooks in (True, False):
        cfg = with_validation(short_config())
        cfg.model.text_backbone.config.update(hidden_dropout_prob=0.1)
        if not hooks:
            cfg.custom_hooks = [hook for hook in cfg.custom_hooks
                                if hook.type.__name__ != 'RehearsalHook']
        runner = Runner.from_cfg(cfg)
        assert any(type(hook).__name__ == 'RehearsalHook' for hook in runner.hooks) == hooks
        runner.train()
        ends.append(load_checkpoint_file(Path(cfg.work_dir) / 'epoch_1.pth'))
        assert next(Path(cfg.work_dir).glob('*/*.log')).read_text().count('protocol: ') == 1
    for key, value in ends[0]['state_dict'].items():
        assert torch.equal(value, ends[1]['state_dict'][key]), key
    hubs = [dict(end['message_hub']['runtime_info']) for end in ends]
    for hub in hubs:
        for name in ('cfg', 'last_ckpt', 'best_ckpt', 'experiment_name'):
            hub.pop(name, None)
    assert hubs[0] == hubs[1]


def test_a_schedule_that_ends_before_the_run_is_named(short_config):
    cfg = with_validation(short_config())
    cfg.param_scheduler = [dict(type='CosineAnnealingLR', begin=0, end=1, by_epoch=True)]
    cfg.train_cfg.max_epochs = 2
    Runner.from_cfg(cfg).train()
    log = next(Path(cfg.work_dir).glob('*/*.log')).read_text()
    assert 'the schedule ends at epoch 1 of 2' in log
