"""Heads of cross-encoders: matching and masked words, pair by pair through the model's parts."""

import pytest
import torch
import torch.nn.functional as F
from cross_encoders import BOTH, build, captions
from mmengine.structures import BaseDataElement

from mmtbps.models import FusionMLMHead, MatchingHead, Pairs
from mmtbps.models.heads import EncodedSide, matching_head, noise_masking_head

PEOPLE = (4, 8, 4, 1)
IMAGES = torch.randn(4, 3, 32, 16, generator=torch.Generator().manual_seed(5))
SAMPLES = [BaseDataElement(metainfo=dict(person_id=person)) for person in PEOPLE]
WEIGHTS = (2.0, 0.5, 1.0, 0.25)
WEIGHTED = [BaseDataElement(metainfo=dict(person_id=person, pair_weight=weight))
            for person, weight in zip(PEOPLE, WEIGHTS, strict=True)]


@pytest.fixture
def drawn(monkeypatch):
    """Draw these negatives; the last image and the first caption find none."""
    rows = torch.tensor([1, 0, 3, -1]), torch.tensor([-1, 2, 1, 0])
    seen = []

    def draw(image, text, person_ids, temperature):
        seen.append((image, text, person_ids, temperature))
        return rows

    monkeypatch.setattr(matching_head, 'draw_hard_negatives', draw)
    return rows, seen


def logits_of(model, image, ids, mask):
    """Logits of one image and one caption, cut to its length."""
    ids, mask = ids[mask][None], mask[mask][None]
    tower = model.text_backbone
    fused = tower.fuse(model.image_tokens(image[None]), tower.fusion_tokens(ids, mask), mask)
    return model.match_head(fused[:, 0])[0]


@BOTH
@torch.no_grad()
def test_matching_judges_each_pair_and_its_two_negatives(options, drawn):
    model = build(options, heads=dict(itm=dict(type='MatchingHead', temperature=0.3,
                                               loss_weight=0.5)))
    ids, mask = (values[:4] for values in captions())
    losses = model(IMAGES, ids, mask, SAMPLES, mode='loss')
    weighted = model(IMAGES, ids, mask, WEIGHTED, mode='loss')
    (images, texts), [(image, text, people, temperature), _] = drawn
    pairs = [(i, i, 1, i) for i in range(4)]
    pairs += [(int(images[i]), i, 0, i) for i in range(3)]
    pairs += [(i, int(texts[i]), 0, i) for i in range(1, 4)]
    each = torch.stack([F.cross_entropy(
        logits_of(model, IMAGES[i], ids[j], mask[j]), torch.tensor(label))
        for i, j, label, _ in pairs])
    assert list(losses) == ['loss_itm']
    torch.testing.assert_close(losses['loss_itm'], each.mean() / 2, rtol=0, atol=1e-5)
    weights = torch.tensor([WEIGHTS[own] for *_, own in pairs])  # the pair that they are drawn for
    torch.testing.assert_close(weighted['loss_itm'], (weights * each).mean() / 2, rtol=0, atol=1e-5)
    assert people.tolist() == list(PEOPLE) and temperature == 0.3
    torch.testing.assert_close(F.normalize(image, dim=-1), model.encode_image(IMAGES),
                               rtol=0, atol=1e-6)
    torch.testing.assert_close(F.normalize(text, dim=-1), model.encode_text(ids, mask),
                               rtol=0, atol=1e-6)


@BOTH
@torch.no_grad()
def test_masked_words_are_read_off_the_image(options):
    model = build(options, heads=dict(mlm=dict(type='FusionMLMHead', dims=16, vocab_size=60)))
    head, tower = model.heads['mlm'], model.text_backbone
    ids, mask = (values[:4] for values in captions(8))
    labels = torch.zeros_like(ids)
    places = [(0, 2), (1, 1), (1, 3), (3, 1)]
    hidden = ids.clone()
    for row, place in places:
        labels[row, place], hidden[row, place] = ids[row, place], 4
    labels[~mask] = 17  # filler of labels says nothing
    inputs = dict(mlm_input_ids=hidden, mlm_input_ids_mask=mask, mlm_labels=labels)
    losses = model(IMAGES, ids, mask, SAMPLES, mode='loss', inputs=inputs)
    expected = []
    for row, place in places:
        words, there = hidden[row][mask[row]][None], mask[row][mask[row]][None]
        fused = tower.fuse(model.image_tokens(IMAGES[row:row + 1]),
                           tower.fusion_tokens(words, there), there)[0, place]
        state = F.gelu(F.linear(fused, head.transform.dense.weight, head.transform.dense.bias))
        state = F.layer_norm(state, (16, ), head.transform.norm.weight, head.transform.norm.bias,
                             1e-12)
        scores = torch.stack([state @ word for word in tower.embeddings.word_embeddings.weight])
        expected.append(F.cross_entropy(scores + head.bias, ids[row, place]))
    torch.testing.assert_close(losses['loss_mlm'], torch.stack(expected).mean(), rtol=0, atol=1e-5)
    weighted = model(IMAGES, ids, mask, WEIGHTED, mode='loss', inputs=inputs)['loss_mlm']
    weights = torch.tensor([WEIGHTS[row] for row, _ in places])
    torch.testing.assert_close(weighted, (weights * torch.stack(expected)).mean(), rtol=0,
                               atol=1e-5)


