"""The command line of generation, end to end on drawn people without any weights."""

import json
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from mediapipe_models import SELFIE
from mmengine.config import Config
from mmengine.runner import Runner
from tiny_models import shrink

from mmtbps.commands import generate
from mmtbps.commands.main import run_command
from mmtbps.datasets import DrawnPEDES
from mmtbps.engine.run_settings import FIXED, compare_settings, describe_run
from mmtbps.models.heads import contrastive_head
from mmtbps.models.losses import info_nce
from mmtbps.records import read_jsonl

main = partial(run_command, 'generate')

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs/generation/pdg_recolor.py'


def call(command, micro_set, out, *options):
    main([command, str(CONFIG), '--cfg-options', f'dataset.data_root={micro_set}',
          f'generation.runner.out_dir={out}', 'generation.upscaler.size=(96,32)',
          'generation.runner.num_controls=(12,0.)', *options])


def test_from_plan_to_training_pairs(micro_set, tmp_path, capsys):
    out = tmp_path / 'pdg'
    call('plan', micro_set, out)
    assert '48 edits of 48 images, 48 in train' in capsys.readouterr().out
    call('run', micro_set, out)
    assert '0 failed' in capsys.readouterr().out
    call('merge', micro_set, out)
    pairs = read_jsonl(out / 'pdg_pairs.jsonl')
    assert len(pairs) > 8 and f'{len(pairs)} images' in capsys.readouterr().out
    call('report', micro_set, out)
    assert (out / 'report.html').stat().st_size > 20_000
    data = DrawnPEDES(data_root=str(micro_set), ann_file=['reid_raw.json',
                                                          str(out / 'pdg_pairs.jsonl')],
                      data_prefix=dict(img_path=['imgs', str(out)]), verify_images=True)
    assert data.skipped == []
    assert len(np.unique(data.person_ids)) == 24 + len({pair.person_id for pair in pairs})


def test_a_broken_line_of_the_manifest_is_set_aside(micro_set, tmp_path, refused, capsys):
    out, few = tmp_path / 'pdg', 'generation.planner.max_edits=8'
    call('plan', micro_set, out, few)
    call('run', micro_set, out, few)
    part, = out.glob('part-*.jsonl')
    lines = part.read_bytes().splitlines(keepends=True)
    part.write_bytes(b''.join([lines[0][:50] + b'\n', *lines[1:]]))
    with refused('jsonl:1: broken JSON .*generate merge CONFIG --set-aside'):
        call('merge', micro_set, out, few)
    capsys.readouterr()
    call('merge', micro_set, out, few, '--set-aside')
    said = capsys.readouterr().out
    assert f'set aside: {part}:1: broken JSON' in said and 'lines set aside: 1' in said
    assert 'not complete: 7 of 8 jobs' in said
    assert part.with_name(f'{part.name}.set-aside').read_bytes() == lines[0][:50] + b'\n'
    call('run', micro_set, out, few)
    call('merge', micro_set, out, few)
    assert 'not complete' not in capsys.readouterr().out


def test_images_elsewhere_are_edited_if_the_data_set_allows_it(micro_set, tmp_path, refused,
                                                               capsys):
    records = json.loads((micro_set / 'reid_raw.json').read_text())
    for record in records:
        record['file_path'] = str(micro_set / 'imgs' / record['file_path'])
    (tmp_path / 'data/imgs').mkdir(parents=True)
    (tmp_path / 'data/reid_raw.json').write_text(json.dumps(records))
    data, out = tmp_path / 'data', tmp_path / 'pdg'
    with refused('leads out of the image folder'):
        call('plan', data, out)
    options = 'dataset.allow_outside=True', 'generation.planner.max_edits=6'
    call('plan', data, out, *options)
    with refused('leads out of the image folder'):
        call('run', data, out)
    call('run', data, out, *options)
    call('report', data, out, *options)
    assert '0 failed' in capsys.readouterr().out
    assert 'is gone' not in (out / 'report.html').read_text()


def test_evidence_of_the_config_is_looked_for_and_kept(micro_set, tmp_path, refused, capsys):
    provider = "generation.evidence=[{'type': 'MediaPipePersonProvider', 'model': '%s'}]"
    call('plan', micro_set, tmp_path, 'generation.planner.max_edits=4')
    with refused('gone.tflite: no such file'):
        call('run', micro_set, tmp_path, provider % 'gone.tflite')
    pytest.importorskip('ai_edge_litert')
    call('run', micro_set, tmp_path, provider % SELFIE)
    assert '4/4 jobs' in capsys.readouterr().out
    [known] = json.loads((tmp_path / 'run.json').read_text())['settings']['evidence']
    assert known['type'] == 'MediaPipePersonProvider' and known['sha256'].startswith('8d13b7fa')
    assert len(list((tmp_path / 'evidence').rglob('*.npz'))) == 4
    with refused('settings.evidence was'):
        call('run', micro_set, tmp_path)


def test_all_in_one_go_gives_the_same(micro_set, tmp_path):
    for command in ('plan', 'run', 'merge'):
        call(command, micro_set, tmp_path / 'steps')
    call('all', micro_set, tmp_path / 'all')
    assert (tmp_path / 'all/report.html').is_file()
    assert read_jsonl(tmp_path / 'all/pdg_pairs.jsonl') == read_jsonl(
        tmp_path / 'steps/pdg_pairs.jsonl')


@pytest.mark.parametrize('how', [
    'pairs_root', pytest.param('second annotation file', marks=pytest.mark.slow), 'transform'])
