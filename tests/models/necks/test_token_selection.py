"""Token selection against a slow loop over RDE's published names; padding, processes, faults."""

import math

import pytest
import torch
import torch.nn.functional as F
from process_group import run_in_group

from mmtbps.models import Tokens, TokenSelectionNeck, Tower
from mmtbps.models.necks import unit_feature
from mmtbps.models.necks.token_selection import MaskedBatchNorm1d

DIMS, OUT, WIDE, HEADS = 12, 8, 10, 2


class GivenTower(Tower):
    """A tower whose tokens and attention the test chooses."""

    layers, out_dims = (), DIMS

    def __init__(self, attention, grid=None):
        super().__init__()
        self.given, self.grid = attention, grid

    def embed(self, hidden):
        return Tokens(hidden)

    def pool(self, tokens):
        return tokens.token_read()

    def attention(self, tokens, layer=-1):
        return self.given


def spread(neck, seed=0):
    """Weights that keep rows apart; running statistics that are not 0 and 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in neck.parameters():
            parameter.normal_(0, 1, generator=generator)
            if parameter.ndim == 2:
                parameter.mul_(1.2 / math.sqrt(parameter.shape[1]))
            else:
                parameter.mul_(0.1)
        neck.mlp.bns[0].weight.add_(1)
        neck.mlp.bns[0].running_mean.normal_(0, 0.3, generator=generator)
        neck.mlp.bns[0].running_var.uniform_(0.5, 2, generator=generator)
    return neck.double()


def build(side, **options):
    options = dict(dict(out_dims=OUT, selection_dims=WIDE, context_length=12), **options)
    return spread(TokenSelectionNeck(DIMS, side, **options))


def captions(lengths, padded, seed=0):
    """States, attention and mask of captions of some lengths, special tokens included."""
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(len(lengths), 20, DIMS, generator=generator, dtype=torch.double)
    attention = torch.rand(len(lengths), HEADS, 20, 20, generator=generator, dtype=torch.double)
    mask = torch.arange(padded) < torch.tensor(lengths)[:, None]
    return hidden[:, :padded].clone(), attention[:, :, :padded, :padded], mask


def reference(state, hidden, attention, side, words, read, k, training=False):
    """One row after the other: what the paper and its files say."""
    selected = []
    for i in range(len(hidden)):
        row = attention[i].mean(0)[read[i]]
        order = sorted(words[i], key=lambda place, row=row: -row[place].item())[:k]
        tokens = hidden[i] @ state['projection.weight'].T
        selected.append(torch.stack([tokens[p] / (tokens[p].norm() + 1e-8) for p in order]))
    inner = [rows @ state['mlp.layers.0.weight'].T + state['mlp.layers.0.bias']
             for rows in selected]
    mean, var = state['mlp.bns.0.running_mean'], state['mlp.bns.0.running_var']
    if training:
        mean, var = torch.cat(inner).mean(0), torch.cat(inner).var(0, unbiased=False)
    best = []
    for rows, states in zip(selected, inner, strict=True):
        normed = ((states - mean) / (var + 1e-5).sqrt() * state['mlp.bns.0.weight']
                  + state['mlp.bns.0.bias'])
        h = (normed.clamp(min=0) @ state['mlp.layers.1.weight'].T + state['mlp.layers.1.bias']
             + rows @ state['fc.weight'].T + state['fc.bias'])
        best.append(torch.stack([h[:, c].max() for c in range(h.shape[1])]))
    return torch.stack(best)


@pytest.mark.parametrize('training', [False, True])
def test_captions_equal_the_loop(training):
    lengths = [9, 4, 3, 14]
    hidden, attention, mask = captions(lengths, 14)
    read = torch.tensor(lengths) - 1
    neck = build('text').train(training)
    state = {name: value.clone().requires_grad_(value.is_floating_point())
             for name, value in neck.state_dict().items()}
    words = [range(1, length - 1) for length in lengths]
    expected = reference(state, hidden, attention, 'text', words, read.tolist(), k=3,
                         training=training)
    parts = neck(GivenTower(attention), Tokens(hidden, mask, read))
    torch.testing.assert_close(parts['tse'], expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(
        parts['global'], torch.stack([hidden[i, place] for i, place in enumerate(read)])
        @ state['projection.weight'].T)
    weights = torch.randn(len(lengths), WIDE, dtype=torch.double)
    (parts['tse'] * weights).sum().backward()
    (expected * weights).sum().backward()
    for name, parameter in neck.named_parameters():
        torch.testing.assert_close(parameter.grad, state[name].grad, rtol=1e-8, atol=1e-10)


def test_images_equal_the_loop():
    generator = torch.Generator().manual_seed(3)
    hidden = torch.randn(3, 13, DIMS, generator=generator, dtype=torch.double)
    attention = torch.rand(3, HEADS, 13, 13, generator=generator, dtype=torch.double)
    neck = build('image').eval()
    state = dict(neck.state_dict())
    expected = reference(state, hidden, attention, 'image', [range(1, 13)] * 3, [0] * 3, k=3)
    parts = neck(GivenTower(attention, grid=(4, 3)), Tokens(hidden))
    torch.testing.assert_close(parts['tse'], expected, rtol=1e-10, atol=1e-12)


def test_the_published_counts():
    """57 of 192 patches; 22 words whatever the length."""
    counted = {}
    for side, length in dict(image=193, text=77).items():
        neck = TokenSelectionNeck(DIMS, side)
        mask = None if side == 'image' else torch.ones(1, length, dtype=torch.bool)
        tokens = Tokens(torch.zeros(1, length, DIMS), mask, torch.zeros(1, dtype=torch.long))
        counted[side] = neck._candidates(GivenTower(None), tokens)[2]
    assert counted == dict(image=57, text=22)


def test_the_published_names():
    names = {name for name in TokenSelectionNeck(DIMS, 'text', out_dims=OUT).state_dict()}
    assert names == {'projection.weight', 'fc.weight', 'fc.bias', *(
        f'mlp.layers.{i}.{kind}' for i in (0, 1) for kind in ('weight', 'bias')), *(
        f'mlp.bns.0.{kind}' for kind in ('weight', 'bias', 'running_mean', 'running_var',
                                         'num_batches_tracked'))}


@pytest.mark.parametrize('training', [False, True])
def test_padding_changes_nothing(training):
    lengths, neck = [5, 8, 3], build('text').train(training)
    results = []
    for padded in (8, 12, 20):
        hidden, attention, mask = captions(lengths, padded)
        hidden = torch.where(mask[..., None], hidden, 1e3 * padded)
        parts = neck(GivenTower(attention), Tokens(hidden, mask, torch.tensor(lengths) - 1))
        results.append(parts['tse'])
        unmasked = neck(GivenTower(attention), Tokens(hidden, None, torch.tensor(lengths) - 1))
        torch.testing.assert_close(unmasked['tse'], parts['tse'])  # the end token tells as much
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], rtol=1e-10, atol=1e-12)


def test_a_place_that_the_mask_leaves_out_is_no_word():
    hidden, attention, mask = captions([9], 9)
    attention[:, :, :, 4] = 2  # the most attended of all
    mask[0, 4] = False
    neck = build('text').eval()
    words = [[1, 2, 3, 5, 6, 7]]
    expected = reference(dict(neck.state_dict()), hidden, attention, 'text', words, [8], k=3)
    parts = neck(GivenTower(attention), Tokens(hidden, mask, torch.tensor([8])))
    torch.testing.assert_close(parts['tse'], expected)


def test_a_caption_without_words_is_its_pooled_token():
    hidden, attention, mask = captions([2, 6], 6)
    neck, read = build('text').eval(), torch.tensor([1, 5])
    parts = neck(GivenTower(attention), Tokens(hidden, mask, read))
    expected = reference(dict(neck.state_dict()), hidden, attention, 'text',
                         [[1], range(1, 5)], [1, 5], k=3)
    torch.testing.assert_close(parts['tse'], expected)
    torch.testing.assert_close(unit_feature(parts).norm(dim=1), torch.ones(2))


def test_running_statistics_are_those_of_the_rows_that_count():
    torch.manual_seed(0)
    ours, plain = MaskedBatchNorm1d(4), torch.nn.BatchNorm1d(4)
    rows, chosen = torch.randn(3, 5, 4), torch.rand(3, 5) < 0.6
    torch.testing.assert_close(ours(rows, chosen)[chosen], plain(rows[chosen]))
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value)
    ours.eval(), plain.eval()
    torch.testing.assert_close(ours(rows, chosen)[chosen], plain(rows[chosen]))


class ReadingTower(GivenTower):
    """A tower whose attention follows from its tokens."""

    def attention(self, tokens, layer=-1):
        return (tokens.hidden @ tokens.hidden.mT)[:, None].softmax(-1)


class Exported(torch.nn.Module):
    """A neck behind its tower, tensors in and out."""

    def __init__(self):
        super().__init__()
        self.tower, self.neck = ReadingTower(None), build('text').eval()

    def forward(self, hidden, mask):
        return unit_feature(self.neck(self.tower, Tokens(hidden, mask)))


def test_it_exports_with_batch_and_length_left_open():
    model, sizes = Exported(), {0: torch.export.Dim('batch'), 1: torch.export.Dim('length')}
    hidden, _, mask = captions([5, 3], 5)
    with torch.no_grad():
        graph = torch.export.export(model, (hidden, mask),
                                    dynamic_shapes=(sizes, sizes)).module()
    for lengths, padded in (([4, 14, 9], 14), ([3], 3)):
        hidden, _, mask = captions(lengths, padded)
        torch.testing.assert_close(graph(hidden, mask), model(hidden, mask))


SELECTION = dict(
    image_neck=dict(type='TokenSelectionNeck', side='image', out_dims=8, selection_dims=6),
    text_neck=dict(type='TokenSelectionNeck', side='text', out_dims=8, selection_dims=6))


def test_bert_and_vit_select_and_learn(tiny_retriever, tiny_batch):
    heads = {part: dict(type='HardnessAwareContrastiveHead', temperature=0.1, part=part)
             for part in ('global', 'tse')}
    model = tiny_retriever(**SELECTION, heads=dict(tse=heads['tse']))
    model.loss(**model.data_preprocessor(tiny_batch(6)))['loss_contrastive'].backward()
    assert model.text_neck.fc.weight.grad.abs().sum() > 0
    assert model.image_neck.mlp.bns[0].weight.grad.abs().sum() > 0
    assert model.image_backbone.cls_token.grad.abs().sum() > 0
    batch = model.eval().data_preprocessor(tiny_batch(3, 2))
    feature = model.encode_text(batch['input_ids'], batch['attention_mask'])
    alone = [model.encode_text(ids[None, :mask.sum()], mask[None, :mask.sum()])[0]
             for ids, mask in zip(batch['input_ids'], batch['attention_mask'], strict=True)]
    torch.testing.assert_close(feature, torch.stack(alone), rtol=1e-4, atol=1e-5)
    assert feature.shape == (6, 14)


def test_bad_options_and_towers_are_refused(tiny_retriever):
    with pytest.raises(ValueError, match="side must be one of .*'words'"):
        TokenSelectionNeck(8, 'words')
    with pytest.raises(ValueError, match='ratio must lie in'):
        TokenSelectionNeck(8, 'text', ratio=0)
    with pytest.raises(ValueError, match='image_neck, TokenSelectionNeck, needs tokens'):
        tiny_retriever(**SELECTION, chunk_size=2)
    with pytest.raises(ValueError, match='class token, which GivenTower does not have'):
        build('image')(GivenTower(torch.rand(1, HEADS, 12, 12), grid=(4, 3)),
                       Tokens(torch.zeros(1, 12, DIMS, dtype=torch.double)))


def step(rows, chosen, targets, scale):
    torch.manual_seed(0)
    norm = MaskedBatchNorm1d(4).double()
    torch.nn.init.normal_(norm.weight)
    rows = rows.clone().requires_grad_()
    loss = (F.softplus(norm(rows, chosen)) * targets).sum() * scale
    loss.backward()
    return rows.grad, norm.running_var


def data():
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(2, 2, 3, 4, generator=generator, dtype=torch.double)
    chosen = torch.tensor([[1, 1, 0], [1, 0, 0], [1, 1, 1], [0, 1, 1]]).bool().view(2, 2, 3)
    return rows, chosen, torch.randn(2, 2, 3, 4, generator=generator, dtype=torch.double)


def work(rank):
    return step(*(values[rank] for values in data()), scale=1)


def test_two_processes_have_the_statistics_of_one(tmp_path):
    gradient, variance = step(*(values.flatten(0, 1) for values in data()), scale=1)
    parts = run_in_group(work, 2, tmp_path)
    torch.testing.assert_close(torch.cat([part[0] for part in parts]), gradient)
    for part in parts:
        torch.testing.assert_close(part[1], variance)
