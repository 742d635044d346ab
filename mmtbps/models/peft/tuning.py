"""Parts that are trained in the place of whole towers."""

from collections.abc import Mapping
from inspect import signature
from typing import Any

from torch import nn

from mmtbps.errors import BadValue
from mmtbps.models.backbones import Tower
from mmtbps.models.backbones.weight_names import show_weights_as
from mmtbps.quantities import is_count, is_finite

from .adapter import ParallelAdapter
from .kv_lora import KeyValueLoRA
from .lora import add_adapters
from .mixture import AdapterMixture
from .part import TuningPart
from .prefix import KeyValuePrefix

__all__ = ['add_parts', 'count_trained', 'kept_settings', 'tune_towers']

#: Class and settings of each part.
_PARTS: dict[str, tuple[type[TuningPart], dict[str, Any]]] = dict(
    prefix=(KeyValuePrefix, dict(length=10)),
    kv_lora=(KeyValueLoRA, dict(rank=32)),
    adapter=(ParallelAdapter, dict(reduction=8)),
    mixture=(AdapterMixture, dict(experts=6, chosen=2, reduction=8, balance=0.5)))


def tune_towers(towers: Mapping[str, Tower], lora: Mapping[str, Any] | None = None,
                peft: Mapping[str, Any] | None = None) -> bool:
    """Add what is trained in the place of towers, and freeze all else in them.

    Args:
        towers: by name, such as ``image_backbone``; changed in place.
        lora: arguments of :func:`~mmtbps.models.peft.add_adapters`, or none.
        peft: arguments of :func:`add_parts`, or none.

    Returns:
        Whether there is anything to add.

    Raises:
        BadValue: settings make no sense, or a tower cannot take a part.
        MissingPackage: ``lora`` needs peft.
    """
    if lora is not None:
        add_adapters(towers, **_check_lora(lora))
    if peft is not None:
        if not isinstance(peft, Mapping):
            raise BadValue('peft: takes parts by name, such as peft=dict(prefix={}, adapter={}), '
                           f'got {peft!r}')
        add_parts(towers, **peft)
    return lora is not None or peft is not None


def add_parts(towers: Mapping[str, Tower], **parts: Mapping[str, Any]) -> None:
    """Add parts to every layer of towers, and freeze all else in them.

    UP-Person, https://arxiv.org/abs/2504.10084, has the first three, DM-Adapter,
    https://arxiv.org/abs/2503.04144, the last. At their beginning all but prefixes compute
    nothing.

    Args:
        towers: by name, such as ``image_backbone``; changed in place. The ``peft_places`` of a
            tower say which parts it can take, and where.
        **parts: settings by the name of a part, ``{}`` for those of the papers:
            ``prefix=dict(length=10)``, ``kv_lora=dict(rank=32)``, ``adapter=dict(reduction=8)``,
            ``mixture=dict(experts=6, chosen=2, reduction=8, balance=0.5)``.

    Raises:
        BadValue: a part or a setting is unknown or makes no sense, or a tower cannot take a part.

    Example:
        >>> from mmtbps.models import CLIPTextTower
        >>> tower = CLIPTextTower(width=8, depth=1, vocab_size=10)
        >>> add_parts(dict(text_backbone=tower), kv_lora=dict(rank=2))
        >>> [name for name in tower.state_dict() if 'kv_lora' in name][:1]
        ['transformer.resblocks.0.attn.in_proj_kv_lora_down']
    """
    if not parts:
        raise BadValue(f'peft: no part is named; there are {", ".join(_PARTS)}')
    settings = {part: _check_settings(part, values) for part, values in parts.items()}
    for name, tower in towers.items():
        for part in settings:
            _check_tower(name, tower, part)
    for name, tower in towers.items():
        for weight_name, weight in tower.named_parameters():
            weight.requires_grad_('.lora_' in weight_name and weight.requires_grad)
        for layer in tower.layers:
            # The first linear layer of a Transformer layer reads the stream.
            width = next(module.in_features for module in layer.modules()
                         if isinstance(module, nn.Linear))
            for part, values in settings.items():
                for place in tower.peft_places[part]:
                    _add_part(f'{name}: {part}', part, layer, place, width, values)


