"""Towers with parts of parameter-efficient tuning that change their features, not too much."""

import copy

import torch
from lora_towers import tower

from mmtbps.models.peft import add_parts

#: Each part at a small size.
PARTS = dict(prefix=dict(length=3), kv_lora=dict(rank=2), adapter=dict(reduction=4),
             mixture=dict(experts=4, chosen=2, reduction=4))
#: The parts that each family of towers takes.
TAKEN = dict(
    vit=tuple(PARTS), clip_vision=tuple(PARTS), clip_text=tuple(PARTS),
    **dict.fromkeys(('siglip_vision', 'siglip_text', 'modernbert'),
                    ('kv_lora', 'adapter', 'mixture')),
    **dict.fromkeys(('bert', 'distilbert', 'mpnet'), ('kv_lora', )))
UP_PERSON = ('prefix', 'kv_lora', 'adapter')
_OWN = ('.prefix.', 'scaled_dot_product_attention.', 'kv_lora_', '.adapter.', '.mixture.')


def is_own(name):
    """Tell whether a parameter is one of a part."""
    return any(word in name for word in _OWN)


def stir_parts_(module, seed=4):
    """Give parts weights that do something.

    An adapter reads the stream as it is, which grows with it: its `up` stays small.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in module.named_parameters():
            if not is_own(name):
                continue
            if name.endswith('mass_scale'):
                weight.fill_(2.5)
            elif weight.ndim < 2:
                weight.add_(torch.randn(weight.shape, generator=generator), alpha=0.2)
            else:
                small = 0.2 if '.up.' in name or name.endswith('mixture.up') else 0.8
                weight.normal_(0, small * weight.shape[-1]**-0.5, generator=generator)
                if name.endswith('_tokens'):
                    weight.mul_(weight.shape[-1]**0.5)
    return module


def tuned(family, *parts, stir=True):
    """A tower with parts, and the same without; in double precision."""
    plain = tower(family)
    other = copy.deepcopy(plain)
    add_parts(dict(side=other), **{part: PARTS[part] for part in parts})
    other.double().eval()
    return (stir_parts_(other) if stir else other), plain
