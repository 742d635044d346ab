"""The cross-encoder: a dual encoder whose text tower also compares a caption with an image."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mmtbps.models.backbones.fusion import FusionTower
from mmtbps.models.heads import EncodedSide, Pairs
from mmtbps.models.heads.pairs import Fusion
from mmtbps.registry import MODELS

from .dual_encoder import TextImageRetriever
from .training_batch import TrainingBatch

__all__ = ['CrossEncoderRetriever', 'match_layers']


@MODELS.register_module()
class CrossEncoderRetriever(TextImageRetriever):
    """Two towers for a first search, and layers that compare a caption with each candidate.

    Align before Fuse (ALBEF), https://arxiv.org/abs/2107.07651: images and captions are encoded
    apart and searched by a dot product, as in any :class:`TextImageRetriever`. The words of a
    caption then read the tokens of an image by cross-attention, and a small classifier says
    whether both belong together. That costs a pass for every pair, so it is a second stage over
    the best candidates of the first: of this model or of any other.

    The score of a pair is the logit of the class "match"; it has no bounds and is comparable
    within a model alone.

    Args:
        image_backbone: a tower of images that gives the features of all its tokens.
        text_backbone: a :class:`~mmtbps.models.backbones.fusion.FusionTower`.
        match_dims: width of the hidden layer of the classifier; ``None`` for a linear one.
        match_chunk_size: pairs compared at once; changes memory and speed, no score.
        **kwargs: further arguments of :class:`TextImageRetriever`.

    Raises:
        TypeError: the text tower cannot read images.
        ValueError: ``match_chunk_size`` is below 1, or a mixup is set: mixed pairs have no label
            that says whether they match.

    Example:
        >>> from mmtbps.models.backbones import FusionBERT
        >>> from mmtbps.models.backbones.vit import OverlapViT
        >>> vit = OverlapViT(dict(embed_dims=8, num_layers=1, num_heads=2, feedforward_channels=8),
        ...                  img_size=(32, 16), stride=16)
        >>> bert = FusionBERT(width=8, depth=2, heads=2, mlp_width=8, text_layers=1, image_dims=8,
        ...                   vocab_size=10)
        >>> model = CrossEncoderRetriever(vit, bert).eval()
        >>> ids = torch.tensor([[2, 5, 3], [2, 7, 3], [2, 6, 3]])
        >>> model.match(torch.zeros(2, 3, 32, 16), ids, torch.ones(3, 3, dtype=torch.bool)).shape
        torch.Size([2, 3])
    """

    def __init__(self, image_backbone: dict, text_backbone: dict, *,
                 match_dims: int | None = None, match_chunk_size: int = 64, **kwargs):
        super().__init__(image_backbone, text_backbone, **kwargs)
        if match_chunk_size < 1:
            raise ValueError(f'match_chunk_size must be positive, got {match_chunk_size}')
        if self.mixup is not None:
            raise ValueError('a cross-encoder takes no mixup: whether a mixed pair matches has no '
                             'answer')
        if not isinstance(self.text_backbone, FusionTower):
            raise TypeError(f'{type(self.text_backbone).__name__} is no FusionTower: a '
                            'cross-encoder needs a text tower that can read images, such as '
                            'FusionBERT')
        self.match_head = match_layers(self.text_backbone.fusion_dims, match_dims)
        self.match_chunk_size = match_chunk_size

    def _check_necks(self) -> None:
        """Let features have two widths: heads that match pairs alone compare none."""

    @classmethod
    def published_kind(cls, settings: Mapping[str, Any]) -> str:
        """Return the kind of published checkpoint that a model of these settings starts from.

        Example:
            >>> CrossEncoderRetriever.published_kind(dict(
            ...     image_backbone=dict(type='OverlapViT'), text_backbone=dict(text_layers=None)))
            'blip'
        """
        kind = settings['image_backbone']['type']
        tower = MODELS.get(kind) if isinstance(kind, str) else kind
        if tower.checkpoint_kind == 'aptm':
            return 'aptm'
        return 'blip' if settings['text_backbone'].get('text_layers', 6) is None else 'rasa'

    def image_tokens(self, images: Tensor) -> Tensor:
        """Compute the tokens of images that captions read.

        Args:
            images: ``(K, 3, H, W)``, normalised.

        Returns:
            ``(K, P, D_image)``.
        """
        tower = self.image_backbone
        return tower.token_features(tower.run(tower.embed(images)))

    def text_tokens(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Compute the tokens of captions that a comparison begins with.

        Args:
            input_ids: ``(N, L)``.
            attention_mask: ``(N, L)`` bool.

        Returns:
            ``(N, L, D)``; what stands outside the mask means nothing.
        """
        return self.text_backbone.fusion_tokens(input_ids, attention_mask)

    def match_tokens(self, image_tokens: Tensor, text_tokens: Tensor,
                     attention_mask: Tensor) -> Tensor:
        """Compute the score of each of M pairs, in chunks.

        Args:
            image_tokens: ``(M, P, D_image)`` of `image_tokens`, an image a pair.
            text_tokens: ``(M, L, D)`` of `text_tokens`, a caption a pair.
            attention_mask: ``(M, L)`` bool of these captions.

        Returns:
            ``(M,)`` float32 logits of "match".
        """
        chunks = [values.split(self.match_chunk_size)
                  for values in (image_tokens, text_tokens, attention_mask)]
        scores = [self._classify(*chunk)[:, 1] for chunk in zip(*chunks, strict=True)]
        return torch.cat(scores).float()

    def match(self, images: Tensor, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Compute the score of every image with every caption.

        Args:
            images: ``(K, 3, H, W)``, normalised.
            input_ids: ``(N, L)``.
            attention_mask: ``(N, L)`` bool.

        Returns:
            ``(K, N)`` float32 logits of "match".
        """
        seen = self.image_tokens(images)
        words = self.text_tokens(input_ids, attention_mask)
        scores = seen.new_empty(len(seen), len(words), dtype=torch.float32)
        step = self.match_chunk_size
        for start in range(0, scores.numel(), step):
            pairs = torch.arange(start, min(start + step, scores.numel()), device=seen.device)
            row, column = pairs // len(words), pairs % len(words)
            scores.view(-1)[start:start + step] = self.match_tokens(
                seen[row], words[column], attention_mask[column])
        return scores

    def _classify(self, image_tokens: Tensor, text_tokens: Tensor, mask: Tensor) -> Tensor:
        """Classify M pairs as "no match" or "match", ``(M, 2)``."""
        return self.match_head(self.text_backbone.fuse(image_tokens, text_tokens, mask)[:, 0])

    def _run_heads(self, pairs: Pairs, batch: TrainingBatch) -> dict[str, Tensor]:
        """Let the heads compare images with captions."""
        tower = self.text_backbone

        def begin(input_ids: Tensor, mask: Tensor, side: EncodedSide | None) -> Tensor:
            if side is not None and tower.fuses_states:
                return side.states
            return self.text_tokens(input_ids, mask)

        pairs.fusion = Fusion(begin, tower.fuse, self._classify, tower.word_table)
        return super()._run_heads(pairs, batch)


def match_layers(dims: int, hidden_dims: int | None = None) -> nn.Module:
    """Build the classifier of pairs: two logits, "no match" and "match".

    Args:
        dims: width of the fused state.
        hidden_dims: width of a hidden layer, as APTM has it; ``None`` for a linear classifier, as
            in ALBEF and BLIP.

    Example:
        >>> match_layers(768)
        Linear(in_features=768, out_features=2, bias=True)
    """
    if hidden_dims is None:
        return nn.Linear(dims, 2)
    return nn.Sequential(nn.Linear(dims, hidden_dims), nn.LayerNorm(hidden_dims), nn.GELU(),
                         nn.Linear(hidden_dims, 2))
