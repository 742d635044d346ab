"""SigLIP's towers against their published formulas, and against transformers."""

import json

import pytest
import torch
import torch.nn.functional as F
from clip_reference import difference, spread_
from clip_towers import random_images
from siglip_reference import image_feature, image_tokens, text_feature
from siglip_towers import TEXT, VISION, WIDTH, caption_ids, text, vision
from transformers import SiglipConfig, SiglipModel

from mmtbps.errors import BadValue, MissingFile
from mmtbps.models import SigLIPTextTower, SigLIPVisionTower


@pytest.fixture
def images():
    return random_images()


@pytest.fixture
def ids():
    return caption_ids()


@torch.no_grad()
def test_features_equal_the_published_formula(images, ids):
    image, words = vision(img_size=(48, 16)), text()
    assert image.grid == (6, 2) and (image.out_dims, words.out_dims) == (24, WIDTH)
    theirs = image_feature(images, image.siglip.state_dict())
    assert difference(image(images), theirs) < 1e-5
    assert F.cosine_similarity(theirs[0], theirs[1], 0) < 0.95, 'weights should spread features'
    theirs = text_feature(ids, words.siglip.state_dict())
    assert difference(words(ids, ids != 1), theirs) < 1e-5
    assert F.cosine_similarity(theirs[0], theirs[1], 0) < 0.95, 'weights should spread features'


@torch.no_grad()
def test_the_comparison_sees_planted_faults(images, ids):
    image, words = vision(img_size=(48, 16)), text()
    state, other = image.siglip.state_dict(), words.siglip.state_dict()
    features = image(images)
    for fault, wrong in dict(
            gelu=image_feature(images, state, activation=lambda x: x * torch.sigmoid(1.702 * x)),
            no_post_norm=image_feature(images, state, post_norm=False),
            no_residual=image_feature(images, state, residual=False),
            mean=image_tokens(images, state).mean(1)).items():
        assert difference(features, wrong) > 1e-3, fault
    features = words(ids, ids != 1)
    for fault, wrong in dict(
            relu=text_feature(ids, other, activation=F.relu),
            causal=text_feature(ids, other, causal=True),
            first=text_feature(ids, other, place=0),
            other_padding=text_feature(ids.where(ids != 1, 0), other)).items():
        assert difference(features, wrong) > 1e-3, fault


@torch.no_grad()
def test_padding_is_attended_whatever_the_mask_says(ids):
    tower = text()
    features = tower(ids, ids != 1)
    for mask in (None, torch.ones_like(ids, dtype=torch.bool), torch.zeros_like(ids).bool()):
        assert torch.equal(tower(ids, mask), features)
    for row in range(4):
        torch.testing.assert_close(tower(ids[row:row + 1], None)[0], features[row])


def test_captions_of_another_length_or_vocabulary_are_refused(ids):
    tower = text()
    for wrong in (ids[:, :9], torch.cat([ids, ids], 1)):
        with pytest.raises(BadValue, match=r'last of 16 places.*min_length=16'):
            tower(wrong, wrong != 1)
    ids[0, 0] = 60
    with pytest.raises(BadValue, match='token id 60 .*vocabulary of 60'):
        tower(ids, ids != 1)


# ------------------------------------------------------------------ transformers
@pytest.fixture
def folder(tmp_path):
    """A whole SigLIP with 4 x 4 patches, as a checkpoint of fixed resolution is published."""
    torch.manual_seed(0)
    words = dict(TEXT, projection_size=24) if 'projection_size' in TEXT else TEXT
    config = SiglipConfig(vision_config=VISION, text_config=words)
    model = spread_(SiglipModel(config)).eval()
    model.save_pretrained(tmp_path / 'siglip')
    return str(tmp_path / 'siglip'), model


@torch.no_grad()
def test_features_of_a_folder_equal_transformers(folder, ids):
    name, model = folder
    images = torch.randn(2, 3, 32, 32)
    image, words = SigLIPVisionTower(name).eval(), SigLIPTextTower(name).eval()
    assert image.grid == (4, 4) and image.img_size == (32, 32)
    assert difference(image(images), model.vision_model(images).pooler_output) < 1e-6
    theirs = model.text_model(ids).pooler_output
    assert difference(words(ids, ids != 1), theirs) < 1e-6
    assert SigLIPVisionTower.pretrained_names(dict(model=name)) == [name]


