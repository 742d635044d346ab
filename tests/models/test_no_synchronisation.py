"""The training step never waits for the device, shown on a machine that has none.

On torch's ``meta`` device a tensor has a shape and no values, so whatever must read one raises
there: ``item``, ``tolist``, ``nonzero``, an index of booleans, a copy to the CPU. The other way,
from the CPU, a copy waits unless it says ``non_blocking``; that is what `NoWaiting` watches.
"""

from contextlib import ExitStack, nullcontext
from dataclasses import replace

import pytest
import torch
from mmengine.optim import OptimWrapper
from tiny_models import TINY_BERT, TINY_VIT
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from mmtbps.engine import MixedPrecisionOptimWrapper
from mmtbps.models.backbones.vit import OverlapViT

AUGMENTS = [dict(type='BatchRandomFlip'), dict(type='BatchRandomCrop', padding=2),
            dict(type='BatchRandomErasing')]
EVERYTHING = dict(
    data_preprocessor=dict(type='TextImagePreprocessor', pad_multiple=8, batch_augments=AUGMENTS),
    mixup=dict(type='FeatureMixup', prob=0.5, beta=1.0, layer=1))
HEAD = dict(type='HardnessAwareContrastiveHead', temperature=0.05)
RECOMPUTED = dict(
    image_backbone=dict(type=OverlapViT, arch=TINY_VIT, img_size=(32, 16), patch_size=8, stride=6,
                        drop_path_rate=0.1, with_cp=True),
    text_backbone=dict(type='BERTBackbone', config=dict(TINY_BERT, hidden_dropout_prob=0.1),
                       pooling='mean', with_cp=True))
CLIP = dict(
    image_backbone=dict(type='CLIPVisionTower', width=16, depth=2, heads=2, patch_size=8, stride=6,
                        img_size=(32, 16)),
    text_backbone=dict(type='CLIPTextTower', width=16, depth=2, heads=2, vocab_size=50))
LAYERS = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2)
SIGLIP = dict(
    image_backbone=dict(type='SigLIPVisionTower', img_size=(32, 16),
                        config=dict(LAYERS, image_size=32, patch_size=8)),
    text_backbone=dict(type='SigLIPTextTower', config=dict(
        LAYERS, vocab_size=50, max_position_embeddings=16, bos_token_id=None, eos_token_id=1)),
    data_preprocessor=dict(type='TextImagePreprocessor', min_length=16, batch_augments=AUGMENTS))
NECK = dict(type='TokenSelectionNeck', out_dims=12, selection_dims=8)
FURTHER = dict(
    mixup=None, image_neck=dict(NECK, side='image'), text_neck=dict(NECK, side='text'),
    image_backbone=dict(type='CLIPVisionTower', width=16, depth=2, heads=2, patch_size=8,
                        img_size=(32, 16)),
    text_backbone=dict(type='CLIPTextTower', width=16, depth=2, heads=2, vocab_size=50),
    heads=dict(sdm=dict(type='SDMHead', adaptive=0.1), cmpm=dict(type='CMPMHead'),
               identity=dict(type='IdentityHead', num_classes=9, in_dims=12),
               bge=dict(type='TALHead'), tse=dict(type='TALHead', part='tse'),
               tbps_clip=dict(type='TBPSCLIPHead', citc_weight=0.1),
               triplet=dict(type='HardestTripletHead'), sigmoid=dict(type='SigmoidHead'),
               qc_align=dict(type='QCAlignHead'),
               noise=dict(type='NoiseMaskingHead', mask_id=49, words=(1, 49), head=HEAD),
               fusion=dict(type='FusionTeacherHead', dims=12, num_heads=2),
               prototype=dict(type='PrototypeAttentionHead', num_classes=9, dims=12),
               restoration=dict(type='RestorationHead', patch_size=8, dims=12, num_heads=2)))
OPTIONS = dict(
    further=FURTHER,
    everything={}, chunks=dict(chunk_size=2), recomputed=RECOMPUTED, plain=dict(mixup=None),
    clip=CLIP, siglip=SIGLIP,
    neighbours=dict(heads=dict(contrastive=dict(HEAD, neighbours=dict(nearest=2)))),
    explained=dict(mixup=None, heads=dict(
        contrastive=dict(type='ExplanationWeightHead', head=HEAD))),
    masked=dict(heads=dict(contrastive=dict(HEAD, same_person='masked'))),
    positive=dict(heads=dict(contrastive=dict(HEAD, same_person='positive', learnable=True))))


class Waits(Exception):
    """The CPU would have waited for the device."""


