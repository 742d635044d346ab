"""Text of a config as a checkpoint carries it, read without running it."""

import ast
from typing import Any

from mmtbps.errors import BadValue

__all__ = ['read_config_text']


def read_config_text(text: str) -> dict[str, Any]:
    """Read the assignments of a config that MMEngine wrote; nothing of it is run.

    Args:
        text: what ``Config.pretty_text`` gives: names, literals and ``dict(...)``.

    Raises:
        BadValue: it holds anything else.

    Example:
        >>> read_config_text("model = dict(type='A', sizes=(1, -2))")
        {'model': {'type': 'A', 'sizes': (1, -2)}}
        >>> read_config_text('model = open("x")')
        Traceback (most recent call last):
        ...
        mmtbps.errors.BadValue: line 1 of the config is no setting: open('x')
    """
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError) as error:
        raise BadValue(f'the config is no Python ({error})') from error
    settings = {}
    for line in body:
        if not (isinstance(line, ast.Assign) and len(line.targets) == 1
                and isinstance(line.targets[0], ast.Name)):
            raise _no_setting(line)
        settings[line.targets[0].id] = _value(line.value)
    return settings


def _value(node: ast.expr) -> Any:
    """Return the value of a literal, with ``dict(...)`` among the containers."""
    if isinstance(node, ast.Call):
        return _dict(node)
    if isinstance(node, ast.Dict) and None not in node.keys:
        return {_value(key): _value(value)
                for key, value in zip(node.keys, node.values, strict=True)}
    if isinstance(node, (ast.List, ast.Tuple)):
        kind = list if isinstance(node, ast.List) else tuple
        return kind(_value(item) for item in node.elts)
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError) as error:
        raise _no_setting(node) from error


def _dict(call: ast.Call) -> dict[str, Any]:
    """Return what ``dict(a=1)``, ``dict({'a': 1})`` and ``dict(**{'a': 1})`` give."""
    inner = [*call.args, *(word.value for word in call.keywords if word.arg is None)]
    if not (isinstance(call.func, ast.Name) and call.func.id == 'dict' and len(call.args) < 2
            and all(isinstance(node, (ast.Dict, ast.Call)) for node in inner)):
        raise _no_setting(call)
    values = {key: value for node in inner for key, value in _value(node).items()}
    return values | {word.arg: _value(word.value) for word in call.keywords if word.arg}


def _no_setting(node: ast.AST) -> BadValue:
    return BadValue(f'line {node.lineno} of the config is no setting: {ast.unparse(node)[:80]}')
