"""Learning rate and weight decay of each weight, by ordered rules over its name."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel

from mmtbps.errors import BadValue
from mmtbps.registry import OPTIM_WRAPPER_CONSTRUCTORS

from .merged_groups import merge_groups

__all__ = ['ParameterRulesConstructor', 'apply_rules', 'freeze_weights']

_KEYS = {'contains', 'max_ndim', 'lr_mult', 'lr', 'weight_decay', 'frozen'}


def apply_rules(name: str, ndim: int, rules: Sequence[Mapping[str, Any]],
                lr: float) -> dict[str, Any]:
    """Collect the options of one weight: each rule that fits sets its own, the last one counts.

    Args:
        name: of the weight, such as ``'text_backbone.ln_final.bias'``.
        ndim: number of its dimensions.
        rules: dicts with conditions, all of which hold for a rule that fits: ``contains`` (a part
            of the name, or a list of them, one of which is enough), ``max_ndim``; and with
            options: ``lr_mult`` (of ``lr``) or ``lr``, ``weight_decay``, ``frozen``.
        lr: learning rate of weights that no rule speaks of.

    Returns:
        Any of ``lr``, ``weight_decay`` and ``frozen``.

    Raises:
        BadValue: a rule has an unknown key.

    Example:
        >>> rules = [dict(contains='cross', lr_mult=5),
        ...          dict(contains='bias', lr_mult=2, weight_decay=0)]
        >>> apply_rules('cross_attn.in_proj_bias', 1, rules, lr=1.0)
        {'lr': 2.0, 'weight_decay': 0}
    """
    options: dict[str, Any] = {}
    for rule in rules:
        if unknown := rule.keys() - _KEYS:
            raise BadValue(f'a rule of parameters has the unknown key {min(unknown)!r}; known are '
                           f'{", ".join(sorted(_KEYS))}')
        words = rule.get('contains', '')
        words = [words] if isinstance(words, str) else words
        if not any(word in name for word in words) or ndim > rule.get('max_ndim', ndim):
            continue
        if 'lr_mult' in rule:
            options['lr'] = lr * rule['lr_mult']
        options.update({key: rule[key] for key in ('lr', 'weight_decay', 'frozen') if key in rule})
    return options


def freeze_weights(model: nn.Module, rules: Sequence[Mapping[str, Any]]) -> None:
    """Let weights that rules call frozen be trained no more.

    Args:
        model: changed in place.
        rules: as of `apply_rules`.

    Example:
        >>> layer = nn.Linear(2, 1)
        >>> freeze_weights(layer, [dict(contains='bias', frozen=True)])
        >>> layer.weight.requires_grad, layer.bias.requires_grad
        (True, False)
    """
    for name, weight in model.named_parameters():
        if apply_rules(name, weight.ndim, rules, 0.).get('frozen'):
            weight.requires_grad_(False)


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class ParameterRulesConstructor(DefaultOptimWrapperConstructor):
    """Constructor whose ``paramwise_cfg=dict(rules=[...])`` is a list of ordered rules.

    The methods that start from CLIP say in this form which weights learn faster and which do not
    decay: rules over parts of names, of which a later one overrides an earlier one. MMEngine's
    ``custom_keys`` takes the longest key that fits and no other. The rules are those of
    :func:`apply_rules`; weights with equal options share a group.

    Goes into the field ``constructor`` of ``optim_wrapper``.

    Raises:
        BadValue: ``paramwise_cfg`` holds anything but ``rules``, or no weight is left to train.

    Example:
        >>> from torch.optim import SGD
        >>> constructor = ParameterRulesConstructor(
        ...     dict(type='OptimWrapper', optimizer=dict(type=SGD, lr=.1)),
        ...     dict(rules=[dict(contains='bias', lr_mult=2)]))
        >>> wrapper = constructor(nn.Linear(2, 1))
        >>> [group['lr'] for group in wrapper.optimizer.param_groups]
        [0.1, 0.2]
    """

    def _validate_cfg(self) -> None:
        if set(self.paramwise_cfg) != {'rules'}:
            raise BadValue('ParameterRulesConstructor takes paramwise_cfg=dict(rules=[...]), got '
                           f'the keys {sorted(self.paramwise_cfg)}')

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Make the wrapper of a model, which may be wrapped.

        Raises:
            BadValue: a rule is about what FSDP hides, or no weight is left to train.
        """
        if isinstance(model, FullyShardedDataParallel):
            _refuse_what_sharding_hides(self.paramwise_cfg['rules'])
        return super().__call__(model)

    def add_params(self, params: list[dict], module: nn.Module, prefix: str = '',
                   is_dcn_module: bool | None = None) -> None:
        """Add the weights of the model, each with the options of its rules."""
        rules = self.paramwise_cfg['rules']
        freeze_weights(module, rules)
        for name, weight in module.named_parameters():
            options = apply_rules(name, weight.ndim, rules, self.base_lr)
            options.pop('frozen', None)
            if weight.requires_grad:
                params.append(dict(params=[weight], **options))
        if not params:
            raise BadValue('the rules of parameters leave no weight to train')
        params[:] = merge_groups(params)


def _refuse_what_sharding_hides(rules: Sequence[Mapping[str, Any]]) -> None:
    for key in ('max_ndim', 'frozen'):
        if any(key in rule for rule in rules):
            raise BadValue(f'a rule of parameters has {key}, and FSDP makes shares with one '
                           'dimension of the weights before rules are applied: name the weights by '
                           '"contains"' + (', and freeze towers by frozen_stages or lora'
                                           if key == 'frozen' else ''))
