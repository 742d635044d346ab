"""The contract of a text tower that can also read an image: the second half of a cross-encoder."""

from abc import abstractmethod

from torch import Tensor

from .base import Tower

__all__ = ['FusionTower']


class FusionTower(Tower):
    """Base of text towers whose captions can be read together with an image.

    As any tower it encodes captions alone: ``pool(run(embed(ids, mask)))`` knows of no image.
    Besides, it compares a caption with an image word by word, through layers with cross-attention.
    What these layers begin with, `fusion_tokens`, is computed once a caption; `fuse` is computed
    once a pair.

    Attributes:
        fusion_dims: width D of the fused states.
        image_dims: width of the image tokens that are read.
        fuses_states: whether `fusion_tokens` are the states of the last layer of captions, so that
            who has these need not compute them again.
    """

    fusion_dims: int
    image_dims: int
    fuses_states: bool = False

    @property
    @abstractmethod
    def word_table(self) -> Tensor:
        """Table that words are embedded with, ``(V, D)``; a head of masked words scores by it."""

    @abstractmethod
    def fusion_tokens(self, input_ids: Tensor, mask: Tensor) -> Tensor:
        """Compute the states of captions that fusion begins with.

        Args:
            input_ids: ``(N, L)``.
            mask: ``(N, L)`` bool, True where there is a token.

        Returns:
            ``(N, L, D)``; places outside the mask mean nothing.
        """

    @abstractmethod
    def fuse(self, image_tokens: Tensor, text_tokens: Tensor, mask: Tensor) -> Tensor:
        """Let the words of each caption read its image.

        Args:
            image_tokens: ``(M, P, D_image)``, of the image tower's ``token_features``.
            text_tokens: ``(M, L, D)`` of `fusion_tokens`, row by row.
            mask: ``(M, L)`` bool.

        Returns:
            ``(M, L, D)`` fused states; the first place stands for the pair.
        """
