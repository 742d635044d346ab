"""The dual encoder: modes, contracts, mixup inside."""

from dataclasses import replace

import pytest
import torch

from mmtbps.models import FeatureMixup, PixelMixup
from mmtbps.models.losses import info_nce
from mmtbps.models.preprocessor import pad_captions
from mmtbps.models.retrievers.former_settings import with_former_head


def test_preprocessor_normalises_like_the_formula(tiny_retriever, tiny_batch):
    batch = tiny_batch()
    out = tiny_retriever().data_preprocessor(batch)
    raw = torch.stack(batch['inputs']['image']).double()
    mean = torch.tensor([123.675, 116.28, 103.53], dtype=torch.double)
    std = torch.tensor([58.395, 57.12, 57.375], dtype=torch.double)
    for channel in range(3):  # the loader gives BGR
        expected = (raw[:, 2 - channel] - mean[channel]) / std[channel]
        torch.testing.assert_close(out['images'][:, channel].double(), expected, atol=1e-5,
                                   rtol=1e-5)


def test_captions_are_padded_to_the_longest_and_to_multiples():
    rows = [torch.tensor([2, 7, 3, 2, 8, 9, 3]), torch.tensor([2, 3])]
    lengths = [torch.tensor([3, 4]), torch.tensor([2])]
    ids, mask = pad_captions(rows, lengths, pad_token_id=1)
    assert ids.tolist() == [[2, 7, 3, 1], [2, 8, 9, 3], [2, 3, 1, 1]]
    assert mask.tolist() == [[True] * 3 + [False], [True] * 4, [True] * 2 + [False] * 2]
    assert pad_captions(rows, lengths, multiple=8)[0].shape == (3, 8)


def test_loss_mode_is_the_heads_loss_on_both_towers(tiny_retriever, tiny_batch):
    model = tiny_retriever().eval()
    batch = model.data_preprocessor(tiny_batch(4))
    features = model(**batch, mode='tensor')
    loss = model(**batch, mode='loss')['loss_contrastive']
    torch.testing.assert_close(loss, info_nce(features['image_feat'], features['text_feat'], 0.05))


def test_predict_keeps_captions_with_their_image(tiny_retriever, tiny_batch):
    model = tiny_retriever().eval()
    batch = model.data_preprocessor(tiny_batch(3, num_captions=2))
    with torch.no_grad():
        samples = model(**batch, mode='predict')
        alone = model.encode_text(batch['input_ids'][4:6], batch['attention_mask'][4:6])
    torch.testing.assert_close(samples[2].text_features, alone)
    for sample in samples:
        assert sample.text_features.shape == (2, 16)
        torch.testing.assert_close(sample.image_feature.norm(), torch.tensor(1.0))


@pytest.mark.parametrize('described', [(), (1,), (0, 1, 2)])
def test_images_without_captions_are_encoded_too(described, tiny_retriever, tiny_batch):
    model = tiny_retriever().eval()
    whole = tiny_batch(3, num_captions=2)
    expected = predict(model, whole)
    batch = tiny_batch(3, num_captions=2)
    for index, sample in enumerate(batch['data_samples']):
        if index not in described:
            sample.set_metainfo(dict(num_captions=0, captions=[]))
            for key in ('input_ids', 'caption_lengths'):
                batch['inputs'][key][index] = batch['inputs'][key][index][:0]
    for index, sample in enumerate(predict(model, batch)):
        torch.testing.assert_close(sample.image_feature, expected[index].image_feature)
        torch.testing.assert_close(sample.text_features, expected[index].text_features[
            :2 * (index in described)])


def predict(model, batch):
    with torch.no_grad():
        return model(**model.data_preprocessor(batch), mode='predict')


@pytest.mark.parametrize('mixup', [
    dict(type=FeatureMixup, prob=1.0, weight=0.0),
    dict(type=FeatureMixup, prob=1.0, weight=0.0, layer=1),
    dict(type=FeatureMixup, prob=0.0),
    dict(type=PixelMixup, prob=1.0, weight=0.0)])
