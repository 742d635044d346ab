"""Checkpoints of a training become model folders, by the config inside them or another."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from tiny_models import shrink

from mmtbps.errors import BadValue
from mmtbps.fileio import load_checkpoint_file
from mmtbps.models.converters import ConversionOptions, convert_checkpoint
from mmtbps.models.converters.config_text import read_config_text
from mmtbps.models.converters.mmtbps import registered_types
from mmtbps.registry import MODELS, TRANSFORMS
from mmtbps.search.encoders import TorchEncoder

ROOT = Path(__file__).resolve().parents[3]
OLD = ROOT / 'tests/fixtures/written_by_0_1'
TEXTS = ['A woman in a red coat.', 'A man with a blue bag.', 'A man in black.']

# Checkpoints of strangers hold the layout of MMEngine.
pytestmark = pytest.mark.usefixtures('config_text_laid_out')


@pytest.fixture
def old_run(tmp_path):
    """A checkpoint that a run of version 0.1 wrote: one head, which held the projections."""
    loaded = load_checkpoint_file(OLD / 'runs/pdg/epoch_1.pth', 'cpu')
    loaded['meta']['cfg'] = loaded['meta']['cfg'].replace("'drawn/", f"'{OLD}/drawn/")
    loaded['message_hub'] = {}  # its history holds what only our reader takes
    torch.save(loaded, tmp_path / 'epoch_1.pth')
    return tmp_path / 'epoch_1.pth', loaded


@pytest.fixture
def new_run(tmp_path, micro_set):
    """A checkpoint with the config of a run of today, and a model of random weights."""
    cfg = shrink(Config.fromfile(ROOT / 'configs/tbps/vit_bert_pdg_drawn.py'), micro_set,
                 tmp_path / 'run')
    cfg.model.heads.identity = dict(type='IdentityHead', num_classes=3, in_dims=16)
    cfg.model.image_neck = cfg.model.text_neck = dict(type='ProjectionNeck', out_dims=12)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model.to_dict())
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1:
                weight.normal_(0, 1.2 / weight[0].numel() ** .5 if 'embed' not in name else 1)
    state = {f'module.{key}': value for key, value in model.state_dict().items()}
    torch.save(dict(meta=dict(cfg=cfg.pretty_text), state_dict=state), tmp_path / 'epoch_9.pth')
    return tmp_path / 'epoch_9.pth', cfg, model.eval()


@torch.no_grad()
def test_a_run_of_today_becomes_a_folder(new_run, convert, open_folder, crops, tmp_path):
    checkpoint, cfg, model = new_run
    report = convert('mmtbps', checkpoint, tmp_path / 'person')
    assert 'dropped (training-only, head identity): heads.identity.' in report
    assert 'missing 0, unexpected 0' in report and 'used: image_backbone.' in report
    encoder = open_folder(tmp_path / 'person')
    # The model that was trained, called without anything of ours around it.
    pixels = torch.stack([torch.from_numpy(np.array(crop.resize((16, 32), 3))) for crop in crops])
    pixels = pixels.permute(0, 3, 1, 2).float()
    mean, std = torch.tensor([[123.675, 116.28, 103.53], [58.395, 57.12, 57.375]]).view(2, 3, 1, 1)
    images = model.encode_image((pixels - mean) / std).numpy()
    assert np.abs(images - images[::-1]).max() > .05
    np.testing.assert_allclose(encoder.encode_images(crops), images, atol=1e-5)
    ids, mask = encoder.prepare_texts(TEXTS)
    texts = model.encode_text(ids, mask).numpy()
    np.testing.assert_allclose(encoder.encode_texts(TEXTS), texts, atol=1e-5)
    assert np.abs(texts - texts[::-1]).max() > .05


def test_a_run_of_version_0_1_has_its_features_and_its_galleries(old_run, convert, open_folder,
                                                                 crops, tmp_path):
    checkpoint, loaded = old_run
    config = tmp_path / 'config.py'
    config.write_text(loaded['meta']['cfg'])
    expected = TorchEncoder(config, checkpoint, device='cpu')
    report = convert('mmtbps', checkpoint, tmp_path / 'person')
    assert 'used: head.image_projection.weight' in report
    assert 'dropped (training-only, head contrastive): head.log_temperature' in report
    encoder = open_folder(tmp_path / 'person')
    np.testing.assert_allclose(encoder.encode_images(crops), expected.encode_images(crops),
                               atol=1e-6)
    np.testing.assert_allclose(encoder.encode_texts(TEXTS), expected.encode_texts(TEXTS),
                               atol=1e-6)
    assert encoder.fingerprint == expected.fingerprint
    assert encoder.former_fingerprints == expected.former_fingerprints != ()


def test_a_checkpoint_without_config_takes_one(new_run, convert, open_folder, crops, tmp_path):
    checkpoint, cfg, _ = new_run
    convert('mmtbps', checkpoint, tmp_path / 'first')
    loaded = torch.load(checkpoint, weights_only=True)
    torch.save(loaded['state_dict'], tmp_path / 'bare.pth')
    with pytest.raises(BadValue, match='carries no config; name the one .* by --config'):
        convert('mmtbps', tmp_path / 'bare.pth', tmp_path / 'second')
    cfg.dump(tmp_path / 'mine.py')
    convert('mmtbps', tmp_path / 'bare.pth', tmp_path / 'second', '--config', tmp_path / 'mine.py')
    first, second = (open_folder(tmp_path / name) for name in ('first', 'second'))
    assert first.fingerprint == second.fingerprint
    np.testing.assert_array_equal(first.encode_images(crops), second.encode_images(crops))
    hub = dict(message_hub=dict(runtime_info=dict(cfg=loaded['meta']['cfg'])))
    torch.save(dict(hub, state_dict=loaded['state_dict']), tmp_path / 'hub.pth')
    assert convert_checkpoint('mmtbps', str(tmp_path / 'hub.pth')).complete


def test_what_does_not_fit_writes_nothing(new_run, convert, tmp_path):
    checkpoint, cfg, _ = new_run
    loaded = torch.load(checkpoint, weights_only=True)
    key = 'module.image_backbone.ln1.weight'

    def changed(**keys):
        state = {name: value for name, value in {**loaded['state_dict'], **keys}.items()
                 if value is not None}
        torch.save(dict(loaded, state_dict=state), tmp_path / 'changed.pth')
        return tmp_path / 'changed.pth'

    for keys, message in (({key: None}, 'incomplete'),
                          ({key: torch.ones(3)}, 'incomplete or of other shapes'),
                          ({'module.text_backbone.extra': torch.ones(3)},
                           'hold weights that its config does not have, such as')):
        with pytest.raises(BadValue, match=message):
            convert('mmtbps', changed(**keys), tmp_path / 'person')
    with pytest.raises(BadValue, match='that the model of its config has no place for.*: queue '):
        convert_checkpoint('mmtbps', str(changed(**{'module.queue': torch.ones(2)})))
    with pytest.raises(BadValue, match='leave them out'):
        convert('mmtbps', checkpoint, tmp_path / 'person', '--stride', '8')
    with pytest.raises(BadValue, match='kind mmtbps'):
        convert('irra', checkpoint, tmp_path / 'person')
    assert not (tmp_path / 'person').exists()


def test_the_config_of_a_stranger_is_not_run(new_run, tmp_path):
    checkpoint, cfg, _ = new_run
    loaded = torch.load(checkpoint, weights_only=True)
    marker = tmp_path / 'run'
    backbone = cfg.model.image_backbone.type
    name = backbone if isinstance(backbone, str) else f'{backbone.__module__}.{backbone.__name__}'
    text = loaded['meta']['cfg']
    assert repr(name.rpartition('.')[2])[1:] in text
    for foul, message in (
            (f'import os\n{text}', 'line 1 of the config is no setting: import os'),
            (f'{text}\nx = open({str(marker)!r}, "w")', 'is no setting: open'),
            (text.replace(f"{name.rpartition('.')[2]}'", "os.system'"), 'no registered class')):
        torch.save(dict(loaded, meta=dict(cfg=foul)), tmp_path / 'foul.pth')
        with pytest.raises(BadValue, match=message):
            convert_checkpoint('mmtbps', str(tmp_path / 'foul.pth'))
    assert not marker.exists()


def test_a_config_without_a_retriever_is_named(tmp_path):
    torch.save(dict(meta=dict(cfg="model = dict(type='A')"), state_dict=dict(a=torch.ones(1))),
               tmp_path / 'other.pth')
    with pytest.raises(BadValue, match='other.pth: its config is none of a retriever'):
        convert_checkpoint('mmtbps', str(tmp_path / 'other.pth'), ConversionOptions())


def test_the_text_of_a_config_is_read():
    values = dict(a=[1, -2.5, None, True], b=dict(c=(1,), d={'a-b': 'x', 3: []}, type='A'))
    assert read_config_text(Config(values).pretty_text) == values
    assert read_config_text("a = dict(b=1, **{'c-d': 2})") == dict(a={'b': 1, 'c-d': 2})
    for text in ('a = b', 'a.b = 1', 'a = {**b}', 'f()', 'a = [x for x in y]', 'a = dict(1)', '(',
                 'a = b = 1', 'del a'):
        with pytest.raises(BadValue):
            read_config_text(text)


def test_types_become_registered_names():
    steps = [dict(type='mmcv.transforms.Resize', scale=(1, 2)), dict(type='TokenizeCaption')]
    found = registered_types(steps, TRANSFORMS)
    assert [step['type'] for step in found] == ['Resize', 'mmtbps.TokenizeCaption']
    for kind in ('mmpretrain.evil.TextImageRetriever', 'Nothing', 3, 'subprocess.Popen'):
        with pytest.raises(BadValue, match='no registered class'):
            registered_types(dict(type=kind), MODELS)
