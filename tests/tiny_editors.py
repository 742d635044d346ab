"""Random editors by instruction that compute in no time, in the classes of diffusers.

Every part is of the real class, a few thousand weights each: text encoders too, and tokenizers made
here. Two hidden units a head and two layers are enough to carry text and image to the result.
"""


import functools
from contextlib import contextmanager
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_diffusion import tiny_sd, tiny_tokenizer, tiny_unet, tiny_vae

_QWEN = ('<|im_start|>', '<|im_end|>', '<|vision_start|>', '<|image_pad|>', '<|vision_end|>',
         '<|video_pad|>')
_CHAT = ("{% for m in messages if m.role == 'user' %}{% if m.content is string %}{{ m.content }}"
         "{% else %}{{ m.content[0].text }}{% endif %}{% endfor %}")
_DECODER = dict(hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
                num_key_value_heads=2, head_dim=8, max_position_embeddings=1024)


def byte_tokenizer(**settings):
    """Qwen's byte-level tokenizer: one token a byte, the special ones of its chats."""
    from transformers import Qwen2Tokenizer
    from transformers.convert_slow_tokenizer import bytes_to_unicode
    vocabulary = {letter: i for i, letter in enumerate(bytes_to_unicode().values())}
    vocabulary['<|endoftext|>'] = len(vocabulary)
    return Qwen2Tokenizer(vocab=vocabulary, merges=[], extra_special_tokens=list(_QWEN), **settings)


def flow_scheduler():
    """The scheduler of all models below that are trained by flow matching."""
    from diffusers import FlowMatchEulerDiscreteScheduler
    return FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)


def tiny_kontext(folder, seed=0):
    """Build a `FluxKontextPipeline`: CLIP and T5, images in multiples of 8."""
    from diffusers import FluxKontextPipeline, FluxTransformer2DModel
    from transformers import (
        CLIPTextConfig,
        CLIPTextModel,
        T5Config,
        T5EncoderModel,
        T5TokenizerFast,
    )
    torch.manual_seed(seed)
    clip = tiny_tokenizer(folder)
    pieces = [('<pad>', 0.), ('</s>', 0.), ('<unk>', 0.), ('▁', -2.),
              *((letter, -3.) for letter in 'abcdefghijklmnopqrstuvwxyz')]
    t5 = T5TokenizerFast(vocab=pieces, extra_ids=0)
    return _silent(FluxKontextPipeline(
        scheduler=flow_scheduler(), vae=_flux_vae(), tokenizer=clip, tokenizer_2=t5,
        text_encoder=CLIPTextModel(CLIPTextConfig(
            vocab_size=len(clip), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
            num_attention_heads=2, max_position_embeddings=clip.model_max_length)),
        text_encoder_2=T5EncoderModel(T5Config(
            vocab_size=len(pieces), d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)),
        transformer=FluxTransformer2DModel(
            in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=8,
            num_attention_heads=2, joint_attention_dim=16, pooled_projection_dim=16,
            guidance_embeds=True, axes_dims_rope=(4, 2, 2))))


def tiny_qwen(plus=False, seed=0):
    """Build a `QwenImageEditPipeline`, or the Plus one: Qwen2.5-VL reads text and image."""
    from diffusers import (
        AutoencoderKLQwenImage,
        QwenImageEditPipeline,
        QwenImageEditPlusPipeline,
        QwenImageTransformer2DModel,
    )
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
    torch.manual_seed(seed)
    tokenizer = byte_tokenizer(model_max_length=1024)
    ids = {name: tokenizer.convert_tokens_to_ids(f'<|{name}|>') for name in (
        'image_pad', 'video_pad', 'vision_start', 'vision_end')}
    text = Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig(
        text_config=dict(
            vocab_size=len(tokenizer), hidden_size=16, intermediate_size=16, num_hidden_layers=2,
            num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=2048,
            rope_parameters=dict(rope_type='default', mrope_section=[1, 1, 2], rope_theta=1e4)),
        vision_config=dict(depth=1, hidden_size=16, intermediate_size=16, num_heads=2,
                           out_hidden_size=16, fullatt_block_indexes=[0], window_size=56),
        image_token_id=ids['image_pad'], video_token_id=ids['video_pad'],
        vision_start_token_id=ids['vision_start'], vision_end_token_id=ids['vision_end']))
    vae = AutoencoderKLQwenImage(
        base_dim=4, z_dim=4, dim_mult=[1, 1, 1, 1], num_res_blocks=1,
        temperal_downsample=[False] * 3, latents_mean=[0.] * 4, latents_std=[1.] * 4)
    vae.decoder.conv_out.weight.data.mul_(30)
    return _silent((QwenImageEditPlusPipeline if plus else QwenImageEditPipeline)(
        scheduler=flow_scheduler(), tokenizer=tokenizer, processor=qwen_processor(tokenizer),
        text_encoder=text, vae=vae,
        transformer=QwenImageTransformer2DModel(
            in_channels=16, out_channels=4, num_layers=1, attention_head_dim=8,
            num_attention_heads=2, joint_attention_dim=16, axes_dims_rope=(4, 2, 2))))


