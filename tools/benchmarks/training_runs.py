"""One row of the training benchmark, in a process of its own."""

import contextlib
import itertools
import logging
import resource
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import FUNCTIONS, init_default_scope
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.data import DataLoader, Dataset

from mmtbps.datasets.transforms import load_tokenizer
from mmtbps.engine import CompileHook
from mmtbps.models import Tower
from mmtbps.registry import DATASETS, MODELS

from .plain_clip import PlainCLIP
from .plain_training import (
    PlainInputs,
    PlainPairs,
    PlainRetriever,
    plain_optimizer,
    plain_step,
)

FOLDER = Path(__file__).parents[2] / 'configs'
CONFIGS = {'drawn': 'tbps/vit_bert_base_drawn.py', 'base': 'tbps/vit_bert_base_cuhk.py',
           'tiny': 'tbps/vit_bert_base_drawn.py', 'clip': 'clip/clip_b16_itc_cuhk.py',
           'clip-tiny': 'clip/clip_b16_itc_cuhk.py'}
# Random numbers would differ, and with them the losses that are compared.
NO_DROPOUT = dict(hidden_dropout_prob=0., attention_probs_dropout_prob=0.)
BERT_BASE = dict(vocab_size=30522)  # all other defaults of transformers are those of BERT-base
TINY_VIT = dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32)
TINY_BERT = dict(hidden_size=16, num_attention_heads=2, intermediate_size=32)
TINY_CLIP = dict(width=16, depth=2, heads=2)


@dataclass(frozen=True)
class Workload:
    """Sizes and machine that all rows have in common.

    Attributes:
        size: a key of ``CONFIGS``.
        folder: of the drawn set.
        device: ``'cpu'`` or ``'cuda'``.
        threads: of the CPU.
        workers: of the loader.
        batch: pairs a step.
        warmup: steps before the clock runs.
        steps: measured steps.
        preload: load all batches before the first step.
    """

    size: str
    folder: str
    device: str
    threads: int
    workers: int
    batch: int
    warmup: int
    steps: int
    preload: bool = False


@dataclass(frozen=True)
class Setting:
    """The way a row trains; by default ours, with all that makes it fast and changes no result."""

    plain: bool = False
    dtype: str = 'float32'
    fused_attention: bool = True
    dynamic_length: bool = True
    one_token: bool = True
    fused_optimizer: bool = True
    device_normalisation: bool = True
    late_losses: bool = True
    compiled: bool = False
    chunk_size: int | None = None
    checkpointed: bool = False


def in_own_process(work: Callable[..., Any], *args: Any) -> Any:
    """Call a function where nothing else has used memory or threads.

    A fork, as all is imported here; the caller itself must leave torch's threads and the GPU alone.
    """
    with ProcessPoolExecutor(1, mp_context=get_context('fork')) as own_process:
        return own_process.submit(work, *args).result()


class Training(NamedTuple):
    """A training that is about to begin.

    Attributes:
        step: trains on a batch and returns the loss.
        batches: of the loader.
        lengths: gets the padded length of each batch's captions.
        megabytes: what the process held at most before it built the model.
    """

    step: Callable[[Any], Tensor | float]
    batches: Iterator
    lengths: list[int]
    megabytes: float


def train(work: Workload, setting: Setting) -> dict | None:
    """Time, memory, losses and padded lengths of a row; None if the GPU's memory was too small."""
    try:
        return _train(work, setting)
    except torch.OutOfMemoryError:
        return None


def _train(work: Workload, setting: Setting) -> dict:
    with started(work, setting) as (step, batches, lengths, megabytes):
        losses = [step(batch) for batch in itertools.islice(batches, work.warmup)]
        start, cpu_start = _now(work.device), time.process_time()
        losses += [step(batch) for batch in batches]
        seconds, cpu_seconds = _now(work.device) - start, time.process_time() - cpu_start
    return dict(seconds=seconds / work.steps, cpu_seconds=cpu_seconds / work.steps,
                losses=[float(loss) for loss in losses], lengths=lengths[work.warmup:],
                megabytes=_peak_megabytes(work.device) - megabytes)


@contextlib.contextmanager
def started(work: Workload, setting: Setting) -> Iterator[Training]:
    """Data and model of a row; the attention kernels are chosen while it is entered."""
    torch.set_num_threads(work.threads)
    logging.disable(logging.WARNING)  # of MMEngine; they would tear the table apart
    init_default_scope('mmtbps')
    cfg = load_config(work, setting)
    batches = open_batches(work, setting, cfg)
    megabytes, lengths = _peak_megabytes(work.device), []
    step = (_plain_step if setting.plain else _our_step)(cfg, work, setting, lengths)
    kernels = [] if setting.fused_attention else [sdpa_kernel(SDPBackend.MATH)]
    with contextlib.ExitStack() as changes:
        for change in (last_layer(setting.one_token), *kernels):
            changes.enter_context(change)
        yield Training(step, batches, lengths, megabytes)


@contextlib.contextmanager
def last_layer(one_token: bool) -> Iterator[None]:
    """While entered, the last layers of both towers run for all tokens, unless for one."""
    run = Tower.run
    if not one_token:
        Tower.run = lambda tower, tokens, start=0, stop=None, read_only=False: run(
            tower, tokens, start, stop)
    try:
        yield
    finally:
        Tower.run = run


def plain_kind(size: str) -> type[PlainRetriever] | type[PlainCLIP]:
    """The plain model of a size."""
    return PlainCLIP if size.startswith('clip') else PlainRetriever


