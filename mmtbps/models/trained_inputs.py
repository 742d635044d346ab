"""Inputs that weights were trained with: the vocabulary of captions, the normalisation of images.

Two vocabularies of one size fit the same weights, and the wrong one makes other words of every
caption; no shape tells. So checkpoints note what they were trained with.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmtbps.errors import BadValue, Remedy

__all__ = ['KEY', 'describe_inputs', 'in_safetensors', 'inputs_of_checkpoint',
           'inputs_of_safetensors', 'stop_if_other_inputs', 'stop_if_other_words']

#: Of the note, in the ``meta`` of a checkpoint and in the header of a safetensors file.
KEY = 'inputs'
_NORMALISATION = ('mean', 'std', 'to_rgb')


def describe_inputs(steps: Sequence[Any], preprocessor: Any = None) -> dict[str, Any]:
    """Describe what a model reads, in plain values that a checkpoint can hold.

    Args:
        steps: transforms of its pipeline; the first one with a ``describe_vocabulary``, be it
            inside another, tells it.
        preprocessor: of its batches; one with ``mean`` and ``std`` tells the normalisation.

    Returns:
        ``vocabulary`` and ``normalisation``, each where it is known.
    """
    found: dict[str, Any] = {}
    tokenize = next((step for step in _inner_steps(steps)
                     if hasattr(step, 'describe_vocabulary')), None)
    if tokenize is not None:
        found['vocabulary'] = tokenize.describe_vocabulary()
    if all(getattr(preprocessor, name, None) is not None for name in _NORMALISATION):
        found['normalisation'] = dict(
            mean=[round(value, 4) for value in preprocessor.mean.flatten().tolist()],
            std=[round(value, 4) for value in preprocessor.std.flatten().tolist()],
            to_rgb=bool(preprocessor.to_rgb))
    return found


def _inner_steps(steps: Any) -> Iterator[Any]:
    """Yield transforms, and those that they hold."""
    for step in steps if isinstance(steps, (list, tuple)) else [steps]:
        if isinstance(step, (list, tuple)):
            yield from _inner_steps(step)
            continue
        yield step
        for name in ('transforms', 'tokenize'):
            yield from _inner_steps(getattr(step, name, None) or ())


def inputs_of_checkpoint(checkpoint: Any) -> dict[str, Any]:
    """Return what a loaded checkpoint notes of its inputs; nothing where it has no such note.

    Example:
        >>> inputs_of_checkpoint(dict(state_dict={}, meta=dict(epoch=1)))
        {}
    """
    meta = checkpoint.get('meta') if isinstance(checkpoint, Mapping) else None
    noted = meta.get(KEY) if isinstance(meta, Mapping) else None
    return dict(noted) if isinstance(noted, Mapping) else {}


def inputs_of_safetensors(file: str | Path) -> dict[str, Any]:
    """Return what the header of a safetensors file notes of its inputs; nothing without a note."""
    from safetensors import safe_open
    with safe_open(str(file), 'pt') as opened:
        text = (opened.metadata() or {}).get(KEY, '{}')
    try:
        noted = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return noted if isinstance(noted, dict) else {}


def in_safetensors(inputs: Mapping[str, Any]) -> dict[str, str]:
    """Word a note for the header of a safetensors file; a full path leaves all but its end out.

    Example:
        >>> in_safetensors({})
        {}
        >>> in_safetensors(dict(vocabulary=dict(tokenizer='/home/ann/drawn/tokenizer')))
        {'inputs': '{"vocabulary": {"tokenizer": "drawn/tokenizer"}}'}
    """
    inputs = dict(inputs)
    if known := inputs.get('vocabulary'):
        path = Path(str(known['tokenizer']))
        if path.is_absolute():
            inputs['vocabulary'] = dict(known, tokenizer=str(Path(*path.parts[-2:])))
    return {KEY: json.dumps(inputs, sort_keys=True)} if inputs else {}


def stop_if_other_words(trained: Mapping[str, Any], used: Mapping[str, Any], weights: Any) -> None:
    """Refuse to read captions with another vocabulary than that of the training.

    Args:
        trained: what the weights note.
        used: what they would be used with.
        weights: their name.

    Raises:
        BadValue: both are known, and differ.

    Example:
        >>> a, b = (dict(vocabulary=dict(tokenizer=name, entries=9, sha256=name * 64))
        ...         for name in 'ab')
        >>> stop_if_other_words(a, a, 'last.pth')
        >>> stop_if_other_words(a, b, 'last.pth')
        Traceback (most recent call last):
        mmtbps.errors.BadValue: last.pth was trained with the vocabulary of a (9 entries, aaaaaaaa \
...), and would read with that of b (9 entries, bbbbbbbb ...), by which its words are others. Set \
tokenizer of TokenizeCaption in the config to that of the training; or make, where that one is, a \
folder that keeps it with the weights
    """
    before, now = (noted.get('vocabulary') for noted in (trained, used))
    if not isinstance(before, Mapping) or not isinstance(now, Mapping) or (
            before.get('sha256') == now.get('sha256')):
        return
    raise BadValue(
        f'{weights} was trained with the vocabulary of {_word(before)}, and would read with that '
        f'of {_word(now)}, by which its words are others. Set tokenizer of TokenizeCaption in the '
        'config to that of the training; or make, where that one is, a folder that keeps it with '
        'the weights', Remedy('keep_tokenizer', dict(checkpoint=weights)))


def stop_if_other_inputs(trained: Mapping[str, Any], used: Mapping[str, Any], weights: Any) -> None:
    """Refuse to read captions or images otherwise than the weights were trained to.

    Other sizes of images and lengths of captions are no fault: a tower takes them or refuses them.

    Args:
        trained: what the weights note.
        used: what they would be used with.
        weights: their name.

    Raises:
        BadValue: vocabulary or normalisation are known of both, and differ.
    """
    stop_if_other_words(trained, used, weights)
    before, now = (noted.get('normalisation') for noted in (trained, used))
    if not isinstance(before, Mapping) or not isinstance(now, Mapping):
        return
    if changed := [f'{key}={before[key]}, not {now[key]}' for key in _NORMALISATION
                   if key in before and before[key] != now.get(key)]:
        raise BadValue(f'{weights} was trained on images with {"; ".join(changed)}. Set '
                       'model.data_preprocessor of the config as it was in the training')


def _word(vocabulary: Mapping[str, Any]) -> str:
    return (f'{vocabulary.get("tokenizer")} ({vocabulary.get("entries")} entries, '
            f'{str(vocabulary.get("sha256"))[:8]} ...)')
