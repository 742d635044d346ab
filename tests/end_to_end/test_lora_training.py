"""Low-rank adapters from a trained start to a model folder, with a stop on the way."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image
from safetensors.torch import load_file
from tiny_models import shrink

from mmtbps.engine.launch import check_weights, prepare_test
from mmtbps.fileio import load_checkpoint_file
from mmtbps.models.converters import ConversionOptions, convert_checkpoint
from mmtbps.models.loading import WeightsMisfit, load_strictly
from mmtbps.models.publishing import publish_weights
from mmtbps.registry import MODELS
from mmtbps.search.encoders.torch_encoder import TorchEncoder

CONFIGS = Path(__file__).resolve().parents[2] / 'configs/clip'
EMA = dict(type='mmengine.EMAHook', momentum=0.3)


def shrunk(name, micro_set, work_dir, epochs, **changes):
    cfg = shrink(Config.fromfile(CONFIGS / name), micro_set, work_dir)
    cfg.train_cfg.update(max_epochs=epochs, val_interval=epochs)
    cfg.default_hooks.checkpoint.max_keep_ckpts = 4
    cfg.merge_from_dict(changes)
    return cfg


def weights_of(path):
    return load_checkpoint_file(path)['state_dict']


@pytest.fixture(scope='module')
def start(micro_set, tmp_path_factory):
    """A checkpoint of the same towers, trained whole."""
    folder = tmp_path_factory.mktemp('start')
    Runner.from_cfg(shrunk('clip_b16_itc_drawn.py', micro_set, folder, 1)).train()
    return folder / 'epoch_1.pth'


@pytest.fixture(scope='module')
def settings(micro_set, start):
    """A function that makes the config of a run from that start."""
    def make(work_dir, averaged=False, **changes):
        cfg = shrunk('clip_b16_lora_drawn.py', micro_set, work_dir, 2, **{
            'load_from': str(start), 'optim_wrapper.optimizer.lr': 0.01, **changes})
        cfg.model.lora.update(rank=2, alpha=6, dropout=0.1)
        cfg.custom_hooks += [dict(EMA)] * averaged
        return cfg
    return make


@pytest.fixture(scope='module')
def trained(settings, tmp_path_factory):
    """Work folder and config of a run that nobody stopped."""
    folder = tmp_path_factory.mktemp('whole')
    runner = Runner.from_cfg(cfg := settings(folder))
    runner.train()
    log = next(folder.glob('*/*.log')).read_text('utf-8')
    assert 'lacks 24 weights of adapters; these start anew' in log
    assert 'weights to train: image_backbone 384 of' in log
    return folder / 'epoch_2.pth', cfg


def test_the_towers_stay_as_they_were_and_the_adapters_do_not(start, trained):
    before, after = weights_of(start), weights_of(trained[0])
    first = weights_of(trained[0].with_name('epoch_1.pth'))
    assert {name for name in after if 'lora_' not in name} == before.keys()
    for name, weight in before.items():
        assert torch.equal(after[name], weight) == ('backbone' in name), name
    moved = [name for name in after if name not in before and 'scaling' not in name]
    assert len(moved) == 16 and not any(torch.equal(after[name], first[name]) for name in moved)


def test_states_of_the_optimizer_are_those_of_what_is_trained(trained):
    checkpoint = load_checkpoint_file(trained[0])
    states = checkpoint['optimizer']['state']
    assert len(states) == 16 + 2 + 1  # adapters, projections, temperature
    assert sum(state['exp_avg'].numel() for state in states.values()) < 0.2 * sum(
        weight.numel() for weight in checkpoint['state_dict'].values())


@pytest.mark.parametrize('averaged', [False, True], ids=['plain', 'averaged'])
def test_a_resumed_run_equals_the_uninterrupted_one(averaged, settings, trained, tmp_path):
    whole = trained[0]
    if averaged:
        Runner.from_cfg(settings(tmp_path / 'whole', averaged)).train()
        whole = tmp_path / 'whole/epoch_2.pth'
    cfg = settings(tmp_path, averaged, resume=True, load_from=str(whole.with_name('epoch_1.pth')))
    Runner.from_cfg(cfg).train()
    expected, found = load_checkpoint_file(whole), load_checkpoint_file(tmp_path / 'epoch_2.pth')
    for key in ('state_dict', *(['ema_state_dict'] if averaged else [])):
        for name, weight in expected[key].items():
            torch.testing.assert_close(found[key][name], weight, atol=1e-6, rtol=0, msg=name)
    assert averaged == ('ema_state_dict' in found)


def test_a_run_without_adapters_is_not_resumed_with_them(settings, start, tmp_path):
    runner = Runner.from_cfg(settings(tmp_path, resume=True))
    with pytest.raises(WeightsMisfit, match='resume: .*24 misfits.*lora_.*is missing'):
        runner.train()
    assert start.is_file()


# ------------------------------------------------------------------ afterwards, without peft
@pytest.fixture
def no_peft(monkeypatch):
    monkeypatch.setitem(sys.modules, 'peft', None)


def test_the_checkpoint_is_tested_merged(trained, no_peft, tmp_path):
    checkpoint, cfg = trained
    metrics = {}
    for path in (checkpoint, checkpoint.with_name('epoch_1.pth')):
        cfg.dump(tmp_path / 'config.py')
        test = Config.fromfile(tmp_path / 'config.py')
        test.update(work_dir=str(tmp_path), experiment_name=path.stem)
        prepare_test(test, str(path), 'val')
        runner = Runner.from_cfg(test)
        assert check_weights(runner, str(path)).misfits == ()
        metrics[path.stem] = runner.test()
    lines = [json.loads(line) for path in checkpoint.parent.glob('*/vis_data/scalars.json')
             for line in path.read_text('utf-8').splitlines()]
    logged = next(line for line in reversed(lines) if 't2i/mAP' in line)
    assert metrics['epoch_2']['t2i/mAP'] == pytest.approx(logged['t2i/mAP'], abs=0.5)
    assert metrics['epoch_1']['t2i/mAP'] != pytest.approx(metrics['epoch_2']['t2i/mAP'], abs=0.01)


def test_a_published_file_and_a_converted_one_are_merged(trained, no_peft, micro_set, tmp_path):
    checkpoint, cfg = trained
    cfg.dump(tmp_path / 'config.py')
    published = publish_weights(checkpoint, tmp_path / 'model.pth')
    options = ConversionOptions(config=Config.fromfile(tmp_path / 'config.py').to_dict())
    found = convert_checkpoint('mmtbps', str(checkpoint), options)
    added = [name for name in weights_of(checkpoint) if 'lora_' in name]
    assert len(added) == 24 and set(added) < set(found.used) and found.complete
    states = load_file(published), found.state_dict
    assert not [name for state in states for name in state if 'lora' in name]
    name = 'image_backbone.transformer.resblocks.0.attn.in_proj_weight'
    assert not torch.equal(states[0][name], weights_of(checkpoint)[name])
    encoders = [TorchEncoder(tmp_path / 'config.py', str(path)) for path in (checkpoint, published)]
    pictures = [Image.open(path) for path in sorted((micro_set / 'imgs').rglob('*.jpg'))[:5]]
    assert np.array_equal(*(encoder.encode_images(pictures) for encoder in encoders))
    for name, weight in states[1].items():
        assert torch.equal(weight, states[0][name]), name


def test_a_model_folder_is_that_of_a_plain_model(trained, micro_set, tmp_path, monkeypatch):
    checkpoint, cfg = trained
    cfg.dump(tmp_path / 'config.py')
    cfg = Config.fromfile(tmp_path / 'config.py')
    model = MODELS.build(cfg.model)
    load_strictly(model, str(checkpoint))
    model._config = cfg
    unmerged = TorchEncoder(model.eval())
    unmerged.save_pretrained(tmp_path / 'unmerged')
    monkeypatch.setitem(sys.modules, 'peft', None)
    encoder = TorchEncoder(tmp_path / 'config.py', str(checkpoint))
    encoder.save_pretrained(tmp_path / 'model')
    start = [Image.open(path) for path in sorted((micro_set / 'imgs').rglob('*.jpg'))[:5]]
    texts = ['a man in a red coat', 'a woman with a bag']
    for name in ('model', 'unmerged'):
        again = TorchEncoder(tmp_path / name)
        assert again.fingerprint == encoder.fingerprint == unmerged.fingerprint
        assert np.array_equal(again.encode_images(start), encoder.encode_images(start))
        saved = json.loads((tmp_path / name / 'config.json').read_text('utf-8'))
        assert 'lora' not in saved['retriever']
        assert not [key for key in load_file(tmp_path / name / 'model.safetensors')
                    if 'lora' in key]
    for found, expected in ((encoder.encode_images(start), unmerged.encode_images(start)),
                            (encoder.encode_texts(texts), unmerged.encode_texts(texts))):
        np.testing.assert_allclose(found, expected, atol=1e-6)
        assert np.ptp(found, axis=0).max() > 0.01
