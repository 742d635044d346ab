"""Captions of different length."""

import pytest
import torch

from mmtbps.models.preprocessor import pad_captions


@pytest.fixture
def captions():
    generator = torch.Generator().manual_seed(0)
    rows = [torch.randint(2, 50, (n,), generator=generator) for n in (5, 12, 3)]
    return [torch.cat(rows)], [torch.tensor([5, 12, 3])]


@pytest.fixture
def ids_and_mask(captions):
    return pad_captions(*captions)
