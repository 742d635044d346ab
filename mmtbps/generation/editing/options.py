"""Options of the diffusion editors in groups: weights, sampling, attention, blending."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import torch

from mmtbps.errors import BadValue
from mmtbps.quantities import is_count, is_finite

from ..diffusion.latent_diffusion import DTYPES, check_dtype

__all__ = ['AttentionOptions', 'BlendOptions', 'InstructSampling', 'SamplingOptions',
           'WeightOptions', 'check_size', 'check_steps', 'read_options', 'take_flat_keys']

_Group = TypeVar('_Group')


@dataclass(frozen=True)
class WeightOptions:
    """Form in which the weights are loaded.

    Args:
        dtype: Type of the weights: ``bf16``, ``fp16``, ``fp32`` or ``fp64``.
        device: CUDA where there is one by default.
        lora: Folder with LoRA weights, fused into the model.
        revision: Of the hub model.

    Raises:
        BadValue: On an unknown dtype.

    >>> WeightOptions(dtype='fp32').torch_dtype
    torch.float32
    """

    dtype: str = 'bf16'
    device: str | None = None
    lora: str | None = None
    revision: str | None = None

    def __post_init__(self) -> None:
        check_dtype(self.dtype)

    @property
    def torch_dtype(self) -> torch.dtype:
        """PyTorch's type of the weights."""
        return DTYPES[self.dtype]

    @property
    def torch_device(self) -> str:
        """Device, the default one where none is named."""
        return self.device or ('cuda' if torch.cuda.is_available() else 'cpu')


@dataclass(frozen=True)
class SamplingOptions:
    """Inversion and sampling of an image.

    Args:
        size: (height, width) the model works at. Results come back in the request's size.
        steps: Sampling steps.
        guidance: Scale of classifier-free guidance.
        inversion: Config of an `InversionMethod`; ``DirectInversion`` by default.

    Raises:
        BadValue: On a size, steps or guidance that are none.
    """

    size: tuple[int, int] = (640, 256)
    steps: int = 20
    guidance: float = 5.0
    inversion: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, 'size', check_size(self.size))
        check_steps(self.steps)
        _check_guidance(self.guidance)


@dataclass(frozen=True)
class InstructSampling:
    """Sampling of an edit by instruction.

    Args:
        size: (height, width) the model works at. An image of another aspect keeps its own and is
            given as many pixels. Results come back in the request's size.
        steps: Sampling steps.
        guidance: Scale of the guidance by the instruction, as the pipeline understands it;
            ``None`` leaves it to the pipeline.

    Raises:
        BadValue: On a size, steps or guidance that are none.
    """

    size: tuple[int, int] = (640, 256)
    steps: int = 20
    guidance: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, 'size', check_size(self.size))
        check_steps(self.steps)
        if self.guidance is not None:
            _check_guidance(self.guidance)


@dataclass(frozen=True)
class AttentionOptions:
    """Attention that the edit takes over from the source.

    Args:
        cross_replace: Share of steps, from the first, that take over cross-attention.
        self_replace: The same for self-attention.
        reweight: Factor on the attention to the new colour's tokens; CTLG used 6, which drives
            small models out of range.
        mode: See `token_map`.
        self_min_level: See `ControlSession`.
    """

    cross_replace: float = 0.8
    self_replace: float = 0.4
    reweight: float = 1.0
    mode: str = 'replace'
    self_min_level: int = 1


@dataclass(frozen=True)
class BlendOptions:
    """Mask outside of which the edit is held to the source.

    Args:
        threshold: Share of the hottest place from which a place belongs to the mask.
        start: Share of steps before the mask is applied; ``None`` for never.
        level: See ``blend_level`` of `ControlSession`.
        coarse: See `ControlSession`.
    """

    threshold: float = 0.3
    start: float | None = 0.2
    level: int | None = None
    coarse: bool = False


def check_size(size: Any) -> tuple[int, int]:
    """Check a size, (height, width), and return it as a tuple.

    Raises:
        BadValue: Unless it is two whole numbers from 1 on.

    >>> check_size([640, 256])
    (640, 256)
    """
    sides = tuple(size) if isinstance(size, (list, tuple)) else ()
    if len(sides) != 2 or not all(is_count(side) for side in sides):
        raise BadValue(f'size must be (height, width), two whole numbers from 1 on, got {size!r}')
    return sides


def check_steps(steps: Any) -> None:
    """Check a number of steps.

    Raises:
        BadValue: Unless it is a whole number from 1 on.
    """
    if not is_count(steps):
        raise BadValue(f'steps must be a whole number from 1 on, got {steps!r}')


def _check_guidance(guidance: Any) -> None:
    if not is_finite(guidance):
        raise BadValue(f'guidance must be a finite number, got {guidance!r}')


def read_options(group: type[_Group], name: str, given: _Group | Mapping[str, Any] | None,
                 **flat: Any) -> _Group:
    """Build one group of options from a config.

    Args:
        group: Class of the group.
        name: Key of the group in the config, for the message.
        given: The group itself, or its keys; ``None`` for the defaults.
        flat: Keys of the group that stood beside it; each takes the place of the group's own.

    Raises:
        BadValue: On a key that the group does not have.

    >>> read_options(BlendOptions, 'local_blend', dict(threshold=.5), start=.1)
    BlendOptions(threshold=0.5, start=0.1, level=None, coarse=False)
    """
    known = [field.name for field in fields(group)]
    values = ({key: getattr(given, key) for key in known} if isinstance(given, group)
              else dict(given or {}))
    if unknown := sorted(values.keys() - set(known)):
        raise BadValue(f'{name} takes {", ".join(known)}, got {", ".join(unknown)}')
    return group(**{**values, **flat})


def take_flat_keys(group: type, settings: dict[str, Any]) -> dict[str, Any]:
    """Take the keys of a group out of settings that hold those of several.

    >>> settings = dict(steps=20, mode='refine')
    >>> take_flat_keys(SamplingOptions, settings), settings
    ({'steps': 20}, {'mode': 'refine'})
    """
    return {field.name: settings.pop(field.name)
            for field in fields(group) if field.name in settings}
