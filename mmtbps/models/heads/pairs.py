"""A batch of encoded pairs, as heads see it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import torch
from mmengine.dist import get_rank
from mmengine.logging import MessageHub
from torch import Tensor

from mmtbps.models.losses import GatheredPairs, average_value, gather, gather_with_grad

__all__ = ['EncodedSide', 'Fusion', 'GatheredPairs', 'Pairs', 'TrainingProgress', 'average_losses',
           'pair_weights_of', 'person_ids_of']


@dataclass
class EncodedSide:
    """Images or captions after their tower and neck.

    Args:
        parts: ``(N, D_i)`` of each part, not normalised.
        mask: ``(N, P)`` bool, True where there is a token; ``None`` where all are.
        compute_tokens: computes ``tokens`` when they are first asked for; ``None`` if the tower
            has not kept them.
        compute_states: computes ``states`` likewise.
        compute_single_tokens: likewise ``single_tokens``.
        grid: (rows, columns) of patches at the end of the tokens of an image; ``None`` for none.
    """

    parts: dict[str, Tensor]
    mask: Tensor | None = None
    compute_tokens: Callable[[], Tensor] | None = None
    compute_states: Callable[[], Tensor] | None = None
    compute_single_tokens: Callable[[], Tensor] | None = None
    grid: tuple[int, int] | None = None

    @cached_property
    def tokens(self) -> Tensor:
        """Every token in the space of the part ``global``, ``(N, P, D)``, not normalised.

        Raises:
            RuntimeError: no head said that it needs them.
        """
        return _computed(self.compute_tokens)

    @property
    def class_tokens(self) -> int:
        """Number of tokens of an image before those of its patches; 1 if there is no grid."""
        return 1 if self.grid is None else self.tokens.shape[1] - self.grid[0] * self.grid[1]

    @cached_property
    def states(self) -> Tensor:
        """Every token as the tower gives it, before the neck, ``(N, P, D)``.

        Raises:
            RuntimeError: no head said that it needs them.
        """
        return _computed(self.compute_states)

    @cached_property
    def single_tokens(self) -> Tensor:
        """Part ``global`` if the last layer read one token alone, for each, ``(N, P, D)``.

        Where the last layer's tokens are not trained themselves, this says what each gives to the
        pooled one.

        Raises:
            RuntimeError: no head said that it needs tokens.
            TypeError: the tower cannot.
        """
        return _computed(self.compute_single_tokens)


def _computed(compute: Callable[[], Tensor] | None) -> Tensor:
    if compute is None:
        raise RuntimeError('the towers have computed the pooled token alone: a head that reads '
                           'tokens must say so, needs_tokens = True')
    return compute()


@dataclass
class Fusion:
    """The second half of a cross-encoder, as heads use it.

    Args:
        begin: computes the tokens ``(M, L, D)`` of captions that a comparison begins with: of their
            ids ``(M, L)``, their bool mask and, where they are encoded already, that side.
        fuse: lets words read images: image states ``(M, P, D_image)``, caption tokens
            ``(M, L, D)`` and their mask to ``(M, L, D)``.
        classify: does so and classifies each pair, ``(M, 2)``: "no match", "match".
        word_table: ``(V, D)`` that words are embedded with.
    """

    begin: Callable[[Tensor, Tensor, EncodedSide | None], Tensor]
    fuse: Callable[[Tensor, Tensor, Tensor], Tensor]
    classify: Callable[[Tensor, Tensor, Tensor], Tensor]
    word_table: Tensor | None = None


class TrainingProgress(NamedTuple):
    """Progress of a run, for losses that change on the way.

    Args:
        epoch: passes over the data that are done; 0 outside a run.
        iteration: iterations done.
        max_epochs: of the whole run; ``None`` if it counts iterations, or outside a run.
        max_iterations: of the whole run.
        epoch_length: iterations of one pass over the data; ``None`` outside a run.

    Example:
        >>> TrainingProgress(iteration=3, max_iterations=100, epoch_length=12).first_pass
        0.25
    """

    epoch: int = 0
    iteration: int = 0
    max_epochs: int | None = None
    max_iterations: int | None = None
    epoch_length: int | None = None

    @classmethod
    def current(cls) -> 'TrainingProgress':
        """Read the progress of the Runner that is at work, from its message hub.

        MMEngine notes a loop of steps as one epoch; ``StepLoopHook`` adds ``by_epoch`` and
        ``epoch_length``, which tell it apart. Without that hook every run goes by epochs.
        """
        hub = MessageHub.get_current_instance()
        epoch, iteration, max_epochs, max_iterations = map(
            hub.get_info, ('epoch', 'iter', 'max_epochs', 'max_iters'), (0, 0, None, None))
        length = hub.get_info('epoch_length')
        if not hub.get_info('by_epoch', True):
            return cls(iteration // length, iteration, None, max_iterations, length)
        if length is None and max_epochs and max_iterations:
            length = max_iterations // max_epochs
        return cls(epoch, iteration, max_epochs, max_iterations, length)

    @property
    def first_pass(self) -> float:
        """Share of the first pass over the data that is done; 1 after it, and outside a run."""
        if self.epoch > 0 or not self.epoch_length:
            return 1.0
        return min(1.0, self.iteration / self.epoch_length)


def person_ids_of(samples: list, device: torch.device) -> Tensor:
    """Collect the person of each of N samples, ``(N,)`` on a device."""
    return torch.tensor([sample.person_id for sample in samples]).to(device, non_blocking=True)


def pair_weights_of(samples: Sequence, device: torch.device) -> Tensor | None:
    """Collect the ``pair_weight`` of each of N samples, ``(N,)`` on a device.

    A sample without one has weight 1. Where all have, there is nothing to weigh: ``None``, with
    which losses are computed as if there were no weights, to the bit.

    >>> pair_weights_of([object(), object()], torch.device('cpu'))
    """
    weights = [getattr(sample, 'pair_weight', 1.0) for sample in samples]
    if all(weight == 1 for weight in weights):
        return None
    return torch.tensor(weights, dtype=torch.float32).to(device, non_blocking=True)


def average_losses(losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give each scalar that is a loss the value of its mean over processes."""
    return {key: average_value(value) if 'loss' in key else value
            for key, value in losses.items()}