@torch.no_grad()
def test_a_rectangle_resizes_the_positions_of_a_folder_once(folder, images):
    name, model = folder
    square = model.vision_model.embeddings.position_embedding.weight
    for mode in ('bilinear', 'bicubic'):
        image = SigLIPVisionTower(name, img_size=(48, 16), interpolate_mode=mode).eval()
        grid = square.view(1, 4, 4, 24).permute(0, 3, 1, 2)
        grid = F.interpolate(grid, size=(6, 2), mode=mode, align_corners=False)
        table = image.siglip.embeddings.position_embedding.weight
        torch.testing.assert_close(table, grid[0].permute(1, 2, 0).reshape(12, 24))
    if hasattr(model.vision_model.embeddings, 'interpolate_pos_encoding'):
        theirs = model.vision_model(images, interpolate_pos_encoding=True).pooler_output
        assert difference(image(images), theirs) < 1e-5
    again = SigLIPVisionTower(config=VISION, img_size=(48, 16)).eval()
    again.load_state_dict(image.state_dict())
    assert torch.equal(again(images), image(images))
    assert list(image.siglip.state_dict()) == list(SigLIPVisionTower(name).siglip.state_dict())


@torch.no_grad()
def test_a_rectangle_of_as_many_patches_is_resized_too(folder):
    """8 x 2 patches are 16, as 4 x 4 are, and the places are others."""
    name, model = folder
    image = SigLIPVisionTower(name, img_size=(64, 16))
    square = model.vision_model.embeddings.position_embedding.weight
    grid = F.interpolate(square.view(1, 4, 4, 24).permute(0, 3, 1, 2), size=(8, 2), mode='bilinear')
    torch.testing.assert_close(image.siglip.embeddings.position_embedding.weight,
                               grid[0].permute(1, 2, 0).reshape(16, 24))


def test_a_state_dict_of_another_grid_is_resized(images):
    square, image = vision(), vision(seed=4, img_size=(48, 16))
    image.load_state_dict(square.state_dict())
    grid = square.siglip.embeddings.position_embedding.weight.view(1, 4, 4, 24).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, size=(6, 2), mode='bilinear')[0].permute(1, 2, 0)
    torch.testing.assert_close(image.siglip.embeddings.position_embedding.weight,
                               grid.reshape(12, 24))


@torch.no_grad()
def test_portable_settings_need_no_folder(folder, images, ids):
    name, _ = folder
    for kind, settings, inputs in (
            (SigLIPVisionTower, dict(model=name, img_size=(48, 16)), (images,)),
            (SigLIPTextTower, dict(model=name), (ids, None))):
        tower = kind(**settings).eval()
        portable = tower.portable_settings(settings)
        assert 'model' not in portable and name not in str(portable)
        other = kind(**portable).eval()
        other.load_state_dict(tower.state_dict())
        assert torch.equal(other(*inputs), tower(*inputs))


def test_models_that_do_not_fit_are_refused(folder, tmp_path):
    for kind, message in (('siglip2', 'NaFlex'), ('bert', "model_type='bert'")):
        (tmp_path / 'config.json').write_text(json.dumps(dict(model_type=kind)), encoding='utf-8')
        with pytest.raises(BadValue, match=message):
            SigLIPVisionTower(str(tmp_path))
    with pytest.raises(BadValue, match='text tower needs `model`'):
        SigLIPTextTower()
    with pytest.raises(MissingFile, match='no such folder'):
        SigLIPTextTower('./nowhere')
    with pytest.raises(BadValue, match='vision_use_head'):
        SigLIPVisionTower(config=dict(VISION, vision_use_head=False))
    with pytest.raises(BadValue, match='smaller than a patch'):
        SigLIPVisionTower(config=VISION, img_size=(64, 4))
    with pytest.raises(BadValue, match=r'\(32, 16\) pixels do not fit .*\(32, 32\)'):
        vision()(torch.zeros(1, 3, 32, 16))


# ------------------------------------------------------------------ the head of images
@torch.no_grad()
def test_the_head_reads_the_tokens_it_shares_out(images):
    image, images = vision(img_size=(48, 16)).double(), images.double()
    tokens = image.run(image.embed(images), 0, 2)
    features, last = image.single_token_features(tokens), image.run(tokens, 2)
    shares, head = image.read_shares(last), image.siglip.head
    weight, bias = (value[:48].chunk(2) for value in (head.attention.in_proj_weight,
                                                      head.attention.in_proj_bias))
    query, key = (F.linear(states, weight[i], bias[i]).unflatten(-1, (3, 8)) for i, states in
                  enumerate((head.probe[0], image.token_features(last))))
    scores = torch.einsum('qhd,nkhd->nhqk', query, key) / 8**0.5
    torch.testing.assert_close(shares, scores.softmax(-1).mean(1)[:, 0])
    for place in range(12):
        alone = type(last)(last.hidden[:, place:place + 1].expand_as(last.hidden))
        torch.testing.assert_close(features[:, place], image.pool(alone))


def test_random_rectangles_have_spread_positions():
    table = SigLIPVisionTower(config=VISION, img_size=(96, 32)).siglip.embeddings.position_embedding
    assert table.weight.shape == (48, 24) and table.weight.requires_grad
    assert table.weight.std().item() == pytest.approx(24**-0.5, rel=0.1)
