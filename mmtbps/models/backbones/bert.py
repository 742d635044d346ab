"""BERT text backbone over transformers."""

from functools import partial

import torch
from mmengine.model import BaseModule
from torch import Tensor
from transformers import AutoConfig, AutoModel

from mmtbps.models.grad_cache import apply_layer
from mmtbps.pretrained import resolve_pretrained
from mmtbps.registry import MODELS

from ..cls_last_layer import bert_first_token

_POOLINGS = ('pooler', 'cls', 'mean')


@MODELS.register_module()
class BERTBackbone(BaseModule):
    """A BERT-like encoder of transformers, cut in two halves for feature-level mixup.

    BERT: Pre-training of Deep Bidirectional Transformers, https://arxiv.org/abs/1810.04805.
    Any ``AutoModel`` with ``embeddings`` and ``encoder.layer`` fits (BERT, RoBERTa, ELECTRA).

    Args:
        model: folder of a transformers model, or a hub name; ``None`` for random weights.
        config: sizes of the random model, as in transformers' ``BertConfig``; may carry
            ``model_type`` (default ``'bert'``). With ``model``, overrides of its config.
        pooling: feature of a caption: ``'pooler'`` (as the paper), ``'cls'`` or ``'mean'``.
        with_cp: keep no activations of the layers while training, compute them again (activation
            checkpointing).
        init_cfg: as in every MMEngine module.

    Raises:
        FileNotFoundError: ``model`` looks like a path and is not a folder.
        ValueError: neither or an unsuitable model is named.

    Example:
        >>> sizes = dict(vocab_size=10, hidden_size=8, num_hidden_layers=1,
        ...              num_attention_heads=2, intermediate_size=8)
        >>> bert = BERTBackbone(config=sizes)
        >>> bert(torch.tensor([[2, 5, 3]]), torch.ones(1, 3, dtype=torch.bool)).shape
        torch.Size([1, 8])
    """

    def __init__(self, model: str | None = None, config: dict | None = None,
                 pooling: str = 'pooler', with_cp: bool = False,
                 init_cfg: dict | list | None = None):
        super().__init__(init_cfg)
        if pooling not in _POOLINGS:
            raise ValueError(f'pooling must be one of {_POOLINGS}, got {pooling!r}')
        self.pooling, self.with_cp = pooling, with_cp
        self.bert = _build(model, dict(config or {}))
        if not hasattr(self.bert, 'embeddings') or not hasattr(
                getattr(self.bert, 'encoder', None), 'layer'):
            raise ValueError(f'{type(self.bert).__name__} is not BERT-like: it has no '
                             '`embeddings` and `encoder.layer`')
        if pooling != 'pooler':
            self.bert.pooler = None  # an unused layer would stall distributed training
        elif getattr(self.bert, 'pooler', None) is None:
            raise ValueError(f"{type(self.bert).__name__} has no pooler; use pooling='cls'")
        self.out_dims = self.bert.config.hidden_size

    def init_weights(self) -> None:
        """Keep what transformers initialised or loaded; only an explicit ``init_cfg`` acts."""
        if self.init_cfg:
            super().init_weights()

    def embed(self, input_ids: Tensor, mask: Tensor, layer: int = 0) -> Tensor:
        """Tokens to hidden states after the embedding and the first ``layer`` layers.

        Args:
            input_ids: ``(N, L)``.
            mask: ``(N, L)`` bool, True where there is a token.
            layer: how many transformer layers belong to this half.

        Returns:
            ``(N, L, D)``.
        """
        vocabulary = self.bert.config.vocab_size
        # An exported or compiled graph cannot ask what its input holds.
        if (not torch.compiler.is_compiling() and input_ids.device.type == 'cpu'
                and int(input_ids.max()) >= vocabulary):
            raise ValueError(
                f'token id {int(input_ids.max())} is outside the text backbone\'s vocabulary of '
                f'{vocabulary}; the tokenizer and the backbone do not belong together')
        hidden = self.bert.embeddings(input_ids=input_ids)
        return self._run(hidden, mask, 0, layer)

    def encode(self, hidden: Tensor, mask: Tensor, layer: int = 0) -> Tensor:
        """Hidden states to features, through the layers that ``embed`` left.

        Args:
            hidden: ``(N, L, D)`` from :meth:`embed` with the same ``layer``.
            mask: ``(N, L)`` bool.
            layer: the first layer of this half.

        Returns:
            ``(N, D)``, not normalised.
        """
        if self.pooling == 'mean':
            hidden = self._run(hidden, mask, layer, self.depth)
            share = mask.to(hidden.dtype) / mask.sum(1, keepdim=True)
            return torch.einsum('nl,nld->nd', share, hidden)
        if layer == self.depth:
            token = hidden[:, 0]
        else:
            hidden = self._run(hidden, mask, layer, self.depth - 1)
            token = apply_layer(partial(bert_first_token, self.bert.encoder.layer[-1]), hidden,
                                self.with_cp and self.training, blocked=_block(mask, hidden))
        return self.bert.pooler(token[:, None]) if self.pooling == 'pooler' else token

    @property
    def depth(self) -> int:
        """Number of transformer layers."""
        return len(self.bert.encoder.layer)

    def encode_tokens(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """What the feature would be if the last layer looked at one token alone.

        With ``pooling='mean'`` that is the token's own last state; else the first token's, after
        whose last layer no other token is ever trained.

        Args:
            hidden: ``(N, L, D)`` from :meth:`embed` with ``layer=depth - 1``.
            mask: ``(N, L)`` bool; what stands outside it means nothing in the result either.

        Returns:
            ``(N, L, D)``, not normalised.
        """
        first = hidden[:, :1].expand_as(hidden)
        pairs = torch.stack([first, hidden], dim=2).flatten(0, 1)
        seen = torch.tensor([False, True], device=hidden.device).expand(len(pairs), 2)
        return self.encode(pairs, seen, self.depth - 1).unflatten(0, hidden.shape[:2])

    def forward(self, input_ids: Tensor, mask: Tensor) -> Tensor:
        """``(N, L)`` tokens and mask to ``(N, D)`` features."""
        return self.encode(self.embed(input_ids, mask), mask)

    def _run(self, hidden: Tensor, mask: Tensor, first: int, last: int) -> Tensor:
        blocked = _block(mask, hidden)
        for block in self.bert.encoder.layer[first:last]:
            # transformers 4 returns tuples
            hidden = apply_layer(block, hidden, self.with_cp and self.training,
                                 attention_mask=blocked)
        return hidden


def _block(mask: Tensor, hidden: Tensor) -> Tensor:
    """``(N, L)`` mask to the ``(N, 1, 1, L)`` that is added to the scores of the keys."""
    blocked = torch.zeros(mask.shape, dtype=hidden.dtype, device=hidden.device)
    return blocked.masked_fill(~mask, torch.finfo(hidden.dtype).min)[:, None, None, :]


def _build(model: str | None, overrides: dict):
    if model is None:
        if not overrides:
            raise ValueError('BERTBackbone needs `model` (folder or hub name) or `config` (sizes)')
        kind = overrides.pop('model_type', 'bert')
        return AutoModel.from_config(AutoConfig.for_model(kind, **overrides))
    return AutoModel.from_pretrained(resolve_pretrained(model), **overrides)
