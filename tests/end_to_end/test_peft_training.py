"""UP-Person's parts from a trained start to a model folder, with a stop on the way."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image
from tiny_models import shrink

from mmtbps.commands import convert, publish_model
from mmtbps.commands.main import read_words
from mmtbps.engine.launch import check_weights, prepare_test
from mmtbps.fileio import load_checkpoint_file
from mmtbps.models.loading import WeightsMisfit, read_weights
from mmtbps.models.peft import is_adapter
from mmtbps.search.encoders.torch_encoder import TorchEncoder

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
EMA = dict(type='mmengine.EMAHook', momentum=0.3)


def shrunk(name, micro_set, work_dir, epochs, **changes):
    cfg = shrink(Config.fromfile(CONFIGS / name), micro_set, work_dir)
    cfg.train_cfg.update(max_epochs=epochs, val_interval=epochs)
    cfg.default_hooks.checkpoint.max_keep_ckpts = 4
    cfg.merge_from_dict(changes)
    return cfg


@pytest.fixture(scope='module')
def start(micro_set, tmp_path_factory):
    """A checkpoint of the same towers, trained whole."""
    folder = tmp_path_factory.mktemp('start')
    Runner.from_cfg(shrunk('clip/clip_b16_itc_drawn.py', micro_set, folder, 1)).train()
    return folder / 'epoch_1.pth'


@pytest.fixture(scope='module')
def settings(micro_set, start):
    """A function that makes the config of a run from that start."""
    def make(work_dir, **changes):
        cfg = shrunk('up_person/up_person_drawn.py', micro_set, work_dir, 2, **{
            'load_from': str(start), 'optim_wrapper.optimizer.lr': 0.01, **changes})
        cfg.custom_hooks.append(dict(EMA))
        return cfg
    return make


@pytest.fixture(scope='module')
def trained(settings, tmp_path_factory):
    """Checkpoint, config and log of a run that nobody stopped."""
    folder = tmp_path_factory.mktemp('whole')
    Runner.from_cfg(cfg := settings(folder)).train()
    return folder / 'epoch_2.pth', cfg, next(folder.glob('*/*.log')).read_text('utf-8')


def test_the_model_stays_as_it_was_and_the_parts_do_not(start, trained):
    checkpoint, _, log = trained
    before, after = (load_checkpoint_file(path)['state_dict'] for path in (start, checkpoint))
    added = {name for name in after if is_adapter(name)}
    assert f'lacks {len(added)} weights of adapters; these start anew' in log
    assert 'weights to train: image_backbone' in log
    assert set(after) - added == {name for name in before if not name.startswith('heads.')}
    for name in set(after) - added:
        assert torch.equal(after[name], before[name]), name
    first = load_checkpoint_file(checkpoint.with_name('epoch_1.pth'))['state_dict']
    still = [name for name in added if torch.equal(after[name], first[name])]
    assert not still
    states = load_checkpoint_file(checkpoint)['optimizer']['state']
    assert len(states) == len(added)


def test_a_resumed_run_equals_the_uninterrupted_one(settings, trained, tmp_path):
    whole = trained[0]
    cfg = settings(tmp_path, resume=True, load_from=str(whole.with_name('epoch_1.pth')))
    Runner.from_cfg(cfg).train()
    expected, found = load_checkpoint_file(whole), load_checkpoint_file(tmp_path / 'epoch_2.pth')
    for key in ('state_dict', 'ema_state_dict'):
        assert expected[key].keys() == found[key].keys()
        for name, weight in expected[key].items():
            torch.testing.assert_close(found[key][name], weight, atol=1e-6, rtol=0, msg=name)


def test_a_run_without_the_parts_is_not_resumed_with_them(settings, tmp_path):
    with pytest.raises(WeightsMisfit, match=r'resume: .*misfits: .*is missing'):
        Runner.from_cfg(settings(tmp_path, resume=True)).train()


def test_it_is_tested_converted_and_published_merged(trained, micro_set, tmp_path, capsys):
    checkpoint, cfg, _ = trained
    cfg.dump(tmp_path / 'config.py')
    test = Config.fromfile(tmp_path / 'config.py')
    test.update(work_dir=str(tmp_path / 'test'), experiment_name='peft')
    prepare_test(test, str(checkpoint), 'val')
    assert check_weights(Runner.from_cfg(test), str(checkpoint)).misfits == ()

    encoder = TorchEncoder(tmp_path / 'config.py', str(checkpoint))
    capsys.readouterr()
    convert.run(read_words('convert', [
        'mmtbps', str(checkpoint), str(tmp_path / 'person'), '--config',
        str(tmp_path / 'config.py')]))
    assert 'missing 0, unexpected 0' in capsys.readouterr().out
    publish_model.run(read_words('publish-model', [str(checkpoint), str(tmp_path / 'model.pth')]))
    published = capsys.readouterr().out.strip()
    names = read_weights(published).keys()
    assert not [name for name in names if 'lora' in name]
    assert [name for name in names if '.adapter.' in name]

    pictures = [Image.open(path) for path in sorted((micro_set / 'imgs').rglob('*.jpg'))[:5]]
    expected = encoder.encode_images(pictures)
    assert np.ptp(expected, axis=0).max() > 1e-3
    for other in (TorchEncoder(tmp_path / 'person'),
                  TorchEncoder(tmp_path / 'config.py', published)):
        np.testing.assert_allclose(other.encode_images(pictures), expected, atol=1e-6)
