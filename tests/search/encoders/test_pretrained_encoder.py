"""Batches of a pretrained encoder; its features are tested with the dual encoders."""

import numpy as np
import pytest
from pretrained_models import save_tiny

from mmtbps.search.encoders import PretrainedEncoder
from mmtbps.search.encoders.onnx_export import random_images


@pytest.mark.parametrize('asked, expected', [(None, [8, 8, 4]), (20, [20]), (15, [15, 5])])
def test_a_cpu_takes_few_images_at_once(asked, expected, tmp_path, monkeypatch):
    encoder = PretrainedEncoder(str(save_tiny(tmp_path, 'clip')), 'cpu', asked)
    images, sizes = random_images(20), []
    alone = np.concatenate([encoder.encode_images([image]) for image in images])
    encode = encoder.network.image_features
    monkeypatch.setattr(encoder.network, 'image_features', lambda **inputs: sizes.append(
        len(inputs['pixel_values'])) or encode(**inputs))
    np.testing.assert_allclose(encoder.encode_images(images), alone, atol=1e-6)
    assert sizes == expected


def test_no_batch_is_refused(tmp_path):
    with pytest.raises(ValueError, match='batch_size must be at least 1, got 0'):
        PretrainedEncoder(str(save_tiny(tmp_path, 'clip')), 'cpu', 0)
