"""Human parsing against its network called by hand."""

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from tiny_vision import ATR, mask2former, rt_detr, segformer

from mmtbps.errors import BadValue, MissingFile
from mmtbps.generation.evidence.base import PARTS
from mmtbps.generation.evidence.human_parsing import HumanParsingProvider
from mmtbps.registry import TASK_UTILS

OF_ATR = dict(zip(ATR, (
    'background', 'hat', 'hair', 'face', 'upper', 'lower', 'lower', 'full', 'other', 'shoes',
    'shoes', 'face', 'skin', 'skin', 'skin', 'skin', 'bag', 'other'), strict=True))


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return segformer(tmp_path_factory.mktemp('segformer'))


@pytest.fixture
def images():
    draw = np.random.default_rng(0)
    return [Image.fromarray(draw.integers(0, 256, (height, width, 3), dtype=np.uint8)).resize(
        (4 * width, 4 * height)) for width, height in ((12, 30), (20, 20), (9, 33))]


def by_hand(logits, size):
    """Enlarge logits (1, C, h, w) as transformers does, take the largest and name its part."""
    whole = torch.nn.functional.interpolate(logits, size, mode='bilinear', align_corners=False)
    labels = whole[0].argmax(0).tolist()
    return np.array([[PARTS.index(OF_ATR[ATR[label]]) for label in row] for row in labels])


def test_segformer_says_what_its_network_says(folder, images):
    network = transformers.AutoModelForSemanticSegmentation.from_pretrained(folder).eval()
    found = TASK_UTILS.build(dict(type='HumanParsingProvider', pretrained=folder,
                                  device='cpu')).look(images)
    seen = set()
    for evidence, image in zip(found, images, strict=True):
        square = np.asarray(image.resize((64, 64), Image.Resampling.BILINEAR), np.float32)
        pixels = torch.from_numpy((square / 255 - .5) / .25).permute(2, 0, 1)[None]
        with torch.inference_mode():
            truth = by_hand(network(pixels).logits, image.size[::-1])
        assert (evidence.parts == truth).mean() > .99
        assert np.array_equal(evidence.person, evidence.parts != 0)
        seen |= set(np.unique(truth))
    assert len(seen) > 3, 'the random model sees too little for a test'
    assert found[0].sources == dict(person=folder, parts=folder)


def test_mask2former_says_what_its_network_says_of_each_picture_alone(tmp_path, images):
    folder = mask2former(tmp_path)
    network = transformers.AutoModelForUniversalSegmentation.from_pretrained(folder).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    image = images[0].resize((64, 90))
    [found, _] = HumanParsingProvider(folder, device='cpu').look([image, images[1]])
    inputs = processor(images=image, return_tensors='pt')
    assert inputs['pixel_mask'].all(), 'padded'
    with torch.inference_mode():
        outputs = network(**inputs)
    classes = outputs.class_queries_logits.softmax(-1)[0, :, :-1]
    masks = torch.nn.functional.interpolate(outputs.masks_queries_logits, (384, 384),
                                            mode='bilinear')[0].sigmoid()
    truth = by_hand(torch.einsum('qc,qhw->chw', classes, masks)[None], (90, 64))
    assert (found.parts == truth).mean() > .99 and len(np.unique(truth)) > 1


def test_labels_are_mapped_by_name_and_not_by_number(tmp_path, folder, images):
    reverse = segformer(tmp_path, labels=ATR[::-1])
    one, other = (HumanParsingProvider(name, device='cpu') for name in (folder, reverse))
    assert other._table.tolist() == one._table[::-1].tolist()
    assert one.digest_fields != other.digest_fields


def test_labels_without_a_part_are_listed_and_can_be_given_one(tmp_path, images):
    folder = segformer(tmp_path, labels=('Background', 'Upper-clothes', 'Torso', 'Gadget'))
    with pytest.raises(BadValue, match=r"no part is known for: Torso, Gadget\. Give them one"):
        HumanParsingProvider(folder, device='cpu').look(images[:1])
    provider = HumanParsingProvider(folder, dict(Torso='skin', Gadget='other'), 'cpu')
    assert provider.look(images[:1])[0].parts.shape == images[0].size[::-1]
    assert provider.digest_fields['parts'] == [
        PARTS.index(name) for name in ('background', 'upper', 'skin', 'other')]


def test_the_digest_is_of_the_weights_and_not_of_the_folder(folder, tmp_path):
    fields = HumanParsingProvider(folder).digest_fields
    assert fields == HumanParsingProvider(segformer(tmp_path / 'same')).digest_fields
    assert fields != HumanParsingProvider(segformer(tmp_path / 'other', seed=1)).digest_fields


def test_a_name_of_a_hub_that_cannot_be_reached_is_told(monkeypatch, images):
    monkeypatch.setattr('mmtbps.hub.hub_fault', lambda name: 'the hub cannot be reached')
    provider = HumanParsingProvider('hf:nobody/has-this@main')
    assert (provider.model.source, provider.model.revision) == ('nobody/has-this', 'main')
    with pytest.raises(MissingFile, match='nobody/has-this: nothing of it is in the cache'):
        provider.look(images)


def test_other_models_are_refused(tmp_path, folder, images):
    with pytest.raises(MissingFile, match='no such folder'):
        HumanParsingProvider('./gone')
    with pytest.raises(BadValue, match='only models of transformers'):
        HumanParsingProvider('open_clip:ViT-B-16/openai')
    with pytest.raises(BadValue, match="type 'rt_detr' is none of AutoModelForSemantic"):
        HumanParsingProvider(rt_detr(tmp_path / 'detector')).look(images)
    with pytest.raises(MissingFile, match='not loaded from the folder'):
        (tmp_path / 'empty').mkdir()
        HumanParsingProvider(str(tmp_path / 'empty')).look(images)
    wrong = segformer(tmp_path / 'wrong')
    config = tmp_path / 'wrong/config.json'
    config.write_text(config.read_text().replace('"decoder_hidden_size": 16',
                                                 '"decoder_hidden_size": 24'))
    with pytest.raises(BadValue, match='do not belong together: .* such as decode_head'):
        HumanParsingProvider(wrong).look(images)
