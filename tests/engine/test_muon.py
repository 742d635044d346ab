"""Muon: against singular values, against torch's for matrices, and against torch's AdamW."""

import copy
import io

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from torch import nn

from mmtbps.engine import MuonAdamW, MuonConstructor
from mmtbps.engine.muon import count_matrices, orthogonalize
from mmtbps.errors import BadValue
from mmtbps.models import ConvTextTower, ConvVisionTower

WRAPPER = dict(
    type='OptimWrapper', constructor=MuonConstructor,
    optimizer=dict(type=MuonAdamW, lr=.02, betas=(.9, .98), weight_decay=.02))


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize('shape', [(8, 8), (5, 40), (40, 5), (3, 6, 20), (1, 7), (2, 1)])
@pytest.mark.parametrize('steps', [1, 3, 5])
def test_singular_values_go_through_the_quintic(shape, steps):
    """The directions stay; each singular value alone is iterated, in double precision."""
    matrices = random(*shape).double()
    u, values, v = torch.linalg.svd(matrices, full_matrices=False)
    values = values / values.norm(dim=-1, keepdim=True)
    for _ in range(steps):
        values = 3.4445 * values - 4.775 * values ** 3 + 2.0315 * values ** 5
    torch.testing.assert_close(orthogonalize(matrices, steps), u @ torch.diag_embed(values) @ v)


def test_of_a_fiftyfold_difference_little_is_left():
    u, _, v = torch.linalg.svd(random(6, 9), full_matrices=False)
    sizes = torch.tensor([1., .5, .2, .1, .05, .02])
    values = torch.linalg.svdvals(orthogonalize(u @ torch.diag(sizes) @ v))
    assert values.min() > .6 and values.max() < 1.3


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float16])
def test_no_gradient_is_no_step(dtype):
    assert orthogonalize(torch.zeros(3, 4, dtype=dtype)).eq(0).all()


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
@pytest.mark.parametrize('rank', [1, 2, 16])
def test_rounding_does_not_grow(rank, dtype):
    """In half precision eigenvalues that should be 0 are negative; they must not be amplified."""
    for seed in range(20):
        matrix = random(16, rank, seed=seed) @ random(rank, 27, seed=seed + 99)
        values = torch.linalg.svdvals(orthogonalize(matrix.to(dtype)).float())
        assert values.max() < 1.3 and values[rank // 2] > .6


def moved(optimizer, weights: list[nn.Parameter], steps: int = 6) -> list[torch.Tensor]:
    """Return what weights are after steps with gradients that differ from step to step."""
    for step in range(steps):
        for i, weight in enumerate(weights):
            weight.grad = random(*weight.shape, seed=31 * step + i) + .5
        optimizer.step()
    return [weight.detach().clone() for weight in weights]


@pytest.mark.parametrize('shape', [(6, 20), (20, 6)])
def test_matrices_move_as_by_the_muon_of_torch(shape):
    ours, theirs = (nn.Parameter(random(*shape)) for _ in range(2))
    settings = dict(lr=.02, weight_decay=.1, momentum=.95)
    one, = moved(MuonAdamW([dict(params=[ours], matrices=1)], **settings), [ours])
    # In half precision: the directions are those, to a hundredth.
    two, = moved(torch.optim.Muon([theirs], adjust_lr_fn='match_rms_adamw', **settings), [theirs])
    start = random(*shape)
    assert (one - two).norm() < .02 * (one - start).norm()
    assert (one - start).abs().max() > .05


def test_all_else_moves_as_by_the_adamw_of_torch():
    ours = [nn.Parameter(random(4)), nn.Parameter(random(9, 3))]
    theirs, matrix = copy.deepcopy(ours), dict(params=[nn.Parameter(random(2, 2))], matrices=1)
    settings = dict(lr=.02, betas=(.9, .98), weight_decay=.1, eps=1e-6)
    one = moved(MuonAdamW([dict(params=ours), matrix], **settings), ours)
    two = moved(torch.optim.AdamW(theirs, **settings), theirs)
    torch.testing.assert_close(one, two)


def test_rows_of_several_matrices_move_as_these_do():
    """Of a convolution with bands: each band's kernels are a matrix of their own."""
    together, parts = nn.Parameter(random(6, 2, 3, 3)), random(6, 18).chunk(3)
    parts = [nn.Parameter(part.clone()) for part in parts]
    one = MuonAdamW([dict(params=[together], matrices=3)], lr=.1)
    others = MuonAdamW([dict(params=parts, matrices=1)], lr=.1)
    for step in range(3):
        together.grad = random(6, 2, 3, 3, seed=step + 5)
        for part, grad in zip(parts, together.grad.flatten(1).chunk(3), strict=True):
            part.grad = grad.clone()
        one.step()
        others.step()
    torch.testing.assert_close(together.flatten(1), torch.cat(parts))


def test_what_few_show_moves_as_fast_as_what_all_show():
    """Two directions of which one has a hundredth of the gradient, neither along an axis."""
    turn = torch.linalg.qr(random(8, 8))[0]

    def share(optimizer: torch.optim.Optimizer, weight: nn.Parameter) -> float:
        for _ in range(5):
            weight.grad = turn @ torch.diag(torch.tensor([1., .01] + [0.] * 6)) @ turn.T
            optimizer.step()
        steps = turn.T @ weight.detach() @ turn
        return float(steps[1, 1] / steps[0, 0])

    muon, adam = nn.Parameter(torch.zeros(8, 8)), nn.Parameter(torch.zeros(8, 8))
    assert share(MuonAdamW([dict(params=[muon], matrices=1)], weight_decay=0), muon) > .5
    assert share(torch.optim.AdamW([adam], weight_decay=0), adam) < .3


def test_layers_whose_weights_are_matrices():
    model = nn.ModuleDict(dict(
        linear=nn.Linear(4, 3), grouped=nn.Conv2d(4, 6, 3, groups=2), line=nn.Conv1d(4, 6, 5),
        deep=nn.Conv2d(4, 4, 3, groups=4), attention=nn.MultiheadAttention(4, 2),
        apart=nn.MultiheadAttention(4, 2, kdim=3, vdim=3), words=nn.Embedding(5, 4),
        norm=nn.LayerNorm(4), one=nn.Linear(4, 1), thin=nn.Linear(1, 4)))
    assert count_matrices(model) == {
        'linear.weight': 1, 'grouped.weight': 2, 'line.weight': 1, 'attention.in_proj_weight': 3,
        'attention.out_proj.weight': 1, 'apart.out_proj.weight': 1}


def test_towers_tell_of_their_bands():
    tower = ConvVisionTower(img_size=(32, 16), width=8, depths=(1, 1, 1), out_dims=16,
                            bands=(1, 1, 3), stride=2)
    counts = count_matrices(tower)
    assert set(counts.values()) == {1, 3}
    for name, count in counts.items():
        assert count == (3 if name == 'layers.2.conv.weight' else 1)
    words = count_matrices(ConvTextTower(vocab_size=30, width=8, depth=1, kernel_size=3))
    assert 'words.weight' not in words and 'layers.0.conv.weight' in words


def model_of_towers_and_a_head() -> nn.Module:
    return nn.ModuleDict(dict(
        tower=nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.Linear(6, 6)),
        heads=nn.ModuleDict(dict(classifier=nn.Linear(6, 9)))))


