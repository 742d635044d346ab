"""Every shipped config: it parses, says what is missing, and trains for one epoch when shrunk."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from tiny_models import set_batch_size, shrink

from mmtbps.commands.user_errors import one_line_errors
from mmtbps.engine.preflight import find_missing, stop_if_missing

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = sorted(path for data in ('cuhk', 'icfg', 'rstp', 'drawn')
                 for path in (ROOT / 'configs').glob(f'*/*_{data}.py')
                 if path.parent.name != 'generation' and not path.stem.startswith('ablation'))
REAL = [path for path in CONFIGS if 'drawn' not in path.stem]


def name(path):
    return path.stem


@pytest.mark.parametrize('path', CONFIGS, ids=name)
def test_it_trains_when_shrunk(path, micro_set, tmp_path):
    cfg = shrink(Config.fromfile(path), micro_set, tmp_path)
    cfg.train_cfg.max_epochs = 1
    set_batch_size(cfg.train_dataloader, 24)
    runner = Runner.from_cfg(cfg)
    before = {key: value.clone() for key, value in runner.model.state_dict().items()}
    runner.train()
    moved = [key for key, value in runner.model.state_dict().items()
             if not torch.equal(value, before[key])]
    assert any(key.startswith('image_backbone') for key in moved)
    assert any(key.startswith('text_backbone') for key in moved)
    assert runner.iter == 4


@pytest.mark.parametrize('path', CONFIGS, ids=name)
def test_a_dumped_copy_is_the_same_config(path, tmp_path):
    cfg = Config.fromfile(path)
    cfg.dump(tmp_path / 'copy.py')
    copy = Config.fromfile(tmp_path / 'copy.py')
    assert copy.pretty_text == cfg.pretty_text
    assert copy.model.type == 'mmtbps.models.TextImageRetriever'


@pytest.mark.parametrize('path', REAL, ids=name)
def test_what_is_missing_is_named_with_its_cure(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit), one_line_errors():
        stop_if_missing(Config.fromfile(path))
    message = capsys.readouterr().err
    assert message.startswith('error: cannot start') and message.count('\n') == 4
    assert 'Annotation file' in message and 'prepare_data.md' in message
    assert './weights/vit_base_patch16_384.pth' in message and 'convert_weights.py' in message
    assert './weights/bert-base-uncased' in message


def test_nothing_is_missing_where_everything_is_there(micro_set, tmp_path):
    cfg = shrink(Config.fromfile(REAL[0]), micro_set, tmp_path)
    assert find_missing(cfg) == []


def test_the_papers_table():
    """The numbers of the published recipe, read back from the config."""
    cfg = Config.fromfile(ROOT / 'configs/tbps/vit_bert_pdg_cuhk.py')
    vit = cfg.model.image_backbone
    assert (vit.img_size, vit.stride) == ((384, 128), 12)
    assert cfg.model.heads.contrastive.temperature == 0.005
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.lr, tuple(optimizer.betas), optimizer.eps) == (1e-4, (0.9, 0.999), 1e-8)
    warm_up, steps = cfg.param_scheduler
    assert (warm_up.end, steps.milestones, steps.gamma) == (10, [20, 40, 60], 0.1)
    assert cfg.train_cfg.max_epochs == 70 and cfg.auto_scale_lr.base_batch_size == 256
