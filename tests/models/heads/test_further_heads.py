"""Heads beyond their loss: parts, weights, second views, the model's own labels, bad options."""

import math
from types import SimpleNamespace

import pytest
import slow_losses as slow
import torch
from mmengine.logging import MessageHub

from mmtbps.models import (
    IdentityHead,
    Pairs,
    QCAlignHead,
    SDMHead,
    SigmoidHead,
    SimCLRHead,
    TALHead,
    TBPSCLIPHead,
)
from mmtbps.models.heads import EncodedSide, HardestTripletHead, TrainingProgress
from mmtbps.models.heads.qc_align_head import word_mask
from mmtbps.models.losses import sdm_loss

PEOPLE = [3, 1, 3, 0]


def side(values, part='global', mask=None):
    return EncodedSide({part: values}, mask, lambda: values)


def features(seed=0, dims=6):
    generator = torch.Generator().manual_seed(seed)
    image, text = torch.randn(2, 4, dims, generator=generator, dtype=torch.double)
    return image, text


def pairs_of(image, text, part='global', **options):
    return Pairs(side(image, part), side(text, part), torch.tensor(PEOPLE), **options)


def test_a_loss_is_named_by_its_part_and_weighted():
    image, text = features()
    losses = SDMHead(0.1, part='tse', loss_weight=0.5)(pairs_of(image, text, 'tse'), [])
    assert list(losses) == ['loss_sdm_tse']
    expected = sdm_loss(image, text, torch.tensor(PEOPLE), 0.1) / 2
    torch.testing.assert_close(losses['loss_sdm_tse'], expected)
    with pytest.raises(KeyError, match=r"part 'tse' is none of those that the necks give, \['glo"):
        SDMHead(part='tse')(pairs_of(image, text), [])


def test_identity_head_names_a_person_that_is_no_class():
    head = IdentityHead(num_classes=4, in_dims=6).double()
    image, text = features()
    value = head(pairs_of(image, text), [])['loss_id']
    expected = slow.identity(head.classifier(image), head.classifier(text), PEOPLE)
    torch.testing.assert_close(value, expected)
    samples = [SimpleNamespace(person_id=person) for person in (0, 1, 4, 2)]
    with pytest.raises(ValueError, match='person 4 is none of the 4 classes'):
        head(pairs_of(image, text), samples)


def test_tal_head_sums_weighted_pairs():
    image, text = features()
    head, rows = TALHead(temperature=0.2, margin=0.3), torch.tensor([5, 0, 2, 3])
    each = slow.tal(image, text, PEOPLE, 0.2, 0.3)
    torch.testing.assert_close(head(pairs_of(image, text), [])['loss_tal'], each.sum())
    head.pair_weights = torch.tensor([0.5, 9, 1, 0, 9, 2]).double()
    value = head(pairs_of(image, text, rows=rows), [])['loss_tal']
    torch.testing.assert_close(value, 2 * each[0] + 0.5 * each[1] + each[2])
    with pytest.raises(ValueError, match="no 'sample_idx'; keep it in meta_keys"):
        head(pairs_of(image, text), [])


def test_simclr_head_compares_two_views_behind_its_mlp():
    head = SimCLRHead(in_dims=6, hidden_dims=5, views=('a', 'b')).double()
    assert set(head.state_dict()) == {f'simclr_mlp.{i}.{kind}' for i in (0, 2)
                                      for kind in ('weight', 'bias')}
    first, second = features(3)
    image, text = features()
    pairs = pairs_of(image, text, inputs=dict(a=first, b=second),
                     encode_image=lambda values: side(values.tanh()))
    first, second = (
        (values.tanh() @ head.simclr_mlp[0].weight.T + head.simclr_mlp[0].bias).clamp(min=0)
        @ head.simclr_mlp[2].weight.T + head.simclr_mlp[2].bias for values in (first, second))
    torch.testing.assert_close(head(pairs, [])['loss_simclr'], slow.simclr(first, second))


@pytest.fixture
def progress(request):
    """A function that notes a place in a run of 20 iterations, which has 2 epochs unless told."""
    hub = MessageHub.get_instance(f'progress of {request.node.name}')

    def at(epoch, iteration, **more):
        places = dict(epoch=epoch, iter=iteration, max_epochs=2, max_iters=20) | more
        for key, value in places.items():
            hub.update_info(key, value)
    return at


@pytest.mark.parametrize('epoch, iteration, share', [(0, 0, 0), (0, 5, 0.2), (1, 10, 0.4)])
def test_tbps_clip_head_equals_the_loops(epoch, iteration, share, progress):
    progress(epoch, iteration)
    head = TBPSCLIPHead(0.7, 2.0, 0.3, soft_share=0.4, second_view='image_4',
                        temperature=0.2).double()
    image, text = features()
    view, (again, text_again) = features(7)[0], features(8)
    # As with dropout, a second pass gives something else: the labels, without gradient.
    losses = head(pairs_of(image, text, inputs=dict(image_4=view), encode_image=lambda values: side(
        values.sin() if torch.is_grad_enabled() else values.cos()),
        encode_again=lambda: (side(again), side(text_again))), [])

    def contrast(images, images_again):
        soft = [[slow.softmax(row / 0.2) for row in scores] for scores in
                (slow.matrix(images_again, text_again), slow.matrix(text_again, images_again))]
        return slow.soft_label(images, text, PEOPLE, 0.2, soft, share)

    first, second = contrast(image, again), contrast(view.sin(), view.cos())
    expected = dict(loss_nitc=0.35 * (first + second),
                    loss_ritc=2 * slow.reverse(image, text, PEOPLE, 0.2),
                    loss_citc=0.3 * slow.cyclic(image, text),
                    temperature_tbps_clip=torch.tensor(0.2).double())
    assert losses.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value, rtol=1e-6, atol=1e-7)
    losses['loss_nitc'].backward()
    assert head.logit_scale.grad != 0


