"""BERT as a text tower that can also read images, under BERT's names of the weights."""

from typing import Any

from torch import Tensor, nn

from mmtbps.errors import BadValue
from mmtbps.registry import MODELS

from .base import Tokens, apply_layer
from .fusion import FusionTower
from .fusion_layers import BERTEmbeddings, FusionLayer
from .token_ids import check_token_ids

__all__ = ['FusionBERT']


@MODELS.register_module()
class FusionBERT(FusionTower):
    """BERT whose layers also read an image: the text half of ALBEF, APTM, RaSa and BLIP.

    Align before Fuse (ALBEF), https://arxiv.org/abs/2107.07651, gives the first ``text_layers`` to
    captions alone and lets the others read the image too: fusion goes on from the states that the
    first ones made. BLIP, https://arxiv.org/abs/2201.12086, lets every layer do both: captions
    alone skip the cross-attention, and fusion begins anew from the words, with a token of its own
    in the place of the first. The feature of a caption is its first token; there is no pooler.

    Args:
        width: of the states, D.
        depth: number of layers, those of fusion included.
        heads: of each attention; divides the width.
        mlp_width: of the hidden layer of each MLP.
        text_layers: first layers, for captions alone; the others serve fusion alone. ``None`` where
            every layer does both.
        image_dims: width of the image tokens that are read.
        vocab_size: number of tokens.
        context_length: places of the position table.
        segments: rows of the table of segments, of which the first is added to every token; 0 for
            none.
        fusion_token: id in the place of the first token when fusion begins with the words; only
            without ``text_layers``.
        dropout: share of states and attention weights that are dropped while training.
        with_cp: keep no activations of the layers while training, compute them again (activation
            checkpointing).
        init_cfg: as in every MMEngine module.

    Raises:
        BadValue: the heads do not divide the width, or there are no layers for captions or for
            fusion.

    Example:
        >>> import torch
        >>> bert = FusionBERT(width=8, depth=2, heads=2, mlp_width=8, text_layers=1, image_dims=4,
        ...                   vocab_size=10)
        >>> ids, mask = torch.tensor([[2, 5, 3]]), torch.ones(1, 3, dtype=torch.bool)
        >>> bert(ids, mask).shape, bert.fuse(torch.zeros(1, 5, 4), bert.fusion_tokens(ids, mask),
        ...                                  mask).shape
        (torch.Size([1, 8]), torch.Size([1, 3, 8]))
    """

    training_only = ('with_cp', 'dropout')
    lora_targets = ('attention', 'crossattention')

    def __init__(self, width: int = 768, depth: int = 12, heads: int = 12, mlp_width: int = 3072,
                 text_layers: int | None = 6, image_dims: int = 768, vocab_size: int = 30522,
                 context_length: int = 512, segments: int = 2, fusion_token: int | None = None,
                 dropout: float = 0.1, with_cp: bool = False,
                 init_cfg: dict | list | None = None):
        super().__init__(init_cfg)
        if width % heads:
            raise BadValue(f'{heads} heads do not divide a width of {width}')
        if depth < 1 or not 0 < (text_layers or depth) < depth + (text_layers is None):
            raise BadValue(f'text_layers={text_layers} of depth={depth} leave no layer for '
                           'captions or none for fusion')
        if fusion_token is not None and (text_layers or not 0 <= fusion_token < vocab_size):
            raise BadValue(f'fusion_token={fusion_token} must be one of {vocab_size} tokens, and '
                           'needs text_layers=None: else fusion goes on from states of captions')
        self.width = self.out_dims = self.fusion_dims = width
        self.image_dims, self.text_layers, self.with_cp = image_dims, text_layers, with_cp
        self.vocab_size, self.context_length = vocab_size, context_length
        self.fusion_token = fusion_token
        self.embeddings = BERTEmbeddings(vocab_size, context_length, segments, width, dropout)
        self.encoder = nn.Module()
        self.encoder.layer = nn.ModuleList([
            FusionLayer(width, heads, mlp_width, image_dims if i >= (text_layers or 0) else None,
                        dropout) for i in range(depth)])
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    @property
    def layers(self) -> nn.ModuleList:
        """Layers that captions alone go through, first to last."""
        return self.encoder.layer[:self.text_layers]

    @property
    def fusion_layers(self) -> nn.ModuleList:
        """Layers that read an image, first to last."""
        return self.encoder.layer[self.text_layers or 0:]

    @property
    def word_table(self) -> Tensor:
        """Table that words are embedded with, ``(V, D)``."""
        return self.embeddings.word_embeddings.weight

    @property
    def fuses_states(self) -> bool:
        """True if fusion begins with the states of the last layer of captions."""
        return self.text_layers is not None

    @property
    def last_weights(self) -> tuple[str, ...]:
        """Beginnings of the names of weights of fusion alone."""
        depth = len(self.encoder.layer)
        return tuple(f'encoder.layer.{i}.' for i in range(self.text_layers or depth, depth))

    def embed(self, input_ids: Tensor, mask: Tensor) -> Tokens:
        """Turn token ids into tokens.

        Args:
            input_ids: ``(N, L)``.
            mask: ``(N, L)`` bool, True where there is a token.

        Returns:
            ``hidden`` ``(N, L, D)`` and the mask.

        Raises:
            BadValue: an id is outside the vocabulary, or captions are longer than the table of
                positions.
        """
        check_token_ids(input_ids, self.vocab_size)
        if input_ids.shape[1] > self.context_length:
            raise BadValue(f'captions of {input_ids.shape[1]} tokens; this FusionBERT has '
                           f'{self.context_length} places. Cut them, max_length of '
                           'TokenizeCaption')
        return Tokens(self.embeddings(input_ids), mask)

    def run_layers(self, tokens: Tokens, start: int, stop: int) -> Tensor:
        """Compute the hidden states after layers ``start`` to ``stop - 1``, ``(N, L, D)``."""
        hidden = tokens.hidden
        for layer in self.layers[start:stop]:
            hidden = apply_layer(layer, hidden, self.with_cp and self.training, mask=tokens.mask)
        return hidden

    def run_last_layer(self, tokens: Tokens) -> Tensor:
        """Compute the last layer of captions for the first token alone, ``(N, D)``."""
        return apply_layer(self.layers[-1], tokens.hidden, self.with_cp and self.training,
                           mask=tokens.mask, first=True)[:, 0]

    def pool(self, tokens: Tokens) -> Tensor:
        """Take the first token, ``(N, D)``."""
        return tokens.token_read()

    def attention_of(self, tokens: Tokens, layer: int) -> Tensor:
        """Compute the attention of a layer from the states right before it."""
        attention = self.layers[layer].attention
        return attention.weights(tokens.hidden, tokens.hidden, tokens.mask)

    def single_token_features(self, tokens: Tokens) -> Tensor:
        """Compute the pooled feature if the last layer read one token alone, ``(N, L, D)``."""
        hidden = tokens.hidden
        first = hidden[:, :1].expand_as(hidden).flatten(0, 1)[:, None]
        alone = self.layers[-1].attention(first, hidden.flatten(0, 1)[:, None], None)
        return self.layers[-1].transform(alone)[:, 0].unflatten(0, hidden.shape[:2])

    def fusion_tokens(self, input_ids: Tensor, mask: Tensor) -> Tensor:
        """Compute the states of captions that fusion begins with, ``(N, L, D)``."""
        if self.fuses_states:
            return self.run(self.embed(input_ids, mask)).hidden
        if self.fusion_token is not None:
            input_ids = input_ids.clone()
            input_ids[:, 0] = self.fusion_token
        return self.embed(input_ids, mask).hidden

    def fuse(self, image_tokens: Tensor, text_tokens: Tensor, mask: Tensor) -> Tensor:
        """Let the words of each caption read its image, ``(M, L, D)``."""
        hidden = text_tokens
        for layer in self.fusion_layers:
            hidden = apply_layer(layer, hidden, self.with_cp and self.training, mask=mask,
                                 image=image_tokens)
        return hidden

    @classmethod
    def tiny_settings(cls, settings: dict[str, Any]) -> dict[str, Any]:
        """Return settings of two layers and 2,048 words, for images of tiny towers."""
        settings = super().tiny_settings(settings)
        settings.update(width=16, depth=2, heads=2, mlp_width=32, image_dims=16, vocab_size=2048,
                        text_layers=None if settings.get('text_layers', 6) is None else 1,
                        dropout=0.0)
        if settings.get('fusion_token') is not None:
            settings['fusion_token'] = 2047
        return settings
