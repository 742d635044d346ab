"""All heads at once on a small retriever: on CLIP's towers and on BERT and ViT."""

import numpy as np
import pytest
import torch
from mmengine.optim import OptimWrapper

from mmtbps.datasets.transforms import MaskCaption

HEADS = dict(
    itc=dict(type='HardnessAwareContrastiveHead', temperature=0.07, learnable=True),
    sdm=dict(type='SDMHead', adaptive=0.1), sdm_tse=dict(type='SDMHead', part='tse'),
    identity=dict(type='IdentityHead', num_classes=8, in_dims=12),
    cmpm=dict(type='CMPMHead'), mlm=dict(type='MLMHead', vocab_size=50, dims=12, num_heads=2),
    bge=dict(type='TALHead'), tse=dict(type='TALHead', part='tse'),
    tbps_clip=dict(type='TBPSCLIPHead', citc_weight=0.1, second_view='image_4'),
    simclr=dict(type='SimCLRHead', in_dims=12, loss_weight=0.4),
    triplet=dict(type='HardestTripletHead', loss_weight=10.0),
    sigmoid=dict(type='SigmoidHead', same_person='positive'),
    qc_align=dict(type='QCAlignHead'))
SECOND = dict(type='SecondCaptionHead', key='mlm_input_ids', head=dict(
    type='HardnessAwareContrastiveHead', temperature=0.1))
LOSSES = {'loss_contrastive', 'loss_sdm', 'loss_sdm_tse', 'loss_id', 'loss_cmpm', 'loss_mlm',
          'loss_tal', 'loss_tal_tse', 'loss_nitc', 'loss_ritc', 'loss_citc', 'loss_simclr',
          'loss_triplet', 'loss_sigmoid', 'loss_qc_align'}
NECK = dict(type='TokenSelectionNeck', out_dims=12, selection_dims=8)
CLIP = dict(
    image_backbone=dict(type='CLIPVisionTower', width=16, depth=2, heads=2, patch_size=8, stride=6,
                        img_size=(32, 16)),
    text_backbone=dict(type='CLIPTextTower', width=16, depth=2, heads=2, vocab_size=50))
TOWERS = dict(clip=CLIP, bert_and_vit={})


@pytest.fixture
def retriever(tiny_retriever):
    def build(towers='clip', **parts):
        return tiny_retriever(**{**dict(
            TOWERS[towers], heads=HEADS, image_neck=dict(NECK, side='image'),
            text_neck=dict(NECK, side='text')), **parts})
    return build


@pytest.fixture
def full_batch(tiny_batch):
    """Eight pairs of five people, with masked captions and three further views."""
    def build(seed=0):
        batch = tiny_batch(8, seed=seed)
        generator = torch.Generator().manual_seed(seed)
        mask = MaskCaption(prob=0.4)
        mask._words, mask._mask = np.arange(5, 49), 4
        for row, (sample, ids) in enumerate(zip(batch['data_samples'], batch['inputs'][
                'input_ids'], strict=True)):
            ids[0], ids[-1] = 2, 49  # start and end; the end is the largest id
            sample.set_field(row, 'sample_idx', field_type='metainfo')
            sample.set_field(row * 5 // 8, 'person_id', field_type='metainfo')
        np.random.seed(seed)
        masked = mask(dict(input_ids=batch['inputs']['input_ids']))
        for key in ('mlm_input_ids', 'mlm_labels'):
            batch['inputs'][key] = masked[key]
            batch['inputs'][f'{key}_lengths'] = batch['inputs']['caption_lengths']
        for name in ('image_2', 'image_3', 'image_4'):
            batch['inputs'][name] = [
                torch.randint(0, 256, (3, 32, 16), generator=generator, dtype=torch.uint8)
                for _ in range(8)]
        return batch
    return build


@pytest.mark.parametrize('towers', TOWERS)
def test_a_step_with_every_head(towers, retriever, full_batch):
    model = retriever(towers)
    losses = model(**model.data_preprocessor(full_batch(), True), mode='loss')
    assert {key for key in losses if 'loss' in key} == LOSSES
    for name, value in losses.items():
        assert torch.isfinite(value) and (value != 0 or name == 'loss_nitc'), name
    sum(value for key, value in losses.items() if 'loss' in key).backward()
    # A key's bias shifts all scores alike.
    idle = [name for name, parameter in model.named_parameters()
            if parameter.grad is None or not torch.isfinite(parameter.grad).all()]
    assert not idle


@pytest.mark.parametrize('towers', TOWERS)
def test_training_with_every_head_lowers_every_loss(towers, retriever, full_batch):
    model, batch = retriever(towers).train(), full_batch()
    step, log = OptimWrapper(torch.optim.Adam(model.parameters(), lr=3e-3)), []
    for _ in range(25):
        torch.manual_seed(0)
        log.append({key: value.item() for key, value in model.train_step(batch, step).items()})
    risen = [key for key in LOSSES - {'loss_citc', 'loss_qc_align'} if log[-1][key] > log[0][key]]
    assert log[-1]['loss'] < 0.7 * log[0]['loss'] and not risen, (risen, log[0], log[-1])


def test_a_head_alone_has_the_loss_it_has_among_others(retriever, full_batch):
    model = retriever().eval()
    batch = model.data_preprocessor(full_batch())
    everything = model(**batch, mode='loss')
    for name, settings in HEADS.items():
        alone = retriever(heads={name: settings}).eval()
        alone.load_state_dict(model.state_dict(), strict=False)
        for key, value in alone(**batch, mode='loss').items():
            torch.testing.assert_close(value, everything[key], msg=key)


@pytest.mark.parametrize('name', ['mlm', 'qc_align'])
def test_heads_that_read_tokens_refuse_chunks(name, tiny_retriever):
    with pytest.raises(ValueError, match=f'chunk_size .*heads.{name}, .*needs tokens'):
        tiny_retriever(heads={name: HEADS[name]}, chunk_size=2)


@pytest.mark.parametrize('name', ['tbps_clip', 'simclr', 'second'])
def test_second_passes_in_chunks_equal_the_whole(name, tiny_retriever, full_batch):
    settings = dict(HEADS, second=SECOND)[name]
    if name == 'simclr':
        settings = dict(settings, in_dims=16)
    results = []
    for chunk_size in (None, 3):
        model = tiny_retriever(heads=dict(one=settings), chunk_size=chunk_size).eval()
        losses = model(**model.data_preprocessor(full_batch()), mode='loss')
        sum(value for key, value in losses.items() if 'loss' in key).backward()
        results.append([*losses.values(), model.image_backbone.cls_token.grad])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_search_needs_none_of_it(retriever, full_batch):
    model = retriever().eval()
    bare = retriever(heads=None).eval()
    bare.load_state_dict(model.state_dict())
    batch = model.data_preprocessor(full_batch())
    batch.pop('inputs')
    for name, feature in bare(**batch, mode='tensor').items():
        assert feature.shape == (8, 20)
        torch.testing.assert_close(feature, model(**batch, mode='tensor')[name])
