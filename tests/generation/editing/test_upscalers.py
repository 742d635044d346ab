"""Upscalers on random weights: the size is kept, an image is its own, noise comes from its seed."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_diffusion import SCHEDULE, tiny_sd

from mmtbps.generation.diffusion.pixels import images_to_tensor, tensor_to_image
from mmtbps.generation.editing.upscalers import LDMUpscaler, ResizeUpscaler, SDUpscaler


def crop(seed, size=(60, 160)):
    generator = np.random.default_rng(seed)
    small = generator.integers(0, 256, (size[1] // 10, size[0] // 10, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


CROPS, SEEDS = [crop(0), crop(1), crop(2, (30, 70))], [11, 12, 13]


@pytest.fixture(scope='module')
def ldm_pipeline():
    from diffusers import DDIMScheduler, LDMSuperResolutionPipeline, UNet2DModel, VQModel
    torch.manual_seed(0)
    unet = UNet2DModel(
        sample_size=16, in_channels=6, out_channels=3, layers_per_block=1, norm_num_groups=4,
        block_out_channels=(8, 16), down_block_types=('DownBlock2D', 'DownBlock2D'),
        up_block_types=('UpBlock2D', 'UpBlock2D'), attention_head_dim=4)
    vqvae = VQModel(
        block_out_channels=(8, 8, 8), norm_num_groups=4, latent_channels=3, layers_per_block=1,
        num_vq_embeddings=256, down_block_types=('DownEncoderBlock2D',) * 3,
        up_block_types=('UpDecoderBlock2D',) * 3)
    return LDMSuperResolutionPipeline(vqvae=vqvae.eval(), unet=unet.eval(),
                                      scheduler=DDIMScheduler(**SCHEDULE, clip_sample=False))


def ldm(pipeline, **settings):
    return LDMUpscaler(pretrained='tiny', pipeline=pipeline, device='cpu',
                       **{**dict(size=(320, 128), steps=2, dtype='fp32'), **settings})


def arrays(images):
    return [np.asarray(image).astype(int) for image in images]


def assert_same(first, second, atol=1):
    for one, other in zip(arrays(first), arrays(second), strict=True):
        np.testing.assert_allclose(one, other, atol=atol)


def test_a_narrow_crop_is_not_silently_rounded(ldm_pipeline):
    seen = []
    hook = ldm_pipeline.unet.register_forward_pre_hook(
        lambda module, inputs: seen.append(tuple(inputs[0].shape)))
    try:
        images = ldm(ldm_pipeline).upscale(CROPS, SEEDS)
    finally:
        hook.remove()
    assert [image.size for image in images] == [(128, 320)] * 3
    assert seen == [(3, 6, 80, 32)] * 2


def test_without_eta_it_is_the_stock_pipeline(ldm_pipeline):
    upscaler = ldm(ldm_pipeline)
    mine = upscaler.upscale(CROPS, SEEDS)
    stock = ldm_pipeline(
        images_to_tensor(CROPS, (80, 32)), num_inference_steps=2, eta=0., output_type='pt',
        generator=[torch.Generator().manual_seed(seed) for seed in SEEDS]).images
    assert_same(mine, [tensor_to_image(image * 2 - 1, (128, 320)) for image in stock])


@pytest.mark.parametrize('eta', [0., 1.])
def test_an_image_and_its_seed_give_the_same_in_any_batch(ldm_pipeline, eta):
    together = ldm(ldm_pipeline, eta=eta, dtype='fp64').upscale(CROPS, SEEDS)
    torch.rand(7)  # the global state does not matter
    alone = ldm(ldm_pipeline, eta=eta, dtype='fp64', batch_size=1).upscale(CROPS, SEEDS)
    assert_same(together, alone)


def test_eta_adds_noise_and_seeds_matter(ldm_pipeline):
    plain, noisy, other = (ldm(ldm_pipeline, eta=eta).upscale(CROPS[:1], [seed])
                           for eta, seed in ((0., 11), (1., 11), (1., 12)))
    first, second, third = arrays([*plain, *noisy, *other])
    assert np.abs(first - second).max() > 3 and np.abs(second - third).max() > 3


def test_passes_are_counted_and_the_digest_names_the_settings(ldm_pipeline):
    rows = []
    hook = ldm_pipeline.unet.register_forward_pre_hook(
        lambda module, inputs: rows.append(len(inputs[0])))
    try:
        ldm(ldm_pipeline, steps=3).upscale(CROPS, SEEDS)
    finally:
        hook.remove()
    upscaler = ldm(ldm_pipeline, steps=3)
    assert sum(rows) == 3 * upscaler.evals_per_image
    digests = {json.dumps(ldm(ldm_pipeline, **change).digest_fields) for change in (
        {}, dict(eta=1.), dict(steps=3), dict(size=(320, 320)), dict(batch_size=1))}
    assert len(digests) == 4


def test_the_stable_diffusion_upscaler_keeps_size_and_batches(tmp_path):
    from diffusers import DDIMScheduler, DDPMScheduler, StableDiffusionUpscalePipeline
    from tiny_diffusion import tiny_vae
    parts = tiny_sd(tmp_path, in_channels=7)
    parts['unet'].register_to_config(num_class_embeds=None)
    parts['unet'].class_embedding = torch.nn.Embedding(1000, 64)
    torch.manual_seed(0)
    vae = tiny_vae()
    vae.register_to_config(scaling_factor=0.08333)
    pipeline = StableDiffusionUpscalePipeline(
        **{**parts, 'vae': vae, 'scheduler': DDIMScheduler(**SCHEDULE, clip_sample=False)},
        low_res_scheduler=DDPMScheduler(**SCHEDULE), max_noise_level=350)
    settings = dict(pretrained='tiny', pipeline=pipeline, size=(160, 64), steps=2, dtype='fp32',
                    device='cpu')
    together = SDUpscaler(**settings).upscale(CROPS, SEEDS)
    assert [image.size for image in together] == [(64, 160)] * 3
    assert_same(together, SDUpscaler(**settings, batch_size=1).upscale(CROPS, SEEDS))
    assert SDUpscaler(**settings).evals_per_image == 4
    with pytest.raises(ValueError, match='guidance must be above 1'):
        SDUpscaler(**settings, guidance=1.)


def test_resizing_is_lanczos():
    image = ResizeUpscaler((320, 128)).upscale(CROPS[:1], [0])[0]
    assert_same([image], [CROPS[0].resize((128, 320), Image.Resampling.LANCZOS)], atol=0)
    assert ResizeUpscaler((320, 128)).digest_fields == dict(type='ResizeUpscaler', size=[320, 128])


def test_what_cannot_work_is_refused():
    with pytest.raises(ValueError, match=r'multiples of 32, got \(640, 240\)'):
        ldm(None, size=(640, 240))
    with pytest.raises(FileNotFoundError, match='/no/such/model'):
        LDMUpscaler('/no/such/model')
