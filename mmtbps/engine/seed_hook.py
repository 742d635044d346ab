"""Hook that makes a resumed run continue as the uninterrupted one."""

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook

from mmtbps.registry import HOOKS


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Hook that reseeds torch at the start of each epoch from (seed, epoch, rank).

    Dropout, mixup partners and the like draw from torch's generator, whose state no
    checkpoint holds. Samples themselves are seeded by the samplers (``SeededIndex``).
    """

    priority = 'VERY_HIGH'

    def before_train_epoch(self, runner) -> None:
        """Reseed the generators of this process."""
        sequence = [runner.seed, runner.epoch, get_rank()]
        seed = 0
        for number in sequence:
            seed = (seed * 1_000_003 + number + 1) % (1 << 63)
        torch.manual_seed(seed)