def test_mixup_of_weight_zero_changes_nothing_bit_for_bit(mixup, tiny_retriever, tiny_batch):
    plain, mixed = tiny_retriever(), tiny_retriever(mixup=mixup)
    batch = plain.data_preprocessor(tiny_batch(4))
    losses = [model(**batch, mode='loss')['loss_contrastive'] for model in (plain, mixed)]
    assert torch.equal(*losses)
    for loss in losses:
        loss.backward()
    for one, other in zip(plain.parameters(), mixed.parameters(), strict=True):
        assert torch.equal(one.grad, other.grad)


@pytest.mark.parametrize('layer', [0, 1])
def test_mixup_happens_between_the_halves(layer, tiny_retriever, tiny_batch):
    model = tiny_retriever(mixup=dict(type=FeatureMixup, prob=1.0, weight=0.3, layer=layer))
    batch = model.data_preprocessor(tiny_batch(4))
    torch.manual_seed(7)
    loss = model(**batch, mode='loss')['loss_contrastive']
    torch.manual_seed(7)
    partner, mask = model.mixup.draw(4, torch.device('cpu')).partner, batch['attention_mask']
    towers = model.image_backbone, model.text_backbone
    image, text = (tower.run(tower.embed(*inputs), 0, layer) for tower, inputs in
                   zip(towers, [(batch['images'],), (batch['input_ids'], mask)], strict=True))
    image = replace(image, hidden=0.7 * image.hidden + 0.3 * image.hidden[partner])
    text = replace(text, hidden=0.7 * text.hidden + 0.3 * text.hidden[partner],
                   mask=mask | mask[partner])
    features = [tower.pool(tower.run(tokens, layer)) for tower, tokens in
                zip(towers, (image, text), strict=True)]
    by_hand = info_nce(*features, 0.05)
    torch.testing.assert_close(loss, by_hand)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(loss, tiny_retriever()(**batch, mode='loss')['loss_contrastive'])


def losses_of(model, batch, seed=7):
    torch.manual_seed(seed)
    return model(**batch, mode='loss')['loss_contrastive']


def test_added_pairs_have_a_batch_of_their_own(tiny_retriever, tiny_batch):
    options = dict(type=FeatureMixup, prob=1.0, weight=0.3, layer=1)
    plain, replaced = tiny_retriever(), tiny_retriever(mixup=options)
    added = tiny_retriever(mixup=dict(options, mode='add'))
    batch = plain.data_preprocessor(tiny_batch(6))
    originals, mixed = losses_of(plain, batch), losses_of(replaced, batch)
    torch.testing.assert_close(losses_of(added, batch), (originals + mixed) / 2)
    assert abs(originals - mixed) > 1e-4
    added.mixup.prob = 0.0  # switched off by a hook
    assert torch.equal(losses_of(added, batch), originals)


@pytest.mark.parametrize('size', [8, 7])
def test_partners_outside_are_no_negatives(size, tiny_retriever, tiny_batch):
    model = tiny_retriever(mixup=dict(type=FeatureMixup, prob=1.0, weight=0.3, layer=1,
                                      partner='outside'))
    batch = model.data_preprocessor(tiny_batch(size))
    loss = losses_of(model, batch)
    torch.manual_seed(7)
    partner = model.mixup.draw(size, torch.device('cpu')).partner
    half = size // 2
    assert len(partner) == half and min(partner) >= half and len(set(partner.tolist())) == half
    sides = []
    for tower, inputs in ((model.image_backbone, (batch['images'],)), (
            model.text_backbone, (batch['input_ids'], batch['attention_mask']))):
        whole = tower.run(tower.embed(*inputs), 0, 1)
        mask = None if whole.mask is None else whole.mask[:half] | whole.mask[partner]
        mixed = replace(whole, hidden=0.7 * whole.hidden[:half] + 0.3 * whole.hidden[partner],
                        mask=mask, read=None if whole.read is None else whole.read[:half])
        sides.append(tower.pool(tower.run(mixed, 1)))
    torch.testing.assert_close(loss, info_nce(*sides, 0.05))


