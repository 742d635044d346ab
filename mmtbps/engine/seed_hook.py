"""Hook that makes a resumed run continue as the uninterrupted one."""

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook

from mmtbps.registry import HOOKS

from .resume_hook import begun_steps, counts_epochs


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Hook that seeds torch from the seed of the run, the place in it and the rank.

    Dropout, mixup partners and the like draw from torch's generator, whose state no checkpoint
    holds. It is seeded when the first batch of an epoch is there, after each checkpoint that is
    written within an epoch, and before every step where the loop counts steps alone: what loaders
    draw for themselves, more or less of it with workers that persist, then changes nothing. Samples
    are seeded by the samplers (``SeededIndex``), which take the seed of the run from here: a run
    without a seed of its own resumes with that of its checkpoint.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._written = None

    def before_train(self, runner) -> None:
        """Hand the seed of the run, which may be that of a checkpoint, to the sampler."""
        loader = runner.train_dataloader
        for sampler in (loader.sampler, loader.batch_sampler,
                        getattr(loader.batch_sampler, 'sampler', None)):
            if isinstance(getattr(sampler, 'seed', None), int):
                sampler.seed = runner.seed

    def before_train_iter(self, runner, batch_idx: int, data_batch=None) -> None:
        """Seed the generators of this process, if a run may be resumed here."""
        by_epoch = counts_epochs(runner)
        begins = by_epoch and not begun_steps(runner)
        written = runner.message_hub.runtime_info.get('last_ckpt')
        resumable, self._written = written != self._written or not batch_idx, written
        if by_epoch and not resumable:
            return
        seed = 0
        for number in (runner.seed, runner.epoch if begins else runner.iter, get_rank()):
            seed = (seed * 1_000_003 + number + 1) % (1 << 63)
        torch.manual_seed(seed if begins or not by_epoch else ~seed % (1 << 63))
        if begins:
            torch.empty((), dtype=torch.int64).random_()  # a loader drew this in former versions
