"""Hook that weighs pairs by whether their losses call them clean."""

import numpy as np
import torch
from mmengine.dist import all_reduce, get_dist_info
from mmengine.hooks import Hook
from mmengine.logging import print_log
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmtbps.datasets import SeededIndex
from mmtbps.errors import BadValue
from mmtbps.models import Pairs, TALHead
from mmtbps.models.heads.pairs import person_ids_of
from mmtbps.models.losses import clean_pairs, consensus_weights
from mmtbps.registry import HOOKS

from .inner_model import inner_model, whole_model
from .resume_hook import begun_steps, counts_epochs, passes_done

_STATE = 'consensus_division'
_PAIR = ('image', 'input_ids', 'caption_lengths')


@HOOKS.register_module()
class ConsensusDivisionHook(Hook):
    """Hook that divides the training pairs into clean and noisy ones before each epoch (CCD).

    Noisy-Correspondence Learning for Text-to-Image Person Re-identification (RDE),
    https://arxiv.org/abs/2308.09911, section 3.3. The model, in evaluation mode, computes the loss
    of every pair of the data set for each ``TALHead``; each head divides the pairs by a mixture of
    two normal distributions. A pair that all heads call clean weighs 1, one that all call noisy 0,
    and a fair coin decides where they differ. The heads multiply the losses of pairs by these
    weights.

    The pairs come as the pipeline augments them, in a random order of (seed, epoch), in batches of
    the size of all processes together; each process computes whole batches, so that the division
    does not depend on the number of processes. Augmentations on the device are left out. Weights
    are kept in the checkpoint, and a resumed run goes on with them.

    Args:
        begin: first epoch with a division; all pairs weigh 1 before.
        interval: epochs between two divisions.
        batch_size: pairs at once; ``None`` for that of training, over all processes.
        max_iterations: steps of the mixture at most. RDE has 100 for RSTPReid or much noise.
        tolerance: its least gain of a step; there 1e-4.
        floor: added to its variances; there 1e-6.

    Raises:
        BadValue: an option is out of its range; the model has no ``TALHead``, or the data set is no
            ``TBPSDataset`` or a wrapper of them.

    Example:
        >>> hook = ConsensusDivisionHook(begin=1, interval=2)
        >>> [hook.divides(epoch) for epoch in range(4)]
        [False, True, False, True]
    """

    def __init__(self, begin: int = 0, interval: int = 1, batch_size: int | None = None,
                 max_iterations: int = 10, tolerance: float = 1e-2, floor: float = 5e-4):
        if begin < 0 or interval < 1 or max_iterations < 1 or floor <= 0:
            raise BadValue('begin must not be negative, interval and max_iterations be at least 1 '
                           f'and floor positive, got {begin}, {interval}, {max_iterations} and '
                           f'{floor}')
        self.begin, self.interval, self.batch_size = begin, interval, batch_size
        self.mixture = dict(max_iterations=max_iterations, tolerance=tolerance, floor=floor)
        self.weights: Tensor | None = None

    def divides(self, epoch: int) -> bool:
        """Tell whether a division precedes an epoch."""
        return epoch >= self.begin and (epoch - self.begin) % self.interval == 0

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Keep the weights in the checkpoint."""
        if self.weights is not None:
            checkpoint[_STATE] = self.weights.cpu()

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Take the weights of the checkpoint."""
        self.weights = checkpoint.get(_STATE)

    def before_train(self, runner) -> None:
        """Give the weights of a resumed run to the heads; those of another run are forgotten."""
        dataset = runner.train_dataloader.dataset
        if not hasattr(dataset, 'get_item'):  # which numbers its items, and takes their seeds
            raise BadValue('ConsensusDivisionHook needs a TBPSDataset or a wrapper of '
                           f'mmtbps.datasets, got {type(dataset).__name__}')
        if self.weights is not None and (runner.iter == 0 or len(self.weights) != len(dataset)):
            self.weights = None
        self._hand_over(runner)

    def before_train_epoch(self, runner) -> None:
        """Divide the pairs, log how many are clean, and give the heads their weights.

        An epoch that was begun before has its division already.
        """
        if counts_epochs(runner) and not begun_steps(runner):
            self._divide(runner)

    def before_train_iter(self, runner, batch_idx: int, data_batch=None) -> None:
        """Do the same in a loop that counts steps alone, before each pass over the data."""
        if not counts_epochs(runner) and runner.iter % len(runner.train_dataloader) == 0:
            self._divide(runner)

    def _divide(self, runner) -> None:
        epoch = passes_done(runner)
        if self.divides(epoch):
            losses = self.pair_losses(runner)
            seen = ~losses.isnan().any(0)
            votes = torch.stack([clean_pairs(row[seen], **self.mixture) for row in losses])
            seed = int(np.random.default_rng((runner.seed, epoch, 4)).integers(2**63))
            self.weights = torch.ones(losses.shape[1])
            self.weights[seen] = consensus_weights(votes, torch.Generator().manual_seed(seed))
            _log(runner, votes, self.weights)
        self._hand_over(runner)

    @torch.no_grad()
    def pair_losses(self, runner) -> Tensor:
        """Compute the loss of every pair of the training set, on all processes together.

        Returns:
            ``(heads, rows)`` on the CPU; NaN for a row whose image cannot be read.
        """
        with whole_model(runner) as model:  # processes have batches of their own
            mode = model.training
            sums = self._sum_losses(runner, model.eval(), _heads(runner))
            model.train(mode)
        all_reduce(sums)
        return (sums[:-1] / sums[-1]).cpu()

    def _sum_losses(self, runner, model: nn.Module, heads: list[TALHead]) -> Tensor:
        """Add up the losses of this process by head and row, and below them how many there are."""
        device = next(model.parameters()).device
        sums = torch.zeros(len(heads) + 1, len(runner.train_dataloader.dataset), device=device)
        for batch in self._batches(runner):
            inputs = {key: batch['inputs'][key] for key in _PAIR}  # what further heads read is left
            batch = model.data_preprocessor(dict(batch, inputs=inputs), training=False)
            samples = batch['data_samples']
            with runner.optim_wrapper.optim_context(runner.model):
                sides = model.encode_pairs(batch['images'], batch['input_ids'],
                                           batch['attention_mask'])
            pairs = Pairs(*sides, person_ids_of(samples, device))
            rows = torch.tensor([sample.sample_idx for sample in samples], device=device)
            values = [head.pair_losses(pairs, joined=False).to(sums.dtype) for head in heads]
            sums.index_add_(1, rows, torch.stack([*values, torch.ones_like(values[0])]))
        return sums

    def _batches(self, runner) -> DataLoader:
        """Load this process's share of batches, all of one size or one more."""
        loader, (rank, world) = runner.train_dataloader, get_dist_info()
        rng = np.random.default_rng((runner.seed, passes_done(runner), 3))
        count = len(loader.dataset)
        order, seeds = rng.permutation(count), rng.integers(2**32, size=count)
        size = self.batch_size or _batch_size(loader) * world
        # Even batches: the pairs of a small last one would have few negatives and look clean.
        batches = np.array_split(order, max(1, count // size))[rank::world]
        indices = [[SeededIndex(int(i), int(seeds[i])) for i in batch] for batch in batches]
        return DataLoader(loader.dataset, batch_sampler=indices, collate_fn=loader.collate_fn,
                          num_workers=loader.num_workers, pin_memory=loader.pin_memory,
                          worker_init_fn=loader.worker_init_fn,
                          multiprocessing_context=loader.multiprocessing_context)

    def _hand_over(self, runner) -> None:
        device = next(inner_model(runner).parameters()).device
        for head in _heads(runner):
            head.pair_weights = None if self.weights is None else self.weights.to(device)


def _heads(runner) -> list[TALHead]:
    heads = [head for head in getattr(inner_model(runner), 'heads', {}).values()
             if isinstance(head, TALHead)]
    if not heads:
        raise BadValue('ConsensusDivisionHook weighs the losses of TALHead, and the model has '
                       'none; add one for each part or drop the hook')
    return heads


def _batch_size(loader: DataLoader) -> int:
    return loader.batch_size or loader.batch_sampler.batch_size


def _log(runner, votes: Tensor, weights: Tensor) -> None:
    """Log how many pairs are clean, noisy and disputed, and the share that is trained on."""
    clean, noisy = int(votes.all(0).sum()), int((~votes).all(0).sum())
    print_log(f'consensus division before epoch {passes_done(runner) + 1}: {clean} pairs clean, '
              f'{noisy} noisy, {votes.shape[1] - clean - noisy} disputed; {int(weights.sum())} of '
              f'{len(weights)} are trained on', logger='current')
    runner.message_hub.update_scalar('train/clean_share', float(weights.mean()))
