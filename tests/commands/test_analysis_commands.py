"""The tools that mmpretrain's users look for: what they print and write, against hand counts."""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image
from source_tree import ROOT
from tiny_models import shrink

from mmtbps.commands import (
    analyze_logs,
    browse_dataset,
    vis_scheduler,
)
from mmtbps.commands.main import run_command
from mmtbps.engine.schedule_curves import learning_rates
from mmtbps.fileio import load_checkpoint_file

CONFIG = 'configs/tbps/vit_bert_pdg_drawn.py'
TOOLS = ['analysis/get_flops', 'analysis/browse_dataset', 'analysis/vis_scheduler',
         'analysis/analyze_logs', 'analysis/analyze_results', 'publish_model']


@pytest.fixture
def config(micro_set, tmp_path):
    """Path of the drawn config on tiny towers, batches of 24 pairs: 4 steps an epoch."""
    cfg = shrink(Config.fromfile(ROOT / CONFIG), micro_set, tmp_path)
    cfg.train_dataloader.batch_size = 24
    cfg.dump(tmp_path / 'tiny.py')
    return str(tmp_path / 'tiny.py')


def test_operations_and_parameters_are_those_counted_by_hand(config, capsys):
    run_command('get-flops', [config, '--words', '10', '--json'])
    found = json.loads(capsys.readouterr().out)
    cfg = Config.fromfile(config).model

    def layers(tokens, width, inner, depth):
        """All layers but the last, and the last for one token of a ViT or all of them."""
        block = tokens * (4 * width * width + 2 * width * inner) + 2 * tokens * tokens * width
        return depth * block

    arch = cfg.image_backbone.arch
    patch, stride = cfg.image_backbone.patch_size, cfg.image_backbone.stride
    height, width = cfg.image_backbone.img_size
    places = ((height - patch) // stride + 1) * ((width - patch) // stride + 1)
    most = places * 3 * patch ** 2 * arch['embed_dims'] + layers(
        places + 1, arch['embed_dims'], arch['feedforward_channels'], arch['num_layers'])
    less = most - layers(places + 1, arch['embed_dims'], arch['feedforward_channels'], 1)
    # The last layer is computed for one token alone: keys and values of all, the rest of one.
    own = (places + 1) * 2 * arch['embed_dims'] ** 2 + 2 * (places + 1) * arch['embed_dims'] + (
        2 * arch['embed_dims'] ** 2 + 2 * arch['embed_dims'] * arch['feedforward_channels'])
    assert found['image']['macs'] == less + own
    assert found['total']['macs'] == found['image']['macs'] + found['text']['macs']
    assert found['text']['macs'] > 0
    assert found['total']['parameters'] == found['total']['trained'] == sum(
        found[part]['parameters'] for part in ('image', 'text', 'heads'))
    run_command('get-flops', [config, '--words', '20', '--shape', str(height), str(width)])
    assert f'one picture of {height} x {width} pixels, one caption of 20' in (
        capsys.readouterr().out)


@pytest.mark.parametrize('name, trained', [
    ('up_person_drawn', 72_275), ('clip_b16_lora_drawn', 41_473)])
def test_weights_that_a_config_freezes_are_not_trained(name, trained, capsys):
    """By the optimizer's rules, as UP-Person its projections, and beside low-rank adapters."""
    pytest.importorskip('peft')
    run_command('get-flops', [name, '--words', '10', '--json'])
    assert json.loads(capsys.readouterr().out)['total']['trained'] == trained


def test_weights_to_hand_on_carry_their_hash(tmp_path, capsys, tiny_retriever):
    model = tiny_retriever()
    model.heads['extra'] = torch.nn.Linear(2, 2)
    state = {f'module.{name}': value for name, value in model.state_dict().items()}
    torch.save(dict(state_dict=state, optimizer=dict(state={}), meta=dict(epoch=3)),
               tmp_path / 'epoch_3.pth')
    for target in ('mine.pth', 'mine'):
        run_command('publish-model', [str(tmp_path / 'epoch_3.pth'), str(tmp_path / target)])
    first, second = capsys.readouterr().out.splitlines()
    assert first == second
    digest = hashlib.sha256(Path(first).read_bytes()).hexdigest()
    assert Path(first).name == f'mine-{digest[:8]}.safetensors'
    loaded = load_checkpoint_file(first)
    expected = {name: value for name, value in model.state_dict().items()
                if not name.startswith('heads.')}
    assert loaded.keys() == expected.keys() and len(loaded) < len(state)
    assert all(torch.equal(value, expected[name]) for name, value in loaded.items())
    run_command('publish-model', [str(tmp_path / 'epoch_3.pth'), str(tmp_path / 'all'), '--heads'])
    assert 'heads.extra.weight' in load_checkpoint_file(capsys.readouterr().out.strip())


@pytest.mark.parametrize('content, said', [
    (dict(meta={}), 'holds no weights'), (None, 'no such')])
def test_what_has_no_weights_is_not_published(tmp_path, capsys, content, said):
    if content:
        torch.save(content, tmp_path / 'a.pth')
    with pytest.raises(SystemExit) as stop:
        run_command('publish-model', [str(tmp_path / 'a.pth'), str(tmp_path / 'b')])
    assert stop.value.code == 1 and said in capsys.readouterr().err
    assert not list(tmp_path.glob('*.safetensors'))


def test_the_drawn_learning_rate_is_that_of_the_run(config, tmp_path, capsys, monkeypatch):
    drawn = []
    monkeypatch.setattr(vis_scheduler, 'draw_curves', lambda curves, *_: drawn.append(curves['lr']))
    run_command('vis-scheduler', [config, '--save-path', str(tmp_path / 'lr.png')])
    assert '48 steps, 4 an epoch; from 1e-05, at most 0.001' in capsys.readouterr().out
    steps, rates = drawn[0]
    assert list(steps) == list(range(48))
    # Warm-up over a twelfth of the run, then a cosine to 0.
    expected = [1e-3 * min(.01 + .99 * step / 3, 1) * (
        1 + np.cos(np.pi * max(step - 4, 0) / 44)) / 2 for step in range(48)]
    np.testing.assert_allclose(rates, expected, rtol=1e-9)

    cfg = Config.fromfile(config)
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=48)
    np.testing.assert_allclose(learning_rates(cfg, 4), expected, rtol=1e-9)


