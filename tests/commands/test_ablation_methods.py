"""The ablation of methods: each arm brings its heads, and trains for two steps."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from tiny_models import set_batch_size, shrink

from mmtbps.commands.trials import runs

CONFIG = Path(__file__).resolve().parents[2] / 'configs/clip/ablation_methods_drawn.py'
ARMS = Config.fromfile(CONFIG).arms
LOSSES = {
    'InfoNCE at 0.005': 'contrastive', '+ neighbours weighed': 'contrastive',
    '+ explanation weights': 'contrastive', '+ captions told anew': 'contrastive',
    '+ fused teacher, after CMFF-KT': 'contrastive fusion transfer',
    '+ prototype attention, after PAD': 'contrastive prototype',
    'TBPS-CLIP, simplified': 'nitc ritc', 'SynTBPR': 'nitc ritc', 'SDM': 'sdm',
    'SDM, noise-aware masking (NAM)': 'sdm', 'IRRA': 'sdm id mlm',
    'SEN': 'sdm id triplet restoration', 'RDE': 'tal tal_tse',
    'InfoNCE at 0.005, half of the captions moved': 'contrastive',
    'RDE, half of the captions moved': 'tal tal_tse'}


@pytest.fixture
def told(monkeypatch, tmp_path):
    """A file of captions told anew in the place of those that a run would make."""
    file = tmp_path / 'retold_pairs.jsonl'
    monkeypatch.setattr(runs, 'generated_pairs', lambda kind, root: file)
    return file


@pytest.mark.parametrize('arm', ARMS, ids=[arm['name'] for arm in ARMS])
def test_an_arm_is_a_whole_config_of_450_steps(arm, micro_set, told, tmp_path):
    text = runs.arm_config(str(CONFIG), arm, 7, micro_set).pretty_text
    assert text == runs.arm_config(str(CONFIG), arm, 7, micro_set).pretty_text
    (tmp_path / 'arm.py').write_text(text, 'utf-8')
    cfg = Config.fromfile(tmp_path / 'arm.py')
    assert cfg.train_cfg.max_iters == 450 and cfg.randomness.seed == 7 and cfg.model.heads
    assert not {'arms', 'drawn_size', 'contrastive', 'rde', 'noise'} & set(cfg)
    data = cfg.train_dataloader.dataset
    assert data.get('noise_rate', 0) == (0.5 if 'moved' in arm['name'] else 0)
    if arm.get('pairs'):
        assert list(data.ann_file) == ['reid_raw.json', str(told)]
        assert list(data.data_prefix.img_path) == ['imgs', 'imgs']


def test_captions_are_told_anew_by_the_commands(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(runs, 'run_process', lambda *words: asked.append(words))
    file = runs.generated_pairs('retold', tmp_path / 'DrawnPEDES_small')
    assert file == tmp_path / 'DrawnPEDES_small-retold/retold_pairs.jsonl'
    options = ('--cfg-options', f'dataset.data_root={tmp_path}/DrawnPEDES_small',
               f'generation.runner.out_dir={file.parent}')
    assert asked == [('generate', command, 'retell_rules', *options)
                     for command in ('plan', 'run', 'merge')]
    file.parent.mkdir()
    file.touch()
    asked.clear()
    assert runs.generated_pairs('retold', tmp_path / 'DrawnPEDES_small') == file and not asked


@pytest.mark.slow
@pytest.mark.parametrize('arm', ARMS, ids=[arm['name'] for arm in ARMS])
def test_every_arm_trains_for_two_steps(arm, micro_set, tmp_path):
    assert len(LOSSES) == len(ARMS)
    cfg = runs.arm_config(str(CONFIG), arm, 7, micro_set)
    data = {key: cfg.train_dataloader.dataset[key] for key in ('ann_file', 'data_prefix')
            if key in cfg.train_dataloader.dataset}
    set_batch_size(shrink(cfg, micro_set, tmp_path).train_dataloader, 24)
    cfg.train_dataloader.dataset.update(data)
    cfg.train_cfg.update(max_iters=2, val_interval=2)
    cfg.default_hooks.checkpoint.interval = 2
    runner = Runner.from_cfg(cfg)
    runner.train()
    logged = {key.rpartition('/')[2] for key in runner.message_hub.log_scalars}
    assert runner.iter == 2 and {key for key in logged if key.startswith('loss_')} == {
        f'loss_{key}' for key in LOSSES[arm['name']].split()}
    assert 't2i/R1' in {key.removeprefix('val/') for key in runner.message_hub.log_scalars}