@BOTH
def test_all_weights_are_trained_by_the_three_losses(options):
    model = build(options, heads=dict(
        itc=dict(type='HardnessAwareContrastiveHead', temperature=0.07, learnable=True,
                 same_person='positive'),
        itm=dict(type='MatchingHead'), mlm=dict(type='FusionMLMHead', dims=16, vocab_size=60)),
        image_neck=dict(type='ProjectionNeck', out_dims=8),
        text_neck=dict(type='ProjectionNeck', out_dims=8))
    model.train()
    ids, mask = (values[:4] for values in captions())
    inputs = dict(mlm_input_ids=ids, mlm_input_ids_mask=mask, mlm_labels=ids * (ids > 10))
    losses = model(IMAGES, ids, mask, SAMPLES, mode='loss', inputs=inputs)
    assert set(losses) > {'loss_itm', 'loss_mlm'}
    sum(value for key, value in losses.items() if 'loss' in key).backward()
    without = [name for name, weight in model.named_parameters() if weight.grad is None]
    assert not without


@BOTH
@torch.no_grad()
def test_masked_captions_are_those_that_a_comparison_reads(options, drawn, monkeypatch):
    """Around a head of a cross-encoder, noise-aware masking changes what is fused, too."""
    ids, mask = (values[:4] for values in captions())
    masked = torch.where(mask & (ids > 10), 4, ids)
    monkeypatch.setattr(noise_masking_head, 'mask_words', lambda *_: masked)
    matching, necks = dict(type='MatchingHead'), dict.fromkeys(
        ('image_neck', 'text_neck'), dict(type='ProjectionNeck', out_dims=8))
    model = build(options, heads=dict(itm=dict(
        type='NoiseMaskingHead', mask_id=4, words=(10, 60), head=matching)), **necks)
    plain = build(options, heads=dict(itm=matching), **necks)
    plain.load_state_dict(model.state_dict(), strict=False)
    loss = model(IMAGES, ids, mask, SAMPLES, mode='loss')['loss_itm']
    torch.testing.assert_close(loss, plain(IMAGES, masked, mask, SAMPLES, mode='loss')['loss_itm'])
    assert not torch.isclose(loss, plain(IMAGES, ids, mask, SAMPLES, mode='loss')['loss_itm'])


def test_a_dual_encoder_has_nothing_to_compare_with():
    side = EncodedSide({'global': torch.eye(2)}, None, lambda: torch.zeros(2, 3, 4))
    pairs = Pairs(side, side, torch.arange(2), inputs=dict(mlm_input_ids_mask=None,
                                                           mlm_labels=None))
    for head in (MatchingHead(), FusionMLMHead(4, 10)):
        with pytest.raises(ValueError, match=f'{type(head).__name__} compares images with captio'):
            head(pairs, [])
    with pytest.raises(ValueError, match='temperature must be positive'):
        MatchingHead(temperature=-1)


@BOTH
def test_training_teaches_which_pairs_match(options):
    torch.manual_seed(0)
    model = build(options, heads=dict(itm=dict(type='MatchingHead', temperature=1.0)),
                  image_neck=dict(type='ProjectionNeck', out_dims=8),
                  text_neck=dict(type='ProjectionNeck', out_dims=8))
    ids, mask = (values[:4] for values in captions())
    samples = [BaseDataElement(metainfo=dict(person_id=person)) for person in range(4)]
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    model.train()
    for _ in range(40):
        optimizer.zero_grad()
        loss = model(IMAGES, ids, mask, samples, mode='loss')['loss_itm']
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        scores = model.eval().match(IMAGES, ids, mask)
    own = scores.diag()
    others = scores[~torch.eye(4, dtype=torch.bool)]
    assert loss < 0.2 and own.min() > others.max()
