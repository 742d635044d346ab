"""BERT's layers with cross-attention, under the names of its files."""

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ['BERTAttention', 'BERTEmbeddings', 'FusionLayer']

_EPS = 1e-12


class BERTEmbeddings(nn.Module):
    """Words and their places, normalised.

    Args:
        vocab_size: number of tokens.
        places: rows of the position table.
        segments: rows of the table of segments, of which the first is added; 0 for none.
        width: of the states, D.
        dropout: share of states that are dropped while training.

    Example:
        >>> import torch
        >>> BERTEmbeddings(10, 6, 0, 8, 0.0)(torch.tensor([[2, 5, 3]])).shape
        torch.Size([1, 3, 8])
    """

    def __init__(self, vocab_size: int, places: int, segments: int, width: int, dropout: float):
        super().__init__()
        self.word_embeddings = nn.Embedding(vocab_size, width)
        self.position_embeddings = nn.Embedding(places, width)
        self.token_type_embeddings = nn.Embedding(segments, width) if segments else None
        self.LayerNorm = nn.LayerNorm(width, eps=_EPS)
        self.dropout = dropout

    def forward(self, input_ids: Tensor) -> Tensor:
        """Embed ``(N, L)`` ids as ``(N, L, D)``."""
        states = self.word_embeddings(input_ids) + self.position_embeddings.weight[
            :input_ids.shape[1]]
        if self.token_type_embeddings is not None:
            states = states + self.token_type_embeddings.weight[0]
        return F.dropout(self.LayerNorm(states), self.dropout, self.training)


class BERTAttention(nn.Module):
    """Attention to other states, or to the same ones, then a sum and a norm.

    Args:
        width: of the states that read, D.
        heads: number of heads; divides the width.
        dropout: share of states and attention weights that are dropped while training.
        read_dims: width of the states that are read; the same by default.

    Example:
        >>> import torch
        >>> BERTAttention(8, 2, 0.0, read_dims=4)(torch.zeros(1, 3, 8), torch.zeros(1, 5, 4)).shape
        torch.Size([1, 3, 8])
    """

    def __init__(self, width: int, heads: int, dropout: float, read_dims: int | None = None):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        # So the files call it.
        self.self = nn.ModuleDict(dict(
            query=nn.Linear(width, width), key=nn.Linear(read_dims or width, width),
            value=nn.Linear(read_dims or width, width)))
        self.output = nn.ModuleDict(dict(
            dense=nn.Linear(width, width), LayerNorm=nn.LayerNorm(width, eps=_EPS)))

    def forward(self, states: Tensor, read: Tensor, mask: Tensor | None = None) -> Tensor:
        """Let states read others.

        Args:
            states: ``(N, L, D)``.
            read: ``(N, P, D_read)``.
            mask: ``(N, P)`` bool, True where there is something to read; ``None`` for everywhere.

        Returns:
            ``(N, L, D)``.
        """
        query, key, value = (self._project(name, source) for name, source in (
            ('query', states), ('key', read), ('value', read)))
        seen = None if mask is None else mask[:, None, None]
        result = F.scaled_dot_product_attention(
            query, key, value, attn_mask=seen, dropout_p=self.dropout if self.training else 0.0)
        result = self.output.dense(result.transpose(1, 2).flatten(2))
        return self.output.LayerNorm(states + F.dropout(result, self.dropout, self.training))

    def weights(self, states: Tensor, read: Tensor, mask: Tensor | None = None) -> Tensor:
        """Compute how much each state reads of each other, ``(N, heads, L, P)``."""
        query, key = self._project('query', states), self._project('key', read)
        scores = query @ key.transpose(2, 3) * query.shape[-1]**-0.5
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None, None], float('-inf'))
        return scores.softmax(-1)

    def _project(self, name: str, states: Tensor) -> Tensor:
        return self.self[name](states).unflatten(-1, (self.heads, -1)).transpose(1, 2)


class FusionLayer(nn.Module):
    """A layer of BERT that may read an image between its attention and its MLP.

    Args:
        width: of the states, D.
        heads: of each attention.
        mlp_width: of the hidden layer of the MLP.
        image_dims: width of the image tokens; ``None`` for a layer without cross-attention.
        dropout: share of states and attention weights that are dropped while training.

    Example:
        >>> import torch
        >>> layer = FusionLayer(8, 2, 16, image_dims=4)
        >>> layer(torch.zeros(1, 3, 8), image=torch.zeros(1, 5, 4)).shape
        torch.Size([1, 3, 8])
    """

    def __init__(self, width: int, heads: int, mlp_width: int, image_dims: int | None = None,
                 dropout: float = 0.0):
        super().__init__()
        self.dropout = dropout
        self.attention = BERTAttention(width, heads, dropout)
        self.crossattention = BERTAttention(width, heads, dropout, image_dims) if (
            image_dims) else None
        self.intermediate = nn.ModuleDict(dict(dense=nn.Linear(width, mlp_width)))
        self.output = nn.ModuleDict(dict(
            dense=nn.Linear(mlp_width, width), LayerNorm=nn.LayerNorm(width, eps=_EPS)))

    def forward(self, hidden: Tensor, mask: Tensor | None = None, image: Tensor | None = None,
                first: bool = False) -> Tensor:
        """Compute the states after this layer.

        Args:
            hidden: ``(N, L, D)``.
            mask: ``(N, L)`` bool, True where there is a token; ``None`` where all are.
            image: ``(N, P, D_image)`` tokens to read; ``None`` for captions alone.
            first: compute the first token alone.

        Returns:
            ``(N, L, D)``; ``(N, 1, D)`` of the first.
        """
        states = self.attention(hidden[:, :1] if first else hidden, hidden, mask)
        if image is not None:
            states = self.crossattention(states, image)
        return self.transform(states)

    def transform(self, states: Tensor) -> Tensor:
        """Apply the MLP to ``(..., D)`` states, with its sum and norm."""
        change = self.output.dense(F.gelu(self.intermediate.dense(states)))
        return self.output.LayerNorm(states + F.dropout(change, self.dropout, self.training))
