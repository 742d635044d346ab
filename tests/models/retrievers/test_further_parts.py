"""Any number of heads, second passes, tokens, and necks of several parts."""

import further_parts
import numpy as np
import pytest
import torch
from further_parts import IGNORED, MASK_TOKEN, MaskWords, TwoPartNeck

from mmtbps.datasets.transforms import PackTextImage
from mmtbps.errors import BadValue
from mmtbps.models import FeatureMixup, HardnessAwareContrastiveHead
from mmtbps.models.losses import info_nce
from mmtbps.models.necks import unit_feature

CONTRASTIVE = dict(type='HardnessAwareContrastiveHead', temperature=0.05)
MASKED = dict(type='MaskedCaptionHead', dims=16)
WORDS = dict(type='MaskedWordHead', dims=16, vocabulary=50)
BOTH = dict(contrastive=CONTRASTIVE, masked=MASKED)


@pytest.fixture
def masked_batch(tiny_batch):
    """A collated batch with masked captions as further inputs, made by the transform."""
    def build(num_images=6, seed=0):
        batch = tiny_batch(num_images, seed=seed)
        np.random.seed(seed)
        items = [MaskWords(0.5).transform(dict(input_ids=[ids]))
                 for ids in batch['inputs']['input_ids']]
        for key in ('masked_ids', 'masked_labels'):
            batch['inputs'][key] = [item[key][0] for item in items]
            batch['inputs'][f'{key}_lengths'] = batch['inputs']['caption_lengths']
        for row, sample in enumerate(batch['data_samples']):
            sample.set_field(row, 'sample_idx', field_type='metainfo')
        return batch
    return build


def ready(model, batch):
    batch = model.data_preprocessor(batch)
    if next(model.parameters()).dtype is torch.double:
        batch['images'] = batch['images'].double()
    return batch


def preprocessor():
    return dict(type='TextImagePreprocessor', pad_values=dict(masked_labels=IGNORED))


def test_the_transform_and_the_preprocessor_make_what_the_head_reads(tiny_retriever):
    np.random.seed(3)
    ids = [torch.tensor([2, 7, 8, 9, 3]), torch.tensor([2, 6, 3])]
    items = [dict(MaskWords(0.9).transform(dict(input_ids=[one])), caption='a', img=np.zeros(
        (4, 2, 3), np.uint8)) for one in ids]
    packed = [PackTextImage(input_keys=['masked_ids', 'masked_labels'])(item) for item in items]
    from mmtbps.datasets import stack_pairs
    model = tiny_retriever(data_preprocessor=preprocessor())
    inputs = model.data_preprocessor(stack_pairs(packed))['inputs']
    assert inputs['masked_ids'].tolist() == [[2, 4, 4, 4, 3], [2, 4, 3, 0, 0]]
    assert inputs['masked_labels'].tolist() == [[-100, 7, 8, 9, -100], [-100, 6, *[-100] * 3]]
    assert inputs['masked_ids_mask'].sum(1).tolist() == [5, 3]
    with pytest.raises(KeyError, match="'depth' of input_keys is missing"):
        PackTextImage(input_keys=['depth'])(items[0])


def test_a_second_pass_runs_beside_the_contrastive_loss(tiny_retriever, masked_batch):
    model = tiny_retriever(heads=BOTH).eval()
    batch = ready(model, masked_batch())
    losses = model(**batch, mode='loss')
    ids, mask = batch['inputs']['masked_ids'], batch['inputs']['masked_ids_mask']
    assert (ids == MASK_TOKEN).any() and not torch.equal(ids, batch['input_ids'])
    image, text = (tower(*inputs) for tower, inputs in (
        (model.image_backbone, [batch['images']]), (model.text_backbone, [ids, mask])))
    torch.testing.assert_close(losses['loss_masked'],
                               info_nce(image, model.heads.masked.turn(text), 0.1))
    alone = tiny_retriever(heads=dict(contrastive=CONTRASTIVE)).eval()
    alone.load_state_dict(model.state_dict(), strict=False)
    assert torch.equal(losses['loss_contrastive'], alone(**batch, mode='loss')['loss_contrastive'])


