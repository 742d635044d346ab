"""BERT text backbone over transformers."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel

from mmtbps.pretrained import resolve_pretrained
from mmtbps.registry import MODELS

from .base import Tokens, Tower, apply_layer
from .cls_last_layer import bert_first_token

_POOLINGS = ('pooler', 'cls', 'mean')
# Notes of transformers in a config that are not about sizes.
_NO_SIZES = {'transformers_version', 'architectures', '_name_or_path', 'dtype', 'torch_dtype'}


@MODELS.register_module()
class BERTBackbone(Tower):
    """A BERT-like encoder of transformers, as a text tower.

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

    @property
    def layers(self) -> nn.ModuleList:
        """The Transformer layers, first to last."""
        return self.bert.encoder.layer

    def embed(self, input_ids: Tensor, mask: Tensor) -> Tokens:
        """Turn token ids into tokens.

        Args:
            input_ids: ``(N, L)``.
            mask: ``(N, L)`` bool, True where there is a token.

        Returns:
            ``hidden`` ``(N, L, D)`` and the mask.

        Raises:
            ValueError: an id is outside the vocabulary.
        """
        vocabulary = self.bert.config.vocab_size
        # An exported or compiled graph cannot ask what its input holds.
        if (not torch.compiler.is_compiling() and input_ids.device.type == 'cpu'
                and int(input_ids.max()) >= vocabulary):
            raise ValueError(
                f'token id {int(input_ids.max())} is outside the text backbone\'s vocabulary of '
                f'{vocabulary}; the tokenizer and the backbone do not belong together')
        return Tokens(self.bert.embeddings(input_ids=input_ids), mask)

    def run_layers(self, tokens: Tokens, start: int, stop: int) -> Tensor:
        """Compute the hidden states after layers ``start`` to ``stop - 1``, ``(N, L, D)``."""
        hidden, blocked = tokens.hidden, _block(tokens.mask, tokens.hidden)
        for layer in self.layers[start:stop]:
            hidden = apply_layer(layer, hidden, self.with_cp and self.training,
                                 attention_mask=blocked)
        return hidden

    def run_last_layer(self, tokens: Tokens) -> Tensor | None:
        """Compute the last layer for the first token alone, ``(N, D)``."""
        if self.pooling == 'mean':
            return None
        return apply_layer(partial(bert_first_token, self.layers[-1]), tokens.hidden,
                           self.with_cp and self.training,
                           blocked=_block(tokens.mask, tokens.hidden))

    def pool(self, tokens: Tokens) -> Tensor:
        """Reduce the tokens of the last layer to features, ``(N, D)``, not normalised."""
        if self.pooling == 'mean':
            share = tokens.mask.to(tokens.hidden.dtype) / tokens.mask.sum(1, keepdim=True)
            return torch.einsum('nl,nld->nd', share, tokens.hidden)
        token = tokens.token_read()
        return self.bert.pooler(token[:, None]) if self.pooling == 'pooler' else token

    def single_token_features(self, tokens: Tokens) -> Tensor:
        """Compute the pooled feature if the last layer read one token alone, ``(N, L, D)``.

        With ``pooling='mean'`` that is the token's own last state; else the first token's, after
        whose last layer no other token is ever trained. Outside the mask the result means nothing.
        """
        hidden = tokens.hidden
        first = hidden[:, :1].expand_as(hidden)
        pairs = torch.stack([first, hidden], dim=2).flatten(0, 1)
        seen = torch.tensor([False, True], device=hidden.device).expand(len(pairs), 2)
        read = self.run(Tokens(pairs, seen, layer=tokens.layer), tokens.layer, read_only=True)
        return self.pool(read).unflatten(0, hidden.shape[:2])

    @classmethod
    def tiny_settings(cls, settings: dict[str, Any]) -> dict[str, Any]:
        """Return settings of a BERT of two layers and 2,048 words, without dropout."""
        sizes = dict(vocab_size=2048, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
                     intermediate_size=32, max_position_embeddings=64, hidden_dropout_prob=0.0,
                     attention_probs_dropout_prob=0.0)
        settings = super().tiny_settings(settings)
        settings.pop('model', None)
        settings.update(config=sizes)
        return settings

    @classmethod
    def pretrained_names(cls, settings: dict[str, Any]) -> list[str]:
        """Return the folder or hub name of the transformers model, if there is one."""
        return [settings['model']] if settings.get('model') else []

    def portable_settings(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Return settings with the sizes of the model in the place of its folder."""
        if not settings.get('model'):
            return settings
        config = self.bert.config
        sizes = {key: value for key, value in config.to_diff_dict().items()
                 if key not in _NO_SIZES}
        kept = {key: value for key, value in settings.items() if key != 'model'}
        return dict(kept, config=dict(sizes, model_type=config.model_type))


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
