"""Strict loading of weights: towers and necks fit, or the error says what does not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from mmtbps.errors import MissingFile, UserError
from mmtbps.fileio import BrokenCheckpoint, why_no_file

from .backbones.weight_names import shown_names
from .finite_weights import check_finite
from .peft import is_adapter
from .retrievers import TextImageRetriever
from .retrievers.former_settings import rename_former_keys
from .trained_inputs import inputs_of_checkpoint, inputs_of_safetensors, stop_if_other_inputs

__all__ = ['LoadReport', 'WeightsMisfit', 'load_strictly', 'noted_inputs', 'read_weights']

_SHOWN = 5


class WeightsMisfit(UserError, ValueError):
    """Weights that do not fit the model."""


@dataclass(frozen=True)
class LoadReport:
    """Account of a loading.

    Args:
        loaded: number of tensors that the model took.
        heads: weights of heads that the model was built without, passed over.
        misfits: a line for each weight that is missing, left over or of another shape; empty
            unless the loading was partial or heads may differ.
        partial: words on their number, such as ``'PARTIAL: 3 of 30 weights missing'``; empty if
            all fit.
    """

    loaded: int
    heads: Mapping[str, Tensor] = field(default_factory=dict)
    misfits: tuple[str, ...] = ()
    partial: str = ''

    def __str__(self) -> str:
        parts = [f'{self.loaded} tensors loaded']
        if self.heads:
            parts.append(f'{len(self.heads)} of heads passed over')
        return '; '.join(filter(None, [', '.join(parts), self.partial]))


def load_strictly(model: nn.Module, weights: str | Path | Mapping[str, Tensor],
                  partial: bool = False, new_heads: bool = False,
                  inputs: Mapping[str, Any] | None = None) -> LoadReport:
    """Load weights that fit the model whole, and the model them.

    Known conversions are no misfits: the prefix ``module.`` of distributed training, the names of
    a former head, a position embedding that the tower resizes, adapters that the model is without
    and that are merged. Weights of heads are passed over if the model was built without heads.

    Args:
        model: the model.
        weights: ``.pth`` or ``.safetensors``, a path or a URL; or a state dict.
        partial: load what fits and report the rest, for those who mean it.
        new_heads: let heads differ and adapters be missing, as where a training starts from
            another one's weights; what does not fit is reported.
        inputs: what the model reads here, see `~mmtbps.models.trained_inputs.describe_inputs`; a
            file that notes that it was trained with others is refused.

    Raises:
        MissingFile: there is no such file.
        UnsafeCheckpoint: the file holds more than weights.
        BrokenCheckpoint: it is cut short or damaged.
        WeightsMisfit: a weight is missing, left over or of another shape; the first few are named.
        BadValue: a weight that the model takes is NaN or infinite; or the inputs are others.

    Example:
        >>> layer = nn.Linear(2, 1)
        >>> str(load_strictly(layer, layer.state_dict()))
        '2 tensors loaded'
        >>> load_strictly(layer, dict(layer.state_dict(), extra=layer.bias))
        Traceback (most recent call last):
        mmtbps.models.loading.WeightsMisfit: the weights do not fit Linear: 1 misfit: extra is \
