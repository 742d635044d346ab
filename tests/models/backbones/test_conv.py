"""Convolutional towers against loops over places, words and channels."""

from itertools import product

import pytest
import torch
from text_towers import spread

from mmtbps.errors import BadValue
from mmtbps.models import ConvTextTower, ConvVisionTower, Tokens
from mmtbps.models.backbones.conv_layers import WordLayer
from mmtbps.models.complexity import measure_complexity

SIZES = dict(img_size=(7, 4), width=16, depths=(2, 1), out_dims=5)
PIXELS = torch.randn(3, 3, 7, 4, generator=torch.Generator().manual_seed(3)).double()
IDS = torch.tensor([[2, 7, 9, 4, 3, 0, 0], [2, 8, 3, 0, 0, 0, 0], [2, 6, 5, 7, 9, 8, 3]])


@pytest.fixture(params=[False, True], ids=['plain', 'residual'])
def vision(request):
    return spread(ConvVisionTower(**SIZES, residual=request.param)).double().eval()


@pytest.fixture
def text():
    return spread(ConvTextTower(20, width=4, depth=2, kernel_size=3, out_dims=5)).double().eval()


def slow_norm(states, norm):
    """Norm of one vector."""
    centred = states - sum(states) / len(states)
    scale = (sum(centred**2) / len(states) + norm.eps)**-0.5
    return centred * scale * norm.weight + norm.bias


