"""The contract of a tower: embed, run layers from one to another, pool."""

import copy
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torch.utils.checkpoint import checkpoint

__all__ = ['Tokens', 'Tower', 'apply_layer']


@dataclass(frozen=True)
class Tokens:
    """Hidden states of a batch on their way through a tower.

    Args:
        hidden: ``(N, P, D)``; a tower without layers to cut at may carry its input here, such as
            ``(N, 3, H, W)`` images.
        mask: ``(N, P)`` bool, True where there is a token; ``None`` where all are.
        read: ``(N,)`` place of the token that is pooled, such as an end token; ``None`` for the
            first.
        layer: number of layers that have run.
        before: ``(N, P, D)`` states before the last layer that has run; ``None`` if none has, or
            if only one token of it was computed.

    Example:
        >>> tokens = Tokens(torch.arange(12.).view(2, 3, 2), read=torch.tensor([2, 0]))
        >>> tokens.token_read().tolist()
        [[4.0, 5.0], [6.0, 7.0]]
    """

    hidden: Tensor
    mask: Tensor | None = None
    read: Tensor | None = None
    layer: int = 0
    before: Tensor | None = None

    def token_read(self) -> Tensor:
        """Return the state of the pooled token, ``(N, D)``."""
        if self.read is None:
            return self.hidden[:, 0]
        # Not len(): an exported graph would be of that number for good.
        rows = torch.arange(self.hidden.shape[0], device=self.hidden.device)
        return self.hidden[rows, self.read]

    def keep(self, places: Tensor) -> 'Tokens':
        """Return some of the tokens of an image, before the first layer.

        Args:
            places: ``(N, K)``, the first of each row that of the pooled token.

        Example:
            >>> Tokens(torch.arange(6.).view(1, 3, 2)).keep(torch.tensor([[0, 2]])).hidden.tolist()
            [[[0.0, 1.0], [4.0, 5.0]]]

        Raises:
            TypeError: the tower has no tokens before its layers.
        """
        if self.hidden.ndim != 3:
            raise TypeError('an image tower without tokens cannot leave some out: take a '
                            'Transformer over patches')
        width = self.hidden.shape[-1]
        return replace(self, hidden=self.hidden.gather(1, places[..., None].expand(-1, -1, width)),
                       mask=None if self.mask is None else self.mask.gather(1, places), read=None)

    def step_back(self) -> 'Tokens':
        """Return the states before the last layer that has run, if they are remembered."""
        if self.before is None:
            return self
        return replace(self, hidden=self.before, layer=self.layer - 1, before=None)


