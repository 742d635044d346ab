"""Models of ours in the layout of transformers: weights, square positions, and what is refused."""

import pytest
import torch
import torch.nn.functional as F
from published_checkpoints import clip_state, irra_heads, transformers_state

from mmtbps.errors import BadValue
from mmtbps.models import TextImageRetriever
from mmtbps.models.converters import ConversionOptions, convert_checkpoint
from mmtbps.models.exporters import describe_for_transformers, square_positions

END = 49407


@pytest.fixture
def converted(tmp_path):
    """A function that converts an IRRA checkpoint of a grid, and changes the settings."""
    def build(size=(64, 32), bgr=False, **changes):
        state = clip_state(1 + size[0] // 16 * (size[1] // 16))
        file = tmp_path / 'irra.pth'
        torch.save(dict(model={f'base_model.{key}': value for key, value in state.items()}
                        | irra_heads()), file)
        found = convert_checkpoint('irra', str(file), ConversionOptions(image_size=size))
        settings = {key: value for key, value in found.model.items() if key != 'type'}
        for part, values in changes.items():
            settings[part] = dict(settings[part], **values)
        settings['data_preprocessor'] = dict(settings['data_preprocessor'], to_rgb=not bgr)
        model = TextImageRetriever(**settings)
        return model, found.state_dict, state
    return build


@pytest.mark.parametrize('bgr', [False, True])
def test_weights_are_those_of_the_published_names(converted, bgr):
    model, ours, state = converted((32, 32), bgr)
    found = describe_for_transformers(model, ours, END)
    expected = transformers_state(state) | dict(logit_scale=torch.tensor(0.))
    if bgr:
        name = 'vision_model.embeddings.patch_embedding.weight'
        expected[name] = expected[name].flip(1)
    assert found.state_dict.keys() == expected.keys()
    assert all(torch.equal(found.state_dict[key], value) for key, value in expected.items())
    vision, text = found.config['vision_config'], found.config['text_config']
    assert (vision['image_size'], vision['num_attention_heads'], vision['hidden_act']) == (
        32, 2, 'quick_gelu')
    assert (text['eos_token_id'], text['num_attention_heads']) == (END, 1)
    assert not found.resized_positions


@pytest.mark.parametrize('grid', [(24, 8), (16, 8), (2, 5), (7, 1), (3, 3)])
@pytest.mark.parametrize('extra', [0, 1])
def test_a_square_of_positions_becomes_the_table_again(grid, extra):
    table = torch.randn(extra + grid[0] * grid[1], 6, generator=torch.Generator().manual_seed(0))
    square = square_positions(table, grid, extra)
    side = max(grid)
    assert square.shape == (extra + side * side, 6) and torch.equal(square[:extra], table[:extra])
    # As CLIPVisionEmbeddings and SiglipVisionEmbeddings do.
    places = square[extra:].reshape(1, side, side, 6).permute(0, 3, 1, 2)
    places = F.interpolate(places, size=grid, mode='bicubic', align_corners=False)
    torch.testing.assert_close(places.permute(0, 2, 3, 1).reshape(-1, 6), table[extra:],
                               atol=2e-6, rtol=0)


def test_pictures_that_are_no_squares_but_their_grid_is(converted):
    model, ours, _ = converted(image_backbone=dict(img_size=(32, 40)))
    ours['image_backbone.positional_embedding'] = ours['image_backbone.positional_embedding'][:5]
    found = describe_for_transformers(model, ours, END)
    assert found.resized_positions and found.config['vision_config']['image_size'] == 32


def test_a_neck_without_a_projection_becomes_one_that_changes_nothing(converted):
    model, ours, _ = converted(image_neck=dict(out_dims=None), text_neck=dict(out_dims=None))
    ours = {key: value for key, value in ours.items() if 'neck' not in key}
    found = describe_for_transformers(model, ours, END).state_dict
    assert torch.equal(found['visual_projection.weight'], torch.eye(128))
    assert torch.equal(found['text_projection.weight'], torch.eye(64))


@pytest.mark.parametrize('changes, reason', [
    (dict(image_backbone=dict(stride=12)), 'patches of 16 pixels lie 12 pixels apart'),
    (dict(image_backbone=dict(pre_norm=False)), 'no norm before the first layer'),
    (dict(text_neck=dict(bias=True)), 'the projection of its text neck has a bias'),
    (dict(image_neck=dict(type='TokenSelectionNeck', side='image'), text_neck=dict(
        type='TokenSelectionNeck', side='text')), 'its image neck is a TokenSelectionNeck')])
def test_what_clip_does_not_have_is_refused(converted, changes, reason):
    model, _, _ = converted(**changes)
    with pytest.raises(BadValue, match=f'transformers has no class for this model: .*{reason}'):
        describe_for_transformers(model, model.state_dict(), END)


def test_another_text_tower_is_refused(converted, tiny_retriever):
    model, _, _ = converted()
    model.text_backbone = tiny_retriever().text_backbone
    with pytest.raises(BadValue, match='its towers are CLIPVisionTower and BERTBackbone'):
        describe_for_transformers(model, model.state_dict(), END)


def test_another_image_tower_is_refused(tiny_retriever):
    model = tiny_retriever()
    with pytest.raises(BadValue, match='its image tower is a OverlapViT, none of CLIP or SigLIP'):
        describe_for_transformers(model, model.state_dict(), END)