def qwen_processor(tokenizer):
    """Build Qwen's processor of text and images, without its part for videos if that is missing."""
    from transformers import Qwen2VLProcessor
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import (
        Qwen2VLImageProcessorPil,
    )
    images = Qwen2VLImageProcessorPil(min_pixels=28 * 28, max_pixels=84 * 84)
    if find_spec('torchvision'):
        from transformers import Qwen2VLVideoProcessor
        return Qwen2VLProcessor(images, tokenizer, Qwen2VLVideoProcessor())

    class WithoutVideos(Qwen2VLProcessor):
        def check_argument_for_proper_class(self, name, argument):
            return type(argument)

    return WithoutVideos(images, tokenizer)


@contextmanager
def without_weight(area=64):
    """Let Qwen's editors see their images at a share of 1024 x 1024, and OmniGen do without
    torchvision.
    """
    from diffusers.pipelines.omnigen import pipeline_omnigen, processor_omnigen
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit as edit
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as plus
    with pytest.MonkeyPatch.context() as patch:
        for module in (edit, plus):
            patch.setattr(module, 'calculate_dimensions', lambda pixels, ratio, stock=(
                module.calculate_dimensions): stock(pixels / area, ratio))
        if not find_spec('torchvision'):
            patch.setattr(processor_omnigen, 'transforms', _TRANSFORMS, raising=False)
            patch.setattr(pipeline_omnigen, 'OmniGenMultiModalProcessor',
                          processor_omnigen.OmniGenMultiModalProcessor, raising=False)
        yield


_TRANSFORMS = SimpleNamespace(
    Lambda=lambda function: function,
    Compose=lambda steps: lambda image: functools.reduce(lambda x, step: step(x), steps, image),
    ToTensor=lambda: lambda image: torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255,
    Normalize=lambda mean, std, inplace: lambda image: (image - mean[0]) / std[0])


def tiny_flux2(klein=False, seed=0):
    """Build a `Flux2Pipeline`, or Klein: text from three layers of Mistral or Qwen3."""
    from diffusers import (
        AutoencoderKLFlux2,
        Flux2KleinPipeline,
        Flux2Pipeline,
        Flux2Transformer2DModel,
    )
    torch.manual_seed(seed)
    tokenizer, text = _qwen3() if klein else _mistral3()
    transformer = Flux2Transformer2DModel(
        in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=8,
        num_attention_heads=2, joint_attention_dim=48, timestep_guidance_channels=16,
        axes_dims_rope=(2, 2, 2, 2), guidance_embeds=not klein)
    vae = AutoencoderKLFlux2(
        block_out_channels=(8, 8, 8), norm_num_groups=4, latent_channels=4, layers_per_block=1,
        down_block_types=('DownEncoderBlock2D',) * 3, up_block_types=('UpDecoderBlock2D',) * 3)
    return _silent((Flux2KleinPipeline if klein else Flux2Pipeline)(
        scheduler=flow_scheduler(), tokenizer=tokenizer, text_encoder=text, vae=vae,
        transformer=transformer))


def _qwen3():
    from transformers import Qwen3Config, Qwen3ForCausalLM
    tokenizer = byte_tokenizer(chat_template=_CHAT)
    return tokenizer, Qwen3ForCausalLM(Qwen3Config(vocab_size=len(tokenizer), **_DECODER))


