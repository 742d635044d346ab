"""A Runner of another program has the checks of build_runner, once, and is the same run."""

import logging
from pathlib import Path

import pytest
import torch
from mmengine.runner import Runner

from mmtbps.engine import launch, preflight_hook
from mmtbps.engine.data_checks import UnfitData
from mmtbps.engine.preflight import MissingFiles
from mmtbps.fileio import load_checkpoint_file


def share_people(cfg):
    """Evaluate on the people of train."""
    cfg.val_dataloader.dataset.split = 'train'


def cut_captions(cfg):
    for step in cfg.train_dataloader.dataset.pipeline:
        if 'max_length' in step:
            step.max_length = 5
    cfg.model.data_preprocessor.max_length = 5


@pytest.mark.parametrize('spoil, words', [
    (share_people, 'are in train_dataloader, too'), (cut_captions, 'cut at 5 tokens')])
def test_unfit_data_are_refused_before_the_first_step(short_config, spoil, words):
    cfg = short_config()
    spoil(cfg)
    runner = Runner.from_cfg(cfg)
    with pytest.raises(UnfitData, match=words):
        runner.train()
    assert runner.iter == 0 and not list(Path(cfg.work_dir).glob('*.pth'))


def test_missing_files_are_named_together(short_config, tmp_path):
    cfg = short_config()
    cfg.test_dataloader.dataset.data_root = str(tmp_path)
    cfg.model.image_backbone.init_cfg = dict(type='Pretrained', checkpoint='weights/no.pth')
    with pytest.raises(MissingFiles) as caught:
        Runner.from_cfg(cfg).train()
    assert 'reid_raw.json' in str(caught.value) and 'weights/no.pth' in str(caught.value)


def test_a_test_alone_is_checked_by_what_it_reads(short_config):
    cfg = short_config()
    share_people(cfg)  # nothing is trained and nothing validated here
    cfg.model.image_backbone.init_cfg = None
    for step in cfg.test_dataloader.dataset.pipeline:
        if 'max_length' in step:
            step.max_length = 5
    with pytest.raises(UnfitData) as caught:
        Runner.from_cfg(cfg).test()
    problem, = caught.value.problems
    assert 'test: ' in str(problem) and 'cut at 5 tokens' in str(problem)


def test_what_build_runner_has_checked_is_not_checked_twice(short_config, monkeypatch):
    monkeypatch.setattr(preflight_hook, 'stop_if_unfit', None)
    monkeypatch.setattr(preflight_hook, 'stop_if_unready', None)
    runner = launch.build_runner(short_config(launcher='none'))
    runner.train()
    log = next(Path(runner.work_dir).glob('*/*.log')).read_text()
    assert log.count('DrawnPEDES train: ') == 2  # what the tokenizer knows; what is read


def test_the_log_says_how_well_a_tokenizer_knows_the_captions(short_run):
    log = next(short_run().glob('*/*.log')).read_text()
    assert log.count('unknown tokens') == 3


def test_the_run_is_the_same_with_and_without_it(short_config):
    ends = []
    for hooks in (True, False):
        cfg = short_config()
        cfg.model.text_backbone.config.update(hidden_dropout_prob=0.1)
        if not hooks:
            cfg.custom_hooks = [hook for hook in cfg.custom_hooks
                                if hook.type.__name__ != 'PreflightHook']
        Runner.from_cfg(cfg).train()
        ends.append(load_checkpoint_file(Path(cfg.work_dir) / 'epoch_1.pth')['state_dict'])
    for key, value in ends[0].items():
        assert torch.equal(value, ends[1][key]), key


def test_a_runner_without_a_config_passes():
    class Bare:
        cfg, logger = {}, logging.getLogger()

    hook = preflight_hook.PreflightHook()
    hook.before_run(Bare)
    assert not hook.checked
