"""Two gloo processes equal one process on the joined batch, loss and gradients."""

import pytest
import torch
import torch.multiprocessing as processes
from mmengine.structures import BaseDataElement
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from mmtbps.models import HardnessAwareContrastiveHead
from mmtbps.models.losses.info_nce import SAME_PERSON_CHOICES

PERSON_IDS = [0, 1, 1, 2, 3, 0]


class Towers(nn.Module):
    """Two linear towers and the head, in float64."""

    def __init__(self, same_person):
        super().__init__()
        torch.manual_seed(0)
        self.image, self.text = nn.Linear(5, 4), nn.Linear(3, 4)
        self.head = HardnessAwareContrastiveHead(0.05, learnable=True, same_person=same_person)
        self.double()

    def forward(self, images, texts, person_ids):
        people = [BaseDataElement(metainfo=dict(person_id=i)) for i in person_ids]
        return self.head.loss(self.image(images), self.text(texts), people)['loss_contrastive']


def data():
    generator = torch.Generator().manual_seed(1)
    return (torch.randn(6, 5, generator=generator, dtype=torch.double),
            torch.randn(6, 3, generator=generator, dtype=torch.double))


def work(rank, folder):
    torch.distributed.init_process_group('gloo', init_method=f'file://{folder}/meet', rank=rank,
                                         world_size=2)
    results = {}
    for same_person in SAME_PERSON_CHOICES:
        model = DistributedDataParallel(Towers(same_person))
        images, texts = data()
        own = slice(3 * rank, 3 * rank + 3)
        loss = model(images[own], texts[own], PERSON_IDS[own])
        loss.backward()
        results[same_person] = dict(loss=loss.detach(), grads=[p.grad for p in model.parameters()])
    torch.save(results, f'{folder}/{rank}.pt')
    del model, loss  # they hold the group, which must not be torn down under the interpreter lock
    torch.distributed.barrier()  # who leaves early may leave the other waiting for ever
    torch.distributed.destroy_process_group()


@pytest.fixture(scope='module')
def results(tmp_path_factory):
    """What each of the two processes found."""
    folder = tmp_path_factory.mktemp('gloo')
    processes.spawn(work, (str(folder),), nprocs=2)
    return [torch.load(folder / f'{rank}.pt') for rank in range(2)]


@pytest.mark.parametrize('same_person', SAME_PERSON_CHOICES)
def test_two_processes_equal_one(same_person, results):
    model = Towers(same_person)
    loss = model(*data(), PERSON_IDS)
    loss.backward()
    for result in results:
        result = result[same_person]
        torch.testing.assert_close(result['loss'], loss.detach(), atol=1e-10, rtol=1e-10)
        for one, joined in zip(result['grads'], model.parameters(), strict=True):
            torch.testing.assert_close(one, joined.grad, atol=1e-10, rtol=1e-10)