@pytest.mark.parametrize('layer', [0, 1])
def test_the_second_pass_is_not_mixed(layer, tiny_retriever, masked_batch):
    mixup = dict(type=FeatureMixup, prob=1.0, weight=0.5, layer=layer)
    model = tiny_retriever(heads=BOTH, mixup=mixup).eval()
    batch, seen = ready(model, masked_batch()), []
    model.heads.masked.turn.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    model(**batch, mode='loss')
    ids, mask = batch['inputs']['masked_ids'], batch['inputs']['masked_ids_mask']
    torch.testing.assert_close(seen[0], model.text_backbone(ids, mask))


@pytest.mark.parametrize('mixup', [None, dict(type=FeatureMixup, prob=0.7, layer=1)])
def test_chunks_have_the_loss_and_gradients_of_the_whole_batch(mixup, tiny_retriever,
                                                               masked_batch):
    results = []
    for chunk_size in (None, 1, 4):
        model = tiny_retriever(heads=BOTH, mixup=mixup, chunk_size=chunk_size).double()
        torch.manual_seed(5)
        losses = model(**ready(model, masked_batch()), mode='loss')
        sum(losses.values()).backward()
        results.append([*losses.values(), *(p.grad for p in model.parameters())])
        assert all(value is not None for value in results[-1])
    for other in results[1:]:
        for one, value in zip(results[0], other, strict=True):
            torch.testing.assert_close(value, one, rtol=1e-10, atol=1e-12)


def test_a_head_that_reads_tokens_gets_all_of_both_sides(tiny_retriever, masked_batch):
    model = tiny_retriever(heads=dict(contrastive=CONTRASTIVE, words=WORDS),
                           data_preprocessor=preprocessor()).eval()
    batch = ready(model, masked_batch())
    losses = model(**batch, mode='loss')
    vit, bert, head = model.image_backbone, model.text_backbone, model.heads.words
    inputs = batch['inputs']
    patches = vit.token_features(vit.run(vit.embed(batch['images'])))
    words = bert.run(bert.embed(inputs['masked_ids'], inputs['masked_ids_mask'])).hidden
    scores = head.decode(head.attend(words, patches, patches)[0]).log_softmax(-1)
    kept = inputs['masked_labels'] != IGNORED
    assert 0 < kept.sum() < inputs['masked_ids_mask'].sum()
    by_hand = -scores[kept].gather(1, inputs['masked_labels'][kept][:, None]).mean()
    torch.testing.assert_close(losses['loss_words'], by_hand)
    alone = tiny_retriever().eval()
    alone.load_state_dict(model.state_dict(), strict=False)
    torch.testing.assert_close(losses['loss_contrastive'],
                               alone(**batch, mode='loss')['loss_contrastive'])


WIDE_VIT = dict(type='OverlapViT', img_size=(32, 16), patch_size=8, arch=dict(
    embed_dims=24, num_layers=1, num_heads=2, feedforward_channels=8))
SELECTING = dict(type='TokenSelectionNeck', out_dims=4)


@pytest.mark.parametrize('settings, said', [
    (dict(image_backbone=WIDE_VIT), "'global' has 24 numbers for images and 16 for captions"),
    (dict(image_neck=dict(type='ProjectionNeck', out_dims=8)), "'global' has 8 .* and 16 "),
    (dict(image_neck=dict(SELECTING, side='image', selection_dims=6),
          text_neck=dict(SELECTING, side='text', selection_dims=8)), "'tse' has 6 .* and 8 ")])
