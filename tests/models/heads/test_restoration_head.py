"""Text-guided restoration against a computation by published names, in plain functions."""

import math

import pytest
import torch
import torch.nn.functional as F

from mmtbps.models import Pairs, RestorationHead
from mmtbps.models.heads import EncodedSide
from mmtbps.models.heads.restoration_head import draw_kept, sincos_positions
from mmtbps.models.losses import gray_images, patches_of, restoration_loss

DIMS, HEADS, PATCH, STRIDE = 16, 2, 4, 3
ROWS, COLUMNS = 4, 2  # of images of 13 x 7 pixels


def head(**options):
    generator = torch.Generator().manual_seed(0)
    built = RestorationHead(PATCH, STRIDE, DIMS, num_layers=2, num_heads=HEADS, keep_share=0.5,
                            **options).double()
    with torch.no_grad():
        for name, parameter in built.named_parameters():
            parameter.normal_(0, 1, generator=generator)
            if parameter.ndim == 2:
                parameter.mul_(1.2 / math.sqrt(parameter.shape[1]))
            elif parameter.ndim == 1:
                parameter.mul_(0.1)
            if ('norm_' in name or '.ln_' in name) and name.endswith('weight'):
                parameter.add_(1)
    return built


def batch():
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(3, 3, 13, 7, generator=generator, dtype=torch.double)
    words = torch.randn(3, 6, DIMS, generator=generator, dtype=torch.double)
    mask = torch.arange(6) < torch.tensor([6, 4, 5])[:, None]
    return images, words.requires_grad_(), mask


def encode(images, places):
    """A linear tower, one token a patch after a class token, of which some are left out."""
    generator = torch.Generator().manual_seed(2)
    weight = torch.randn(DIMS, 3 * PATCH**2, generator=generator, dtype=torch.double) / 7
    tokens = F.unfold(images, PATCH, stride=STRIDE).mT @ weight.T
    tokens = torch.cat([tokens.mean(1, keepdim=True), tokens], dim=1)
    tokens = torch.stack([row[kept] for row, kept in zip(tokens, places, strict=True)])
    return EncodedSide({'global': tokens[:, 0]}, None, lambda: tokens)


def loss_of(built, images, words, mask):
    """As in training; also return what the head asked to be encoded."""
    asked = []

    def encode_image(given, places):
        asked.append((given, places))
        return encode(given, places)

    tokens = EncodedSide({'global': words[:, 0]}, mask, lambda: words)
    value = built(Pairs(tokens, tokens, torch.arange(3), encode_image=encode_image,
                        images=images), [])['loss_restoration']
    (given, places), = asked
    return value, given, places


def norm(state, name, states):
    return F.layer_norm(states, (DIMS,), state[f'{name}.weight'], state[f'{name}.bias'], 1e-5)


def linear(state, name, states):
    return states @ state[f'{name}.weight'].T + state[f'{name}.bias']


def attend(state, name, queries, keys):
    """Attention of one image, ``(T, D)``, to ``(L, D)``."""
    weight, bias = state[f'{name}.in_proj_weight'], state[f'{name}.in_proj_bias']
    q, k, v = (source @ weight[i * DIMS:(i + 1) * DIMS].T + bias[i * DIMS:(i + 1) * DIMS]
               for i, source in enumerate((queries, keys, keys)))
    width, outputs = DIMS // HEADS, []
    for h in range(HEADS):
        part = slice(h * width, (h + 1) * width)
        outputs.append((q[:, part] @ k[:, part].T / math.sqrt(width)).softmax(-1) @ v[:, part])
    return linear(state, f'{name}.out_proj', torch.cat(outputs, -1))


