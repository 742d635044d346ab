"""Prompt-to-Prompt by attention processors: many edits a batch, as tensors, at any latent size.

While an edit is sampled, a batch holds for each edit a *source* row (the image as it is) and a
*target* row (the image as it shall be); they are the last 2E rows, all sources before all targets.
What the target attends to is taken from the source, so that layout and background stay.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmtbps.errors import BadValue, UserError

__all__ = ['AttentionLayer', 'ControlSession', 'EditControl', 'UnfitModel', 'attention_control',
           'blend_mask', 'control_cross_attention', 'trace_attention']


class UnfitModel(UserError, RuntimeError):
    """A model whose attention cannot be controlled."""


@dataclass(frozen=True)
class EditControl:
    """Control of E edits; every edit of a batch may ask for something else.

    Args:
        token_map: ``(E, K, K)`` source token -> target token, see `token_map`.
        own: ``(E, K)`` 1 where the target keeps its own attention.
        equalizer: ``(E, K)`` factor on the attention to each target token (reweighting).
        words: ``(2, E, K)`` bool, tokens of the edited phrase in source and target.
        cross_steps: ``(E,)`` first steps in which cross-attention is taken over.
        self_steps: ``(E,)`` first steps in which self-attention is taken over.
        blend_from: ``(E,)`` steps to run before the target is held to the source outside the
            mask; more than there are: never.
        threshold: ``(E,)`` of the mask, in [0, 1).
    """

    token_map: Tensor
    own: Tensor
    equalizer: Tensor
    words: Tensor
    cross_steps: Tensor
    self_steps: Tensor
    blend_from: Tensor
    threshold: Tensor

    def __len__(self) -> int:
        return len(self.token_map)

    def to(self, device: torch.device | str, dtype: torch.dtype) -> 'EditControl':
        """Copy to another device, maps and factors in another type."""
        real = ('token_map', 'own', 'equalizer', 'threshold')
        return EditControl(**{
            f.name: getattr(self, f.name).to(device, dtype if f.name in real else None)
            for f in fields(self)})

    @classmethod
    def stack(cls, controls: list['EditControl']) -> 'EditControl':
        """Stack several controls to one."""
        return cls(**{f.name: torch.cat([getattr(control, f.name) for control in controls],
                                        dim=1 if f.name == 'words' else 0)
                      for f in fields(cls)})


def control_cross_attention(source: Tensor, target: Tensor, control: EditControl,
                            step: int) -> Tensor:
    """Compute the cross-attention of the target rows under control.

    Prompt-to-Prompt (https://arxiv.org/abs/2208.01626), sections 3.2-3.4: replacement or
    refinement by the token map, then reweighting; after ``cross_steps`` the target's own.

    **Shapes**: ``source``, ``target`` ``(E, heads, P, K)`` -> ``(E, heads, P, K)``.
    """
    own = control.own[:, None, None]
    moved = own * target + (1 - own) * (source @ control.token_map[:, None])
    moved = moved * control.equalizer[:, None, None]
    return torch.where((step < control.cross_steps)[:, None, None, None], moved, target)


def blend_mask(heat: Tensor, size: tuple[int, int], threshold: Tensor, coarse: bool = False
               ) -> Tensor:
    """Mask the places that attend to the edited phrase, in source or target.

    Args:
        heat: ``(2, E, h, w)`` summed attention to the phrase's tokens.
        size: (H, W) of the mask.
        threshold: ``(E,)`` share of the hottest place; of the way to it from the coldest if
            ``coarse``.
        coarse: For maps of a few cells. As published, a map is grown by one cell all round and
            its cells stay squares; on 8 x 3 cells that is most of a person. Here they are
            interpolated instead, and what every cell has does not count.

    Returns:
        ``(E, 1, H, W)`` bool.

    >>> heat = torch.zeros(2, 1, 4, 4); heat[0, 0, 0, 0] = 1.
    >>> blend_mask(heat, (4, 4), torch.tensor([.3]))[0, 0].int().tolist()
    [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    """
    if coarse:
        grown = F.interpolate(heat - heat.amin((2, 3), keepdim=True), size=size, mode='bilinear')
    else:
        grown = F.interpolate(F.max_pool2d(heat, 3, stride=1, padding=1), size=size)
    peak = grown.amax((2, 3), keepdim=True)
    return (grown > threshold[None, :, None, None] * peak).any(0)[:, None]


class AttentionLayer(NamedTuple):
    """Attention layer under control.

    Args:
        cross: Attends to the text (else to the image itself).
        size: (h, w) of its map.
        level: How often the latent size was halved on the way to it.
        middle: In the bottleneck, whose maps are too coarse to be a mask.
    """

    cross: bool
    size: tuple[int, int]
    level: int
    middle: bool


class _Tracer:
    """Processor that calls another one and notes the sizes that pass."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.seen = inner, None

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None,
                 temb=None):
        self.seen = (encoder_hidden_states is not None, hidden_states.shape[1])
        return self.inner(attn, hidden_states, encoder_hidden_states, attention_mask, temb)


@contextmanager
def _processors(unet: nn.Module, replacements: dict[str, Any]) -> Iterator[None]:
    """Replace processors by name; the old ones come back whatever happens."""
    before = dict(unet.attn_processors)
    try:
        # `set_attn_processor` empties the dict it is given.
        unet.set_attn_processor({**before, **replacements})
        yield
    finally:
        unet.set_attn_processor(dict(before))


@torch.no_grad()
def trace_attention(unet: nn.Module, latents: Tensor, context: Tensor
                    ) -> dict[str, AttentionLayer]:
    """Run one dry forward and prove that every layer to be controlled is passed through.

    Args:
        unet: With ``attn_processors`` and ``set_attn_processor``, as in diffusers.
        latents: ``(1, C, H, W)``, any content.
        context: ``(1, K, D)`` text.

    Returns:
        Name -> layer, for all attention inside transformer blocks.

    Raises:
        UnfitModel: If there is none, or one is not reached, or cross- and self-attention do not
            come in pairs. Sampling would then go on without control and nobody would notice.
    """
    tracers = {name: _Tracer(processor) for name, processor in unet.attn_processors.items()
               if '.transformer_blocks.' in name}
    with _processors(unet, tracers):
        unet(latents, torch.tensor(1, device=latents.device), encoder_hidden_states=context)
    missed = [name for name, tracer in tracers.items() if tracer.seen is None]
    crosses = sum(tracer.seen[0] for tracer in tracers.values() if tracer.seen)
    if not tracers or missed or 2 * crosses != len(tracers):
        raise UnfitModel(
            f'attention control does not fit {type(unet).__name__}: {len(tracers)} layers in '
            f'transformer blocks, {crosses} of them attend to text, not reached: '
            f'{missed or "none"}. A UNet of Stable Diffusion 1.x or 2.x is expected')
    sizes = _halvings(latents.shape[-2], latents.shape[-1])
    layers = {}
    for name, tracer in tracers.items():
        cross, tokens = tracer.seen
        level = next((i for i, (h, w) in enumerate(sizes) if h * w == tokens), None)
        if level is None:
            raise UnfitModel(f'{name} attends to {tokens} places, which is no halving of the '
                             f'latent size {sizes[0]}')
        layers[name] = AttentionLayer(cross, sizes[level], level, name.startswith('mid_block'))
    return layers


def _halvings(height: int, width: int) -> list[tuple[int, int]]:
    """Return the size and all its halves, rounded up as by a convolution of stride 2."""
    sizes = [(height, width)]
    while max(sizes[-1]) > 1:
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    return sizes


class ControlSession:
    """State of a controlled run: its step, and the attention seen so far.

    Args:
        control: What to do.
        layers: From `trace_attention`.
        self_min_level: Self-attention is taken over in layers halved at least so often; 1 leaves
            the finest maps alone, as published (32 x 32 and coarser of a 64 x 64 latent).
        blend_level: Level whose cross-attention makes the mask; ``None`` for the coarsest outside
            the bottleneck, as published (16 x 16 of a 64 x 64 latent).
        coarse: For small models, whose maps have a few cells: the mask is made as `blend_mask`
            says, and the bottleneck counts where it has the blend level.

    Raises:
        BadValue: If no cross-attention layer has the blend level.
    """

    def __init__(self, control: EditControl, layers: dict[str, AttentionLayer],
                 self_min_level: int = 1, blend_level: int | None = None,
                 coarse: bool = False) -> None:
        crosses = [layer for layer in layers.values() if layer.cross and not layer.middle]
        levels = {layer.level: layer.size for layer in crosses}
        self.blend_level = max(levels, default=None) if blend_level is None else blend_level
        if self.blend_level not in levels:
            raise BadValue(f'blend_level {blend_level} has no cross-attention outside the '
                           f'bottleneck; there is some on levels {sorted(levels)}')
        self.control, self.self_min_level, self.step = control, self_min_level, 0
        self.coarse = coarse
        self.heat = control.token_map.new_zeros(2, len(control), *levels[self.blend_level])
        # Read once: asking a tensor in every layer would stop a GPU in each of them.
        self._self_steps = control.self_steps.tolist()

    def takes_self_attention(self, layer: AttentionLayer) -> list[int]:
        """List the edits whose self-attention is taken over in this layer and step."""
        if layer.level < self.self_min_level:
            return []
        return [e for e, steps in enumerate(self._self_steps) if self.step < steps]

    def observe(self, layer: AttentionLayer, source: Tensor, target: Tensor) -> None:
        """Add ``(E, heads, P, K)`` attention to the heat of the phrase."""
        if layer.level != self.blend_level or (layer.middle and not self.coarse):
            return
        for side, probs in enumerate((source, target)):
            words = self.control.words[side].to(probs.dtype)[:, None, :, None]
            self.heat[side] += (probs @ words).mean(1).view(self.heat.shape[1:])

    def end_step(self, source: Tensor, target: Tensor) -> Tensor:
        """Close a step; return the target, held to the source outside the mask where asked for."""
        self.step += 1
        blend = (self.step > self.control.blend_from)[:, None, None, None]
        return torch.where(self.mask(target.shape[-2:]) | ~blend, target, source)

    def mask(self, size: tuple[int, int]) -> Tensor:
        """Build the mask, ``(E, 1, H, W)`` bool, from the attention of all steps so far."""
        return blend_mask(self.heat, tuple(size), self.control.threshold, self.coarse)


class _ControlledProcessor:
    """Attention of one layer with the last 2E rows under control; holds no weights."""

    def __init__(self, session: ControlSession, layer: AttentionLayer) -> None:
        self.session, self.layer = session, layer

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None,
                 temb=None):
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query, key, value = (
            projected.unflatten(-1, (attn.heads, -1)).transpose(1, 2) for projected in
            (attn.to_q(hidden_states), attn.to_k(context), attn.to_v(context)))
        mix = self._cross if self.layer.cross else self._own
        mixed = mix(query, key, value, attn.scale).transpose(1, 2).flatten(2)
        return attn.to_out[1](attn.to_out[0](mixed)) / attn.rescale_output_factor

    def _own(self, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """Compute self-attention; query and key of the source give its map, never written out."""
        edits = len(self.session.control)
        taken = self.session.takes_self_attention(self.layer)
        if taken:
            # A slice where it will do: a list of rows would stop a GPU to be sent there.
            rows = slice(None) if len(taken) == edits else taken
            query, key = query.clone(), key.clone()
            for states in (query, key):
                sources, targets = states[-2 * edits:-edits], states[-edits:]
                targets[rows] = sources[rows]
        return F.scaled_dot_product_attention(query, key, value, scale=scale)

    def _cross(self, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """Compute cross-attention; its maps to the few tokens are written out for both rows."""
        control, session = self.session.control, self.session
        edits = len(control)
        free = F.scaled_dot_product_attention(
            query[:-2 * edits], key[:-2 * edits], value[:-2 * edits], scale=scale)
        scores = (query[-2 * edits:] * scale) @ key[-2 * edits:].transpose(-1, -2)
        source, target = scores.to(control.token_map.dtype).softmax(-1).chunk(2)
        target = control_cross_attention(source, target, control, session.step)
        session.observe(self.layer, source, target)
        probs = torch.cat([source, target]).to(value.dtype)
        return torch.cat([free, probs @ value[-2 * edits:]])


@contextmanager
def attention_control(unet: nn.Module, session: ControlSession,
                      layers: dict[str, AttentionLayer]) -> Iterator[ControlSession]:
    """Put a UNet under control; its own processors come back at the end, also after an error."""
    with _processors(unet, {name: _ControlledProcessor(session, layer)
                            for name, layer in layers.items()}):
        yield session
