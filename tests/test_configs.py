"""Every shipped config: it parses, says what is missing, and trains for one epoch when shrunk."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import PARAM_SCHEDULERS
from mmengine.runner import Runner
from tiny_models import set_batch_size, shrink

from mmtbps.commands.wording.user_errors import one_line_errors
from mmtbps.engine.preflight import find_missing
from mmtbps.engine.readiness import stop_if_unready
from mmtbps.registry import TRANSFORMS

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = sorted(path for data in ('cuhk', 'icfg', 'rstp', 'drawn', 'mals')
                 for path in (ROOT / 'configs').glob(f'*/*_{data}.py')
                 if path.parent.name != 'generation' and not path.stem.startswith('ablation'))
REAL = [path for path in CONFIGS if 'drawn' not in path.stem and 'mals' not in path.stem]
#: What a run is made of; the rest of a config are names, and what these were put together from.
PARTS = ('model', 'train_dataloader', 'val_dataloader', 'val_evaluator', 'train_cfg', 'val_cfg',
         'optim_wrapper', 'param_scheduler', 'default_hooks', 'custom_hooks', 'randomness',
         'env_cfg', 'auto_scale_lr')

MISSING = dict(
    aptm=('aptm', './weights/aptm_mals.pth', './weights/bert-base-uncased'),
    rasa=('rasa', './weights/albef_384.pth', './weights/bert-base-uncased'),
    blip=('blip', './weights/blip_base_retrieval_coco.pth', './weights/bert-base-uncased'),
    vit=('timm', './weights/vit_base_patch16_384.pth', './weights/bert-base-uncased'),
    **dict.fromkeys(('clip', 'dm', 'irra', 'nam', 'rde', 'sen', 'syntbpr', 'tbps', 'up'),
                    ('openai_clip', './weights/clip_vit_b16.pth')))


def name(path):
    return path.stem


@pytest.fixture(scope='module')
def trained():
    """Texts of configs that have trained."""
    return set()


@pytest.mark.parametrize('path', CONFIGS, ids=name)
def test_it_trains_when_shrunk(path, micro_set, tmp_path, trained):
    cfg = shrink(Config.fromfile(path), micro_set, tmp_path)
    if 'max_iters' in cfg.train_cfg:
        cfg.train_cfg.update(max_iters=4, val_interval=4)
    else:
        cfg.train_cfg.max_epochs = 1
    set_batch_size(cfg.train_dataloader, 24)
    # One of another data set is the same, when shrunk, but for the number of its people.
    same = re.sub(r"'num_classes': \d+", '', str([cfg.get(part) for part in PARTS]))
    if same in trained:
        return
    runner = Runner.from_cfg(cfg)
    before = {key: value.clone() for key, value in runner.model.state_dict().items()}
    runner.train()
    moved = [key for key, value in runner.model.state_dict().items()
             if not torch.equal(value, before[key])]
    assert any(key.startswith('image_backbone') for key in moved)
    assert any(key.startswith('text_backbone') for key in moved)
    assert runner.iter == 4
    trained.add(same)


@pytest.mark.parametrize('path', CONFIGS, ids=name)
def test_a_dumped_copy_is_the_same_config(path, tmp_path):
    cfg = Config.fromfile(path)
    cfg.dump(tmp_path / 'copy.py')
    copy = Config.fromfile(tmp_path / 'copy.py')
    assert copy.pretty_text == cfg.pretty_text
    assert copy.model.type == 'mmtbps.models.' + (
        'CrossEncoderRetriever' if path.parent.name in ('aptm', 'rasa', 'blip')
        else 'TextImageRetriever')
    tokenizers = [step['tokenizer'] for step in copy.test_dataloader.dataset.pipeline
                  if 'tokenizer' in step]
    assert tokenizers and not [name for name in tokenizers if name.startswith('mmtbps.')]


@pytest.mark.parametrize('path', REAL, ids=name)
def test_what_is_missing_is_named_with_its_cure(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit), one_line_errors():
        stop_if_unready(Config.fromfile(path))
    message = capsys.readouterr().err
    kind, *weights = MISSING[path.stem.rpartition('_')[0].partition('_')[0]]
    if path.stem.startswith('clip_bert'):
        weights.append('./weights/bert-base-uncased')
    assert message.startswith('error: cannot start') and message.count('\n') == 2 + len(weights)
    assert 'Annotation file' in message and 'prepare_data.md' in message
    assert f'mmtbps convert {kind} ' in message and all(name in message for name in weights)


def test_nothing_is_missing_where_everything_is_there(micro_set, tmp_path):
    cfg = shrink(Config.fromfile(REAL[0]), micro_set, tmp_path)
    assert find_missing(cfg) == []


def settings(path):
    return Config.fromfile(ROOT / 'configs' / path)


def test_sen_as_published():
    cfg = settings('sen/sen_cuhk.py')
    weights = {name: head.get('loss_weight', 1) for name, head in cfg.model.heads.items()}
    assert weights == dict(sdm=1, identity=1, triplet=10, restoration=10)
    assert (cfg.model.heads.triplet.margin, cfg.model.heads.restoration.keep_share) == (0.05, 0.3)
    assert settings('sen/sen_rstp.py').model.heads.identity.num_classes == 3701
    loader = cfg.train_dataloader
    assert (loader.batch_size, loader.batch_sampler.max_instances) == (128, 2)
    assert cfg.train_cfg.max_epochs == 60 and cfg.optim_wrapper.optimizer.lr == 1e-5


def test_aptm_as_published():
    cfg = settings('aptm/aptm_cuhk.py')
    for name in ('itc', 'itm'):
        head = cfg.model.heads[name]
        assert (head.type.__name__, head.weight) == ('SecondCaptionHead', 0.8)
    steps = {step.type.__name__: step for step in cfg.train_dataloader.dataset.pipeline}
    assert list(steps) == ['LoadImageFromFile', 'Resize', 'RandomFlip', 'RandAugment',
                           'EraseRectangle', 'CaptionView', 'TokenizeCaption', 'MaskCaption',
                           'PackTextImage']
    augment = steps['RandAugment']
    assert (augment.num_policies, augment.magnitude_level, len(augment.policies)) == (2, 7, 10)
    assert (steps['MaskCaption'].prob, steps['EraseRectangle'].prob) == (0.25, 0.6)
    np.random.seed(0)
    image = np.random.randint(40, 160, size=(384, 128, 3), dtype=np.uint8)
    built, seen = TRANSFORMS.build(augment), []
    for policy in built.transforms:
        policy.prob = float(policy.prob > 0)
        seen.append(policy(dict(img=image.copy()))['img'])
    assert all(one.dtype == np.uint8 and one.shape == image.shape for one in seen)
    assert [bool((one != image).any()) for one in seen] == [False] + 9 * [True]
    brightness, shifted = seen[3], seen[7]
    assert np.allclose(brightness, image * 1.36, atol=1)
    assert (np.array_equal(shifted[:, 7:], image[:, :-7])
            or np.array_equal(shifted[:, :-7], image[:, 7:]))


def test_syntbpr_as_published():
    cfg = settings('syntbpr/syntbpr_icfg.py')
    head = cfg.model.heads.syntbpr
    assert (head.type.__name__, head.share) == ('SynTBPRHead', 0.005)
    assert (cfg.optim_wrapper.optimizer.lr, cfg.train_cfg.max_epochs) == (5e-5, 8)
    assert cfg.train_dataloader.batch_size * 4 == cfg.auto_scale_lr.base_batch_size == 320
    assert cfg.train_dataloader.dataset.pairs_root == 'data/ICFG-PEDES-pdg'


@pytest.mark.parametrize('path, classes', [
    ('irra/irra_cuhk.py', 11003), ('irra/irra_icfg.py', 3102), ('irra/irra_rstp.py', 3701)])
def test_irra_as_published(path, classes):
    cfg = settings(path)
    assert cfg.model.heads.identity.num_classes == classes
    assert cfg.model.heads.sdm.temperature == 0.02 and set(cfg.model.heads) == {
        'sdm', 'identity', 'mlm'}
    assert (tuple(cfg.model.image_backbone.img_size), cfg.train_dataloader.batch_size) == (
        (384, 128), 64)
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.lr, optimizer.eps, optimizer.weight_decay) == (1e-5, 1e-3, 4e-5)
    assert cfg.train_cfg.max_epochs == 60 and 'batch_sampler' not in cfg.train_dataloader
    steps = {step.type.__name__: step for step in cfg.train_dataloader.dataset.pipeline}
    assert steps['MaskCaption'].prob == 0.15 and steps['MaskCaption'].in_place
    erase, colors = steps['EraseRectangle'], cfg.model.data_preprocessor
    assert (erase.prob, tuple(erase.area), tuple(erase.ratio)) == (0.5, (0.02, 0.4), (0.3, 3.3))
    # The published colour is CLIP's mean of 0-1, painted into the normalised image.
    painted = [(fill - mean) / std for fill, mean, std in zip(
        erase.fill[::-1], colors.mean, colors.std, strict=True)]
    assert painted == pytest.approx([0.48145466, 0.4578275, 0.40821073], abs=0.002)


def test_the_learning_rate_of_irra_is_that_of_its_formula():
    cfg = settings('irra/irra_cuhk.py')
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    schedulers = [PARAM_SCHEDULERS.build(dict(scheduler, optimizer=optimizer, end=60))
                  for scheduler in cfg.param_scheduler]
    for epoch in range(60):
        expected = (0.1 + 0.9 * epoch / 5 if epoch < 5
                    else (1 + math.cos(math.pi * (epoch - 5) / 55)) / 2)
        assert optimizer.param_groups[0]['lr'] == pytest.approx(expected, abs=1e-9), epoch
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()


def test_rde_and_tbps_clip_as_published():
    cfg = settings('rde/rde_cuhk.py')
    assert cfg.optim_wrapper.paramwise_cfg.rules[-1] == dict(
        contains=['neck.fc', 'neck.mlp'], lr=1e-3)
    assert [head.get('part') for head in cfg.model.heads.values()] == [None, 'tse']
    assert cfg.model.text_backbone.filler_id == 0
    assert settings('rde/rde_rstp.py').custom_hooks[-1].max_iterations == 100
    cfg = settings('tbps_clip/tbps_clip_cuhk.py')
    assert cfg.model.heads.tbps_clip.citc_weight == 0.1 and cfg.model.heads.simclr.loss_weight == .4
    assert cfg.train_cfg.max_epochs == 5 and cfg.auto_scale_lr.base_batch_size == 320
    warm_up, cosine = cfg.param_scheduler
    assert (warm_up.start_factor, cosine.eta_min) == (0.01, 5e-6)
    assert cfg.train_dataloader.drop_last and cfg.train_dataloader.batch_size == 80
    simple = settings('tbps_clip/tbps_clip_simplified_cuhk.py')
    assert set(simple.model.heads) == {'tbps_clip'}


def test_the_images_of_tbps_clip_are_augmented_as_published():
    pipeline = settings('tbps_clip/tbps_clip_cuhk.py').train_dataloader.dataset.pipeline
    kinds = [step.type.__name__ for step in pipeline]
    assert [step.get('key') for step in pipeline[:kinds.index('Resize')]] == [
        None, 'image_2', 'image_3']  # views among themselves are crops of the whole picture
    jitter, rotate, crop, gray, flip, erase = (step[0] for step in pipeline[
        kinds.index('RandomChoice')].transforms)
    assert (jitter.brightness, tuple(rotate.magnitude_range), rotate.pad_val) == (0.1, (0, 15), 0)
    assert (tuple(crop.crop_ratio_range), gray.prob, flip.prob) == ((0.9, 1.0), 0.1, 0.5)
    assert (erase.erase_prob, erase.min_area_ratio, tuple(erase.fill_color)) == (0.5, 0.1,
                                                                                 (0, 0, 0))
    views = pipeline[kinds.index('ImageView')].transforms
    for grey in (gray, next(step for step in views if 'channel_weights' in step)):
        # The luma of ITU-R 601-2, which Pillow and torchvision take, in the loader's BGR.
        assert tuple(grey.channel_weights) == (0.114, 0.587, 0.299)
    assert kinds.count('RandomChoice') == 2 and pipeline[kinds.index(
        'Resize')].interpolation == 'bilinear'
    strong, chance = pipeline[1].transforms[1].transforms[0], pipeline[1].transforms[1].prob
    assert [step.type.__name__ for step in strong] == ['ColorJitter', 'RandomHue']
    assert (strong[0].contrast, strong[1].hue, chance[0]) == (0.4, 0.1, 0.8)


@pytest.mark.parametrize('kind', ['tbps_clip', 'tbps_clip_simplified'])
def test_the_captions_of_tbps_clip_lose_words_as_published(kind):
    pipeline = settings(f'tbps_clip/{kind}_rstp.py').train_dataloader.dataset.pipeline
    delete, tokenize, _ = pipeline[-3:]
    assert (delete.type.__name__, delete.prob) == ('DeleteWords', 0.05)
    assert tokenize.clean == 'tbps_clip'


def test_the_papers_table():
    """The numbers of the published recipe, read back from the config."""
    cfg = Config.fromfile(ROOT / 'configs/tbps/vit_bert_pdg_cuhk.py')
    vit = cfg.model.image_backbone
    assert (vit.img_size, vit.stride) == ((384, 128), 12)
    assert cfg.model.heads.contrastive.temperature == 0.005
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.lr, tuple(optimizer.betas), optimizer.eps) == (1e-4, (0.9, 0.999), 1e-8)
    warm_up, steps = cfg.param_scheduler
    assert (70 * warm_up.length, [round(70 * share) for share in steps.milestones], steps.gamma
            ) == (10, [20, 40, 60], 0.1)
    assert cfg.train_cfg.max_epochs == 70 and cfg.auto_scale_lr.base_batch_size == 256