def count_trained(modules: Mapping[str, nn.Module]) -> str:
    """Count the weights to train of modules, in words.

    Example:
        >>> count_trained(dict(neck=nn.Linear(3, 400), scale=nn.Linear(1, 1).requires_grad_(False)))
        'neck 1,600 of 1,600, scale 0 of 2'
    """
    words = []
    for name, module in modules.items():
        sizes = [(weight.numel(), weight.requires_grad) for weight in module.parameters()]
        words.append(f'{name} {sum(size for size, trained in sizes if trained):,} of '
                     f'{sum(size for size, _ in sizes):,}')
    return ', '.join(words)


def kept_settings(peft: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of the parts that a trained model keeps, without those that merge.

    Example:
        >>> kept_settings(dict(prefix=dict(length=3), kv_lora=dict(rank=2)))
        {'prefix': {'length': 3}}
    """
    return {part: values for part, values in peft.items()
            if part not in _PARTS or not _PARTS[part][0].merges}


def _check_lora(lora: Any) -> Mapping[str, Any]:
    """Return the arguments of low-rank adapters, or refuse what are none."""
    known = [name for name in signature(add_adapters).parameters if name != 'towers']
    if not isinstance(lora, Mapping):
        raise BadValue(f'lora: takes settings, such as lora=dict(rank=8, alpha=16), got {lora!r}')
    if unknown := lora.keys() - set(known):
        raise BadValue(f'lora: there is no setting {min(unknown)!r}, but {", ".join(known)}')
    return lora


def _check_settings(part: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a part with its defaults, or refuse them."""
    if part not in _PARTS:
        raise BadValue(f'peft: there is no part {part!r}, but {", ".join(_PARTS)}')
    if not isinstance(values, Mapping):
        raise BadValue(f'peft: {part} takes settings, such as {part}=dict('
                       f'{next(iter(_PARTS[part][1]))}=...), or {{}} for those of the paper; got '
                       f'{values!r}')
    settings = {**_PARTS[part][1], **values}
    if unknown := settings.keys() - _PARTS[part][1].keys():
        raise BadValue(f'peft: {part} has no setting {min(unknown)!r}, but '
                       f'{", ".join(_PARTS[part][1])}')
    for name, value in settings.items():
        if name == 'balance':
            if not is_finite(value) or value < 0:
                raise BadValue(f'peft: {part}: balance must be a number from 0, got {value!r}')
        elif not is_count(value):
            raise BadValue(f'peft: {part}: {name} must be a whole number from 1, got {value!r}')
    if settings.get('chosen', 1) > settings.get('experts', 1):
        raise BadValue(f'peft: {part}: chosen={settings["chosen"]} of {settings["experts"]} '
                       'experts')
    return settings


def _check_tower(name: str, tower: Tower, part: str) -> None:
    if part in tower.peft_places and tower.depth:
        return
    known = ', '.join(tower.peft_places) if tower.depth else ''
    raise BadValue(f'peft: {name}, {type(tower).__name__}, cannot take {part} '
                   f'({_PARTS[part][0].title}); it takes {known or "none"}')


def _add_part(where: str, part: str, layer: nn.Module, place: str, width: int,
              values: Mapping[str, Any]) -> None:
    """Put a part into a layer, in the place of a module or of the attention's function."""
    if width < values.get('reduction', 1):
        raise BadValue(f'peft: {where}: reduction={values["reduction"]} leaves nothing of a width '
                       f'of {width}')
    parent, _, child = place.rpartition('.')
    parent, plain = layer.get_submodule(parent), layer.get_submodule(place)
    if part == 'prefix':
        module = plain.scaled_dot_product_attention = KeyValuePrefix(width, **values)
        show_weights_as(plain, 'scaled_dot_product_attention', 'prefix.')
    elif part == 'kv_lora':
        if type(plain) is not nn.Linear:
            raise BadValue(f'peft: {where} and lora both change {place}; name other '
                           'lora.targets')
        module = KeyValueLoRA(plain, **values)
    else:
        module = _PARTS[part][0](plain, width, **values)
    if part != 'prefix':
        setattr(parent, child, module)
    module.begin_training()
