"""Random diffusion models that compute in no time, in the classes of Stable Diffusion."""

import json
from types import SimpleNamespace

import torch
from PIL import Image

from mmtbps.generation.editing.base import EditRequest

# Longest first: a merge that short words make early would cut long ones into pieces.
WORDS = sorted('a an man in with wears and red blue green orange white black dark shirt jeans bag '
               'coat cap'.split(), key=len, reverse=True)
SCHEDULE = dict(beta_start=0.00085, beta_end=0.012, beta_schedule='scaled_linear')


def tiny_tokenizer(folder, max_length=24):
    """CLIP's byte-pair tokenizer: one token for each of `WORDS`, single letters for others."""
    from transformers import CLIPTokenizer
    from transformers.convert_slow_tokenizer import bytes_to_unicode
    letters = list(bytes_to_unicode().values())
    vocabulary, merges = [*letters, *(letter + '</w>' for letter in letters)], []
    for word in WORDS:
        parts = [*word[:-1], word[-1] + '</w>']
        while len(parts) > 1:
            merge = (parts[0], parts[1])
            merges += [merge] if merge not in merges else []
            parts = [''.join(merge), *parts[2:]]
            vocabulary += [parts[0]] if parts[0] not in vocabulary else []
    vocabulary += ['<|startoftext|>', '<|endoftext|>']
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'vocab.json').write_text(json.dumps({t: i for i, t in enumerate(vocabulary)}))
    (folder / 'merges.txt').write_text(
        '\n'.join(['#version: 0.2', *(' '.join(merge) for merge in merges), '']))
    end = '<|endoftext|>'
    (folder / 'tokenizer_config.json').write_text(json.dumps(dict(
        tokenizer_class='CLIPTokenizer', model_max_length=max_length,
        bos_token='<|startoftext|>', eos_token=end, unk_token=end, pad_token=end)))
    tokenizer = CLIPTokenizer.from_pretrained(folder)
    assert all(len(tokenizer.tokenize(word)) == 1 for word in WORDS)
    return tokenizer


def tiny_unet(in_channels=4, channels=(16, 32), width=16, **more):
    """Cross-attention at every resolution and in the bottleneck."""
    from diffusers import UNet2DConditionModel
    count = len(channels)
    return UNet2DConditionModel(
        sample_size=16, in_channels=in_channels, out_channels=4, layers_per_block=1,
        block_out_channels=channels, norm_num_groups=4,
        down_block_types=('CrossAttnDownBlock2D',) * count,
        up_block_types=('CrossAttnUpBlock2D',) * count, cross_attention_dim=width,
        attention_head_dim=4, **more)


def tiny_vae(scale=4):
    """(3, H, W) <-> (4, H / scale, W / scale)."""
    from diffusers import AutoencoderKL
    blocks = scale.bit_length()
    return AutoencoderKL(
        block_out_channels=(8,) * blocks, norm_num_groups=4, latent_channels=4,
        layers_per_block=1, down_block_types=('DownEncoderBlock2D',) * blocks,
        up_block_types=('UpDecoderBlock2D',) * blocks)


def tiny_sd(folder, channels=(16, 32), in_channels=4, seed=0):
    """Parts of a `StableDiffusionPipeline`, weights random; `StableDiffusionPipeline(**parts)`.

    The text is made loud: with the usual initial scale a caption would hardly move the noise.
    """
    from diffusers import DDIMScheduler
    from transformers import CLIPTextConfig, CLIPTextModel
    tokenizer = tiny_tokenizer(folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        text = CLIPTextModel(CLIPTextConfig(
            vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=1,
            num_attention_heads=2, max_position_embeddings=tokenizer.model_max_length,
            bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id))
        unet, vae = tiny_unet(in_channels, channels), tiny_vae()
        with torch.no_grad():
            for name, weight in unet.named_parameters():
                if 'attn2' in name and weight.ndim > 1:
                    weight.mul_(6)
    return dict(unet=unet.eval(), vae=vae.eval(), text_encoder=text.eval(), tokenizer=tokenizer,
                scheduler=DDIMScheduler(**SCHEDULE, clip_sample=False, set_alpha_to_one=False,
                                        steps_offset=1))


def as_pipeline(parts):
    """Build as much of a pipeline as `P2PEditor(pipeline=...)` needs."""
    return SimpleNamespace(**parts)


def request(source='A man in a red shirt.', old='red', new='blue', noun='shirt', job_id='job',
            size=(32, 64), seed=3, target=None):
    """The request that replaces ``old`` by ``new``; the image is a fixed texture of (W, H)."""
    target = source.replace(old, new, 1) if target is None else target
    at, end = source.index(old), source.index(noun, source.index(old)) + len(noun)
    new_at, new_end = target.index(new), target.index(noun, target.index(new)) + len(noun)
    pixels = torch.randint(0, 256, (size[1] // 8, size[0] // 8, 3), dtype=torch.uint8,
                           generator=torch.Generator().manual_seed(seed))
    return EditRequest(
        job_id=job_id, image=Image.fromarray(pixels.numpy()).resize(size, Image.Resampling.BICUBIC),
        source_captions=(source,), target_captions=(target,), caption_index=0,
        source_span=(at, at + len(old)), target_span=(new_at, new_at + len(new)),
        phrase_span=(at, end), target_phrase_span=(new_at, new_end), old_color=old.split()[-1],
        new_color=new.split()[-1], noun=noun, region='upper', seed=seed)
