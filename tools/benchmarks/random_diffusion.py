"""Stable Diffusion with random weights, tiny or in full, and what a pass of its UNet costs."""

from dataclasses import dataclass
from types import SimpleNamespace, TracebackType
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mmtbps.generation.diffusion.toy import build_scheduler, build_tokenizer

CONTEXT_LENGTH = 77
DOWN_SCALING = 8
LATENT_CHANNELS = 4


@dataclass(frozen=True)
class ModelShape:
    """Sizes of the parts.

    Args:
        channels: Of the UNet's resolutions.
        layers: Residual blocks of the UNet in each of them.
        coarsest_attends: The coarsest resolution attends to the text (in Stable Diffusion
            only its bottleneck does).
        heads: Attention heads of the UNet.
        groups: Of its group normalisation.
        vae: Channels of the autoencoder's resolutions.
        text: Width, layers and heads of the text tower.
        shrink: Images are smaller than those of the presets by this factor.
    """

    channels: tuple[int, ...]
    layers: int
    coarsest_attends: bool
    heads: int
    groups: int
    vae: tuple[int, ...]
    text: tuple[int, int, int]
    shrink: int


SHAPES = {
    'tiny': ModelShape((16, 32), 1, True, 4, 4, (8, 8, 8, 8), (32, 1, 2), shrink=4),
    'sd15': ModelShape((320, 640, 1280, 1280), 2, False, 8, 32, (128, 256, 512, 512),
                       (768, 12, 12), shrink=1)}


def build_unet(shape: ModelShape) -> nn.Module:
    """Build the UNet, on the current default device."""
    from diffusers import UNet2DConditionModel
    attend = [True] * (len(shape.channels) - 1) + [shape.coarsest_attends]
    return UNet2DConditionModel(
        in_channels=LATENT_CHANNELS, out_channels=LATENT_CHANNELS, layers_per_block=shape.layers,
        block_out_channels=shape.channels, norm_num_groups=shape.groups,
        cross_attention_dim=shape.text[0], attention_head_dim=shape.heads,
        down_block_types=tuple('CrossAttnDownBlock2D' if a else 'DownBlock2D' for a in attend),
        up_block_types=tuple('CrossAttnUpBlock2D' if a else 'UpBlock2D' for a in attend[::-1]))


def build_parts(shape: ModelShape, captions: list[str], device: str = 'cpu',
                seed: int = 0) -> SimpleNamespace:
    """Build the parts that ``P2PEditor(pipeline=...)`` needs.

    A random network is no denoiser: at full strength it drives the latents out of range, where
    no inversion works. So its last layer is made weak, which helps the methods that optimise.
    """
    from diffusers import AutoencoderKL
    from transformers import CLIPTextConfig, CLIPTextModel
    tokenizer = build_tokenizer(captions)
    tokenizer.model_max_length = CONTEXT_LENGTH
    width, layers, heads = shape.text
    with torch.random.fork_rng(), torch.device(device):
        torch.manual_seed(seed)
        unet = build_unet(shape)
        vae = AutoencoderKL(
            block_out_channels=shape.vae, latent_channels=LATENT_CHANNELS,
            layers_per_block=shape.layers, norm_num_groups=shape.groups,
            down_block_types=('DownEncoderBlock2D',) * len(shape.vae),
            up_block_types=('UpDecoderBlock2D',) * len(shape.vae))
        text = CLIPTextModel(CLIPTextConfig(
            vocab_size=len(tokenizer), hidden_size=width, intermediate_size=4 * width,
            num_hidden_layers=layers, num_attention_heads=heads,
            max_position_embeddings=CONTEXT_LENGTH, pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.cls_token_id, eos_token_id=tokenizer.sep_token_id))
        with torch.no_grad():
            unet.conv_out.weight.mul_(.1)
    return SimpleNamespace(unet=unet, vae=vae, text_encoder=text, tokenizer=tokenizer,
                           scheduler=build_scheduler())


class PassCost(NamedTuple):
    """FLOPs of a pass of one image: forward, backward to the text alone, to weights as well."""

    forward: int
    backward: int
    backward_with_weights: int


def pass_cost(shape: ModelShape, size: tuple[int, int]) -> PassCost:
    """Count the FLOPs of one pass at an image size (height, width), without computing anything."""
    from diffusers.models.attention_processor import AttnProcessor
    with torch.device('meta'):
        unet = build_unet(shape)
        latents = torch.empty(1, LATENT_CHANNELS, *(side // DOWN_SCALING for side in size))
        # The counter's hooks cannot take gradients of a leaf that modules are called with: a clone.
        text = torch.empty(1, CONTEXT_LENGTH, shape.text[0], requires_grad=True).clone()
        # The counter does not know every fused attention kernel; written out, it knows all.
        unet.set_attn_processor(AttnProcessor())
        with FlopCounterMode(display=False) as counter:
            noise = unet(latents, torch.tensor(1.), encoder_hidden_states=text).sample.sum()
            forward = counter.get_total_flops()
            torch.autograd.grad(noise, text, retain_graph=True)
            backward = counter.get_total_flops() - forward
            torch.autograd.grad(noise, [text, *unet.parameters()])
    return PassCost(forward, backward, counter.get_total_flops() - forward - backward)


class PassMeter:
    """Counter of the images that go through a UNet, forwards and backwards, while entered."""

    def __init__(self, unet: nn.Module) -> None:
        self.unet, self.forward, self.backward = unet, 0, 0

    def __enter__(self) -> 'PassMeter':
        self._hook = self.unet.register_forward_hook(self._note)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._hook.remove()

    def _note(self, unet: nn.Module, inputs: tuple, output: object) -> None:
        noise = output.sample
        self.forward += len(noise)
        if noise.requires_grad:
            noise.register_hook(self._note_gradient)

    def _note_gradient(self, gradient: Tensor) -> None:
        self.backward += len(gradient)
