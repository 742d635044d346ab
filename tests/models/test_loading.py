"""Strict loading of weights."""

import pytest
import torch

from mmtbps.errors import BadValue
from mmtbps.models import CLIPTextTower
from mmtbps.models.loading import WeightsMisfit, load_strictly

STEM = 'image_backbone.patch_embed.projection.weight'


@pytest.fixture
def bare(tiny_retriever):
    return tiny_retriever(heads=None)


@pytest.mark.parametrize('change, said', [
    (lambda state: state.pop(STEM), f'1 misfit: {STEM} is missing'),
    (lambda state: state.update(other=torch.ones(1)), '1 misfit: other is left over'),
    (lambda state: state.update({STEM: torch.ones(3, 3)}), rf'1 misfit: {STEM}: .*\[3, 3\]'),
    (lambda state: state.clear(), r'69 misfits: .* and 64 more')])
def test_what_does_not_fit_is_named(change, said, bare):
    state = dict(bare.state_dict())
    change(state)
    with pytest.raises(WeightsMisfit, match=said):
        load_strictly(bare, state)
    assert 'PARTIAL' in str(load_strictly(bare, state, partial=True))


@pytest.mark.parametrize('kind', [torch.float16, torch.bfloat16, torch.float64])
def test_prefix_heads_and_type_are_no_misfits(kind, tiny_retriever, bare):
    trained = tiny_retriever(
        heads=dict(contrastive=dict(type='HardnessAwareContrastiveHead', learnable=True)))
    report = load_strictly(bare, {f'module.{name}': value.to(kind)
                                  for name, value in trained.state_dict().items()})
    assert (report.loaded, [*report.heads]) == (69, ['heads.contrastive.log_temperature'])
    assert bare.state_dict()[STEM].dtype == torch.float32


def test_a_position_table_of_no_known_grid_is_an_error_of_the_user(bare):
    table = dict(bare.state_dict(), **{'image_backbone.pos_embed': torch.zeros(1, 19, 16)})
    with pytest.raises(BadValue, match='18 patch positions, which is not 4 x 4.*source_grid'):
        load_strictly(bare, table)


def test_a_file_with_names_that_are_no_text(bare, tmp_path):
    torch.save({**bare.state_dict(), 3: torch.ones(1)}, tmp_path / 'odd.pth')
    with pytest.raises(WeightsMisfit, match='1 misfit: 3 is left over'):
        load_strictly(bare, tmp_path / 'odd.pth')


@pytest.mark.parametrize('change, said', [
    (None, '{} is missing'), (torch.ones(2), r'{}: .*\(\[2\]\) from checkpoint')])
def test_weights_of_clip_are_named_as_published(change, said):
    tower = CLIPTextTower(width=8, depth=1, vocab_size=10)
    name = 'transformer.resblocks.0.attn.in_proj_weight'
    state = {key: value for key, value in {**tower.state_dict(), name: change}.items()
             if value is not None}
    with pytest.raises(WeightsMisfit, match=f'1 misfit: {said.format(name)}'):
        load_strictly(tower, state)


@pytest.mark.parametrize('wrong', [torch.nan, torch.inf])
@pytest.mark.parametrize('partial', [False, True])
def test_weights_that_are_no_numbers_are_refused(wrong, partial, bare, tmp_path):
    state = dict(bare.state_dict())
    state[STEM] = torch.full_like(state[STEM], wrong)
    torch.save(state, tmp_path / 'last.pth')
    with pytest.raises(BadValue, match=rf'last.pth: 1 of its 69 weights holds NaN .*: {STEM}\.'):
        load_strictly(bare, tmp_path / 'last.pth', partial=partial)


def test_a_head_that_is_passed_over_may_be_no_number(tiny_retriever, bare):
    state = dict(tiny_retriever(heads=dict(contrastive=dict(
        type='HardnessAwareContrastiveHead', learnable=True))).state_dict())
    state['heads.contrastive.log_temperature'] = torch.tensor(torch.nan)
    assert load_strictly(bare, state).loaded == 69
