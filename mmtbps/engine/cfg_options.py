"""Command line option that changes settings of a config."""

import argparse
import ast
import inspect
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from mmengine.config import Config
from mmengine.registry import Registry
from mmengine.runner import Runner, set_random_seed
from torch.utils.data import DataLoader

from mmtbps import registry as registries
from mmtbps.errors import BadValue

__all__ = ['CfgOptions', 'merge_options', 'parse_value']

#: Keys of a config that neither `Runner` nor a part takes, but something that reads the config.
_READ_ELSEWHERE = ('arms', 'compile', 'activation_checkpointing', 'efficient_conv_bn_eval',
                   'find_unused_parameters', 'model_wrapper_cfg', 'generation', 'resume_anyway',
                   'detect_anomalous_params')
#: What takes the settings of a place that names no type; of loaders it is torch's.
_PLACES = {'randomness': set_random_seed}
#: ``2024_05_01`` is a name to people, and a number to Python.
_UNDERSCORE = re.compile(r'\d_\d')
_QUOTED = re.compile(r'''("([^"\\]|\\.)*"|'([^'\\]|\\.)*')''')


class CfgOptions(argparse.Action):
    """Action of argparse for settings written ``KEY=VALUE``.

    A value is what Python reads in it, else the text as it stands, spaces and leading zeros
    included; ``a,b`` and ``[a,b]`` are lists, ``(a,b)`` is a tuple. How a list of words was read
    is printed, because a text with a comma looks the same; quotes make it a text.

    Example:
        >>> parser = argparse.ArgumentParser()
        >>> _ = parser.add_argument('--cfg-options', nargs='+', action=CfgOptions)
        >>> words = ['--cfg-options', 'work_dir=my runs/007', 'epochs=3', 'k=1,5']
        >>> parser.parse_args(words).cfg_options
        {'work_dir': 'my runs/007', 'epochs': 3, 'k': [1, 5]}
    """

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace,
                 values: Sequence[str], option_string: str | None = None) -> None:
        options = dict(getattr(namespace, self.dest, None) or {})
        for word in values:
            key, equals, text = word.partition('=')
            if not equals or not key.strip():
                raise argparse.ArgumentError(self, f'{word!r} is not of the form KEY=VALUE')
            value = options[key.strip()] = parse_value(text)
            if isinstance(value, (list, tuple)) and any(isinstance(one, str) for one in value):
                print(f'{key.strip()} is a list of {len(value)}: {value}. A text with a comma '
                      'stands in quotes')
        setattr(namespace, self.dest, options)