def positions():
    """Sines and cosines, number by number: the first half of the column, the second of the row."""
    table = []
    for row in range(ROWS):
        for column in range(COLUMNS):
            numbers = []
            for place in (column, row):
                for wave in (math.sin, math.cos):
                    numbers += [wave(place / 10000**(i / (DIMS // 4))) for i in range(DIMS // 4)]
            table.append(numbers)
    return torch.tensor(table, dtype=torch.double)


def reference(state, images, words, mask, places, residual=False, off_by_one=False):
    """One image after the other; returns the loss by the published formulas."""
    errors = []
    for image, row, seen, kept in zip(images, words, mask, places.tolist(), strict=True):
        luma = sum(c * channel for c, channel in zip((0.2989, 0.587, 0.114), image, strict=True))
        tokens = encode(torch.stack([luma] * 3)[None], [kept]).tokens[0]
        embedded = linear(state, 'decoder_embed', norm(state, 'norm_1', tokens))
        grid = [state['mask_token'][0, 0]] * (ROWS * COLUMNS)
        for place, token in zip(kept[1:], embedded[1:], strict=True):
            grid[place - 1] = token
        states = torch.stack([embedded[0], *(t + p for t, p in zip(grid, positions(),
                                                                  strict=True))])
        text = norm(state, 'norm_2', row[seen])
        read = attend(state, 'cross_attn_Text', norm(state, 'norm_4', states), text)
        states = norm(state, 'norm_6', read + states if residual else read)
        for layer in range(2):
            block = f'cross_modal_transformer_mae.resblocks.{layer}'
            normed = norm(state, f'{block}.ln_1', states)
            states = states + attend(state, f'{block}.attn', normed, normed)
            hidden = linear(state, f'{block}.mlp.c_fc', norm(state, f'{block}.ln_2', states))
            states = states + linear(state, f'{block}.mlp.c_proj',
                                     hidden * torch.sigmoid(1.702 * hidden))
        pixels = linear(state, 'decoder_pred', norm(state, 'norm_7', states))[1:]
        for place in range(ROWS * COLUMNS):
            if place + (not off_by_one) not in kept:
                top, left = STRIDE * (place // COLUMNS), STRIDE * (place % COLUMNS)
                wanted = image[:, top:top + PATCH, left:left + PATCH].permute(1, 2, 0).flatten()
                errors.append((pixels[place] - wanted).square().mean())
    return sum(errors) / len(errors)


def test_it_equals_the_published_computation():
    torch.manual_seed(3)
    built, (images, words, mask) = head(loss_weight=10.0), batch()
    value, given, places = loss_of(built, images, words, mask)
    value.backward()
    torch.testing.assert_close(given, gray_images(images))
    assert places.shape == (3, 4) and not places[:, 0].any()  # half of nine tokens, whole ones
    state = {name: value.clone().requires_grad_() for name, value in built.state_dict().items()}
    _, other_words, _ = batch()
    expected = 10 * reference(state, images, other_words, mask, places)
    expected.backward()
    torch.testing.assert_close(value, expected, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(words.grad, other_words.grad, rtol=1e-5, atol=1e-6)
    for name, parameter in built.state_dict(keep_vars=True).items():
        torch.testing.assert_close(parameter.grad, state[name].grad, rtol=1e-4, atol=1e-6)
    for fault in (dict(residual=True), dict(off_by_one=True)):
        wrong = 10 * reference(built.state_dict(), images, words, mask, places, **fault)
        assert abs(wrong - value) > 1e-3, fault


def test_exactly_those_patches_count_that_were_left_out():
    torch.manual_seed(0)
    kept, masked = draw_kept(200, 9, 3, torch.device('cpu'))
    for places, row in zip(kept.tolist(), masked.tolist(), strict=True):
        assert places == sorted(set(places)) and len(places) == 3
        assert [place for place in range(9) if not row[place]] == places
    shares = torch.bincount(kept.flatten(), minlength=9) / 200
    assert (shares - 1 / 3).abs().max() < 0.13  # all places alike


def test_pixels_of_seen_patches_cost_nothing():
    generator = torch.Generator().manual_seed(0)
    predicted, targets = torch.randn(2, 2, 4, 6, generator=generator, dtype=torch.double)
    masked = torch.tensor([[1, 0, 0, 1], [0, 1, 0, 0]]).bool()
    expected = [((predicted[i, j] - targets[i, j])**2).mean() for i, j in ((0, 0), (0, 3), (1, 1))]
    value = restoration_loss(predicted, targets, masked)
    torch.testing.assert_close(value, sum(expected) / 3)
    half = restoration_loss(predicted.bfloat16(), targets, masked)
    assert half.dtype == targets.dtype and half.item() == pytest.approx(value.item(), rel=0.02)
    with pytest.raises(ValueError, match=r'masked \(N, P\), got \(2, 4, 6\), \(2, 4, 6\) and \(4,'):
        restoration_loss(predicted, targets, masked[0])


def test_patches_are_those_of_the_image():
    image = torch.randn(1, 3, 13, 7)
    patches = patches_of(image, PATCH, STRIDE)
    assert patches.shape == (1, ROWS * COLUMNS, 48)
    torch.testing.assert_close(patches[0, 3].view(4, 4, 3).permute(2, 0, 1),
                               image[0, :, 3:7, 3:7])
    torch.testing.assert_close(sincos_positions(ROWS, COLUMNS, DIMS).double(), positions(),
                               rtol=1e-5, atol=1e-6)


def test_the_published_names_and_sizes():
    state = RestorationHead().state_dict()
    shapes = {name: tuple(value.shape) for name, value in state.items()
              if '.resblocks.' not in name}
    assert len(state) - len(shapes) == 4 * 12
    assert shapes == {
        'mask_token': (1, 1, 512), 'decoder_embed.weight': (512, 512), 'decoder_embed.bias': (512,),
        'cross_attn_Text.in_proj_weight': (1536, 512), 'cross_attn_Text.in_proj_bias': (1536,),
        'cross_attn_Text.out_proj.weight': (512, 512), 'cross_attn_Text.out_proj.bias': (512,),
        **{f'norm_{number}.{kind}': (512,) for number in (1, 2, 4, 6, 7)
           for kind in ('weight', 'bias')},
        'decoder_pred.weight': (768, 512), 'decoder_pred.bias': (768,)}


@pytest.mark.parametrize('options, says', [
    (dict(dims=18, num_heads=2), 'multiple of 4 and of the 2 heads, got 18'),
    (dict(keep_share=1.0), 'between 0 and 1 .* got 1.0'),
    (dict(class_tokens=-1), 'got 0.3 and -1')])
def test_bad_options_are_refused(options, says):
    with pytest.raises(ValueError, match=says):
        RestorationHead(**options)


@pytest.mark.parametrize('options, grid', [(dict(), (3, 1)), (dict(stride=4), (4, 2))])
def test_a_tower_with_other_patches_is_refused(options, grid):
    """Of the same number of tokens or of more: masks would be of other places."""
    built, (images, words, _) = RestorationHead(**{**dict(
        patch_size=PATCH, stride=STRIDE, dims=DIMS, num_heads=HEADS), **options}), batch()
    tokens = torch.zeros(3, 1 + grid[0] * grid[1], DIMS)
    side = EncodedSide({'global': words[:, 0]}, None, lambda: tokens, grid=grid)
    with pytest.raises(ValueError, match=rf'13 x 7 into .* the image tower has {grid[0]} x '
                       rf'{grid[1]}: give the head the patch_size and stride of the tower'):
        built(Pairs(side, side, torch.arange(3), images=images), [])


@pytest.mark.parametrize('extra', [0, 1, 2])
def test_tokens_before_the_patches_are_counted_by_the_tower(extra):
    built, (images, words, mask) = head(), batch()
    asked = []

    def encode_image(given, places):
        asked.append(places)
        tokens = places[..., None].double() + torch.arange(DIMS)
        return EncodedSide({}, None, lambda: tokens)

    tokens = torch.zeros(3, extra + ROWS * COLUMNS, DIMS)
    built(Pairs(EncodedSide({}, None, lambda: tokens, grid=(ROWS, COLUMNS)),
                EncodedSide({}, mask, lambda: words), torch.arange(3), images=images,
                encode_image=encode_image), [])
    (places,), count = asked, (ROWS * COLUMNS + extra) // 2
    assert places.shape == (3, count) and places.max() < extra + ROWS * COLUMNS
    assert (places[:, :extra] == torch.arange(extra)).all() and (places[:, extra:] >= extra).all()
