"""Low-rank adapters in a cross-encoder: both stages, trained and merged."""

import copy

import pytest
import torch
from cross_encoders import LENGTHS, SIZES, captions, spread
from lora_towers import stir_

from mmtbps.models import CrossEncoderRetriever, FusionBERT, SwinTower
from mmtbps.models.backbones.vit import OverlapViT
from mmtbps.models.loading import load_strictly
from mmtbps.models.peft import tune_towers

IMAGE = (32, 16)
ARCH = dict(embed_dims=12, num_layers=2, num_heads=2, feedforward_channels=24)
CASES = pytest.mark.parametrize('swin, options', [
    (False, dict(text_layers=2)), (False, dict(text_layers=None, fusion_token=59, segments=0)),
    (True, dict(text_layers=2))], ids=['albef', 'blip', 'aptm'])


def build(swin, options):
    image = SwinTower(IMAGE, width=6, depths=(2, 2), heads=(2, 2), window=4) if swin else (
        OverlapViT(ARCH, img_size=IMAGE, patch_size=8, stride=8))
    text = FusionBERT(**SIZES, **options, dropout=0.0)
    return spread(CrossEncoderRetriever(image, text, match_dims=20 if swin else None))


def adapted(plain):
    """The same with adapters that change its features."""
    model = copy.deepcopy(plain)
    tune_towers(dict(image_backbone=model.image_backbone, text_backbone=model.text_backbone),
                lora=dict(rank=2, alpha=3))
    return stir_(model).eval()


def answers(model):
    """Features of both sides, and the scores of all pairs."""
    images = torch.randn(3, 3, *IMAGE, generator=torch.Generator().manual_seed(3))
    ids, mask = captions()
    with torch.no_grad():
        return model.encode_image(images), model.encode_text(ids, mask), model.match(
            images, ids, mask)


@CASES
def test_merged_weights_give_the_features_and_the_scores(swin, options):
    plain = build(swin, options)
    before, tuned = answers(plain), adapted(plain)
    expected = answers(tuned)
    for one, other in zip(before, expected, strict=True):
        assert (one - other).abs().max() > .05  # the adapters do something
    assert expected[2].shape == (3, len(LENGTHS)) and expected[2].std() > .05
    merged = build(swin, options)
    report = load_strictly(merged, tuned.state_dict())
    assert not report.misfits and not any('lora' in name for name in merged.state_dict())
    for found, wanted in zip(answers(merged), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)


@CASES
def test_the_fusion_layers_of_their_own_stay_as_they_are(swin, options):
    """As the guide says: adapters go to the layers of the first stage, which are BLIP's all."""
    plain = build(swin, options)
    tuned = adapted(plain)
    images, (ids, mask) = torch.randn(3, 3, *IMAGE), captions()
    scores = tuned.match(images, ids, mask)
    (scores.square().sum() + tuned.encode_image(images).sum()).backward()
    moved = {name for name, weight in tuned.named_parameters() if weight.grad is not None}
    assert {name for name in moved if 'backbone' in name} == {
        name for name, _ in tuned.named_parameters() if '.lora_' in name}
    layers = {name.split('encoder.layer.')[1].split('.')[0] for name in moved
              if 'text_backbone' in name}
    assert layers == ({'0', '1'} if options['text_layers'] else {'0', '1', '2', '3'})
    crossed = any('crossattention' in name for name in moved)
    assert crossed == (options['text_layers'] is None)
    assert {'match_head.3.weight' if swin else 'match_head.weight'} <= moved