def parse_value(text: str) -> Any:
    """Read a value of a setting.

    Example:
        >>> [parse_value(text) for text in ('3', '1e-4', 'true', 'None', '007', 'my data', '"a,b"')]
        [3, 0.0001, True, None, '007', 'my data', 'a,b']
        >>> parse_value('a,b'), parse_value('[1, x]'), parse_value('(2, 3)'), parse_value('[]')
        (['a', 'b'], [1, 'x'], (2, 3), [])
        >>> parse_value("[dict(type='KReciprocal', k1=9)]"), parse_value('f(a, b)')
        ([{'type': 'KReciprocal', 'k1': 9}], 'f(a, b)')
    """
    text = text.strip()
    try:
        return _literal(text) if not _is_list(text) else _list_of(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return dict(true=True, false=False).get(text.lower(), text)


def merge_options(cfg: Config, options: Mapping[str, Any] | None) -> None:
    """Merge settings into a config, each of which something reads.

    A key is known if the config has it, or if the class named by ``type`` at its place, or the
    Runner, takes an argument of that name.

    Args:
        cfg: the config; changed in place.
        options: dotted key -> value.

    Raises:
        BadValue: a key that nothing reads, with the nearest one that something does.
    """
    for key, value in (options or {}).items():
        _check_key(cfg, key)
        if _has_number_keys(value):  # as epochs of a schedule; MMEngine merges words alone
            *way, last = key.split('.')
            cfg.merge_from_dict({key: None})
            node = cfg._cfg_dict
            for word in way:
                node = node[int(word) if isinstance(node, (list, tuple)) else word]
            node[int(last) if isinstance(node, (list, tuple)) else last] = value
        else:
            cfg.merge_from_dict({key: value})


def _has_number_keys(value: Any) -> bool:
    return isinstance(value, Mapping) and any(
        not isinstance(key, str) or _has_number_keys(inner) for key, inner in value.items())


def _check_key(cfg: Config, key: str) -> None:
    node, place, words = cfg._cfg_dict, '', key.split('.')
    for depth, word in enumerate(words):
        if isinstance(node, (list, tuple)):
            if not word.isdigit() or int(word) >= len(node):
                raise BadValue(f'{key}: {place} is a list of {len(node)}; {word!r} is none of its '
                               f'places, 0 to {len(node) - 1}')
            node = node[int(word)]
        elif isinstance(node, Mapping):
            if word not in node:
                known = [*node, *_arguments(node, place)]
                if '**' in known or word in known:
                    return  # a new setting: what lies below is its own
                near = get_close_matches(word, known, 1)
                before = f'{place}.' if place else ''
                hint = f'; did you mean {before}{near[0]}?' if near else ''
                raise BadValue(f'--cfg-options {key}: nothing reads {before}{word}{hint}')
            node = node[word]
        elif depth:
            raise BadValue(f'--cfg-options {key}: {place} is {node!r} and has no {word!r}')
        place = f'{place}.{word}' if place else word


def _arguments(node: Mapping[str, Any], place: str) -> list[str]:
    """List what the class at a place takes; ``**`` among them if it takes anything."""
    if not place:
        return [*inspect.signature(Runner.__init__).parameters, *_READ_ELSEWHERE]
    if place in _PLACES or place.endswith('_dataloader'):
        return [*inspect.signature(_PLACES.get(place, DataLoader.__init__)).parameters,
                'num_batch_per_epoch']
    kind = node.get('type')
    if isinstance(kind, str):
        found = (registry.get(kind) for registry in vars(registries).values()
                 if isinstance(registry, Registry))
        kind = next((one for one in found if one is not None), None)
    if kind is None:
        return ['**']  # a dict of anything, such as the settings of a library
    names: list[str] = []
    for one in inspect.getmro(kind) if inspect.isclass(kind) else [kind]:
        call = one.__dict__.get('__init__') if inspect.isclass(one) else one
        if call is None:
            continue
        parameters = inspect.signature(call).parameters.values()
        names += [found.name for found in parameters if found.kind != found.VAR_KEYWORD]
        if all(found.kind != found.VAR_KEYWORD for found in parameters):
            return names
    return names if inspect.isclass(kind) else [*names, '**']


class _DictCalls(ast.NodeTransformer):
    """Rewriter of ``dict(key=value)``, as configs have it, to what is a literal."""

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """Rewrite one call, and those in it."""
        self.generic_visit(node)
        names = [keyword.arg for keyword in node.keywords]
        if getattr(node.func, 'id', None) != 'dict' or node.args or None in names:
            return node
        return ast.Dict([ast.Constant(name) for name in names],
                        [keyword.value for keyword in node.keywords])


def _literal(text: str) -> Any:
    """Read what Python and people read alike; ``2024_05_01``, ``3j`` and ``...`` are names."""
    value = ast.literal_eval(_DictCalls().visit(ast.parse(text.strip(), mode='eval')))
    if _UNDERSCORE.search(_QUOTED.sub('', text)) or not _is_setting(value):
        raise ValueError(text)
    return value


def _is_setting(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_setting, value))
    if isinstance(value, dict):
        return all(map(_is_setting, [*value, *value.values()]))
    return value is None or isinstance(value, (bool, int, float, str))


def _is_list(text: str) -> bool:
    return not text.startswith(('"', "'", '{')) and (
        ',' in text or text[:1] + text[-1:] in ('[]', '()'))


def _list_of(text: str) -> list | tuple:
    """Read a list whose words need no quotes."""
    try:
        value = _literal(text)
        return list(value) if isinstance(value, tuple) and not text.startswith('(') else value
    except (ValueError, SyntaxError):
        inner = text[1:-1] if text[:1] + text[-1:] in ('[]', '()') else text
        words = _split(inner)
        if words == [text]:  # commas in brackets alone: f(a, b) is no list
            raise
        items = [parse_value(item) for item in words]
        return tuple(items) if text.startswith('(') else items


def _split(text: str) -> list[str]:
    """Split at the commas that stand in no brackets."""
    parts, depth = [''], 0
    for sign in text:
        depth += (sign in '[({') - (sign in '])}')
        if sign == ',' and not depth:
            parts.append('')
        else:
            parts[-1] += sign
    return [part for part in parts if part.strip()]