def test_a_model_trains_on_them(micro_set, tmp_path, how, monkeypatch):
    out = tmp_path / 'pdg'
    for command in ('plan', 'run', 'merge'):
        call(command, micro_set, out)
    cfg = shrink(Config.fromfile(ROOT / 'configs/tbps/vit_bert_pdg_drawn.py'), micro_set,
                 tmp_path / 'work')
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = cfg.model.mixup = None
    cfg.train_cfg.max_epochs = 1
    dataset, pairs = cfg.train_dataloader.dataset, str(out / 'pdg_pairs.jsonl')
    if how == 'transform':
        dataset.pipeline.insert(0, dict(type='mmtbps.PDGTransform', ann_file=pairs, prob=1.,
                                        source_root=str(micro_set / 'imgs')))
    elif how == 'pairs_root':
        dataset.update(pairs_root=str(out))
    else:
        dataset.update(ann_file=['reid_raw.json', pairs],
                       data_prefix=dict(img_path=['imgs', str(out)]))
    seen_weights = []
    monkeypatch.setattr(contrastive_head, 'info_nce', lambda *args, compute=info_nce: (
        seen_weights.append(args[9]), compute(*args))[1])
    runner = Runner.from_cfg(cfg)
    runner.train()
    weights = {pair.pair_weight for pair in read_jsonl(pairs)} | {1.0}
    assert len(weights) > 5 and any(one is not None for one in seen_weights)
    assert {round(weight, 4) for one in seen_weights if one is not None
            for weight in one.tolist()} <= weights
    said = next(Path(runner.log_dir).glob('*.log')).read_text().count(' original pairs and ')
    assert said == (how == 'pairs_root')
    assert runner.iter == len(runner.train_dataloader) > 1
    assert all(weight.isfinite().all() for weight in runner.model.parameters())
    sources = {str(micro_set / 'imgs' / pair.source) for pair in read_jsonl(pairs)}
    seen = {info['img_path'] for info in map(runner.train_dataloader.dataset.get_data_info,
                                             range(len(runner.train_dataloader.dataset)))}
    assert sources <= seen and any(str(out) in path for path in seen) == (how != 'transform')
    before = describe_run(runner)
    call('merge', micro_set, out, '--weight-floor', '0.9')
    cfg.work_dir, cfg.experiment_name = f'{cfg.work_dir}_again', f'{cfg.experiment_name}_again'
    line, = compare_settings(before, describe_run(Runner.from_cfg(cfg)), FIXED)
    assert re.match(r'data\..*pdg_pairs\.jsonl: ', line), line


def error_of(capsys, command, code=1):
    """Return the one line that a failing command prints."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        command()
    printed = capsys.readouterr().err
    assert stop.value.code == code
    assert printed.startswith('error: ') and printed.count('\n') == 1
    return printed


def test_steps_out_of_order_say_what_comes_first(micro_set, tmp_path, capsys):
    line = error_of(capsys, lambda: call('run', micro_set, tmp_path))
    assert f'{tmp_path}/plan.jsonl not found' in line
    assert line.endswith('mmtbps generate plan CONFIG\n')
    assert 'no generation has run' in error_of(
        capsys, lambda: call('merge', micro_set, tmp_path))


@pytest.mark.parametrize('option, message', [
    ('generation.runner.batch_size=0', 'batch_size must be at least 1, got 0'),
    ('generation.upscaler.type=SDUpscaler', 'size must be multiples of 32, got (100, 30)'),
    ('generation.planner.mode=color', "mode must be one of ('lexicon', 'paper'), got 'color'")])
def test_a_wrong_setting_is_one_line(micro_set, tmp_path, capsys, option, message):
    call('plan', micro_set, tmp_path)
    command = 'plan' if 'planner' in option else 'run'
    options = [option, 'generation.upscaler.size=(100,30)'] + (
        ['generation.upscaler.pretrained=x/y'] if 'SDUp' in option else [])
    assert message in error_of(
        capsys, lambda: call(command, micro_set, tmp_path, *options))


def test_a_fault_of_the_program_keeps_its_traceback(micro_set, tmp_path, monkeypatch,
                                                        at_fault):
    def broken(*_):
        raise ValueError('a fault of ours')

    monkeypatch.setattr(generate, 'write_plan', broken)
    with at_fault(ValueError):
        call('plan', micro_set, tmp_path)


def test_the_former_command_of_the_toy_model_names_the_new_one(capsys):
    line = error_of(capsys, lambda: main(['toy', 'data/DrawnBalanced', 'out', '--seed', '1']),
                    code=2)
    assert line == ('error: the toy diffusion model is now trained by: '
                    'python projects/toy_diffusion/train.py DATA_ROOT OUT_DIR\n')


def test_the_config_reads():
    cfg = Config.fromfile(CONFIG)
    assert set(cfg.generation) == {'planner', 'upscaler', 'editor', 'gates', 'runner'}


@pytest.mark.parametrize('name', ['./weights/no-such-model', 'nobody/no-such-model'])
def test_missing_weights_are_one_clear_line_offline(micro_set, tmp_path, monkeypatch, capsys,
                                                    name):
    """Without a network and without weights the command says which file it wants."""
    config = tmp_path / 'diffusion.py'
    config.write_text(
        f"dataset = dict(type='mmtbps.DrawnPEDES', data_root={str(micro_set)!r})\n"
        f"generation = dict(\n"
        f"    planner=dict(type='mmtbps.generation.planning.planner.ColorSwitchPlanner',\n"
        f"                  tokenizer={name!r}),\n"
        f"    runner=dict(type='mmtbps.ShardedRunner', out_dir={str(tmp_path)!r}))\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', True)
    line = error_of(capsys, lambda: main(['plan', str(config)]))
    assert line.startswith(f'error: {name}: ')
