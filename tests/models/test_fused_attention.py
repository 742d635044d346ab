"""Both towers attend through the fused kernel, forward and backward."""

from collections import Counter

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

LAYERS = 2  # of each tiny tower


class Operators(TorchDispatchMode):
    """Counts the operators that run."""

    def __init__(self):
        super().__init__()
        self.counts = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.counts[function.overloadpacket.__name__] += 1
        return function(*args, **(kwargs or {}))

    def fused(self, backward=False):
        return sum(count for name, count in self.counts.items()
                   if name.startswith('_scaled_dot_product') and 'math' not in name
                   and name.endswith('_backward') == backward)

    def explicit(self):
        return sum(count for name, count in self.counts.items() if 'softmax' in name)


def run_towers(model, batch):
    """Operators of both towers over a batch of captions of different lengths."""
    data = model.data_preprocessor(batch, training=True)
    towers = (lambda: model.encode_image(data['images']),
              lambda: model.encode_text(data['input_ids'], data['attention_mask']))
    for tower in towers:
        with Operators() as forward:
            features = tower()
        with Operators() as backward:
            features.sum().backward()
        yield forward, backward


@pytest.mark.parametrize('precision', [torch.float32, torch.bfloat16])
@pytest.mark.parametrize('device', ['cpu', pytest.param('cuda', marks=pytest.mark.gpu)])
def test_every_layer_uses_the_fused_kernel(device, precision, tiny_retriever, tiny_batch):
    model = tiny_retriever().train().to(device)
    with torch.autocast(device, precision, enabled=precision != torch.float32):
        for forward, backward in run_towers(model, tiny_batch(4)):
            assert forward.fused() == LAYERS and forward.explicit() == 0
            assert backward.fused(backward=True) == LAYERS and backward.explicit() == 0


def test_the_check_sees_explicit_attention(tiny_retriever, tiny_batch):
    model = tiny_retriever()
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        for forward, backward in run_towers(model, tiny_batch(4)):
            assert forward.fused() == 0 and forward.explicit() == LAYERS
            assert backward.fused(backward=True) == 0 and backward.explicit() == LAYERS
