"""LoRA fine-tuning: the base stays, the loss falls, the updates come back."""

import copy
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from mmpretrain.structures import DataSample
from tiny_diffusion import as_pipeline

from mmtbps.generation.diffusion.finetune import (
    CaptionedImages,
    DiffusionFinetuner,
    SaveLoraHook,
    denoising_loss,
)

CONFIG = Path(__file__).parents[3] / 'configs/generation/finetune_drawn.py'
SIZE = (32, 16)
NUMBERS = itertools.count()
CAPTIONS = ['A man in a red shirt.', 'A man in a blue coat.', 'A man in green jeans.', 'A bag.']


@pytest.fixture
def build(tiny_parts):
    """A function that makes a fresh fine-tuner; keywords replace its arguments."""
    def build(**arguments):
        torch.manual_seed(0)
        parts = {name: copy.deepcopy(part) for name, part in tiny_parts.items()}
        arguments.setdefault('pipeline', as_pipeline(parts))
        return DiffusionFinetuner(**{**dict(size=SIZE, rank=4), **arguments})
    return build


class Pairs(torch.utils.data.Dataset):
    """Four images of one colour each, as the pipelines of our data sets give them."""

    metainfo: dict = {}

    def __len__(self):
        return len(CAPTIONS)

    def __getitem__(self, index):
        image = torch.full((3, *SIZE), 60 * index, dtype=torch.uint8)
        return dict(inputs=dict(image=image),
                    data_samples=DataSample(metainfo=dict(captions=[CAPTIONS[index]])))


def train(model, folder, iterations, rate=1e-2, hooks=(), **arguments):
    runner = Runner(
        model=model, work_dir=str(folder), experiment_name=f'{folder.name}_{next(NUMBERS)}',
        train_dataloader=dict(dataset=Pairs(), batch_size=4, num_workers=0,
                              sampler=dict(type='InfiniteSampler'),
                              collate_fn=dict(type='pseudo_collate')),
        train_cfg=dict(by_epoch=False, max_iters=iterations),
        optim_wrapper=dict(type=OptimWrapper, optimizer=dict(type='AdamW', lr=rate)),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', by_epoch=False,
                                           interval=iterations)),
        custom_hooks=[*hooks, dict(type=SaveLoraHook, interval=2)], randomness=dict(seed=0),
        default_scope='mmtbps', log_level='ERROR', **arguments)
    runner.train()
    return runner


def fixed_loss(model):
    """The loss at fixed noise, over many draws."""
    batch = model.data_preprocessor(pseudo_collate([Pairs()[i] for i in range(4)] * 8))
    torch.manual_seed(1)
    with torch.no_grad():
        return model.eval()(**batch, mode='loss')['loss'].item()


def test_training_moves_the_updates_alone(build, tmp_path):
    model = build()
    before = {name: value.clone() for name, value in model.named_parameters()}
    train(model, tmp_path, 2)
    moved = {name for name, value in model.named_parameters() if not value.equal(before[name])}
    assert moved == {name for name in before if '.lora_' in name}
    assert len(moved) == 2 * 4 * sum(name.endswith('to_q.lora_A.default.weight')
                                     for name in before)


def test_the_loss_falls(build, tmp_path):
    model = build(rank=8, caption_dropout=0.)
    before = fixed_loss(model)
    train(model, tmp_path, 80)
    assert fixed_loss(model) < .93 * before


def test_updates_come_back_in_another_pipeline(build, tiny_parts, tmp_path):
    from diffusers import StableDiffusionPipeline
    model = build()
    train(model, tmp_path, 3)
    assert {path.name for path in (tmp_path / 'lora').iterdir()} == {
        'pytorch_lora_weights.safetensors'}
    pipeline = StableDiffusionPipeline(
        **copy.deepcopy(tiny_parts), safety_checker=None, feature_extractor=None,
        requires_safety_checker=False)
    inputs = (torch.randn(1, 4, 8, 4), torch.tensor(300), torch.randn(1, 24, 16))
    with torch.no_grad():
        plain, tuned = pipeline.unet(*inputs).sample, model.eval().unet(*inputs).sample
        pipeline.load_lora_weights(tmp_path / 'lora')
        assert pipeline.unet(*inputs).sample.allclose(tuned, atol=1e-5)
        pipeline.fuse_lora()
        assert pipeline.unet(*inputs).sample.allclose(tuned, atol=1e-4)
    assert not plain.allclose(tuned, atol=1e-3)


