"""Low-rank adapters of state dicts, by their names: known, and merged into plain weights."""

import re
from collections.abc import Collection, MutableMapping

import torch
from torch import Tensor

__all__ = ['LORA_SCALING', 'is_adapter', 'merge_adapters', 'merge_low_rank', 'merge_rows']

#: Names beside ``weight``: of the layers that peft adapts, and of the rows of keys and values.
_LORA = ('lora_A.default.weight', 'lora_B.default.weight', 'lora_scaling')
_ROWS = ('kv_lora_down', 'kv_lora_up', 'kv_lora_scale')
LORA_SCALING = _LORA[-1]
_BESIDE = re.compile(
    r'\.(prefix\.(key_tokens|value_tokens|key_scale|value_scale|mass_scale)'
    r'|adapter\.((down|up)\.(weight|bias)|scale)'
    r'|mixture\.((down|up)(_bias)?|share|prompt|(input|prompt)_gate))$')


def is_adapter(name: str) -> bool:
    """Tell whether a weight of a state dict is one that tuning has added, by its name.

    Example:
        >>> is_adapter('attn.qkv.lora_A.default.weight'), is_adapter('attn.qkv.weight')
        (True, False)
        >>> is_adapter('layers.0.ln_1.adapter.up.weight')
        True
    """
    return name.endswith(_LORA + _ROWS) or _BESIDE.search(name) is not None


def merge_low_rank(weight: Tensor, down: Tensor, up: Tensor, scaling: float | Tensor) -> Tensor:
    """Compute the weight of a plain layer that computes what an adapted one does.

    ``W + alpha / rank * B A``, in float32 or better.

    Args:
        weight: W, ``(out, in)``.
        down: A, ``(rank, in)``.
        up: B, ``(out, rank)``.
        scaling: alpha over the rank.

    Returns:
        ``(out, in)``, of the type of W.

    Example:
        >>> merge_low_rank(torch.eye(2), torch.tensor([[1., 0.]]), torch.tensor([[0.], [1.]]), 3)
        tensor([[1., 0.],
                [3., 1.]])
    """
    kind = torch.promote_types(weight.dtype, torch.float32)
    return (weight.to(kind) + scaling * (up.to(kind) @ down.to(kind))).to(weight.dtype)


def merge_rows(weight: Tensor, down: Tensor, up: Tensor, scale: Tensor) -> Tensor:
    """Compute the weight of a plain layer whose last rows computed more than it.

    Args:
        weight: W, ``(out, in)``.
        down: A of each part, ``(parts, rank, in)``.
        up: B of each part, ``(parts, rows, rank)``; the parts are the last rows of W.
        scale: of each part, ``(parts,)``.

    Returns:
        ``(out, in)``, of the type of W.

    Example:
        >>> merge_rows(torch.zeros(3, 1), torch.ones(2, 1, 1), torch.ones(2, 1, 1),
        ...            torch.tensor([2., 3.])).flatten().tolist()
        [0.0, 2.0, 3.0]
    """
    first = len(weight) - up.shape[0] * up.shape[1]
    rows = [merge_low_rank(part, *low_rank) for part, *low_rank in zip(
        weight[first:].unflatten(0, up.shape[:2]), down, up, scale, strict=True)]
    return torch.cat([weight[:first], *rows])


def merge_adapters(state: MutableMapping[str, Tensor], kept: Collection[str] = ()) -> list[str]:
    """Merge the low-rank adapters of a state dict into its weights, in place.

    Args:
        state: weights by name; has no names of adapters afterwards, but for those kept. What
            cannot be merged, prefixes and bottlenecks, stays.
        kept: names of weights; adapters among them stay.

    Returns:
        The names that went.

    Example:
        >>> state = {
        ...     'fc.weight': torch.zeros(1, 2), 'fc.lora_A.default.weight': torch.ones(1, 2),
        ...     'fc.lora_B.default.weight': torch.ones(1, 1), 'fc.lora_scaling': torch.ones(())}
        >>> merge_adapters(state)
        ['fc.lora_A.default.weight', 'fc.lora_B.default.weight', 'fc.lora_scaling']
        >>> state
        {'fc.weight': tensor([[1., 1.]])}
    """
    gone = []
    for names, merge in ((_LORA, merge_low_rank), (_ROWS, merge_rows)):
        for key in [key for key in state if key.endswith(f'.{names[-1]}') or key == names[-1]
                    or key.endswith(f'in_proj_{names[-1]}')]:
            stem = key.removesuffix(names[-1])
            own = [stem + name for name in names]
            if key not in kept and all(name in state for name in (f'{stem}weight', *own)):
                state[f'{stem}weight'] = merge(state[f'{stem}weight'], *map(state.pop, own))
                gone += own
    return gone