class _Copies(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if function in (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default):
            source = args[function is torch.ops.aten.copy_.default]
            non_blocking = (kwargs or {}).get('non_blocking', len(args) > 2 and args[2])
            if source.device.type == 'cpu' != result.device.type and not non_blocking:
                raise Waits(f'a copy from the CPU that blocks: {function}')
        return result


class _Constants(TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        source = args[0].device if function is Tensor.new_tensor else 'cpu'
        device = torch.device((kwargs or {}).get('device') or source)
        makers = (torch.tensor, torch.as_tensor, Tensor.new_tensor)
        if function in makers and device.type != 'cpu':
            raise Waits(f'{function.__name__} of Python numbers on the device')
        if function in (Tensor.__getitem__, Tensor.__setitem__) and args[0].device.type != 'cpu':
            index = args[1] if isinstance(args[1], tuple) else (args[1],)
            if any(isinstance(i, list) or (isinstance(i, Tensor) and i.device.type == 'cpu')
                   for i in index):
                raise Waits('an index that lies on the CPU')
        return function(*args, **(kwargs or {}))


class NoWaiting(ExitStack):
    """Inside, a copy to the device that the CPU must wait for raises `Waits`."""

    def __enter__(self):
        super().__enter__()
        self.enter_context(_Copies())
        self.enter_context(_Constants())
        return self


@pytest.fixture
def on_meta(monkeypatch):
    """Autocast, which the loss switches off for itself, does not know the meta device."""
    monkeypatch.setattr(torch, 'autocast', lambda *_, **__: nullcontext())


@pytest.mark.parametrize('options', OPTIONS.values(), ids=OPTIONS.keys())
def test_a_step_never_waits(options, on_meta, tiny_retriever, tiny_batch):
    model = tiny_retriever(**{**EVERYTHING, **options}).to('meta')
    step = OptimWrapper(torch.optim.AdamW(model.parameters(), lr=1e-3))
    with NoWaiting():
        log = model.train_step(tiny_batch(6), step)
    assert log['loss'].device.type == 'meta', 'nothing was computed on the device'
    assert all(parameter.device.type == 'meta' for parameter in model.parameters())


WAITING = dict(
    item=lambda x: x.sum().item(), truth=lambda x: bool(x.any()), numbers=lambda x: x.tolist(),
    to_the_cpu=lambda x: x.cpu(), where=lambda x: x.nonzero(), booleans=lambda x: x[x > 0],
    repeats=lambda x: x.repeat_interleave(x.long()), constant=lambda x: x.new_tensor([1.0, 2.0]),
    tensor=lambda x: torch.tensor([1.0, 2.0], device=x.device), move=lambda x: OWN.to(x.device),
    copy=lambda x: x.copy_(OWN), index=lambda x: x[OWN.long()], places=lambda x: x[[0, 1]])
OWN = torch.ones(2)


@pytest.mark.parametrize('wait', WAITING.values(), ids=WAITING.keys())
def test_the_check_can_fail(wait):
    with NoWaiting(), pytest.raises((Waits, RuntimeError)):
        wait(torch.ones(2, device='meta'))


def test_what_does_not_wait_passes():
    x = torch.ones(2, device='meta')
    with NoWaiting():
        x.copy_(OWN, non_blocking=True)
        moved = OWN.to('meta', non_blocking=True)
        assert (x[moved.long()] * 2 + torch.arange(2, device='meta'))[None, 1:].shape == (1, 1)


@pytest.mark.parametrize('when', ['forward', 'backward'])
def test_one_value_read_in_the_step_is_found(when, on_meta, monkeypatch, tiny_retriever,
                                             tiny_batch):
    model = tiny_retriever(**EVERYTHING).to('meta')
    pool = model.image_backbone.pool

    def reading(tokens):
        if when == 'backward':
            tokens.hidden.register_hook(lambda gradient: gradient.sum().item() * gradient)
            return pool(tokens)
        return pool(replace(tokens, hidden=tokens.hidden * tokens.hidden.max().item()))

    monkeypatch.setattr(model.image_backbone, 'pool', reading)
    with NoWaiting(), pytest.raises(RuntimeError, match='item'):
        model.train_step(tiny_batch(6), OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1)))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
@pytest.mark.parametrize('dtype', ['bfloat16', 'float16'])
@pytest.mark.parametrize('options', OPTIONS.values(), ids=OPTIONS.keys())
def test_steps_on_a_gpu_never_wait(options, dtype, tiny_retriever, tiny_batch):
    """As torch itself sees it; the first step may wait for memory and libraries."""
    model = tiny_retriever(**{**EVERYTHING, **options}).cuda()
    step = MixedPrecisionOptimWrapper(
        dtype=dtype, optimizer=torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True))
    batches = [tiny_batch(6, seed=seed) for seed in range(3)]
    model.train_step(batches[0], step)
    torch.cuda.set_sync_debug_mode('error')
    try:
        logs = [model.train_step(batch, step) for batch in batches[1:]]
    finally:
        torch.cuda.set_sync_debug_mode('default')
    assert all(torch.isfinite(log['loss']) for log in logs)
