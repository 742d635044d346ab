"""Names under which state dicts show the weights of a child module."""

from collections.abc import MutableMapping
from functools import partial
from itertools import chain

from torch import Tensor, nn

__all__ = ['show_weights_as', 'shown_names']


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


def shown_names(module: nn.Module) -> dict[str, str]:
    """Return the names of weights in a state dict by those that their modules have.

    torch says the latter in the errors of ``load_state_dict``.

    Example:
        >>> module = nn.Module()
        >>> module.in_proj = nn.Linear(2, 6)
        >>> show_weights_as(module, 'in_proj', 'in_proj_')
        >>> shown_names(module)
        {'in_proj.weight': 'in_proj_weight', 'in_proj.bias': 'in_proj_bias'}
    """
    shown = {id(weight): name for name, weight in module.state_dict(keep_vars=True).items()}
    weights = chain(module.named_parameters(remove_duplicate=False),
                    module.named_buffers(remove_duplicate=False))
    return {name: shown[id(weight)] for name, weight in weights if id(weight) in shown}


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
