"""Four gloo processes equal one process on the joined batch: loss, gradients, not memory."""

import pytest
import torch
from process_group import run_in_group
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mmtbps.models import HardnessAwareContrastiveHead, Pairs
from mmtbps.models.heads import EncodedSide
from mmtbps.models.losses import average_value
from mmtbps.models.losses.info_nce import SAME_PERSON_CHOICES

WORLD = 4
PERSON_IDS = [0, 1, 1, 2, 3, 0, 4, 3]
PAIRS, DIMS = 64, 8  # of all processes, where memory is looked at


class Towers(nn.Module):
    """Two linear towers and the head, in float64."""

    def __init__(self, same_person):
        super().__init__()
        torch.manual_seed(0)
        self.image, self.text = nn.Linear(5, 4), nn.Linear(3, 4)
        self.head = HardnessAwareContrastiveHead(0.05, learnable=True, same_person=same_person)
        self.double()

    def forward(self, images, texts, person_ids):
        pairs = Pairs(EncodedSide({'global': self.image(images)}),
                      EncodedSide({'global': self.text(texts)}), torch.tensor(person_ids))
        return average_value(self.head(pairs, samples=[])['loss_contrastive'])


class LargestTensor(TorchDispatchMode):
    """Remembers how many elements the largest tensor had that any operation gave or took."""

    numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        results = func(*args, **(kwargs or {}))
        for value in tree_leaves((results, args, kwargs)):
            if torch.is_tensor(value):
                self.numel = max(self.numel, value.numel())
        return results


def data():
    generator = torch.Generator().manual_seed(1)
    return (torch.randn(8, 5, generator=generator, dtype=torch.double),
            torch.randn(8, 3, generator=generator, dtype=torch.double))


def share(rank, world, count):
    return slice(rank * count // world, (rank + 1) * count // world)


def loss_and_gradients(same_person, rank):
    model = DistributedDataParallel(Towers(same_person))
    images, texts = data()
    own = share(rank, WORLD, len(PERSON_IDS))
    loss = model(images[own], texts[own], PERSON_IDS[own])
    loss.backward()
    return dict(loss=loss.detach(), grads=[p.grad for p in model.parameters()])


def largest_tensor(same_person, rank, world):
    """Elements of the largest tensor of a training step of the head, forward and backward."""
    image, text = torch.randn(2, PAIRS // world, DIMS).unbind()
    image.requires_grad_(), text.requires_grad_()
    own = share(rank, world, PAIRS)
    head = HardnessAwareContrastiveHead(0.05, learnable=True, same_person=same_person)
    pairs = Pairs(EncodedSide({'global': image}), EncodedSide({'global': text}),
                  torch.arange(PAIRS)[own] // 2)
    with LargestTensor() as largest:
        average_value(head(pairs, samples=[])['loss_contrastive']).backward()
    return largest.numel


def work(rank):
    return {same_person: dict(**loss_and_gradients(same_person, rank),
                              largest=largest_tensor(same_person, rank, WORLD))
            for same_person in SAME_PERSON_CHOICES}


@pytest.fixture(scope='module')
def results(tmp_path_factory):
    """Loss, gradients and largest tensor of each process."""
    return run_in_group(work, WORLD, tmp_path_factory.mktemp('gloo'))


@pytest.mark.parametrize('same_person', SAME_PERSON_CHOICES)
def test_four_processes_equal_one(same_person, results):
    model = Towers(same_person)
    loss = model(*data(), PERSON_IDS)
    loss.backward()
    for result in results:
        result = result[same_person]
        torch.testing.assert_close(result['loss'], loss.detach(), atol=1e-10, rtol=1e-10)
        for one, joined in zip(result['grads'], model.parameters(), strict=True):
            torch.testing.assert_close(one, joined.grad, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize('same_person', SAME_PERSON_CHOICES)
def test_no_process_holds_the_similarities_of_all(same_person, results):
    """Local x global is the largest tensor there is; one process alone shows it can be more."""
    assert {result[same_person]['largest'] for result in results} == {PAIRS // WORLD * PAIRS}
    assert largest_tensor(same_person, rank=0, world=1) == PAIRS * PAIRS
