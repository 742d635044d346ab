"""A converted checkpoint, key by key."""

import re
from dataclasses import dataclass, field

from torch import Tensor

__all__ = ['Conversion', 'collect_renamed', 'expected_vit_keys']

_STEM = ('cls_token', 'pos_embed', 'patch_embed.projection.weight', 'patch_embed.projection.bias',
         'ln1.weight', 'ln1.bias')
_BLOCK = tuple(f'{part}.{kind}' for part in (
    'ln1', 'attn.qkv', 'attn.proj', 'ln2', 'ffn.layers.0.0', 'ffn.layers.1')
    for kind in ('weight', 'bias'))


@dataclass
class Conversion:
    """A converted state dict, and what became of every key.

    Attributes:
        state_dict: ours.
        used: source keys that were taken.
        missing: keys of ours that the source lacks.
        unexpected: source keys without a place, such as a classifier.
    """

    state_dict: dict[str, Tensor] = field(default_factory=dict)
    used: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)

    def report(self) -> str:
        """A few lines for people."""
        lines = [f'used {len(self.used)} keys, missing {len(self.missing)}, '
                 f'unexpected {len(self.unexpected)}']
        lines += [f'  missing: {key}' for key in self.missing]
        lines += [f'  unexpected: {key}' for key in self.unexpected]
        return '\n'.join(lines)


def expected_vit_keys(state: dict) -> list[str]:
    """List the keys of an ``OverlapViT`` with as many layers as a state dict has."""
    layers = {int(m.group(1)) for key in state if (m := re.match(r'layers\.(\d+)\.', key))}
    depth = max(layers, default=-1) + 1
    return [*_STEM, *(f'layers.{i}.{key}' for i in range(depth) for key in _BLOCK)]


def collect_renamed(state: dict[str, Tensor], renamed: dict[str, str],
                    expected: list[str]) -> Conversion:
    """Collect the weights that have a place, and note what became of every key.

    Args:
        state: the source.
        renamed: our name of each source key.
        expected: all names that the target has.
    """
    wanted = set(expected)
    result = Conversion()
    for key, name in renamed.items():
        if name in wanted:
            result.state_dict[name] = state[key]
            result.used.append(key)
        else:
            result.unexpected.append(key)
    result.missing = [name for name in expected if name not in result.state_dict]
    return result
