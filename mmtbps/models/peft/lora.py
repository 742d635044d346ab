"""Low-rank adapters on the layers of towers, through peft.

State dicts name the weights of an adapted layer as if it were plain, and its adapters beside them::

    attn.qkv.weight                   attn.qkv.lora_A.default.weight
    attn.qkv.bias                     attn.qkv.lora_B.default.weight
                                      attn.qkv.lora_scaling

So a model with adapters loads what one without has saved; and one without loads what one with
adapters has saved, merged (:func:`~mmtbps.models.peft.merge_adapters`).
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import partial

import torch
from torch import Tensor, nn

from mmtbps.errors import BadValue, MissingPackage
from mmtbps.models.backbones import Tower
from mmtbps.models.backbones.weight_names import show_weights_as
from mmtbps.quantities import is_count, is_finite

from .merging import LORA_SCALING

__all__ = ['add_adapters', 'linear_layers']


def add_adapters(towers: Mapping[str, Tower], rank: int = 8, alpha: float = 16.0,
                 dropout: float = 0.0, targets: Sequence[str] | None = None) -> None:
    """Add low-rank adapters to the layers of towers, and freeze all else in them.

    LoRA: Low-Rank Adaptation of Large Language Models, https://arxiv.org/abs/2106.09685, eq. 3:
    ``h = W x + alpha / rank * B A x`` with a frozen W, a random A and a B that begins at zero.

    Args:
        towers: by name, such as ``image_backbone``; changed in place.
        rank: rows of A, columns of B.
        alpha: over the rank, the factor of the adapters.
        dropout: share of the inputs of A that are dropped while training.
        targets: names, inside a layer, of linear layers, or of modules that hold them: one or more
            whole words between the dots, ``'qkv'`` or ``'attention.output'``. Each tower takes
            those that it has. Default: the ``lora_targets`` of each tower, its attention.

    Raises:
        BadValue: a number makes no sense, a target is in none of the towers, or a tower has none.
        MissingPackage: peft is not installed.

    Example:
        >>> from mmtbps.models import CLIPTextTower
        >>> tower = CLIPTextTower(width=8, depth=1, vocab_size=10)
        >>> add_adapters(dict(text_backbone=tower), rank=2)
        >>> [name for name, weight in tower.named_parameters() if weight.requires_grad][:1]
        ['transformer.resblocks.0.attn.in_proj.lora_A.default.weight']
    """
    _check_numbers(rank, alpha, dropout)
    targets = (targets, ) if isinstance(targets, str) else targets
    found = {name: _find_targets(tower, tower.lora_targets if targets is None else targets)
             for name, tower in towers.items()}
    _check_targets(towers, targets, found)
    for name, tower in towers.items():
        _adapt(tower, rank, alpha, dropout, found[name])


def linear_layers(tower: Tower) -> dict[str, str]:
    """Return the linear layers inside the layers of a tower.

    Returns:
        Their names inside a layer by those inside the tower.

    Example:
        >>> from mmtbps.models import CLIPTextTower
        >>> list(linear_layers(CLIPTextTower(width=8, depth=1, vocab_size=10)).values())
        ['attn.in_proj', 'attn.out_proj', 'mlp.c_fc', 'mlp.c_proj']
    """
    outer = {layer: name for name, layer in tower.named_modules()}
    return {f'{outer[layer]}.{name}': name for layer in tower.layers
            for name, module in layer.named_modules() if isinstance(module, nn.Linear)
            # torch's own attention reads the weight of this one without calling it.
            and not isinstance(module, nn.modules.linear.NonDynamicallyQuantizableLinear)}


def _find_targets(tower: Tower, targets: Sequence[str]) -> list[str]:
    """Return the names inside a tower of the linear layers that targets name."""
    return [name for name, inner in linear_layers(tower).items()
            if any(_names(target, inner) for target in targets)]


def _adapt(tower: Tower, rank: int, alpha: float, dropout: float, names: list[str]) -> None:
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise MissingPackage(f'lora=... of a retriever needs peft ({error}): pip install -U '
                             '"mmtbps[lora]"') from error
    inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout,
                                       target_modules=names), tower)
    for name in names:
        layer = tower.get_submodule(name)
        layer.register_buffer(LORA_SCALING, torch.tensor(alpha / rank))
        show_weights_as(layer, 'base_layer', '')
        layer._register_load_state_dict_pre_hook(partial(_check_scaling, alpha / rank))


def _check_scaling(scaling: float, state: Mapping[str, Tensor], prefix: str, *_) -> None:
    found = state.get(f'{prefix}{LORA_SCALING}')
    if found is not None and abs(float(found) - scaling) > 1e-6 * scaling:
        raise BadValue(f'lora: {prefix}{LORA_SCALING} was trained with alpha / rank = '
                       f'{float(found):g}; this model has {scaling:g}')


def _check_numbers(rank: int, alpha: float, dropout: float) -> None:
    if not is_count(rank):
        raise BadValue(f'lora: rank must be a whole number from 1, got {rank!r}')
    if not is_finite(alpha) or alpha <= 0:
        raise BadValue(f'lora: alpha must be a positive number, got {alpha!r}')
    if not is_finite(dropout) or not 0 <= dropout < 1:
        raise BadValue(f'lora: dropout must be at least 0 and less than 1, got {dropout!r}')


def _check_targets(towers: Mapping[str, Tower], targets: Sequence[str] | None,
                   found: Mapping[str, list[str]]) -> None:
    """Refuse a target that no tower has, and a tower that has no target."""
    there = {name: list(dict.fromkeys(linear_layers(tower).values()))
             for name, tower in towers.items()}
    listed = '; '.join(f'{name} has {", ".join(names) or "none"}' for name, names in there.items())
    inner = sorted({name for names in there.values() for name in names})
    for target in targets or ():
        if not any(_names(target, name) for name in inner):
            words = sorted({word for name in inner for word in (name, *name.split('.'))})
            near = get_close_matches(str(target), words)
            raise BadValue(f'lora: no linear layer is named {target!r} in targets'
                           f'{f", nearest are {near}" if near else ""}: {listed}')
    for name, names in found.items():
        if not names:
            raise BadValue(f'lora: nothing in {name}, {type(towers[name]).__name__}, is a target, '
                           f'so nothing of it would be trained: {listed}')


def _names(target: str, name: str) -> bool:
    """Tell whether a target is one or more whole words of a dotted name."""
    return f'.{target}.' in f'.{name}.'