@dataclass
class Pairs:
    """N pairs of this process, image i belonging to caption i.

    Args:
        image: the images, encoded.
        text: the captions, encoded.
        person_ids: ``(N,)`` on the device.
        rows: ``(N,)`` index of each pair's item in the data set; ``None`` if the samples do not
            say.
        inputs: further inputs of the batch by name, on the device: images ``(N, 3, H, W)``
            normalised, tokens ``(N, L)`` padded, with ``NAME_mask`` where they bring lengths of
            their own.
        encode_image: encodes ``(N, 3, H, W)`` normalised images a second time, through the same
            tower and neck, without mixup; as a second argument ``(N, K)`` places of tokens, all
            others are left out before the first layer.
        encode_text: does so with ``(N, L)`` tokens and their bool mask.
        encode_again: encodes both sides of these pairs a second time, without mixup; dropout is
            drawn anew.
        weights: ``(N,)`` factor of each pair in its losses; ``None`` for 1 everywhere.
        images: ``(N, 3, H, W)``, normalised, as they were before mixup.
        input_ids: ``(N, L)`` tokens of the captions, likewise.
        attention_mask: ``(N, L)`` bool, True where there is a token.
        fusion: of a cross-encoder, what compares images with captions; else ``None``.
    """

    image: EncodedSide
    text: EncodedSide
    person_ids: Tensor
    rows: Tensor | None = None
    inputs: Mapping[str, Tensor] = field(default_factory=dict)
    encode_image: Callable[..., EncodedSide] | None = None
    encode_text: Callable[[Tensor, Tensor], EncodedSide] | None = None
    encode_again: Callable[[], tuple[EncodedSide, EncodedSide]] | None = None
    weights: Tensor | None = None
    images: Tensor | None = None
    input_ids: Tensor | None = None
    attention_mask: Tensor | None = None
    fusion: Fusion | None = None

    def __post_init__(self) -> None:
        self._gathered: dict[str, GatheredPairs] = {}
        self._told_anew: dict[str, Pairs] = {}

    @property
    def progress(self) -> TrainingProgress:
        """Progress of the run."""
        return TrainingProgress.current()

    @cached_property
    def words(self) -> Tensor:
        """Tokens of the captions that a comparison with images begins with, ``(N, L, D)``."""
        return self.fusion.begin(self.input_ids, self.attention_mask, self.text)

    def with_captions(self, input_ids: Tensor, mask: Tensor) -> 'Pairs':
        """Return the pairs with other captions, ``(N, L)`` and their bool mask, encoded."""
        return replace(self, text=self.encode_text(input_ids, mask), input_ids=input_ids,
                       attention_mask=mask)

    def told_anew(self, name: str) -> 'Pairs':
        """Return the pairs with the captions of a further input, encoded once for all heads."""
        if name not in self._told_anew:
            self._told_anew[name] = self.with_captions(self.inputs[name],
                                                       self.inputs[f'{name}_mask'])
        return self._told_anew[name]

    def weights_of(self, chosen: Tensor) -> Tensor | None:
        """Return the weight of the pair of each word or patch that is chosen.

        Args:
            chosen: ``(N, L)`` bool, with K True.

        Returns:
            ``(K,)``, row by row; ``None`` where pairs have no weights.
        """
        return None if self.weights is None else self.weights[:, None].expand_as(chosen)[chosen]

    def weights_of_several(self, count: int) -> Tensor | None:
        """Return the weight of the pair of each of ``count`` sentences, as many to each pair.

        Returns:
            ``(count,)``, pair by pair; ``None`` where pairs have no weights.
        """
        return None if self.weights is None else self.weights.repeat_interleave(
            count // len(self.weights))

    def gathered(self, part: str = 'global') -> GatheredPairs:
        """Gather a part of the features of all processes, once for all heads.

        Every process must bring the same number of pairs.
        """
        if part not in self._gathered:
            image, text = self.image.parts[part], self.text.parts[part]
            self._gathered[part] = GatheredPairs(
                gather_with_grad(image), gather_with_grad(text), gather(self.person_ids),
                get_rank() * len(image))
        return self._gathered[part]
