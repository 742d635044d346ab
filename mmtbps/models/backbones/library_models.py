"""Models of transformers in pieces: copies that share weights, and their sizes."""

import copy
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError
from torch import nn

from mmtbps.errors import BadValue, UserError
from mmtbps.hub import hub_options
from mmtbps.models.finite_weights import check_finite

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

__all__ = ['further_layers', 'load_whole', 'model_errors', 'sharing_copy', 'sizes_of']

# Notes of transformers in a config that are not about sizes.
_NO_SIZES = {'transformers_version', 'architectures', 'dtype', 'torch_dtype', 'reference_compile'}


def sharing_copy(module: nn.Module, children: Mapping[str, nn.Module] | None = None) -> nn.Module:
    """Copy a module that shares parameters and children, but for the given ones.

    So a library's own encoder runs on a slice of its layers, and nobody else notices.

    Args:
        module: stays as it is; another thread may use it at the same time.
        children: by name, in the place of its own.

    Example:
        >>> net = nn.Sequential(nn.ReLU(), nn.Tanh())
        >>> sharing_copy(net, {'1': nn.Identity()})[1], net[1], sharing_copy(net)[0] is net[0]
        (Identity(), Tanh(), True)
    """
    twin = copy.copy(module)
    twin._modules = {**module._modules, **(children or {})}
    return twin


def sizes_of(config: 'PretrainedConfig') -> dict[str, Any]:
    """Return what makes a model of a config another than the default one, as settings."""
    return {key: value for key, value in config.to_diff_dict().items()
            if key not in _NO_SIZES and not key.startswith('_')}


def load_whole(kind: Any, name: str, overrides: Mapping[str, Any],
               may_miss: str | None = None) -> 'PreTrainedModel':
    """Load a folder or hub model whole, in float32 unless a type is asked for.

    Args:
        kind: transformers' class, with ``from_pretrained``.
        name: folder or hub name.
        overrides: what its config is to say otherwise.
        may_miss: first letters of the names of weights that may be missing, to be trained anew.

    Raises:
        BadValue: a weight of the model is missing; or the file has more layers than its config
            says, unless ``overrides`` says how many; or a weight is NaN or infinite.
    """
    model, report = kind.from_pretrained(name, output_loading_info=True, **hub_options(name),
                                         **overrides)
    missing = sorted(key for key in report['missing_keys']
                     if may_miss is None or not key.startswith(may_miss))
    if missing:
        raise BadValue(f'{name}: {len(missing)} weights of {type(model).__name__} are missing, '
                       f'such as {missing[0]}')
    further = further_layers(model, report['unexpected_keys'])
    if further and not any(key.endswith('layers') for key in overrides):
        raise BadValue(f'{name}: {len(further)} weights are of layers that its config.json does '
                       f'not count, such as {further[0]}')
    check_finite(model.state_dict(), name)
    # transformers 5 keeps the type of the file, which is often half precision.
    return model if overrides.keys() & {'dtype', 'torch_dtype'} else model.float()


def further_layers(model: 'PreTrainedModel', keys: Iterable[str]) -> list[str]:
    """List the keys of a file that are of layers like the model's, beyond its last one.

    Args:
        model: the model; a file of a larger one has its ``base_model_prefix`` before the key.
        keys: of weights that it did not take, in any order; heads of another task are among them.

    Example:
        >>> net = nn.ModuleDict(dict(layer=nn.Sequential(nn.Linear(1, 1))))
        >>> net.base_model_prefix = 'bert'
        >>> further_layers(net, ['bert.layer.1.bias', 'cls.layer.1.bias', 'layer.1.weight'])
        ['bert.layer.1.bias', 'layer.1.weight']
    """
    own = {_without_number(key) for key in model.state_dict()}
    prefix = f'{model.base_model_prefix}.'
    return sorted(key for key in keys if _without_number(key.removeprefix(prefix)) in own
                  or _without_number(key) in own)


def _without_number(key: str) -> str:
    return re.sub(r'\.\d+\.', '.N.', key, count=1)


@contextmanager
def model_errors(what: str) -> Iterator[None]:
    """Turn what transformers says of files or sizes that make no model into one line.

    Args:
        what: begins the line, such as the folder and what it should hold.

    Raises:
        BadValue: the library raised an error of its own; the line ends with the first of its lines.

    Example:
        >>> with model_errors('weights/bert: no text model can be read from it'):
        ...     raise OSError('no file named config.json')
        Traceback (most recent call last):
        mmtbps.errors.BadValue: weights/bert: no text model can be read from it \
(no file named config.json)
    """
    try:
        yield
    except UserError:
        raise
    except (OSError, ValueError, TypeError, AssertionError, SafetensorError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise BadValue(f'{what} ({lines[0] if lines else repr(error)})') from error
