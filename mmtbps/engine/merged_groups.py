"""Merging into few parameter groups instead of one for each weight."""

from mmengine.optim import DefaultOptimWrapperConstructor
from torch import nn

from mmtbps.registry import OPTIM_WRAPPER_CONSTRUCTORS

__all__ = ['MergedGroupsConstructor', 'merge_groups']


def merge_groups(groups: list[dict]) -> list[dict]:
    """Join parameter groups whose options are equal; groups and parameters keep their order.

    Args:
        groups: as for an optimizer: dicts with ``params`` and options.

    Example:
        >>> merge_groups([dict(params=[1]), dict(params=[2], lr=0.1), dict(params=[3])])
        [{'params': [1, 3]}, {'params': [2], 'lr': 0.1}]
    """
    merged = []
    for group in groups:
        options = {key: value for key, value in group.items() if key != 'params'}
        for other in merged:
            if {key: value for key, value in other.items() if key != 'params'} == options:
                other['params'] += group['params']
                break
        else:
            merged.append(dict(params=list(group['params']), **options))
    return merged


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MergedGroupsConstructor(DefaultOptimWrapperConstructor):
    """Constructor as MMEngine's, whose ``paramwise_cfg`` makes few groups.

    Stock, each weight becomes a group of its own. A fused optimizer then has a kernel for each
    instead of one for many, and every scheduler visits each in every iteration. The options of
    each weight are the same; optimizer states of checkpoints with stock groups do not fit.

    Goes into the field ``constructor`` of ``optim_wrapper``.
    """

    def add_params(self, params: list[dict], module: nn.Module, prefix: str = '',
                   is_dcn_module: bool | None = None) -> None:
        """Add parameters as MMEngine does, then merge the groups of the whole model."""
        super().add_params(params, module, prefix, is_dcn_module)
        if not prefix:
            self.complete(params, module)
            params[:] = merge_groups(params)

    def complete(self, groups: list[dict], model: nn.Module) -> None:
        """Add what else a group says, while each weight is one of its own."""
