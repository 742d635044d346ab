"""Second captions: losses of both, one pass through the tower, cross-encoders, processes' names."""

import pytest
import slow_losses as slow
import torch
from cross_encoders import BOTH, build, captions
from mmengine.structures import BaseDataElement

from mmtbps.models import Pairs, SecondCaptionHead
from mmtbps.models.heads import EncodedSide

PEOPLE = [2, 0, 2, 3]
IMAGES = torch.randn(4, 3, 32, 16, generator=torch.Generator().manual_seed(5))
SAMPLES = [BaseDataElement(metainfo=dict(person_id=person)) for person in PEOPLE]


def test_the_losses_are_those_of_both_captions():
    generator = torch.Generator().manual_seed(0)
    image, text, other = torch.randn(3, 4, 6, generator=generator).double().requires_grad_()
    asked = []

    def encode_text(ids, mask):
        asked.append((ids, mask))
        return EncodedSide({'global': other})

    ids, mask = torch.arange(8).view(4, 2), torch.ones(4, 2).bool()
    pairs = Pairs(EncodedSide({'global': image}), EncodedSide({'global': text}),
                  torch.tensor(PEOPLE), encode_text=encode_text,
                  inputs=dict(words=ids, words_mask=mask))
    head = SecondCaptionHead(dict(type='SDMHead', temperature=.2), key='words', weight=.3)
    losses = {**head(pairs, []), **SecondCaptionHead(dict(type='CMPMHead'), 'words')(pairs, [])}
    assert list(losses) == ['loss_sdm', 'loss_sdm_second', 'loss_cmpm', 'loss_cmpm_second']
    torch.testing.assert_close(losses['loss_sdm'], slow.sdm(image, text, PEOPLE, .2))
    torch.testing.assert_close(losses['loss_sdm_second'], .3 * slow.sdm(image, other, PEOPLE, .2))
    (given, its_mask), = asked  # both heads read one encoding
    assert torch.equal(given, ids) and torch.equal(its_mask, mask)


@BOTH
def test_a_cross_encoder_compares_images_with_the_second_captions(options):
    """Each head as if the second captions were the batch's own, with the same negatives."""
    heads = dict(
        itc=dict(type='HardnessAwareContrastiveHead', temperature=.07, learnable=True,
                 same_person='positive'), itm=dict(type='MatchingHead', temperature=.3))
    necks = dict(image_neck=dict(type='ProjectionNeck', out_dims=8),
                 text_neck=dict(type='ProjectionNeck', out_dims=8))
    model = build(options, heads={name: dict(type='SecondCaptionHead', head=head, weight=.5)
                                  for name, head in heads.items()}, **necks)
    plain = build(options, heads=heads, **necks)
    plain.load_state_dict({name.replace('.head.', '.'): value
                           for name, value in model.state_dict().items()})
    ids, mask = (values[:4] for values in captions())
    second, second_mask = (values[[1, 2, 3, 0]] for values in captions(8))
    inputs = dict(input_ids_2=second, input_ids_2_mask=second_mask)
    torch.manual_seed(0)
    losses = model(IMAGES, ids, mask, SAMPLES, mode='loss', inputs=inputs)
    torch.manual_seed(0)
    first = plain(IMAGES, ids, mask, SAMPLES, mode='loss')
    again = plain(IMAGES, second, second_mask, SAMPLES, mode='loss')
    assert set(losses) == {'loss_contrastive', 'loss_itm', 'temperature',
                           'loss_contrastive_second', 'loss_itm_second'}
    for name, value in first.items():
        torch.testing.assert_close(losses[name], value)
        if 'loss' in name:
            assert not torch.isclose(again[name], value)
            torch.testing.assert_close(losses[f'{name}_second'], .5 * again[name])


def test_it_needs_what_the_head_inside_needs_and_its_captions():
    head = SecondCaptionHead(dict(type='SDMHead', part='tse'))
    assert (head.needs, head.needs_tokens, head.part) == (('input_ids_2',), False, 'tse')
    assert SecondCaptionHead(dict(type='MatchingHead')).needs_tokens and head.heeds_weights
    with pytest.raises(ValueError, match='weight must not be negative, got -1'):
        SecondCaptionHead(dict(type='SDMHead'), weight=-1)
