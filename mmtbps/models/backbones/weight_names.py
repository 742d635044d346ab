"""Names under which state dicts show the weights of a child module."""

from collections.abc import MutableMapping
from functools import partial

from torch import Tensor, nn

__all__ = ['show_weights_as']


def show_weights_as(module: nn.Module, child: str, shown: str) -> None:
    """Show the weights of a child under other names in state dicts, and load them from these.

    So a layer may be built in another way than published, and checkpoints do not notice.

    Args:
        module: keeps the names; copies and pickles of it do, too.
        child: name of the child.
        shown: first letters of its weights' names, in the place of ``CHILD.``; may be empty.

    Example:
        >>> module = nn.Module()
        >>> module.in_proj = nn.Linear(2, 6)
        >>> show_weights_as(module, 'in_proj', 'in_proj_')
        >>> list(module.state_dict())
        ['in_proj_weight', 'in_proj_bias']
        >>> module.load_state_dict(module.state_dict())
        <All keys matched successfully>
    """
    module._register_state_dict_hook(partial(_rename_saved, child, shown))
    module._register_load_state_dict_pre_hook(partial(_rename_loaded, child, shown),
                                              with_module=True)


def _rename_saved(child: str, shown: str, module: nn.Module, state: MutableMapping[str, Tensor],
                  prefix: str, *_) -> None:
    own = f'{prefix}{child}.'
    for key in [key for key in state if key.startswith(own)]:
        state[f'{prefix}{shown}{key.removeprefix(own)}'] = state.pop(key)


def _rename_loaded(child: str, shown: str, module: nn.Module, state: MutableMapping[str, Tensor],
                   prefix: str, *_) -> None:
    for name in module.get_submodule(child).state_dict():
        if f'{prefix}{shown}{name}' in state:
            state[f'{prefix}{child}.{name}'] = state.pop(f'{prefix}{shown}{name}')