def test_a_checkpoint_holds_the_updates_and_a_run_resumes_from_it(build, tmp_path):
    whole = build()
    train(whole, tmp_path / 'whole', 4)
    train(build(), tmp_path / 'parts', 2)
    state = torch.load(tmp_path / 'parts' / 'iter_2.pth', weights_only=False)['state_dict']
    assert state and all('.lora_' in name for name in state)
    resumed = build()
    train(resumed, tmp_path / 'parts', 4, resume=True)
    assert resumed.state_dict().keys() == whole.state_dict().keys() == state.keys()
    assert any(not value.equal(state[name]) for name, value in resumed.state_dict().items())


def test_a_resumed_run_of_the_config_ends_as_the_whole_one(build, tmp_path):
    hooks = [dict(hook) for hook in Config.fromfile(CONFIG).custom_hooks
             if hook.type is not SaveLoraHook]
    whole, cut, resumed = (build(prior=dict(l2=.1, distill=.5)) for _ in range(3))
    train(whole, tmp_path / 'whole', 4, hooks=hooks)
    train(cut, tmp_path / 'parts', 2, hooks=hooks)
    train(resumed, tmp_path / 'parts', 4, hooks=hooks, resume=True)
    for name, value in whole.state_dict().items():
        assert value.equal(resumed.state_dict()[name]), name


def test_a_checkpoint_loads_without_missing_keys(build):
    model, other = build(), build()
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data.normal_()
    result = other.load_state_dict(model.state_dict())
    assert not result.missing_keys and not result.unexpected_keys
    assert fixed_loss(other) == fixed_loss(model)


def test_the_loss_is_that_of_the_paper():
    torch.manual_seed(0)
    predicted, target = torch.randn(2, 3, 4, 2, 2)
    level = torch.tensor([.95, .5, .01])
    weights = [5 / (.95 / .05), 1., 1.]
    errors = [((p - t) ** 2).mean() for p, t in zip(predicted, target, strict=True)]
    expected = sum(w * e for w, e in zip(weights, errors, strict=True)) / 3
    assert denoising_loss(predicted, target, level).item() == pytest.approx(expected.item())
    assert denoising_loss(predicted, target, level, gamma=None).item() == pytest.approx(
        ((predicted - target) ** 2).mean().item())


def test_velocity_is_what_the_scheduler_says(build, tiny_parts):
    from diffusers import DDIMScheduler
    scheduler = DDIMScheduler.from_config(tiny_parts['scheduler'].config,
                                          prediction_type='v_prediction')
    model = build(pipeline=as_pipeline({**copy.deepcopy(tiny_parts), 'scheduler': scheduler}))
    images = torch.rand(3, 3, *SIZE) * 2 - 1
    torch.manual_seed(2)
    _, target = model.eval()(images, ['a man'] * 3)
    torch.manual_seed(2)
    clean, _ = model._encode(images, ['a man'] * 3)
    steps = torch.randint(1000, (3,))
    noise = torch.randn_like(clean)
    assert target.allclose(scheduler.get_velocity(clean, noise, steps), atol=1e-6)


def test_captions_are_dropped_in_training_alone(build):
    model = build(caption_dropout=1.)
    images = torch.zeros(2, 3, *SIZE)
    with_text = model.eval()._encode(images, CAPTIONS[:2])[1]
    without = model.train()._encode(images, CAPTIONS[:2])[1]
    assert without[0].equal(without[1]) and not with_text[0].equal(with_text[1])


def test_images_become_rgb_between_minus_one_and_one():
    image = torch.from_numpy(np.array([255, 0, 127], np.uint8)).view(3, 1, 1).expand(3, 4, 2)
    sample = DataSample(metainfo=dict(captions=['first', 'second']))
    batch = dict(inputs=dict(image=[image]), data_samples=[sample])
    out = CaptionedImages(size=(8, 4))(batch)
    assert out['images'].shape == (1, 3, 8, 4) and out['captions'] == ['first']
    assert out['images'][0, :, 0, 0].tolist() == pytest.approx([127 / 127.5 - 1, -1, 1], abs=1e-5)
    drawn = {CaptionedImages(size=(8, 4))(batch, training=True)['captions'][0] for _ in range(30)}
    assert drawn == {'first', 'second'}


@pytest.mark.parametrize('arguments, error, message', [
    (dict(pipeline=None), ValueError, 'either'),
    (dict(pretrained='./nowhere', pipeline=None), FileNotFoundError, 'no such folder'),
    (dict(dtype='int8'), ValueError, 'dtype'),
])
def test_bad_arguments(build, arguments, error, message):
    with pytest.raises(error, match=message):
        build(**arguments)


def test_another_mode_is_refused(build):
    with pytest.raises(ValueError, match='mode'):
        build()(torch.zeros(1, 3, *SIZE), ['a man'], mode='predict')
