"""Heads heed the weights of pairs; one of another project that does not is named."""

import pytest
import torch
from test_further_heads import PEOPLE, features, pairs_of, side

from mmtbps import models
from mmtbps.models import Pairs
from mmtbps.models.heads import BaseHead, EncodedSide
from mmtbps.models.heads.pairs import Fusion

WEIGHTS = torch.tensor([2., 0., .5, 1.])
HEADS = {
    'CMPMHead': {}, 'HardestTripletHead': dict(margin=.5), 'SDMHead': dict(temperature=.2),
    'SigmoidHead': {}, 'TALHead': dict(temperature=.2, margin=.3),
    'IdentityHead': dict(num_classes=4, in_dims=6), 'QCAlignHead': {},
    'SimCLRHead': dict(in_dims=6, hidden_dims=5, views=('a', 'b')),
    'HardnessAwareContrastiveHead': dict(temperature=.2),
    'SynTBPRHead': dict(share=.1, temperature=.2),
    'TBPSCLIPHead': dict(citc_weight=.3, soft_share=.4, second_view='a', temperature=.2),
    'FusionTeacherHead': dict(dims=6, num_heads=2, temperature=.2),
    'PrototypeAttentionHead': dict(num_classes=4, dims=6, temperature=.3),
    'RestorationHead': dict(patch_size=4, dims=8, num_heads=2, num_layers=1, keep_share=.4),
    'MatchingHead': {}, 'FusionMLMHead': dict(dims=6, vocab_size=9),
    'MLMHead': dict(vocab_size=9, dims=6, num_layers=1, num_heads=2)}
#: Heads that heed them as the head inside does.
AROUND_ANOTHER = {'ExplanationWeightHead', 'NoiseMaskingHead', 'SecondCaptionHead'}
LABELS = torch.tensor([[3, 0, 0, 5], [0, 0, 7, 0], [1, 2, 4, 0], [0, 0, 0, 0]])  # unequal counts


def weighted(name, options, weights, rows=None):
    torch.manual_seed(0)
    head = getattr(models, name)(**options).double().eval()
    image, text = features()
    inputs = dict(a=features(3)[0], b=features(4)[0])
    pairs = pairs_of(image, text, inputs=inputs, weights=weights, rows=rows,
                     encode_image=lambda values: side(values.tanh()),
                     encode_again=lambda: (side(image.sin()), side(text.sin())))
    if getattr(models, name).needs_tokens:
        pairs = pairs_with_tokens(weights, width=8 if name == 'RestorationHead' else 6)
    return sum(value for key, value in head(pairs, []).items() if 'loss' in key)


def pairs_with_tokens(weights, width):
    """Pairs whose tokens are what they are, and a model that adds up tokens of both sides."""
    generator = torch.Generator().manual_seed(2)
    images, *tokens = (torch.randn(4, *shape, generator=generator).double() for shape in (
        (3, 12, 8), (5, width), (4, width)))
    image, text = (EncodedSide({'global': one[:, 0]}, None, lambda one=one: one,
                               lambda one=one: one) for one in tokens)
    table = torch.randn(9, width, generator=generator).double()
    mask = torch.ones_like(LABELS).bool()

    def fuse(image, text, mask):
        return (text + image.mean(1, keepdim=True)).sin()

    fusion = Fusion(lambda ids, mask, side: side.tokens if side else table[ids], fuse,
                    lambda *both: fuse(*both)[:, 0, :2], table)
    return Pairs(
        image, text, torch.tensor(PEOPLE), weights=weights, images=images, fusion=fusion,
        input_ids=LABELS, attention_mask=mask,
        inputs=dict(mlm_input_ids=LABELS, mlm_input_ids_mask=mask, mlm_labels=LABELS),
        encode_text=lambda ids, mask: EncodedSide({}, None, lambda: table[ids]),
        encode_image=lambda images, places: EncodedSide(
            {}, None, lambda: places[..., None] + images.mean((1, 2, 3))[:, None, None]
            + torch.arange(width)))


@pytest.mark.parametrize('name', HEADS)
def test_a_head_heeds_the_weights(name):
    """The loss is linear in them: its slopes are what pairs cost alone."""
    def loss(weights):
        return weighted(name, HEADS[name], weights)

    slopes = [loss(one) for one in torch.eye(4).double()]
    plain = loss(None)  # which has neither weights nor their code
    torch.testing.assert_close(sum(slopes), plain)
    expected = sum(weight * slope for weight, slope in zip(WEIGHTS, slopes, strict=True))
    torch.testing.assert_close(loss(WEIGHTS.double()), expected)
    assert not torch.isclose(expected, plain) and getattr(models, name).heeds_weights


def test_every_head_is_asked():
    known = {name for name in dir(models) if name.endswith('Head')} - {'BaseHead', 'PartHead'}
    assert known == {*HEADS, *AROUND_ANOTHER}


class Unheeding(BaseHead):
    """A head of another project, which knows nothing of weights."""

    def forward(self, pairs, samples):
        return dict(loss_own=pairs.image.parts['global'].square().mean())


def test_a_head_that_does_not_heed_them_is_named_once(tiny_retriever, tiny_batch, capsys):
    model = tiny_retriever()
    model.heads['own'] = Unheeding()
    batch = model.data_preprocessor(tiny_batch(), training=True)
    model(**batch, mode='loss')
    assert 'does not heed' not in ''.join(capsys.readouterr())
    batch['data_samples'][0].set_metainfo(dict(pair_weight=.5))
    for _ in range(2):
        model(**batch, mode='loss')
    said = ''.join(capsys.readouterr())
    assert said.count('head own (Unheeding) does not heed the weights of pairs') == 1
    assert 'head contrastive' not in said