class Tower(BaseModule):
    """Base of image and text towers: a stack of layers that can be run piece by piece.

    ``forward(x)`` is ``pool(run(embed(x)))``. Whoever needs less or more asks for a piece: feature
    mixup acts between ``run(tokens, 0, k)`` and ``run(tokens, k)``, a neck reads ``tokens`` as well
    as the pooled feature, a heat-map asks for ``attention``. No other part knows by name what is
    inside a tower. ``docs/concepts/add_a_part.md`` writes one.

    A tower derives from this class and, where its layers come from a library, from the library's
    class too. It has ``out_dims``, ``layers``, ``embed`` and ``pool``, and ``run_layers`` where a
    layer takes more than hidden states.

    Attributes:
        layers: the repeated layers, first to last; ``()`` where there is nothing to cut.
        out_dims: width D of the pooled feature.
        with_cp: compute activations of the layers again in the backward pass instead of keeping
            them (activation checkpointing).
        grid: (rows, columns) of patches at the end of the tokens of an image, or ``None``.
        image_size: (height, width) of the images that have this grid; ``None`` for any.
        vocab_size: number of words, pieces of words and special tokens that a text tower knows.
        training_only: names of settings that change nothing once a tower is trained, such as
            dropout; also of those inside the dict ``config``.
        lora_targets: names, inside a layer, of what low-rank adapters go to unless told otherwise:
            of linear layers, or of modules that hold them. The projections of the attention.
        peft_places: names, inside a layer, of what each part of parameter-efficient tuning goes to
            (:func:`~mmtbps.models.peft.add_parts`); a part without a place is refused.
            ``prefix``: attention whose ``scaled_dot_product_attention`` it calls on ``(N, heads,
            P, d)``; ``kv_lora``: linear layers of keys and values, or of both after queries;
            ``adapter``: norms of the stream; ``mixture``: feed-forward networks.
        last_weights: beginnings of the names of weights that act after the layers, such as those
            of a final norm.
        checkpoint_kind: kind of published checkpoint that such a tower starts from, as the
            converters name it; ``None`` if there is none.
    """

    layers: Sequence[nn.Module]
    out_dims: int
    with_cp: bool = False
    grid: tuple[int, int] | None = None
    image_size: tuple[int, int] | None = None
    vocab_size: int | None = None
    training_only: tuple[str, ...] = ('with_cp', )
    lora_targets: tuple[str, ...] = ('attn', )
    peft_places: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    last_weights: tuple[str, ...] = ()
    checkpoint_kind: str | None = None

    @abstractmethod
    def embed(self, *inputs: Tensor) -> Tokens:
        """Turn a batch into tokens.

        Args:
            *inputs: ``(N, 3, H, W)`` normalised images; or ``(N, L)`` token ids and their
                ``(N, L)`` bool mask.
        """

    @abstractmethod
    def pool(self, tokens: Tokens) -> Tensor:
        """Reduce the tokens of the last layer to features, ``(N, D)``, not normalised."""

    @property
    def depth(self) -> int:
        """Number of layers."""
        return len(self.layers)

    def run(self, tokens: Tokens, start: int = 0, stop: int | None = None,
            read_only: bool = False) -> Tokens:
        """Run the layers from ``start`` up to, not including, ``stop``.

        Args:
            tokens: states before layer ``start``.
            start: number of the first layer.
            stop: number of the layer after the last; ``None`` for all that are left.
            read_only: after the tower's last layer only the pooled token is asked for; a tower
                that can computes no other, and the result has ``P = 1``. ``pool`` gives the same.

        Returns:
            States after the last of these layers; ``tokens`` itself if there are none.

        Raises:
            ValueError: ``tokens`` are not states before layer ``start``.
        """
        stop = self.depth if stop is None else min(stop, self.depth)
        if start >= stop:
            return tokens
        if tokens.layer != start:
            raise ValueError(f'{type(self).__name__}: tokens of {tokens.layer} layers cannot go '
                             f'on with layer {start}')
        if read_only and stop == self.depth:
            tokens = self.run(tokens, start, stop - 1)
            token = self.run_last_layer(tokens)
            if token is not None:
                return replace(tokens, hidden=token[:, None], mask=None, read=None, layer=stop,
                               before=None)
            start = stop - 1
        if stop - start > 1:
            before = self.run_layers(tokens, start, stop - 1)
            tokens = replace(tokens, hidden=before, layer=stop - 1)
        return replace(tokens, hidden=self.run_layers(tokens, stop - 1, stop), layer=stop,
                       before=tokens.hidden)

    def run_layers(self, tokens: Tokens, start: int, stop: int) -> Tensor:
        """Compute the hidden states after layers ``start`` to ``stop - 1``, ``(N, P, D)``."""
        hidden = tokens.hidden
        for layer in self.layers[start:stop]:
            hidden = apply_layer(layer, hidden, self.with_cp and self.training)
        return hidden

    def run_last_layer(self, tokens: Tokens) -> Tensor | None:
        """Compute the last layer for the pooled token alone, ``(N, D)``.

        ``None`` where the tower pools more than one token or has no such shortcut.
        """
        return None

    def token_features(self, tokens: Tokens) -> Tensor:
        """Bring every token of the last layer through the tower's final norm.

        Args:
            tokens: states after the last layer, all of them.

        Returns:
            ``(N, P, D)``, not of unit length.
        """
        return tokens.hidden

    def attention(self, tokens: Tokens, layer: int = -1) -> Tensor:
        """Compute how much each token reads of each other in a layer.

        Args:
            tokens: states before that layer, or earlier ones; or those right after it, which
                remember them.
            layer: number of the layer; negative from the end.

        Returns:
            ``(N, heads, P, P)``; each row sums to 1.

        Raises:
            ValueError: the tokens are beyond the layer, or there is no such layer.
            TypeError: the tower has no attention to show.
        """
        if self.depth and not -self.depth <= layer < self.depth:
            raise ValueError(f'{type(self).__name__} has {self.depth} layers, got layer {layer}')
        layer = layer % self.depth if self.depth else 0
        if tokens.layer == layer + 1:
            tokens = tokens.step_back()
        if tokens.layer > layer:
            raise ValueError(f'{type(self).__name__}: tokens of {tokens.layer} layers are beyond '
                             f'layer {layer}')
        return self.attention_of(self.run(tokens, tokens.layer, layer), layer)

    def attention_of(self, tokens: Tokens, layer: int) -> Tensor:
        """Compute the attention of a layer from the states right before it."""
        raise TypeError(f'{type(self).__name__} has no attention to show')

    def read_shares(self, tokens: Tokens) -> Tensor:
        """Compute the share of each token of the last layer in the pooled feature.

        Args:
            tokens: states after the last layer, all of them.

        Returns:
            ``(N, P)``; each row sums to 1. By default all of it is the pooled token's.
        """
        count = tokens.hidden.shape[1]
        read = tokens.read
        if read is None:
            read = torch.zeros(len(tokens.hidden), dtype=torch.long, device=tokens.hidden.device)
        return one_hot(read, count).to(tokens.hidden.dtype)

    def single_token_features(self, tokens: Tokens) -> Tensor:
        """Compute the pooled feature if the last layer read one token alone, for each token.

        After the last layer only the pooled token is ever trained; what another token says is in
        what it gives to that one. So each in turn gets all of its attention.

        Args:
            tokens: states before the last layer.

        Returns:
            ``(N, P, D)``, not normalised.

        Raises:
            TypeError: the tower cannot.
        """
        raise TypeError(f'{type(self).__name__} gives no features of single tokens')

    def get_layer_depth(self, param_name: str, prefix: str = '') -> tuple[int, int]:
        """Return the depth of a weight, for a learning rate that decays from layer to layer.

        Args:
            param_name: of the weight, in the model around.
            prefix: of the weights of this tower there.

        Returns:
            Depth, and the number of depths: 0 is what stands before the first layer, ``i + 1``
            layer ``i``, and the last all that comes after, also what is not of this tower.

        Example:
            >>> class Two(Tower):
            ...     embed = pool = None
            ...     last_weights = ('norm', )
            ...     def __init__(self):
            ...         super().__init__()
            ...         self.words, self.norm = nn.Embedding(2, 2), nn.LayerNorm(2)
            ...         self.layers = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
            >>> [Two().get_layer_depth(f'text.{name}', 'text.') for name in (
            ...     'words.weight', 'layers.1.bias', 'norm.bias')]
            [(0, 4), (2, 4), (3, 4)]
        """
        last, name = self.depth + 1, param_name.removeprefix(prefix)
        if not self.depth or not param_name.startswith(prefix) or name.startswith(
                self.last_weights):
            return last, last + 1
        weight = dict(self.named_parameters()).get(name)
        depth = next((index for index, layer in enumerate(self.layers, start=1)
                      if any(weight is one for one in layer.parameters())), 0)
        return depth, last + 1

    def forward(self, *inputs: Tensor) -> Tensor:
        """Compute the features of a batch, ``(N, D)``, not normalised."""
        return self.pool(self.run(self.embed(*inputs), read_only=True))

    @classmethod
    def tiny_settings(cls, settings: dict[str, Any]) -> dict[str, Any]:
        """Return settings of a tower of the same make that computes in no time.

        For tests and dry runs. Settings that name weights are left out.
        """
        settings = copy.copy(settings)  # a config keeps its lazy classes
        settings.pop('init_cfg', None)
        return settings

    @classmethod
    def pretrained_names(cls, settings: dict[str, Any]) -> list[str]:
        """Return the folders or hub names of pretrained models that settings start from."""
        return []

    @classmethod
    def evaluation_settings(cls, settings: dict[str, Any]) -> dict[str, Any]:
        """Return settings without those that act in training only: ``training_only``."""
        kept = {key: value for key, value in settings.items() if key not in cls.training_only}
        if isinstance(kept.get('config'), dict):
            kept['config'] = {key: value for key, value in kept['config'].items()
                              if key not in cls.training_only}
        return kept

    def portable_settings(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Return settings that build this tower without the files that it started from."""
        return settings


def apply_layer(layer: Callable[..., Tensor], hidden: Tensor, with_cp: bool, **kwargs) -> Tensor:
    """Run one Transformer layer, its activations kept for the backward pass or computed again.

    Training Deep Nets with Sublinear Memory Cost, https://arxiv.org/abs/1604.06174.

    Args:
        layer: the layer, or what takes its place; a tuple that it returns begins with its states.
        hidden: ``(N, L, D)``.
        with_cp: compute the activations again (activation checkpointing).
        **kwargs: further arguments of the layer.

    Returns:
        What the layer returns.
    """
    output = (checkpoint(layer, hidden, use_reentrant=False, **kwargs) if with_cp
              else layer(hidden, **kwargs))
    return output[0] if isinstance(output, tuple) else output