def load_config(work: Workload, setting: Setting) -> Config:
    """The config of that size, without files it starts from and as the row wants it."""
    cfg = Config.fromfile(FOLDER / CONFIGS[work.size])
    image, text = cfg.model.image_backbone, cfg.model.text_backbone
    image.init_cfg = None
    if plain_kind(work.size) is PlainRetriever:
        text.pop('model', None)
        text.config = {**text.get('config', BERT_BASE), **NO_DROPOUT}
    if work.size == 'tiny':
        image.arch = TINY_VIT
        text.config.update(TINY_BERT)
    elif work.size == 'clip-tiny':
        image.update(TINY_CLIP)
        text.update(TINY_CLIP)
    if not setting.dynamic_length:
        cfg.model.data_preprocessor.min_length = plain_kind(work.size).inputs.length
    if not setting.device_normalisation:
        cfg.model.data_preprocessor.update(mean=(0., 0., 0.), std=(1., 1., 1.), to_rgb=False)
    if setting.chunk_size:
        cfg.model.chunk_size = setting.chunk_size
    if setting.checkpointed:
        image.with_cp = text.with_cp = True
    cfg.optim_wrapper.pop('dtype', None)
    cfg.optim_wrapper.type = 'OptimWrapper'
    if setting.dtype != 'float32':
        cfg.optim_wrapper.update(type='MixedPrecisionOptimWrapper', dtype=setting.dtype)
    cfg.optim_wrapper.optimizer.fused = setting.fused_optimizer
    return cfg


def build_model(cfg: Config) -> nn.Module:
    """Our model; its random weights are the same each time."""
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    return model


def open_batches(work: Workload, setting: Setting, cfg: Config) -> Iterator:
    """The drawn pairs in batches; nothing in the pipeline is random, so all rows see the same."""
    pipeline, inputs = cfg.test_dataloader.dataset.pipeline, plain_kind(work.size).inputs
    tokenize = next(transform for transform in pipeline if 'tokenizer' in transform)
    if 'mmtbps://' not in tokenize.tokenizer:
        tokenize.tokenizer = f'{work.folder}/tokenizer'
    pairs = DATASETS.build(dict(type='DrawnPEDES', data_root=work.folder, pipeline=pipeline))
    order = _order(len(pairs), work.batch * (work.warmup + work.steps))
    if setting.plain:
        items = [(item['img_path'], item['caption'])
                 for item in map(pairs.get_data_info, range(len(pairs)))]
        pairs = PlainPairs(items, load_tokenizer(tokenize.tokenizer),
                           cfg.model.image_backbone.img_size, inputs)
    elif not setting.device_normalisation:
        pairs = _Normalised(pairs, inputs)
    batches = DataLoader(
        pairs, work.batch, sampler=order, num_workers=work.workers,
        collate_fn=_collate_function(cfg, setting), pin_memory=work.device == 'cuda')
    return iter(list(batches) if work.preload else batches)


def _collate_function(cfg: Config, setting: Setting) -> Callable | None:
    if setting.plain:
        return None
    name = cfg.train_dataloader.get('collate_fn', dict(type=pseudo_collate))['type']
    return FUNCTIONS.get(name) if isinstance(name, str) else name


def _our_step(cfg: Config, work: Workload, setting: Setting, lengths: list[int]) -> Callable:
    model = build_model(cfg).to(work.device).train()
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    model.data_preprocessor.register_forward_hook(
        lambda module, inputs, batch: lengths.append(batch['input_ids'].shape[1]))
    if setting.compiled:
        CompileHook().before_train(SimpleNamespace(model=model, logger=logging.getLogger()))

    def step(batch: dict) -> Tensor | float:
        loss = model.train_step(batch, optim_wrapper)['loss'].detach()
        return loss if setting.late_losses else loss.item()

    return step


def _plain_step(cfg: Config, work: Workload, setting: Setting, lengths: list[int]) -> Callable:
    ours = build_model(cfg)
    model = plain_kind(work.size).like(ours)
    model.load_ours(ours.state_dict())
    model.to(work.device)
    options = dict(cfg.optim_wrapper.optimizer)
    options.pop('fused')
    train_step = plain_step(
        model, plain_optimizer(model, options.pop('type'), **options),
        cfg.optim_wrapper.get('clip_grad', {}).get('max_norm'),
        half=setting.dtype == 'float16', device=work.device)

    def step(batch: list[Tensor]) -> float:
        lengths.append(batch[1].shape[1])
        return train_step(batch)

    return step


class _Normalised(Dataset):
    """Our pairs with pictures that the loader has normalised."""

    def __init__(self, pairs: Dataset, inputs: PlainInputs):
        self.pairs = pairs
        self.mean, self.std = (255 * torch.tensor(values).view(3, 1, 1) for values in inputs[:2])

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> dict:
        item = self.pairs[index]
        item['inputs']['image'] = (item['inputs']['image'].flip(0).float() - self.mean) / self.std
        return item


def _order(count: int, needed: int) -> list[int]:
    """Draw the order of the pairs: all of them once, at random, and again."""
    draw, order = torch.Generator().manual_seed(0), []
    while len(order) < needed:
        order += torch.randperm(count, generator=draw).tolist()
    return order[:needed]


def _now(device: str) -> float:
    if device == 'cuda':
        torch.cuda.synchronize()
    return time.perf_counter()


def _peak_megabytes(device: str) -> float:
    if device == 'cuda':
        return torch.cuda.max_memory_allocated() / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == 'darwin' else 2**10)
