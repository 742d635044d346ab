"""Matrix products: how many FLOPs a pair needs, and how many a second the machine can do."""

import time

import torch
from mmengine.registry import init_default_scope
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mmtbps.registry import MODELS

from .training_runs import Setting, Workload, last_layer, load_config, plain_kind

SIDES = {'cpu': 2048, 'cuda': 8192}


def flops_a_pair(work: Workload, plain: bool, one_token: bool, length: int) -> int:
    """FLOPs of one pair in both towers, forwards and backwards; nothing is computed.

    Activations that are computed again count once.

    Args:
        work: names the size of the model.
        plain: the plain model, or ours.
        one_token: ours computes its last layers for one token.
        length: tokens of the padded caption.
    """
    init_default_scope('mmtbps')
    cfg = load_config(work, Setting())
    # The counter does not know every fused attention kernel; written out, it knows all.
    with torch.device('meta'), sdpa_kernel(SDPBackend.MATH), last_layer(one_token):
        model = MODELS.build(cfg.model)
        images = torch.empty(1, 3, *cfg.model.image_backbone.img_size)
        ids = torch.zeros(1, length, dtype=torch.int64)
        mask = torch.ones(1, length, dtype=torch.bool)
        if plain:
            model = plain_kind(work.size).like(model)
            towers = model.image, model.text
        else:
            towers = model.image_backbone, model.text_backbone
        with FlopCounterMode(display=False) as counter:
            (towers[0](images).sum() + towers[1](ids, mask).sum()).backward()
    return counter.get_total_flops()


def matrix_peak(dtype: str, device: str, threads: int, runs: int = 10) -> float:
    """FLOPs a second of a product of large square matrices; the fastest run counts."""
    torch.set_num_threads(threads)
    side = SIDES[device]
    left, right = torch.randn(2, side, side, device=device, dtype=getattr(torch, dtype)).unbind()
    seconds = []
    for _ in range(runs):
        if device == 'cuda':
            torch.cuda.synchronize()
        start = time.perf_counter()
        left @ right
        if device == 'cuda':
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return 2 * side**3 / min(seconds)
