"""The ablation tool: every arm is a config that trains, and the table says what was measured."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from tiny_models import shrink

from mmtbps.drawing.edited_pairs import draw_edited_pairs

ROOT = Path(__file__).resolve().parents[2]
TOOL = 'tools/ablation.py'
CONFIG = ROOT / 'configs/tbps/ablation_drawn.py'
ARMS = Config.fromfile(CONFIG).arms


@pytest.fixture(scope='module')
def pairs(micro_set, tmp_path_factory):
    return draw_edited_pairs(micro_set, tmp_path_factory.mktemp('ablation_pairs'))


@pytest.mark.parametrize('number', range(len(ARMS)), ids=[arm['name'] for arm in ARMS])
def test_every_arm_trains_for_the_same_number_of_steps(number, tool, micro_set, pairs,
                                                       tmp_path, monkeypatch):
    monkeypatch.setattr(tool, 'generated_pairs', lambda kind, root: pairs)
    arm = ARMS[number]
    cfg = tool.arm_config(str(CONFIG), arm, 7, micro_set)
    assert cfg.train_cfg.max_iters == 450 and cfg.randomness.seed == 7
    cfg = shrink(cfg, micro_set, tmp_path)
    if arm.get('pairs'):
        cfg.train_dataloader.dataset.data_prefix = dict(
            img_path=['imgs', str(pairs.parent / 'imgs')])
    cfg.train_cfg.update(max_iters=3, val_interval=3)
    cfg.param_scheduler = None
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == 3
    people = runner.train_dataloader.dataset.metainfo['num_persons']
    assert people == (48 if arm.get('pairs') else 24)


def test_the_table_has_mean_spread_and_chance(tool):
    runs = [{f't2i/{m}': value for m in tool.MEASURES} for value in (10.0, 12.0, 14.0)]
    lines = tool.table({'baseline': runs, 'once': runs[:1]}, dict(R1=0.5)).splitlines()
    assert lines[2] == '| baseline | 12.0 ± 2.0 | 12.0 ± 2.0 | 12.0 ± 2.0 | 12.0 ± 2.0 | 3 |'
    assert lines[3] == '| once | 10.0 | 10.0 | 10.0 | 10.0 | 1 |'
    assert lines[4].startswith('| chance | 0.5 |')


def test_an_arm_that_is_not_there_is_one_line(tool, capsys):
    with pytest.raises(SystemExit) as stop:
        tool.main([str(CONFIG), '--arms', 'nothing'])
    line = capsys.readouterr().err
    assert stop.value.code == 1 and line.count('\n') == 1
    assert line.startswith("error: no arm has a name with ['nothing']; there are: baseline ")


@pytest.mark.parametrize('config, options, says', [
    (CONFIG, ['--seeds', '0'], '--seeds must be at least 1'),
    (CONFIG.with_name('vit_bert_base_drawn.py'), [], "no key 'arms'")])
def test_mistakes_are_one_line(tool, config, options, says, capsys):
    with pytest.raises(SystemExit) as stop:
        tool.main([str(config), *options])
    line, = capsys.readouterr().err.splitlines()
    assert stop.value.code == 1 and line.startswith('error: ') and says in line