def _mistral3():
    """Build Mistral and its processor; where torchvision is missing, its tokenizer alone."""
    from transformers import (
        Mistral3Config,
        Mistral3ForConditionalGeneration,
        MistralConfig,
        PixtralVisionConfig,
    )
    tokenizer = byte_tokenizer(chat_template=_CHAT)
    tokenizer.add_special_tokens(dict(additional_special_tokens=['[IMG]', '[IMG_BREAK]',
                                                                 '[IMG_END]']))
    text = Mistral3ForConditionalGeneration(Mistral3Config(
        text_config=MistralConfig(vocab_size=len(tokenizer), **_DECODER),
        vision_config=PixtralVisionConfig(hidden_size=16, intermediate_size=16,
                                          num_hidden_layers=1, num_attention_heads=2,
                                          image_size=28, patch_size=14),
        image_token_index=tokenizer.convert_tokens_to_ids('[IMG]')))
    if not find_spec('torchvision'):
        return tokenizer, text
    from transformers import PixtralProcessor
    from transformers.models.pixtral.image_processing_pil_pixtral import PixtralImageProcessorPil
    return PixtralProcessor(PixtralImageProcessorPil(), tokenizer, chat_template=_CHAT), text


def tiny_omnigen(seed=0):
    """Build an `OmniGenPipeline`: one transformer that reads text and image."""
    from diffusers import (
        FlowMatchEulerDiscreteScheduler,
        OmniGenPipeline,
        OmniGenTransformer2DModel,
    )
    from transformers import LlamaTokenizerFast
    torch.manual_seed(seed)
    pieces = {piece: i for i, piece in enumerate(
        ['<unk>', '<s>', '</s>', '▁', *(f'<0x{byte:02X}>' for byte in range(256))])}
    tokenizer = LlamaTokenizerFast(vocab=pieces, merges=[])
    return _silent(OmniGenPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(invert_sigmas=True, num_train_timesteps=1),
        tokenizer=tokenizer, vae=tiny_vae(8),
        transformer=OmniGenTransformer2DModel(
            hidden_size=16, num_attention_heads=2, num_key_value_heads=2, intermediate_size=16,
            num_layers=1, vocab_size=len(tokenizer), pad_token_id=2, time_step_dim=16,
            rope_scaling=dict(long_factor=[1.] * 4, short_factor=[1.] * 4))))


def tiny_pix2pix(folder, seed=0):
    """Build a `StableDiffusionInstructPix2PixPipeline`."""
    from diffusers import StableDiffusionInstructPix2PixPipeline
    return _silent(StableDiffusionInstructPix2PixPipeline(
        **tiny_sd(folder, in_channels=8, seed=seed), safety_checker=None, feature_extractor=None,
        requires_safety_checker=False))


def tiny_sdxl(folder, pipeline='StableDiffusionXLInstructPix2PixPipeline', in_channels=8, seed=0):
    """Build a pipeline of Stable Diffusion XL: two text encoders, sizes beside the time."""
    import diffusers
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection
    torch.manual_seed(seed)
    parts = tiny_sd(folder, in_channels=in_channels, seed=seed)
    tokenizer = parts['tokenizer']
    parts['text_encoder_2'] = CLIPTextModelWithProjection(CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=tokenizer.model_max_length,
        projection_dim=16, eos_token_id=tokenizer.eos_token_id,
        bos_token_id=tokenizer.bos_token_id))
    parts['unet'] = tiny_unet(
        in_channels, width=32, addition_embed_type='text_time', addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=8 * 6 + 16)
    return _silent(getattr(diffusers, pipeline)(**parts, tokenizer_2=tokenizer))


def _silent(pipeline):
    """Set every part to evaluation, as loading does, draw no progress, and let text be loud.

    With the usual initial scale neither instruction nor image would hardly move the result.
    """
    if hasattr(pipeline, 'transformer'):
        for weight in pipeline.transformer.parameters():
            if weight.ndim > 1:
                weight.data.mul_(3)
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval()
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _flux_vae():
    vae = tiny_vae()
    vae.register_to_config(shift_factor=0.1, scaling_factor=0.36)
    return vae
