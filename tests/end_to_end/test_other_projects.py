"""Our parts in other OpenMMLab projects: the listings of the page that promises it, really run."""

import importlib.metadata
import importlib.util
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from doc_blocks import ROOT, file_in
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope

from mmtbps.fileio import load_checkpoint_file
from mmtbps.registry import MODELS

PAGE = ROOT / 'docs/concepts/from_another_mm_project.md'


@pytest.fixture
def elsewhere(micro_set, tmp_path):
    """A folder outside the repository, with drawn data where the page has it."""
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data/DrawnPEDES').symlink_to(micro_set)
    return tmp_path


def write(folder, *names):
    for name in names:
        (folder / name).write_text(file_in(PAGE, name))


def test_a_text_config_of_mmpretrain_trains_with_our_parts(elsewhere):
    """mmpretrain's own tool and model; only ``custom_imports`` brings us in."""
    write(elsewhere, 'two_towers.py', 'two_towers_config.py')
    mmpretrain = Path(importlib.util.find_spec('mmpretrain').origin).parent
    done = subprocess.run(
        [sys.executable, mmpretrain / '.mim/tools/train.py', 'two_towers_config.py',
         '--cfg-options', 'train_cfg.max_epochs=2', 'model.vocabulary=2048'],
        cwd=elsewhere, capture_output=True, text=True,
        env=dict(os.environ, PYTHONPATH=f'{elsewhere}{os.pathsep}{ROOT}', OMP_NUM_THREADS='1'))
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = (load_checkpoint_file(elsewhere / f'work_dirs/two_towers/epoch_{n}.pth')
                     for n in (1, 2))
    history = second['message_hub']['log_scalars']['train/loss_contrastive'].data[0]
    assert len(history) == second['meta']['iter'] > 2
    assert all(0 < loss < 10 * math.log(16) for loss in history)
    for tower in ('backbone.conv1.weight', 'words.weight'):
        assert not torch.equal(first['state_dict'][tower], second['state_dict'][tower])


@pytest.fixture
def swin_retriever(elsewhere):
    write(elsewhere, 'swin_config.py')
    init_default_scope('mmtbps')
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(elsewhere / 'swin_config.py').model)
    model.init_weights()
    return model


def test_a_swin_of_mmpretrain_is_an_image_tower(swin_retriever, tiny_batch):
    """The loss is that of the bare backbone's averaged map; a step moves and improves it."""
    model, batch = swin_retriever, tiny_batch(num_images=4)
    model.eval()  # stochastic depth off, for a loss that can be computed twice
    data = model.data_preprocessor(batch, training=True)
    with torch.no_grad():
        measured = model(**data, mode='loss')['loss_contrastive'].item()
        image = model.image_backbone.backbone(data['images'])[-1].mean((2, 3))
        text = model.text_backbone(data['input_ids'], data['attention_mask'])
        image = image @ model.image_neck.projection.weight.T
        text = text @ model.text_neck.projection.weight.T
    assert type(model.image_backbone.backbone).__name__ == 'SwinTransformer'
    assert measured == pytest.approx(_slow_info_nce(image, text, 0.02), rel=1e-4)

    before = {key: value.clone() for key, value in model.state_dict().items()}
    optimizer = OptimWrapper(torch.optim.Adam(model.parameters(), lr=1e-3))
    losses = [model.train_step(batch, optimizer)['loss'].item() for _ in range(15)]
    assert losses[0] == pytest.approx(measured, rel=1e-4) and losses[-1] < losses[0] / 2
    for part in ('image_backbone.backbone.stages.0', 'text_backbone', 'image_neck'):
        assert any(not torch.equal(value, before[key])
                   for key, value in model.state_dict().items() if key.startswith(part))


def _slow_info_nce(image, text, temperature):
    """Mean over both directions and all rows of -log softmax at the row's own pair."""
    def row(query, candidates, own):
        scores = [torch.cosine_similarity(query, other, 0).item() / temperature
                  for other in candidates]
        peak = max(scores)
        return peak + math.log(sum(math.exp(s - peak) for s in scores)) - scores[own]

    pairs = range(len(image))
    return sum(row(image[i], text, i) + row(text[i], image, i) for i in pairs) / (2 * len(image))


def _installed():
    try:
        importlib.metadata.distribution('mmtbps')
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


@pytest.mark.skipif(not _installed(), reason='mmtbps is not installed as a distribution, so '
                    'mmtbps:: configs have no place; run `pip install -e .`')
def test_a_config_inherits_ours_by_package_name(elsewhere):
    """In a process of its own, in a folder of its own: nothing but the installation helps."""
    write(elsewhere, 'heir_config.py')
    (elsewhere / 'heir.py').write_text(
        'import mmtbps\n'
        'from mmengine.config import Config\n'
        "Config.fromfile('heir_config.py').dump('dumped.py')\n")
    environment = {key: value for key, value in os.environ.items() if key != 'PYTHONPATH'}
    done = subprocess.run([sys.executable, 'heir.py'], cwd=elsewhere, env=environment,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    heir = Config.fromfile(elsewhere / 'dumped.py')
    ours = Config.fromfile(ROOT / 'configs/tbps/vit_bert_base_drawn.py')
    head = heir.model.heads.contrastive
    assert (head.temperature, head.learnable) == (0.05, True)
    assert heir.train_cfg.max_epochs == 3 != ours.train_cfg.max_epochs
    assert head.type == ours.to_dict()['model']['heads']['contrastive']['type']
    for same in ('image_backbone', 'text_backbone'):
        assert heir.to_dict()['model'][same] == ours.to_dict()['model'][same]
    assert heir.default_scope == 'mmtbps'


def without_scopes(node):
    """Leave out what MMEngine adds to the dicts of a base from a package."""
    if isinstance(node, dict):
        return {key: without_scopes(value) for key, value in node.items() if key != '_scope_'}
    return [without_scopes(one) for one in node] if isinstance(node, (list, tuple)) else node


@pytest.mark.parametrize('name', ['heir_config.py', 'lazy_heir_config.py'])
def test_configs_outside_the_repository_inherit_ours(elsewhere, monkeypatch, name):
    """Text and pure-Python, here without an installation."""
    write(elsewhere, name)
    monkeypatch.chdir(elsewhere)
    heir = Config.fromfile(name)
    ours = Config.fromfile(ROOT / 'configs/tbps/vit_bert_base_drawn.py')
    assert heir.train_cfg.max_epochs == 3 and heir.model.heads.contrastive.temperature == 0.05
    settings = [without_scopes(cfg.to_dict()) for cfg in (heir, ours)]
    for settings_of in settings:
        settings_of['model'].pop('heads')
        settings_of['train_cfg'].pop('max_epochs')
    assert {key: settings[0][key] for key in settings[1]} == settings[1]


@pytest.mark.slow
def test_an_heir_of_pure_python_trains_elsewhere(elsewhere):
    write(elsewhere, 'lazy_heir_config.py')
    done = subprocess.run(
        [sys.executable, ROOT / 'tools/train.py', 'lazy_heir_config.py', '--cfg-options',
         'train_cfg.max_epochs=1', 'train_dataloader.batch_size=24',
         'train_dataloader.num_workers=0', 'val_dataloader.num_workers=0'],
        cwd=elsewhere, capture_output=True, text=True,
        env=dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1'))
    assert done.returncode == 0, done.stderr[-3000:]
    assert (elsewhere / 'work_dirs/lazy_heir_config/epoch_1.pth').is_file()