@pytest.mark.parametrize('paramwise', [
    None, dict(norm_decay_mult=0., bias_decay_mult=0.), dict(adamw_keys=['.heads.', 'tower.2'])])
def test_constructor_leaves_heads_and_vectors_to_adamw(paramwise):
    model = model_of_towers_and_a_head()
    model['tower'][0].bias.requires_grad_(False)
    wrapper = build_optim_wrapper(model, WRAPPER | dict(paramwise_cfg=paramwise))
    names = {weight: name for name, weight in model.named_parameters()}
    groups = wrapper.optimizer.param_groups
    told = {names[weight]: group for group in groups for weight in group['params']}
    assert set(told) == set(names.values()) - {'tower.0.bias'}
    by_muon = {name for name, group in told.items() if group['matrices']}
    assert by_muon == {'tower.0.weight'} | (
        set() if paramwise and 'adamw_keys' in paramwise else {'tower.2.weight'})
    decay = 0. if paramwise and 'norm_decay_mult' in paramwise else .02
    assert told['tower.1.weight']['weight_decay'] == told['tower.2.bias']['weight_decay'] == decay
    assert told['tower.2.weight']['weight_decay'] == .02
    assert len(groups) <= 4  # merged


def steps_of(wrapper, model: nn.Module, first: int, last: int) -> None:
    for step in range(first, last):
        states = model['tower'](random(8, 4, seed=step))
        wrapper.update_params(model['heads']['classifier'](states).square().mean())


