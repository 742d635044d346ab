"""Noise-aware masking: probabilities by loops, fates of words by counting, the wrapped head."""

import pytest
import torch

from mmtbps.models import NoiseMaskingHead, Pairs, SDMHead
from mmtbps.models.heads import EncodedSide
from mmtbps.models.losses import mask_words, noise_probabilities, sdm_loss

IDS = torch.tensor([[98, 5, 6, 7, 8, 99, 0], [98, 9, 99, 0, 0, 0, 0], [98, 4, 97, 0, 3, 2, 99]])
MASK = torch.arange(7) < torch.tensor([6, 3, 7])[:, None]
IS_WORD = MASK & (IDS >= 1) & (IDS < 97)  # 0 is a word to no one, 97 the mask
WORDS = (1, 97)


def tokens(seed=0, count=3):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(count, 7, 5, generator=generator, dtype=torch.double) + 0.4,
            torch.randn(count, 4, 5, generator=generator, dtype=torch.double) + 0.4)


def slow(words, image, is_word, mean):
    rows = []
    for sentence, picture, real in zip(words, image, is_word.tolist(), strict=True):
        noise = [1 - max(float(w @ p / (w.norm() * p.norm())) for p in picture) for w in sentence]
        mine = [n for n, word in zip(noise, real, strict=True) if word]
        rows.append([min(1, max(0, n - sum(mine) / len(mine) + mean)) if word else 0
                     for n, word in zip(noise, real, strict=True)])
    return torch.tensor(rows, dtype=words.dtype)


@pytest.mark.parametrize('mean', [0.0, 0.15, 0.8])
def test_probabilities_equal_the_loops(mean):
    words, image = tokens()
    value = noise_probabilities(words.requires_grad_(), image, IS_WORD, mean)
    torch.testing.assert_close(value, slow(words.detach(), image, IS_WORD, mean))
    assert not value.requires_grad and (value == 0).any() and (value > 0).any()
    half = noise_probabilities(words.bfloat16(), image.bfloat16(), IS_WORD, mean)
    torch.testing.assert_close(half.double(), value, atol=0.02, rtol=0)


def test_words_have_the_fates_of_bert():
    torch.manual_seed(0)
    ids = torch.randint(1, 97, (400, 50))
    probabilities = torch.full(ids.shape, 0.15)
    probabilities[:, :5] = 0.9
    masked = mask_words(ids, probabilities, torch.ones_like(ids).bool(), 97, WORDS)
    hidden, other = masked == 97, (masked != 97) & (masked != ids)
    for columns, share in ((slice(5), 0.9), (slice(5, None), 0.15)):
        assert hidden[:, columns].float().mean() == pytest.approx(0.8 * share, rel=0.06)
        assert other[:, columns].float().mean() == pytest.approx(0.1 * share, rel=0.15)
    found = masked[other]
    assert found.min() == 1 and found.max() == 96 and len(found.unique()) > 80


def test_only_words_are_masked_and_one_at_least():
    torch.manual_seed(0)
    nothing = torch.zeros(IDS.shape)
    nothing[0, 3] = nothing[2, 5] = 1e-9  # the most probable words
    for _ in range(20):
        masked = mask_words(IDS, nothing, IS_WORD, 97, WORDS)
        expected = IDS.clone()
        expected[0, 3] = expected[2, 5] = expected[1, 1] = 97
        assert torch.equal(masked, expected)
        everything = mask_words(IDS, torch.ones(IDS.shape), IS_WORD, 97, WORDS)
        assert torch.equal(everything[~IS_WORD], IDS[~IS_WORD])
    empty = mask_words(IDS[:1], torch.ones(1, 7), torch.zeros(1, 7).bool(), 97, WORDS)
    assert torch.equal(empty, IDS[:1])


def test_the_head_inside_reads_the_masked_captions():
    words, image = tokens()
    words.requires_grad_(), image.requires_grad_()
    asked = []

    def encode_text(ids, mask):
        asked.append((ids, mask))
        feature = (ids[..., None] * torch.arange(1., 6)).sin().sum(1).double()
        return EncodedSide({'global': feature})

    pairs = Pairs(EncodedSide({'global': image[:, 0]}, None, lambda: image),
                  EncodedSide({'global': words[:, 0]}, MASK, lambda: words), torch.arange(3),
                  encode_text=encode_text, input_ids=IDS, attention_mask=MASK)
    head = NoiseMaskingHead(dict(type='SDMHead', temperature=0.1), mean=0.6, mask_id=97,
                            words=WORDS)
    torch.manual_seed(5)
    losses = head(pairs, [])
    torch.manual_seed(5)
    expected = mask_words(IDS, slow(words.detach(), image.detach(), IS_WORD, 0.6), IS_WORD, 97,
                          WORDS)
    (ids, mask), = asked
    assert torch.equal(ids, expected) and torch.equal(mask, MASK) and (ids != IDS).any()
    value = sdm_loss(image[:, 0], encode_text(expected, None).parts['global'], torch.arange(3), 0.1)
    assert losses['loss_sdm'] == value
    assert losses['masked_share'].item() == pytest.approx(
        ((ids != IDS) & IS_WORD).sum().item() / IS_WORD.sum().item())
    losses['loss_sdm'].backward()
    assert words.grad is None and image.grad[:, 0].any() and not image.grad[:, 1:].any()


def test_it_asks_for_what_the_head_inside_needs():
    head = NoiseMaskingHead(dict(type='TBPSCLIPHead', second_view='image_2', part='tse'))
    assert head.needs == ('image_2',) and head.part == 'tse' and head.needs_tokens
    assert isinstance(NoiseMaskingHead(dict(type='SDMHead')).head, SDMHead)


@pytest.mark.parametrize('options, says', [
    (dict(mean=1.5), r'mean must lie in \[0, 1\]'), (dict(words=(5, 5)), r'got 0.15, \(5, 5\)'),
    (dict(mask_id=-1), 'mask_id not be negative'),
    (dict(head=dict(type='ProjectionNeck', in_dims=3)), 'must be a head, got ProjectionNeck')])
def test_bad_options_are_refused(options, says):
    with pytest.raises(ValueError, match=says):
        NoiseMaskingHead(**{'head': dict(type='SDMHead'), **options})


def test_shapes_are_checked():
    words, image = tokens()
    with pytest.raises(ValueError, match=r'got \(3, 7, 5\), \(2, 4, 5\) and \(3, 7\)'):
        noise_probabilities(words, image[:2], IS_WORD)