def test_the_picture_of_a_schedule(config, tmp_path):
    run_command('vis-scheduler', [config, '--epoch-length', '7', '--save-path',
                                 str(tmp_path / 'lr.png')])
    with Image.open(tmp_path / 'lr.png') as picture:
        assert np.asarray(picture.convert('L')).std() > 5, 'a blank page'


@pytest.mark.parametrize('phase, mode', [('train', 'concat'), ('test', 'transformed')])
def test_items_are_drawn_as_the_model_sees_them(config, tmp_path, capsys, monkeypatch, phase, mode):
    seen = []
    draw = browse_dataset.draw_training_item
    monkeypatch.setattr(browse_dataset, 'draw_training_item', lambda pictures, captions, title: (
        seen.append((pictures, captions)), draw(pictures, captions, title))[1])
    for folder in ('a', 'b'):
        run_command('browse-dataset', [config, '-o', str(tmp_path / folder), '-n', '3', '-p', phase,
                                      '-m', mode])
    assert re.search(r'b: 3 of (96|16) items', capsys.readouterr().out)
    files = sorted(path.name for path in (tmp_path / 'a').iterdir())
    assert len(files) == 3
    assert all((tmp_path / 'a' / name).read_bytes() == (tmp_path / 'b' / name).read_bytes()
               for name in files)
    for pictures, captions in seen:
        assert list(pictures) == (['file', 'image'] if mode == 'concat' else ['image'])
        assert pictures['image'].shape == (32, 16, 3) and captions


def test_colours_are_those_of_the_file(config, tmp_path, micro_set):
    path = next(iter(sorted(micro_set.rglob('*.jpg'))))
    with Image.open(path) as picture:
        expected = np.asarray(picture.convert('RGB'))
    pictures = browse_dataset._pictures(dict(inputs={
        'image': torch.from_numpy(expected[..., ::-1].transpose(2, 0, 1).copy())}), str(path),
        'concat')
    np.testing.assert_array_equal(pictures['image'], expected)
    assert np.abs(pictures['file'].astype(int) - expected).mean() < 2  # another JPEG decoder


@pytest.fixture
def log(tmp_path):
    path = tmp_path / 'scalars.json'
    lines = [dict(loss=5. - step, time=9. if step == 0 else step, step=step + 1, epoch=1)
             for step in range(4)] + [{'t2i/R1': 50., 'step': 4}]
    path.write_text('\n'.join(map(json.dumps, lines)) + '\n{"loss": 1', encoding='utf-8')
    return str(path)


def test_curves_and_times_of_a_log(log, tmp_path, capsys, monkeypatch):
    drawn = {}
    monkeypatch.setattr(analyze_logs, 'draw_curves', lambda curves, *_: drawn.update(curves))
    other = tmp_path / 'other.json'
    other.write_text('{"loss": 1.5, "t2i/R1": 9, "step": 7}\n', encoding='utf-8')
    run_command('analyze-logs', ['plot_curve', log, str(other), '--keys', 'loss', 't2i/R1',
                                '--legend', 'a', 'b', 'c', 'd', '--out', str(tmp_path / 'c.png')])
    assert drawn == {'a': ([1, 2, 3, 4], [5., 4., 3., 2.]), 'b': ([4], [50.]),
                     'c': ([7], [1.5]), 'd': ([7], [9])}
    run_command('analyze-logs', ['cal_train_time', log])
    assert '2.0000 s a step (std 0.8165, from 1.0000 to 3.0000)' in capsys.readouterr().out
    run_command('analyze-logs', ['cal_train_time', log, '--include-outliers'])
    assert '3.7500 s a step' in capsys.readouterr().out


@pytest.mark.parametrize('words, said', [
    (['plot_curve', 'LOG', '--keys', 'los'], "no 'los' is logged, but loss"),
    (['plot_curve', 'LOG', '--legend', 'a', 'b'], 'needs 1 names, got 2'),
    (['plot_curve', 'nothing.json'], 'no such log'),
    (['cal_train_time', 'CONFIG'], 'no log of a run')])
def test_a_fault_of_the_user_is_one_line(log, config, capsys, monkeypatch, tmp_path, words, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        run_command('analyze-logs', [dict(LOG=log, CONFIG=config).get(word, word)
                                    for word in words])
    error = capsys.readouterr().err
    assert stop.value.code == 1 and said in error and error.count('\n') == 1


@pytest.mark.slow
@pytest.mark.parametrize('tool', TOOLS)
def test_every_tool_opens_from_any_folder(tool, tmp_path):
    done = subprocess.run([sys.executable, ROOT / f'tools/{tool}.py', '--help'], cwd=tmp_path,
                          capture_output=True, text=True)
    assert done.returncode == 0 and 'usage:' in done.stdout, done.stderr[-2000:]
