"""The contract of a head."""

import logging
from abc import abstractmethod

from mmengine.logging import print_log
from mmengine.model import BaseModule
from torch import Tensor, nn

from .pairs import EncodedSide, Pairs, average_losses, pair_weights_of, person_ids_of

__all__ = ['BaseHead', 'name_unheeded_weights']


class BaseHead(BaseModule):
    """Base of what is trained on top of the features: a loss, with what it alone needs.

    A retriever has any number of heads. Classifiers, decoders and temperatures live in them; no
    search, test or export ever builds one. ``docs/concepts/add_a_part.md`` writes one.

    Attributes:
        needs_tokens: whether the head reads ``pairs.image.tokens`` or ``pairs.text.tokens``; the
            towers then compute all tokens of their last layer.
        part: name of the part of the features that is taken; ``None`` for none in particular.
        needs: names of further inputs of the batch that the head reads from ``pairs.inputs``.
        heeds_weights: whether each pair counts by its ``pairs.weights``; where pairs have some, a
            head that does not heed them is named in the log.
        no_mixup: why the head cannot be trained on mixed pairs, to be read behind its name; empty
            if it can.
    """

    needs_tokens: bool = False
    part: str | None = None
    needs: tuple[str, ...] = ()
    heeds_weights: bool = False
    no_mixup: str = ''

    def misfit(self, retriever: nn.Module) -> str:
        """Return why the head cannot train a retriever, to be read behind its name; '' if it can.

        Args:
            retriever: with its towers and necks, and ``mixup``, which may be ``None``.
        """
        return f'{self.no_mixup}; leave the mixup or the head out' * bool(
            self.no_mixup and retriever.mixup is not None)

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
        name_unheeded_weights(self, pairs, type(self).__name__)
        return average_losses(self(pairs, data_samples))


def name_unheeded_weights(head: nn.Module, pairs: Pairs, name: str) -> None:
    """Warn, once for each head, that pairs have weights and the head does not heed them.

    Args:
        head: about to compute its losses.
        pairs: the batch.
        name: of the head in its model.
    """
    if pairs.weights is None or getattr(head, 'heeds_weights', False) or (
            getattr(head, '_weights_told', False)):
        return
    head._weights_told = True
    print_log(f'The head {name} ({type(head).__name__}) does not heed the weights of pairs '
              '(pair_weight): each counts alike there. A head that multiplies its losses by '
              'pairs.weights says so, heeds_weights = True', 'current', logging.WARNING)