left over. Were they trained with this config?
    """
    named = isinstance(weights, Mapping)
    content = weights if named else _read(weights)
    state = dict(weights) if named else _weights_in(content)
    if inputs is not None and not named:  # first: shapes would say less clearly what is wrong
        stop_if_other_inputs(noted_inputs(content, weights), inputs, weights)
    state = {key.removeprefix('module.'): value for key, value in state.items()}
    heads: dict[str, Tensor] = {}
    if isinstance(model, TextImageRetriever):
        rename_former_keys(state)
        heads = {} if model.heads else {key: value for key, value in state.items()
                                        if key.startswith('heads.')}
    check_finite({key: value for key, value in state.items() if key not in heads},
                 'the weights' if named else str(weights))
    missing, left_over, shapes = _load(model, state)
    misfits = [*(f'{key} is missing' for key in missing),
               *(f'{key} is left over' for key in left_over),
               *(f'{key}: {line}' for key, line in shapes.items())]
    grave = [line for line in misfits if not (new_heads and _starts_anew(line))]
    if grave and not partial:
        name = 'the weights' if named else str(weights)
        more = f' and {len(grave) - _SHOWN} more' if len(grave) > _SHOWN else ''
        raise WeightsMisfit(
            f'{name} do{"" if named else "es"} not fit {type(model).__name__}: {len(grave)} '
            f'misfit{"s" * (len(grave) > 1)}: {"; ".join(grave[:_SHOWN])}{more}. Were they '
            'trained with this config?')
    total = len(model.state_dict())
    return LoadReport(total - len(missing) - len(shapes), heads, tuple(misfits),
                      _word_partial(total, len(missing), len(shapes), len(left_over)))


def read_weights(weights: str | Path) -> dict[str, Tensor]:
    """Read the state dict of a checkpoint without running code that it carries.

    Args:
        weights: ``.pth`` or ``.safetensors``; a path or a URL.

    Raises:
        MissingFile: there is no such file.
        UnsafeCheckpoint: it holds more than weights.
        BrokenCheckpoint: it is cut short, damaged or no checkpoint.
    """
    return _weights_in(_read(weights))


def _read(weights: str | Path) -> Mapping[str, Any]:
    """Read a checkpoint, and make sure that it holds weights by name."""
    if '://' not in str(weights) and (
            reason := why_no_file(weights, 'no such checkpoint')):
        raise MissingFile(f'{weights}: {reason}')
    try:
        checkpoint: Any = CheckpointLoader.load_checkpoint(
            str(weights), map_location='cpu', logger='silent')
    except UserError:
        raise
    except OSError as error:
        raise MissingFile(f'{weights}: cannot be read ({error})') from error
    inner = checkpoint.get('state_dict', checkpoint) if isinstance(checkpoint, Mapping) else None
    if not isinstance(inner, Mapping):
        found = inner if isinstance(checkpoint, Mapping) else checkpoint
        raise BrokenCheckpoint(f'{weights}: no checkpoint, but a {type(found).__name__}')
    return checkpoint


def _weights_in(content: Mapping[str, Any]) -> dict[str, Tensor]:
    inner = content.get('state_dict', content)
    return {str(key): value for key, value in inner.items() if isinstance(value, Tensor)}


def noted_inputs(content: Any, weights: str | Path) -> dict[str, Any]:
    """Return what a checkpoint notes of its inputs; nothing where it has no such note.

    Args:
        content: that was read.
        weights: path or URL.
    """
    if str(weights).endswith('.safetensors') and '://' not in str(weights):
        return inputs_of_safetensors(weights)
    return inputs_of_checkpoint(content)


def _load(model: nn.Module, state: dict[str, Tensor]
          ) -> tuple[list[str], list[str], dict[str, str]]:
    """Load what fits; list the weights that are missing, left over, and of another shape."""
    shapes: dict[str, str] = {}
    names = shown_names(model)
    try:
        result = model.load_state_dict(state, strict=False)
    except RuntimeError as error:
        for line in map(_one_line, str(error).splitlines()):
            if line.startswith('size mismatch for '):
                name, _, rest = line.removeprefix('size mismatch for ').partition(': ')
                rest = rest.replace('current model', 'the model').removesuffix('.')
                shapes[names.get(name, name)] = rest
        if not shapes:
            raise
        result = model.load_state_dict(
            {key: value for key, value in state.items() if key not in shapes}, strict=False)
    missing = [name for key in result.missing_keys
               if (name := names.get(key, key)) not in shapes]
    return missing, list(result.unexpected_keys), shapes


def _word_partial(total: int, missing: int, shapes: int, left_over: int) -> str:
    """Word the numbers of weights that do not fit.

    >>> _word_partial(30, 3, 0, 1)
    'PARTIAL: 3 of 30 weights missing, 1 left over'
    """
    kinds = ((missing, 'missing'), (shapes, 'of another shape'), (left_over, 'left over'))
    first, *others = [f'{count} {{}}{word}' for count, word in kinds if count] or ['']
    if not first:
        return ''
    return ', '.join([f'PARTIAL: {first.format(f"of {total} weights ")}',
                      *(other.format('') for other in others)])


def _starts_anew(misfit: str) -> bool:
    """Tell whether a new training can begin with this misfit."""
    name, _, what = misfit.partition(' ')
    return name.startswith('heads.') or (is_adapter(name) and what == 'is missing')


def _one_line(text: object) -> str:
    return ' '.join(str(text).split())
