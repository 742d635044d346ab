"""Two gloo processes equal one process on the joined batch, for every head that joins batches."""

from types import SimpleNamespace

import pytest
import torch
from process_group import run_in_group
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from mmtbps.models import Pairs
from mmtbps.models.heads import EncodedSide
from mmtbps.models.heads.pairs import average_losses, pair_weights_of
from mmtbps.registry import MODELS

WORLD, DIMS = 2, 6
PEOPLE = [0, 1, 1, 2, 3, 0, 4, 3]
LABELS = [[3, 0, 0], [1, 2, 4], [0, 0, 0], [0, 0, 1], [4, 4, 0], [0, 2, 0], [3, 3, 3], [0, 0, 0]]
WEIGHTS = [1.0, 0.5, 1.0, 0.75, 1.0, 1.0, 1.0, 1.0]  # all 1 in the second process
HEADS = dict(
    contrastive=dict(type='HardnessAwareContrastiveHead', temperature=0.2),
    weighted_contrastive=dict(type='HardnessAwareContrastiveHead', temperature=0.2),
    soft_contrastive=dict(type='HardnessAwareContrastiveHead', temperature=0.2, soft_share=0.1,
                          same_person='positive'),
    neighbours=dict(type='HardnessAwareContrastiveHead', temperature=0.2,
                    neighbours=dict(nearest=2, first_cosine=0.0, shared=1)),
    sdm=dict(type='SDMHead', temperature=0.1), cmpm=dict(type='CMPMHead'),
    adaptive=dict(type='SDMHead', temperature=0.1, adaptive=0.1),
    identity=dict(type='IdentityHead', num_classes=5, in_dims=DIMS),
    tal=dict(type='TALHead', temperature=0.2), weighted=dict(type='TALHead', temperature=0.2),
    triplet=dict(type='HardestTripletHead', margin=0.5),
    sigmoid=dict(type='SigmoidHead', same_person='masked'),
    tbps_clip=dict(type='TBPSCLIPHead', citc_weight=0.3, second_view='image_4'),
    syntbpr_weighted_contrastive=dict(type='SynTBPRHead', share=0.1),
    simclr=dict(type='SimCLRHead', in_dims=DIMS, hidden_dims=4),
    fusion=dict(type='FusionTeacherHead', dims=DIMS, num_heads=2, temperature=0.2),
    prototype=dict(type='PrototypeAttentionHead', num_classes=5, dims=DIMS),
    qc_align=dict(type='QCAlignHead'),
    second=dict(type='SecondCaptionHead', key='mlm_input_ids', head=dict(
        type='HardnessAwareContrastiveHead', temperature=0.2, learnable=True)),
    text_negatives=dict(type='TextNegativesHead', temperature=0.2),
    attribute=dict(type='AttributeHead', in_dims=DIMS, rows=64),
    attribute_weighted_contrastive=dict(type='AttributeHead', in_dims=DIMS, rows=64,
                                        sentence_weight=2.0),
    rarity=dict(type='AttributeHead', in_dims=DIMS, rows=64, rarity_power=0.5),
    partial_weighted_contrastive=dict(type='PartialCaptionHead', temperature=0.2),
    mlm=dict(type='MLMHead', vocab_size=7, dims=DIMS, num_layers=1, num_heads=2))


def facts_of(people, rows):
    """Make facts of each person, one for the sentence of each row; another padding in each half."""
    few, many = torch.arange(2), torch.arange(2 if rows[0] == 0 else 3)
    facts = dict(partial_facts=10 * people[:, None] + (rows % 2)[:, None],
                 true_facts=10 * people[:, None] + many,
                 false_facts=10 * ((people + 1) % 3)[:, None] + few)
    masks = {f'{name}_mask': torch.ones_like(values).bool() for name, values in facts.items()}
    masks['true_facts_mask'][:, 2:] = False
    return {**facts, **masks}


class Towers(nn.Module):
    """Two linear towers and a head, in float64; tokens and views are linear too."""

    def __init__(self, name):
        super().__init__()
        torch.manual_seed(0)
        self.image, self.text = nn.Linear(5, DIMS), nn.Linear(5, DIMS)
        self.head = MODELS.build(HEADS[name])
        self.double()
        self.weighted = name.endswith('_contrastive')
        if name == 'weighted':
            self.head.pair_weights = torch.rand(8).double()

    def side(self, tower, values, parts_from=0):
        tokens = tower(values)
        return EncodedSide({'global': tokens[:, parts_from]}, None, lambda: tokens)

    def forward(self, images, texts, rows):
        image, text = self.side(self.image, images), self.side(self.text, texts)
        people, labels = torch.tensor(PEOPLE)[rows], torch.tensor(LABELS)[rows]
        inputs = dict(image_2=images + 1, image_3=images.sin(), image_4=images.cos(),
                      mlm_input_ids=labels, mlm_input_ids_mask=torch.ones_like(labels).bool(),
                      mlm_labels=labels, negative_input_ids=labels,
                      negative_input_ids_mask=torch.ones_like(labels).bool(),
                      negative_real=(rows % 3 != 0)[:, None],
                      partial_input_ids=labels, partial_input_ids_mask=labels >= 0,
                      **facts_of(people, rows))
        pairs = Pairs(image, text, people, rows, inputs, lambda x: self.side(self.image, x),
                      lambda ids, _: self.side(self.text, texts[:, :3] * 2 + ids[..., None]),
                      lambda: (self.side(self.image, images.tanh()), text))
        if self.weighted:
            samples = [SimpleNamespace(pair_weight=WEIGHTS[row]) for row in rows]
            pairs.weights = pair_weights_of(samples, rows.device)
        losses = average_losses(self.head(pairs, samples=[]))
        unused = 0 * (image.tokens.sum() + text.tokens.sum())  # else nothing would be averaged
        return unused + sum(value for name, value in losses.items() if 'loss' in name)


def data():
    generator = torch.Generator().manual_seed(1)
    return (torch.randn(8, 4, 5, generator=generator, dtype=torch.double),
            torch.randn(8, 4, 5, generator=generator, dtype=torch.double), torch.arange(8))


def run(model, values):
    loss = model(*values)
    loss.backward()
    return dict(loss=loss.detach(), grads=[parameter.grad for parameter in model.parameters()])


def work(rank):
    own = slice(rank * 4, rank * 4 + 4)
    return {name: run(DistributedDataParallel(Towers(name)), [x[own] for x in data()])
            for name in HEADS}


@pytest.fixture(scope='module')
def results(tmp_path_factory):
    return run_in_group(work, WORLD, tmp_path_factory.mktemp('gloo'))


@pytest.mark.parametrize('name', HEADS)
def test_two_processes_equal_one(name, results):
    expected = run(Towers(name), data())
    for result in results:
        torch.testing.assert_close(result[name]['loss'], expected['loss'], atol=1e-10, rtol=1e-10)
        for one, joined in zip(result[name]['grads'], expected['grads'], strict=True):
            torch.testing.assert_close(one, joined, atol=1e-10, rtol=1e-10)
    assert any(gradient.abs().max() > 1e-4 for gradient in expected['grads'])
