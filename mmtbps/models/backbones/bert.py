"""BERT-like text towers over transformers."""

from functools import partial
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn

from mmtbps.errors import BadValue
from mmtbps.registry import MODELS

from .base import Tokens, Tower, apply_layer
from .bert_families import (
    FAMILIES,
    Family,
    attention_weights,
    block_keys,
    build_model,
    embed_ids,
    run_slice,
)
from .cls_last_layer import bert_first_token, is_plain_bert
from .library_models import sizes_of
from .token_ids import check_token_ids

_POOLINGS = ('pooler', 'cls', 'mean')
_KEYS_AND_VALUES = ('key', 'value', 'k_lin', 'v_lin', 'k', 'v', 'Wqkv')


@MODELS.register_module()
class BERTBackbone(Tower):
    """A BERT-like encoder of transformers, as a text tower.

    BERT: Pre-training of Deep Bidirectional Transformers, https://arxiv.org/abs/1810.04805.
    The families that it runs are those of `FAMILIES`, each equal to transformers: BERT, RoBERTa,
    XLM-RoBERTa, CamemBERT, ELECTRA, DistilBERT, MPNet, ModernBERT. Any other is refused.

    Args:
        model: folder of a transformers model, or a hub name; ``None`` for random weights.
        config: sizes of the random model, as in transformers' ``BertConfig``; may carry
            ``model_type`` (default ``'bert'``). With ``model``, overrides of its config.
        pooling: feature of a caption: ``'pooler'`` (as the paper; ELECTRA, DistilBERT and
            ModernBERT have none), ``'cls'`` or ``'mean'``.
        with_cp: keep no activations of the layers while training, compute them again (activation
            checkpointing).
        init_cfg: as in every MMEngine module.

    Raises:
        FileNotFoundError: ``model`` looks like a path and is not a folder.
        BadValue: neither or an unsuitable model is named.

    Example:
        >>> sizes = dict(vocab_size=10, hidden_size=8, num_hidden_layers=1,
        ...              num_attention_heads=2, intermediate_size=8)
        >>> bert = BERTBackbone(config=sizes)
        >>> bert(torch.tensor([[2, 5, 3]]), torch.ones(1, 3, dtype=torch.bool)).shape
        torch.Size([1, 8])
    """

    last_weights = ('bert.pooler', 'bert.final_norm')
    training_only = ('with_cp', 'hidden_dropout_prob', 'attention_probs_dropout_prob',
                     'classifier_dropout', 'dropout', 'attention_dropout', 'embedding_dropout',
                     'mlp_dropout')

    def __init__(self, model: str | None = None, config: dict | None = None,
                 pooling: str = 'pooler', with_cp: bool = False,
                 init_cfg: dict | list | None = None):
        super().__init__(init_cfg)
        if pooling not in _POOLINGS:
            raise BadValue(f'pooling must be one of {_POOLINGS}, got {pooling!r}')
        self.pooling, self.with_cp = pooling, with_cp
        self.bert = build_model(model, dict(config or {}))
        if pooling != 'pooler':
            self.bert.pooler = None  # an unused layer would stall distributed training
        elif getattr(self.bert, 'pooler', None) is None:
            raise BadValue(f"{type(self.bert).__name__} has no pooler; use pooling='cls'")
        self.out_dims = self.bert.config.hidden_size

    def init_weights(self) -> None:
        """Keep what transformers initialised or loaded; only an explicit ``init_cfg`` acts."""
        if self.init_cfg:
            super().init_weights()

    @property
    def layers(self) -> nn.ModuleList:
        """The Transformer layers, first to last."""
        return Family.of(self.bert).layers_of(self.bert)

    @property
    def lora_targets(self) -> tuple[str, ...]:
        """Name of the attention inside a layer."""
        return (Family.of(self.bert).attention.partition('.')[0], )

    @property
    def peft_places(self) -> dict[str, tuple[str, ...]]:
        """Places of tuned parts; only a family whose norms stand before takes other than LoRA."""
        family = Family.of(self.bert)
        attention = self.layers[0].get_submodule(family.attention)
        places = dict(kv_lora=tuple(f'{family.attention}.{name}' for name in _KEYS_AND_VALUES
                                    if hasattr(attention, name)))
        if hasattr(self.layers[0], 'mlp_norm'):  # ModernBERT
            places |= dict(adapter=('attn_norm', 'mlp_norm'), mixture=('mlp', ))
        return places

    @property
    def vocab_size(self) -> int:
        """Number of tokens that this tower knows."""
        return self.bert.config.vocab_size

    def embed(self, input_ids: Tensor, mask: Tensor) -> Tokens:
        """Turn token ids into tokens.

        Args:
            input_ids: ``(N, L)``.
            mask: ``(N, L)`` bool, True where there is a token.

        Returns:
            ``hidden`` ``(N, L, D)`` and the mask.

        Raises:
            BadValue: an id is outside the vocabulary.
        """
        check_token_ids(input_ids, self.vocab_size)
        return Tokens(embed_ids(self.bert, input_ids), mask)

    def run_layers(self, tokens: Tokens, start: int, stop: int) -> Tensor:
        """Compute the hidden states after layers ``start`` to ``stop - 1``, ``(N, L, D)``."""
        if not (self.with_cp and self.training):
            return run_slice(self.bert, tokens.hidden, tokens.mask, start, stop)
        hidden = tokens.hidden
        for layer in range(start, stop):
            hidden = apply_layer(partial(self._run_layer, tokens.mask, layer), hidden, True)
        return hidden

    def _run_layer(self, mask: Tensor | None, layer: int, hidden: Tensor) -> Tensor:
        return run_slice(self.bert, hidden, mask, layer, layer + 1)

    def run_last_layer(self, tokens: Tokens) -> Tensor | None:
        """Compute the last layer for the first token alone, ``(N, D)``.

        ``None`` with ``pooling='mean'`` and for layers of another make than BERT's.
        """
        last = self.layers[-1]
        if self.pooling == 'mean' or not is_plain_bert(last):
            return None
        return apply_layer(partial(bert_first_token, last), tokens.hidden,
                           self.with_cp and self.training,
                           blocked=block_keys(tokens.mask, tokens.hidden))

    def pool(self, tokens: Tokens) -> Tensor:
        """Reduce the tokens of the last layer to features, ``(N, D)``, not normalised."""
        if self.pooling == 'mean':
            return torch.einsum('nl,nld->nd', self.read_shares(tokens),
                                self.token_features(tokens))
        token = self._normed(tokens.token_read())
        return self.bert.pooler(token[:, None]) if self.pooling == 'pooler' else token

    def read_shares(self, tokens: Tokens) -> Tensor:
        """Compute the share of each token of the last layer in the feature, ``(N, L)``."""
        if self.pooling != 'mean':
            return super().read_shares(tokens)
        mask = tokens.mask
        if mask is None:
            mask = torch.ones_like(tokens.hidden[..., 0], dtype=torch.bool)
        return mask.to(tokens.hidden.dtype) / mask.sum(1, keepdim=True)

    def token_features(self, tokens: Tokens) -> Tensor:
        """Take every token through the final norm, where there is one, ``(N, L, D)``."""
        return self._normed(tokens.hidden)

    def _normed(self, hidden: Tensor) -> Tensor:
        norm = Family.of(self.bert).norm
        return self.bert.get_submodule(norm)(hidden) if norm else hidden

    def attention_of(self, tokens: Tokens, layer: int) -> Tensor:
        """Compute the attention of a layer from the states right before it."""
        return attention_weights(self.bert, tokens.hidden, tokens.mask, layer)

    def single_token_features(self, tokens: Tokens) -> Tensor:
        """Compute the pooled feature if the last layer read one token alone, ``(N, L, D)``.

        With ``pooling='mean'`` that is the token's own last state; else the first token's, after
        whose last layer no other token is ever trained. Outside the mask the result means nothing.
        """
        hidden = tokens.hidden
        first = hidden[:, :1].expand_as(hidden)
        pairs = torch.stack([first, hidden], dim=2).flatten(0, 1)
        seen = torch.arange(2, device=hidden.device).bool().expand(len(pairs), 2)
        read = self.run(Tokens(pairs, seen, layer=tokens.layer), tokens.layer, read_only=True)
        return self.pool(read).unflatten(0, hidden.shape[:2])

    @classmethod
    def tiny_settings(cls, settings: dict[str, Any]) -> dict[str, Any]:
        """Return settings of a model of two layers and 2,048 words, without dropout.

        It is of the same family, as far as the settings or the folder that they name tell.
        """
        settings = super().tiny_settings(settings)
        model = settings.pop('model', None)
        kind = (settings.get('config') or {}).get('model_type', 'bert')
        folder = Path(model or '').expanduser()
        if model and (folder / 'config.json').is_file():
            kind = transformers.PretrainedConfig.get_config_dict(folder)[0].get('model_type', kind)
        sizes = dict(FAMILIES.get(kind, FAMILIES['bert']).sizes)
        settings.update(config=sizes if kind == 'bert' else dict(sizes, model_type=kind))
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
        kept = {key: value for key, value in settings.items() if key != 'model'}
        return dict(kept, config=dict(sizes_of(config), model_type=config.model_type))