def test_features_of_two_widths_are_refused_by_name(settings, said, tiny_retriever):
    with pytest.raises(BadValue, match=said):
        tiny_retriever(**settings)
    necks = dict.fromkeys(('image_neck', 'text_neck'), dict(type='ProjectionNeck', out_dims=8))
    tiny_retriever(**settings | necks)


def test_what_cannot_go_together_is_refused_by_name(tiny_retriever, masked_batch, tiny_batch):
    with pytest.raises(ValueError, match='heads.words, MaskedWordHead, needs tokens'):
        tiny_retriever(heads=dict(words=WORDS), chunk_size=2)
    with pytest.raises(ValueError, match="image_neck has the parts .*'mean'"):
        tiny_retriever(image_neck=dict(type='TwoPartNeck', out_dims=4))
    with pytest.raises(ValueError, match='mixup.layer=3, but image_backbone has 2 layers'):
        tiny_retriever(mixup=dict(type=FeatureMixup, layer=3))
    with pytest.raises(TypeError, match='Identity is no BaseHead'):
        tiny_retriever(heads=dict(odd=torch.nn.Identity()))
    with pytest.raises(TypeError, match='Identity is no Tower'):
        tiny_retriever(text_backbone=torch.nn.Identity())
    model = tiny_retriever(heads=BOTH)
    with pytest.raises(ValueError, match="head 'masked' needs 'masked_ids'.*input_keys"):
        model(**model.data_preprocessor(tiny_batch()), mode='loss')
    twins = tiny_retriever(heads=dict(one=CONTRASTIVE, two=CONTRASTIVE))
    with pytest.raises(ValueError, match="two heads give 'loss_contrastive', two is the second"):
        twins(**twins.data_preprocessor(tiny_batch()), mode='loss')
    bare = tiny_retriever(heads=None)
    with pytest.raises(ValueError, match='training needs heads'):
        bare(**bare.data_preprocessor(tiny_batch()), mode='loss')


@pytest.mark.parametrize('head', [
    dict(type='RestorationHead', patch_size=8, dims=16, num_heads=2),
    dict(type='NoiseMaskingHead', head=dict(type='SDMHead'), mask_id=4, words=(5, 50)),
    dict(type='ExplanationWeightHead', head=dict(type='SDMHead')),
    dict(type='SecondCaptionHead', head=dict(type='SDMHead'))])
def test_heads_that_would_undo_a_mixup_refuse_it(head, tiny_retriever):
    tiny_retriever(heads=dict(one=head))
    with pytest.raises(ValueError, match=f"head 'one': {head['type']} .* not mixed.*; leave the"):
        tiny_retriever(heads=dict(one=head), mixup=dict(type='FeatureMixup', prob=0.0))


@pytest.mark.parametrize('head, says', [
    (dict(type='NoiseMaskingHead', head=dict(type='SDMHead')),
     'NoiseMaskingHead puts ids up to 49405 into captions, and the text tower knows 50'),
    (dict(type='NoiseMaskingHead', head=dict(type='SDMHead'), mask_id=4, words=(5, 51)),
     'ids up to 50 into captions'),
    (dict(type='MLMHead', dims=16, vocab_size=49), 'MLMHead scores 49 words, .* set vocab_size=50'),
    (dict(type='SecondCaptionHead', head=dict(type='MLMHead', dims=16, vocab_size=49)),
     'SecondCaptionHead scores 49 words')])
def test_heads_with_words_of_another_vocabulary_are_refused(head, says, tiny_retriever):
    with pytest.raises(ValueError, match=f"head 'one': .*{says}"):
        tiny_retriever(heads=dict(one=head))


def test_a_head_of_former_make_is_refused(tiny_retriever):
    """Its own loss would be passed over in silence."""
    class OwnLoss(HardnessAwareContrastiveHead):
        def loss(self, image, text, data_samples):
            return dict(super().loss(image, text, data_samples), loss_own=image.mean())

    with pytest.raises(TypeError, match=r'OwnLoss.loss is not called any more.*forward'):
        tiny_retriever(heads=dict(own=OwnLoss()))


