"""A batch of pairs to train on, before it is encoded."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from mmtbps.models.heads.pairs import pair_weights_of, person_ids_of

__all__ = ['TrainingBatch', 'join_halves']


class TrainingBatch(NamedTuple):
    """N pairs as the preprocessor gives them.

    Args:
        images: ``(N, 3, H, W)``, normalised.
        input_ids: ``(N, L)``.
        mask: ``(N, L)`` bool.
        samples: N samples of the data set.
        inputs: further inputs by name, each with as many rows for every pair: one, or several.
    """

    images: Tensor
    input_ids: Tensor
    mask: Tensor
    samples: list
    inputs: Mapping[str, Tensor]

    def first(self, count: int) -> 'TrainingBatch':
        """Return the first ``count`` pairs; the batch itself if these are all."""
        if count == len(self.images):
            return self
        return TrainingBatch(self.images[:count], self.input_ids[:count], self.mask[:count],
                             self.samples[:count],
                             {name: values[:count * (len(values) // len(self.images))]
                              for name, values in self.inputs.items()})

    @property
    def person_ids(self) -> Tensor:
        """Person of each pair, ``(N,)`` on the device."""
        return person_ids_of(self.samples, self.images.device)

    @property
    def weights(self) -> Tensor | None:
        """Weight of each pair, ``(N,)`` on the device; ``None`` where all are 1."""
        return pair_weights_of(self.samples, self.images.device)

    @property
    def rows(self) -> Tensor | None:
        """Index of each pair's item in the data set; ``None`` if the samples do not say."""
        rows = [getattr(sample, 'sample_idx', None) for sample in self.samples]
        if None in rows:
            return None
        return torch.tensor(rows).to(self.images.device, non_blocking=True)


def join_halves(originals: Mapping[str, Tensor], mixed: Mapping[str, Tensor]
                ) -> dict[str, Tensor]:
    """Take the mean of the losses of originals and of mixed pairs; all else is of the originals.

    >>> join_halves({'loss_a': torch.tensor(1.)}, {'loss_a': torch.tensor(2.)})
    {'loss_a': tensor(1.5000)}
    """
    return {key: (value + mixed[key]) / 2 if 'loss' in key else value
            for key, value in originals.items()}
