"""Tiny random diffusion models, shared by the tests of one run."""

import sys
from pathlib import Path

import pytest
from tiny_diffusion import tiny_sd, tiny_tokenizer

# Last, because there is a test.py in it.
sys.path.append(str(Path(__file__).parents[2] / 'tools'))


@pytest.fixture(scope='session')
def tokenizer(tmp_path_factory):
    """CLIP's tokenizer over a handful of words, 24 tokens."""
    return tiny_tokenizer(tmp_path_factory.mktemp('tokenizer'))


@pytest.fixture(scope='session')
def tiny_parts(tmp_path_factory):
    """Parts of a tiny Stable Diffusion, float32."""
    return tiny_sd(tmp_path_factory.mktemp('tiny_sd'))


@pytest.fixture(scope='session')
def tiny_double(tmp_path_factory):
    """The same parts in float64, where rounding cannot hide a mistake."""
    parts = tiny_sd(tmp_path_factory.mktemp('tiny_sd_double'))
    for name in ('unet', 'vae', 'text_encoder'):
        parts[name].double()
    return parts
