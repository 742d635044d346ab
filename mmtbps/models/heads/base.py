"""The contract of a head."""

from abc import abstractmethod

from mmengine.model import BaseModule
from torch import Tensor

from .pairs import EncodedSide, Pairs, average_losses, pair_weights_of, person_ids_of

__all__ = ['BaseHead']


class BaseHead(BaseModule):
    """Base of what is trained on top of the features: a loss, with what it alone needs.

    A retriever has any number of heads. Classifiers, decoders and temperatures live in them; no
    search, test or export ever builds one. ``docs/concepts/add_a_part.md`` writes one.

    Attributes:
        needs_tokens: whether the head reads ``pairs.image.tokens`` or ``pairs.text.tokens``; the
            towers then compute all tokens of their last layer.
        part: name of the part of the features that is taken; ``None`` for none in particular.
        needs: names of further inputs of the batch that the head reads from ``pairs.inputs``.
    """

    needs_tokens: bool = False
    part: str | None = None
    needs: tuple[str, ...] = ()

    @abstractmethod
    def forward(self, pairs: Pairs, samples: list) -> dict[str, Tensor]:
        """Compute the losses of the pairs of this process.

        Args:
            pairs: features and more of the batch.
            samples: N samples of the data set.

        Returns:
            Scalars. Those whose names contain ``loss`` are means over the local rows; the
            retriever logs their mean over processes and adds them up for the backward pass. All
            others are only logged.
        """

    def loss(self, image: Tensor, text: Tensor, data_samples: list) -> dict[str, Tensor]:
        """Compute the losses of plain features, for models of other projects.

        Args:
            image: ``(N, D)`` features, not normalised.
            text: ``(N, D)`` features, row i belonging to image i.
            data_samples: N samples with ``person_id``.

        Returns:
            As :meth:`forward`; losses are means over the pairs of all processes.
        """
        pairs = Pairs(EncodedSide({'global': image}), EncodedSide({'global': text}),
                      person_ids_of(data_samples, image.device),
                      weights=pair_weights_of(data_samples, image.device))
        return average_losses(self(pairs, data_samples))