def test_resumed_equals_uninterrupted():
    whole = model_of_towers_and_a_head()
    halves, start = copy.deepcopy(whole), whole['tower'][0].weight.detach().clone()
    optimizer = build_optim_wrapper(whole, WRAPPER)
    steps_of(optimizer, whole, 0, 6)
    former = build_optim_wrapper(halves, WRAPPER)
    steps_of(former, halves, 0, 3)
    file = io.BytesIO()
    torch.save(former.state_dict(), file)
    file.seek(0)
    later = build_optim_wrapper(halves, WRAPPER)
    later.load_state_dict(torch.load(file, weights_only=True))
    steps_of(later, halves, 3, 6)
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, halves.state_dict()[name]), name
    assert (whole['tower'][0].weight - start).abs().max() > .01


@pytest.mark.parametrize('shape, count', [((12,), 1), ((7, 2), 3), ((4, 2), -1), ((0, 2), 1)])
def test_weights_that_are_no_matrices_are_named(shape, count):
    with pytest.raises(BadValue, match=r'matrices=-?\d of a group with a weight of shape'):
        MuonAdamW([dict(params=[nn.Parameter(torch.zeros(shape))], matrices=count)])


def test_closure_and_weights_without_a_gradient():
    used, idle = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2, 2))
    optimizer = MuonAdamW([used, idle], matrices=1, fused=True)

    def closure() -> torch.Tensor:
        loss = used.square().sum()
        loss.backward()
        return loss

    assert optimizer.step(closure) == 4
    assert torch.equal(idle, torch.ones(2, 2)) and (used < 1).any()


def test_a_square_that_overflows_leaves_numbers():
    """As torch's AdamW: the weight stands still until the square is forgotten, and no longer."""
    weight, matrix = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(2, 2))
    optimizer = MuonAdamW([dict(params=[weight]), dict(params=[matrix], matrices=1)])
    for size in (1e20, 1., 1.):
        weight.grad, matrix.grad = torch.full((3,), size), torch.full((2, 2), size)
        optimizer.step()
    assert weight.isfinite().all() and matrix.isfinite().all()


def test_without_matrices_it_is_refused():
    with pytest.raises(BadValue, match='constructor=MuonConstructor'):
        MuonAdamW(nn.Linear(2, 3).parameters())
    with pytest.raises(BadValue, match='a model with such layers'):
        build_optim_wrapper(nn.LayerNorm(3), WRAPPER)


@pytest.mark.parametrize('paramwise, said', [
    (dict(rules=[dict(contains='bias', frozen=True)]), 'ParameterRulesConstructor'),
    (dict(adamw_keys='heads.'), "must be a list of parts of names, got 'heads.'"),
    (dict(adamw_keys=None), 'must be a list')])
def test_settings_that_would_be_lost_are_refused(paramwise, said):
    with pytest.raises(BadValue, match=said):
        build_optim_wrapper(model_of_towers_and_a_head(), WRAPPER | dict(paramwise_cfg=paramwise))


def test_shares_of_weights_are_refused(monkeypatch):
    """FSDP makes weights of one dimension, which would be AdamW's."""
    monkeypatch.setattr('mmtbps.engine.muon.FullyShardedDataParallel', nn.Sequential)
    with pytest.raises(BadValue, match='FSDP makes shares'):
        build_optim_wrapper(nn.Sequential(nn.Linear(2, 3)), WRAPPER)


def test_shared_weights_move_once():
    layers = nn.ModuleDict(dict(first=nn.Linear(4, 4), second=nn.Linear(4, 4),
                                words=nn.Embedding(9, 4), told=nn.Linear(4, 9)))
    layers['second'].weight = layers['first'].weight
    layers['told'].weight = layers['words'].weight
    groups = build_optim_wrapper(layers, WRAPPER).optimizer.param_groups
    weights = [weight for group in groups for weight in group['params']]
    assert len(weights) == len(set(weights)) == len([*layers.parameters()])
    matrices, = [group['params'] for group in groups if group['matrices']]
    assert matrices == [layers['first'].weight]


def test_a_setting_of_single_weights_goes_before():
    model = model_of_towers_and_a_head()
    wrapper = build_optim_wrapper(model, WRAPPER | dict(paramwise_cfg=dict(
        custom_keys={'tower.2': dict(lr_mult=.5)})))
    rates = {(group['matrices'], group['lr']) for group in wrapper.optimizer.param_groups}
    assert rates == {(1, .02), (0, .02), (1, .01), (0, .01)}