@pytest.mark.parametrize('iteration, epoch, ramp', [(0, 0, 0), (3, 0, .6), (5, 1, 1), (19, 3, 1)])
def test_a_loop_of_steps_ramps_over_its_first_pass(iteration, epoch, ramp, progress):
    """MMEngine notes such a run as epoch 0 of 1."""
    progress(0, iteration, max_epochs=1, by_epoch=False, epoch_length=5)
    place = TrainingProgress.current()
    assert place == (epoch, iteration, None, 20, 5) and place.first_pass == pytest.approx(ramp)


def test_the_ramp_is_over_outside_a_run(progress):
    assert TrainingProgress.current() == (0, 0, None, None, None)
    assert TrainingProgress().first_pass == 1
    progress(0, 4)  # a Runner without our hook: 2 epochs of 20 steps
    assert TrainingProgress.current().first_pass == pytest.approx(.4)


def test_the_simplified_recipe_makes_no_further_pass():
    head = TBPSCLIPHead(soft_share=0)
    losses = head(pairs_of(*features()), [])  # no encode_again, no views
    assert head.needs == () and set(losses) == {'loss_nitc', 'loss_ritc', 'temperature_tbps_clip'}


def test_the_learned_scale_has_a_ceiling_it_can_leave():
    head = TBPSCLIPHead(soft_share=0, max_scale=20.0).double()
    with torch.no_grad():
        head.logit_scale.fill_(4)
    image, text = features()
    losses = head(pairs_of(image, text), [])
    assert losses['temperature_tbps_clip'].item() == pytest.approx(1 / 20)
    losses['loss_nitc'].backward()
    # As published: the loss is that of the ceiling, the parameter stands where it is, and its
    # gradient is that of the exponential there.
    scale = torch.tensor(20.0).double().requires_grad_()
    expected = slow.soft_label(image, text, PEOPLE, 1 / scale, None, 0)
    expected.backward()
    torch.testing.assert_close(losses['loss_nitc'], expected, rtol=1e-6, atol=1e-7)
    assert head.logit_scale.item() == 4
    assert head.logit_scale.grad.item() == pytest.approx(scale.grad.item() * math.exp(4), rel=1e-6)
    assert scale.grad > 0  # gradient descent lowers it again


def test_sigmoid_head_learns_scale_and_bias():
    image, text = features()
    head = SigmoidHead(scale=3.0, bias=-2.0, same_person='positive').double()
    losses = head(pairs_of(image, text), [])
    expected = slow.sigmoid(image, text, 3.0, -2.0, PEOPLE, 'positive')
    torch.testing.assert_close(losses['loss_sigmoid'], expected, rtol=1e-6, atol=1e-7)
    losses['loss_sigmoid'].backward()
    assert head.logit_scale.grad != 0 and head.logit_bias.grad != 0


def test_qc_align_head_leaves_special_tokens_out():
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(4, 6, 5, generator=generator, dtype=torch.double)
    text = torch.randn(4, 7, 5, generator=generator, dtype=torch.double)
    mask = torch.arange(7) < torch.tensor([7, 4, 5, 6])[:, None]
    pairs = Pairs(EncodedSide({'global': image[:, 0]}, None, lambda: image),
                  EncodedSide({'global': text[:, 0]}, mask, lambda: text), torch.arange(4))
    value = QCAlignHead(iterations=200)(pairs, [])['loss_qc_align']
    expected = slow.qc_align(image[:, 1:], text[:, 1:], [5, 2, 3, 4]) / 2
    torch.testing.assert_close(value, expected, rtol=1e-8, atol=1e-10)
    empty = EncodedSide({}, torch.tensor([[1, 1, 0]]).bool(), lambda: torch.zeros(1, 3, 2))
    assert word_mask(empty).tolist() == [[True, False, False]]


@pytest.mark.parametrize('build', [
    lambda: SDMHead(temperature=0), lambda: TALHead(temperature=-1.0),
    lambda: IdentityHead(num_classes=0), lambda: SigmoidHead(scale=0),
    lambda: SigmoidHead(same_person='x'), lambda: TBPSCLIPHead(0, 0, 0),
    lambda: TBPSCLIPHead(soft_share=2.0), lambda: QCAlignHead(epsilon=0.001),
    lambda: HardestTripletHead(loss_weight=-1.0)])
def test_bad_options_are_refused(build):
    with pytest.raises(ValueError, match='got'):
        build()