def test_tokens_that_nobody_asked_for_are_not_there(tiny_retriever, masked_batch, monkeypatch):
    monkeypatch.setattr(further_parts.MaskedWordHead, 'needs_tokens', False)
    model = tiny_retriever(heads=dict(words=WORDS), data_preprocessor=preprocessor())
    with pytest.raises(RuntimeError, match='needs_tokens = True'):
        model(**ready(model, masked_batch()), mode='loss')


def test_heads_are_no_part_of_inference(tiny_retriever, tiny_batch):
    trained, bare = tiny_retriever(heads=BOTH).eval(), tiny_retriever(heads=None).eval()
    bare.load_state_dict(trained.state_dict(), strict=True)
    batch = trained.data_preprocessor(tiny_batch(3, num_captions=2))
    for key, value in trained(**batch).items():
        assert torch.equal(value, bare(**batch)[key])
    assert not [name for name in bare.state_dict() if name.startswith('heads')]


# ------------------------------------------------------------------ a neck of two parts
def test_the_feature_scores_the_mean_of_the_parts_cosines():
    torch.manual_seed(0)
    one, other = ({'a': torch.randn(3, 4), 'b': torch.randn(3, 7)} for _ in range(2))
    scores = unit_feature(one) @ unit_feature(other).T
    for i in range(3):
        for j in range(3):
            cosines = [torch.cosine_similarity(one[part][i], other[part][j], 0) for part in 'ab']
            assert scores[i, j].item() == pytest.approx(sum(cosines).item() / 2, abs=1e-6)
    torch.testing.assert_close(unit_feature(one).norm(dim=-1), torch.ones(3))


def two_parts(**options):
    neck = dict(type=TwoPartNeck, out_dims=6)
    return dict(image_neck=neck, text_neck=neck, **options)


@pytest.mark.parametrize('part', ['global', 'mean'])
def test_a_loss_takes_one_part(part, tiny_retriever, tiny_batch):
    model = tiny_retriever(**two_parts(heads=dict(contrastive=dict(CONTRASTIVE, part=part))))
    batch = model.eval().data_preprocessor(tiny_batch(4))
    features = model(**batch)
    width = dict(zip(('global', 'mean'), features['image_feat'].split([6, 16], 1), strict=True))
    texts = dict(zip(('global', 'mean'), features['text_feat'].split([6, 16], 1), strict=True))
    loss = model(**batch, mode='loss')['loss_contrastive']
    torch.testing.assert_close(loss, info_nce(width[part], texts[part], 0.05))
    loss.backward()
    used = {name for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert ('image_neck.projection.weight' in used) is (part == 'global')


def test_each_part_has_a_loss_of_its_own(tiny_retriever, tiny_batch):
    learnt = dict(CONTRASTIVE, learnable=True)
    heads = dict(one=learnt, two=dict(learnt, part='mean', name='mean'))
    model = tiny_retriever(**two_parts(heads=heads)).eval()
    batch = model.data_preprocessor(tiny_batch(4))
    losses = model(**batch, mode='loss')
    assert list(losses) == ['loss_contrastive', 'temperature', 'loss_mean', 'temperature_mean']
    alone = tiny_retriever(**two_parts(heads=dict(two=heads['two']))).eval()
    alone.load_state_dict(model.state_dict(), strict=False)
    assert torch.equal(losses['loss_mean'], alone(**batch, mode='loss')['loss_mean'])


def test_one_part_is_left_as_it_was(tiny_retriever, tiny_batch):
    """Bit for bit: nothing is divided or joined."""
    model = tiny_retriever().eval()
    batch = model.data_preprocessor(tiny_batch(2))
    expected = torch.nn.functional.normalize(model.image_backbone(batch['images']), dim=-1)
    assert torch.equal(model.encode_image(batch['images']), expected)