def test_a_batch_of_one_has_no_partner_outside(tiny_retriever, tiny_batch):
    model = tiny_retriever(mixup=dict(type=FeatureMixup, partner='outside'))
    with pytest.raises(ValueError, match='takes half of a batch for partners'):
        losses_of(model, model.data_preprocessor(tiny_batch(1)))


def weighted(batch, weights):
    for sample, weight in zip(batch['data_samples'], weights, strict=True):
        sample.set_field(weight, 'pair_weight', field_type='metainfo')
    return batch


def test_weights_of_one_change_nothing_bit_for_bit(tiny_retriever, tiny_batch):
    found = []
    for batch in (tiny_batch(4), weighted(tiny_batch(4), [1, 1.0, 1.0, 1.0])):
        model = tiny_retriever(mixup=dict(type=FeatureMixup, prob=0.5, beta=0.4))
        loss = losses_of(model, model.data_preprocessor(batch))
        loss.backward()
        found.append([loss.detach(), *(parameter.grad for parameter in model.parameters())])
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)


def test_a_mixed_pair_has_a_mixed_weight(tiny_retriever, tiny_batch):
    model = tiny_retriever(mixup=dict(type=FeatureMixup, prob=1.0, weight=0.3, layer=1))
    weights = torch.tensor([1.0, 0.5, 0.25, 1.0])
    batch = model.data_preprocessor(weighted(tiny_batch(4), weights.tolist()))
    seen = []
    model.heads['contrastive'].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    losses_of(model, batch)
    torch.manual_seed(7)
    partner = model.mixup.draw(4, torch.device('cpu')).partner
    torch.testing.assert_close(seen[0].weights, 0.7 * weights + 0.3 * weights[partner])


def test_mixup_is_for_training_only(tiny_retriever, tiny_batch):
    plain, mixed = tiny_retriever(), tiny_retriever(mixup=dict(type=FeatureMixup, prob=1.0))
    batch = plain.data_preprocessor(tiny_batch(4))
    for key, value in plain(**batch).items():
        assert torch.equal(value, mixed(**batch)[key])


def test_a_test_batch_cannot_be_trained_on(tiny_retriever, tiny_batch):
    model = tiny_retriever()
    with pytest.raises(ValueError, match='test mode'):
        model(**model.data_preprocessor(tiny_batch(2, num_captions=2)), mode='loss')
    with pytest.raises(ValueError, match='mode'):
        model(**model.data_preprocessor(tiny_batch(2)), mode='train')


def test_a_neck_that_version_0_1_did_not_have_has_no_former_settings():
    """Else a gallery of the plain projection would open for another neck with its weights."""
    def former(kind):
        neck = dict(type=kind, out_dims=4)
        return with_former_head(
            dict(text_backbone={}, heads=dict(contrastive=dict(type='H')), image_neck=neck,
                 text_neck=neck), {}, [16, 12])

    assert former('mmtbps.ProjectionNeck')[0]['head']['projection_dims'] == 4
    assert former('other.TwoPartNeck') is None


HEAD = dict(type='HardnessAwareContrastiveHead')


@pytest.mark.parametrize('name', ['my.head', 'keys', 'two heads', ''])
def test_names_of_heads_that_torch_would_not_take_are_refused(name, tiny_retriever):
    with pytest.raises(ValueError, match=f'{name!r} cannot be the name of a head'):
        tiny_retriever(heads={name: HEAD})


def test_a_head_for_a_part_that_no_neck_gives_is_refused(tiny_retriever):
    with pytest.raises(ValueError, match=r"head 'fine' takes the part 'tse'.*\('global',\)"):
        tiny_retriever(heads=dict(fine=dict(HEAD, part='tse')))


def test_one_head_in_the_third_place_is_the_former_head(tiny_retriever):
    with pytest.warns(FutureWarning, match='heads=dict'):
        model = tiny_retriever(heads=dict(HEAD, temperature=.5))
    assert [*model.heads] == ['contrastive'] and model.heads.contrastive.temperature == .5