def slow_conv(place, states, kernels, stride=1):
    """One output of a convolution, given the states of the places that there are."""
    out = torch.zeros(len(kernels)).double()
    sizes, middle = kernels.shape[2:], [size // 2 for size in kernels.shape[2:]]
    for cell in product(*map(range, sizes)):
        at = tuple(p * stride + c - m for p, c, m in zip(place, cell, middle, strict=True))
        if at in states:
            out = out + kernels[(slice(None), slice(None), *cell)] @ states[at]
    return out


def slow_layer(states, layer):
    """A residual layer on a dict of words."""
    normed = {place: slow_norm(state, layer.norm) for place, state in states.items()}
    return {place: state + layer.proj.weight @ (
        slow_conv(place, normed, layer.conv.weight) + layer.conv.bias).clamp(min=0)
            + layer.proj.bias for place, state in states.items()}


def slow_grid_layer(states, layer, stride=1, residual=False, band_of_row=None):
    """A layer on a dict of places: kernels of mean 0, a norm of all places of eight channels."""
    kernels = torch.stack([(kernel - kernel.mean()) / kernel.std(correction=0)
                           * (2 / kernel.numel())**0.5 for kernel in layer.conv.weight])
    rows, columns = (-(-side // stride) for side in layer.grid)
    wide = len(kernels) // (1 if band_of_row is None else 1 + max(band_of_row))
    of_row = [kernels[wide * band:wide * (band + 1)] for band in band_of_row or [0] * rows]
    read = {place: slow_conv(place, states, of_row[place[0]], stride)
            for place in product(range(rows), range(columns))}
    found = {place: [] for place in read}
    for first in range(0, wide, 8):
        values = torch.cat([state[first:first + 8] for state in read.values()])
        mean, deviation = values.mean(), (values.var(correction=0) + layer.norm.eps)**0.5
        for place, state in read.items():
            found[place].append((state[first:first + 8] - mean) / deviation)
    return {place: (torch.cat(parts) * layer.norm.weight + layer.norm.bias
                    + (layer.skip[:, 0, 0] * states[place] if residual else 0)).clamp(min=0)
            for place, parts in found.items()}


def slow_vision(tower, image, residual):
    """States of the last places of one image, and its feature; the second layer may be residual."""
    states = {place: image[:, place[0], place[1]] for place in product(range(7), range(4))}
    first, second, halving = tower.layers
    states = slow_grid_layer(slow_grid_layer(states, first), second, residual=residual)
    states = slow_grid_layer(states, halving, stride=2)
    rows = torch.cat([(states[row, 0] + states[row, 1]) / 2 for row in range(4)])
    return states, tower.proj.weight @ rows


@torch.no_grad()
def test_an_images_feature_is_that_of_loops_over_places(vision, request):
    residual = 'residual' in request.node.callspec.id
    assert vision.grid == (4, 2) and vision.depth == 3
    features = vision(PIXELS)
    assert (features[0] - features[1]).norm() > 1
    tokens = vision.token_features(vision.run(vision.embed(PIXELS)))
    torch.testing.assert_close(tokens[:, 0], features)
    for image, feature, places in zip(PIXELS, features, tokens[:, 1:], strict=True):
        states, expected = slow_vision(vision, image, residual)
        torch.testing.assert_close(feature, expected)
        for (row, column), given in zip(states, places, strict=True):
            alone = torch.zeros(4, 32).double()
            alone[row] = 4 * states[row, column]
            torch.testing.assert_close(
                given, vision.proj.weight @ alone.flatten())


@torch.no_grad()
@pytest.mark.parametrize(('stride', 'bands', 'grids', 'band_of_row'), [
    (2, (1, 1), [(7, 4), (4, 2)], (None, None)),
    (1, (1, 3), [(14, 8), (7, 4)], (None, [0, 0, 1, 1, 1, 2, 2])),
    (2, (2, 4), [(7, 4), (4, 2)], ([0] * 4 + [1] * 3, [0, 1, 2, 3]))])
def test_strides_and_bands_are_those_of_loops(stride, bands, grids, band_of_row):
    tower = spread(ConvVisionTower((14, 8), width=8, depths=(2, 1), out_dims=5, stride=stride,
                                   bands=bands, residual=True)).double().eval()
    first, second, halving = tower.layers
    side = first.conv.kernel_size[0]
    assert side == {1: 3, 2: 5}[stride]
    pixels = torch.randn(2, 3, 14, 8, generator=torch.Generator().manual_seed(4)).double()
    features = tower(pixels)
    assert (features[0] - features[1]).norm() > 0.1
    for image, feature in zip(pixels, features, strict=True):
        states = {place: image[:, place[0], place[1]] for place in product(range(14), range(8))}
        states = slow_grid_layer(states, first, stride, band_of_row=band_of_row[0])
        assert max(states) == (grids[0][0] - 1, grids[0][1] - 1)
        states = slow_grid_layer(states, second, residual=True, band_of_row=band_of_row[0])
        states = slow_grid_layer(states, halving, 2, band_of_row=band_of_row[1])
        rows, columns = grids[1]
        means = torch.cat([sum(states[row, column] for column in range(columns)) / columns
                           for row in range(rows)])
        torch.testing.assert_close(feature, tower.proj.weight @ means)


def test_a_tower_with_bands_can_be_traced():
    tower = spread(ConvVisionTower((14, 8), width=8, depths=(2, 1), out_dims=5, bands=(2, 3)))
    pixels = torch.randn(2, 3, 14, 8, generator=torch.Generator().manual_seed(4))
    traced = torch.jit.trace(tower.eval(), pixels)
    torch.testing.assert_close(traced(pixels.flip(0)), tower(pixels.flip(0)))


def test_one_band_has_the_weights_of_none():
    plain, one = ConvVisionTower(**SIZES), ConvVisionTower(**SIZES, bands=(1, 1))
    one.load_state_dict(plain.state_dict())
    torch.testing.assert_close(one.double()(PIXELS), plain.double()(PIXELS))


@torch.no_grad()
def test_a_captions_feature_is_that_of_loops_over_words(text):
    features = text(IDS, IDS > 0)
    tokens = text.token_features(text.run(text.embed(IDS, IDS > 0)))
    assert (features[0] - features[1]).norm() > 1
    for ids, feature, words in zip(IDS, features, tokens, strict=True):
        states = {(place, ): text.words.weight[word]
                  for place, word in enumerate(ids.tolist()) if word}
        for layer in text.layers:
            states = slow_layer(states, layer)
        rows = torch.stack([*states.values()])
        mean, largest = sum(rows) / len(rows), torch.stack([max(column) for column in rows.T])
        expected = text.proj.weight @ torch.cat([mean, largest])
        torch.testing.assert_close(feature, expected)
        for word, state in zip(words, rows, strict=False):
            alone = torch.cat([state, state])
            torch.testing.assert_close(word, text.proj.weight @ alone)


@torch.no_grad()
def test_what_the_places_of_an_image_give_makes_its_feature_less_that_of_an_empty_one(vision):
    empty = vision(torch.zeros_like(PIXELS[:1]))
    assert empty.norm() > 0.1
    for start in range(vision.depth + 1):
        tokens = vision.run(vision.embed(PIXELS), 0, start)
        torch.testing.assert_close(vision.pool(vision.run(tokens, start)), vision(PIXELS))
        single = vision.single_token_features(tokens)
        shares = vision.read_shares(vision.run(tokens, start))
        torch.testing.assert_close(torch.einsum('np,npd->nd', shares, single),
                                   vision(PIXELS) - empty)
    assert single.shape[1] == vision.grid[0] * vision.grid[1]


def test_a_layer_of_words_in_training_leaves_padding_out_and_computes_the_same():
    torch.manual_seed(0)
    layer = WordLayer(6, 12, kernel_size=5)
    mask = torch.arange(9) < torch.tensor([9, 1, 4, 0, 3])[:, None]
    mask[0, 3:5] = False  # not only at the end
    results = []
    for training in (False, True):
        hidden = torch.randn(5, 9, 6, generator=torch.Generator().manual_seed(1))
        hidden = hidden.requires_grad_()
        layer.train(training).zero_grad()
        states = layer(hidden, mask)
        (states * torch.linspace(-1, 1, states.numel()).view_as(states)).sum().backward()
        results.append([states, hidden.grad, *(weight.grad for weight in layer.parameters())])
    torch.testing.assert_close(*results, rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_words_of_a_caption_run_layer_by_layer(text):
    whole = text.run(text.embed(IDS, IDS > 0))
    for cut in range(text.depth + 1):
        tokens = text.run(text.embed(IDS, IDS > 0), 0, cut)
        torch.testing.assert_close(text.run(tokens, cut).hidden, whole.hidden)
        torch.testing.assert_close(text.single_token_features(tokens),
                                   text.token_features(whole))
        assert not tokens.hidden[~tokens.mask].any()
    shares = text.read_shares(whole)
    torch.testing.assert_close(shares[1], torch.tensor([1, 1, 1, 0, 0, 0, 0]).double() / 3)


@torch.no_grad()
def test_neither_padding_nor_the_batch_changes_a_feature(vision, text):
    images, captions = vision.train()(PIXELS), text.train()(IDS, IDS > 0)
    for row, length in enumerate((5, 3, 7)):
        ids = IDS[row:row + 1, :length]
        torch.testing.assert_close(text(ids, ids > 0)[0], captions[row])
        torch.testing.assert_close(vision(PIXELS[row:row + 1])[0], images[row])
    dirty = torch.where(IDS > 0, IDS, 11)  # whatever is padded with
    torch.testing.assert_close(text(dirty, IDS > 0), captions)
    long = torch.arange(1000)[None] % 20
    assert text(long, torch.ones_like(long, dtype=torch.bool)).isfinite().all()


def test_a_share_of_words_is_zero_while_training(text):
    ids = torch.full((100, 50), 7)
    ids[:, 40:] = 0
    text.word_drop = 0.25
    hidden = text.train().embed(ids, ids > 0).hidden
    whole = (hidden == text.words.weight[7]).all(-1)
    assert torch.equal(whole, hidden.any(-1)) and not hidden[:, 40:].any()
    assert whole[:, :40].double().mean().item() == pytest.approx(0.75, abs=0.02)
    assert text.eval().embed(ids, ids > 0).hidden[:, :40].any(-1).all()
    kept = ConvTextTower.evaluation_settings(dict(vocab_size=20, word_drop=0.25))
    assert kept == dict(vocab_size=20)


def test_gradients_reach_every_weight_and_are_the_same_recomputed(vision, text):
    for tower, inputs in ((vision, (PIXELS, )), (text, (IDS, IDS > 0))):
        factors = torch.randn(3, 5, generator=torch.Generator().manual_seed(2)).double()
        gradients = []
        for tower.with_cp in (False, True):
            tower.train().zero_grad()
            (tower(*inputs) * factors).sum().backward()
            gradients.append({name: value.grad for name, value in tower.named_parameters()})
        assert all(grad is not None and grad.abs().max() > 0 for grad in gradients[0].values())
        torch.testing.assert_close(*gradients)


def test_depths_of_weights_follow_the_layers(vision, text):
    depths = {name: vision.get_layer_depth(name)[0] for name, _ in vision.named_parameters()}
    assert depths['layers.0.conv.weight'] == 1 and depths['layers.2.norm.weight'] == 3
    assert depths['proj.weight'] == 4
    assert text.get_layer_depth('words.weight') == (0, 4)
    assert text.get_layer_depth('proj.weight') == (3, 4)


def test_operations_are_those_of_the_convolutions(tiny_retriever):
    """One at each place and word; the numbers by hand."""
    model = tiny_retriever(image_backbone=dict(type='ConvVisionTower', **SIZES),
                           text_backbone=dict(type='ConvTextTower', vocab_size=20, width=4,
                                              kernel_size=3, out_dims=5))
    found = measure_complexity(model, (7, 4), words=7)
    layers = 28 * 27 * 16 + 28 * 9 * 16 * 16 + 8 * 9 * 16 * 32
    assert found['image'].macs == layers + 4 * 32 * 5
    mean = 7 * 4
    assert found['text'].macs == 7 * (3 * 4 * 8 + 8 * 4) + mean + 8 * 5


@pytest.mark.parametrize('changed, message', [
    (dict(width=12), 'width must be a multiple of 8, got 12'),
    (dict(depths=()), r'a stage needs layers, got depths=\(\)'),
    (dict(depths=(1, 0)), r'a stage needs layers, got depths=\(1, 0\)'),
    (dict(stride=0), 'stride must be at least 1, got 0'),
    (dict(bands=(1, 1, 2)), 'bands are given for 3 stages, depths for 2'),
    (dict(bands=3), 'bands must be whole numbers, one for each stage, .* got 3'),
    (dict(bands='11'), "bands must be whole numbers.* got '11'"),
    (dict(bands=(1, 1.5)), 'bands must be whole numbers'),
    (dict(depths=2), 'depths must be whole numbers, one for each stage, .* got 2'),
    (dict(bands=(1, 5)), 'bands must be from 1 to the rows behind the layer, 4, got 5'),
    (dict(bands=(0, 1)), 'bands must be from 1 to the rows behind the layer, 7, got 0'),
    (dict(kernel_size=2), 'kernel_size must be odd.*got 2')])
def test_sizes_that_do_not_fit_are_refused(changed, message):
    with pytest.raises(BadValue, match=message):
        ConvVisionTower(**{**SIZES, **changed})
    if 'kernel_size' in changed:
        with pytest.raises(BadValue, match=message):
            ConvTextTower(20, **changed)


def test_weights_of_a_tower_without_residual_layers_do_not_fit_one_with():
    """They would be other features in silence."""
    plain, residual = (ConvVisionTower(**SIZES, residual=residual) for residual in (False, True))
    for one, other in ((plain, residual), (residual, plain)):
        with pytest.raises(RuntimeError, match=r'layers\.1\.skip'):
            one.load_state_dict(other.state_dict())


def test_dropping_every_word_is_refused():
    with pytest.raises(BadValue, match=r'word_drop must lie in \[0, 1\), got 1'):
        ConvTextTower(20, word_drop=1)


def test_inputs_that_do_not_fit_are_refused(vision, text):
    with pytest.raises(BadValue, match=r'images of \(4, 7\) pixels.*img_size=\(7, 4\)'):
        vision(PIXELS.transpose(2, 3))
    with pytest.raises(BadValue, match='token id 20 is outside.*vocabulary of 20'):
        text(torch.tensor([[2, 20]]), torch.ones(1, 2, dtype=torch.bool))
    with pytest.raises(TypeError, match='ConvVisionTower has no attention to show'):
        vision.attention(vision.embed(PIXELS))
    with pytest.raises(ValueError, match='tokens of 0 layers cannot go on with layer 1'):
        text.run(Tokens(torch.zeros(1, 2, 4), torch.ones(1, 2, dtype=torch.bool)), 1)
