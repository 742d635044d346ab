"""Convolutional towers, for images and for captions, that learn from random weights in minutes."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mmtbps.errors import BadValue
from mmtbps.registry import MODELS

from .base import Tokens, Tower, apply_layer
from .conv_layers import GridLayer, WordLayer
from .position_table import check_image_size
from .token_ids import check_token_ids

__all__ = ['ConvTextTower', 'ConvVisionTower']


@MODELS.register_module()
class ConvVisionTower(Tower):
    """A convolutional network whose feature keeps at what height something is.

    Stages of standardised convolutions (`GridLayer`), each stage on a grid of half the side and
    twice the width. At the end the columns of a row are averaged and the rows stand one after the
    other, since a hat, a coat and shoes differ in where they are: stripes as in Beyond Part Models,
    https://arxiv.org/abs/1711.09349. One linear layer makes the feature of them; so the feature is
    a mean of what each place gives to it. Norms are those of one image: nothing depends on the
    batch.

    Args:
        img_size: (height, width) in pixels.
        width: of the states in the first stage, a multiple of 8; each stage doubles it.
        depths: number of layers of each stage. The first of a stage halves the grid, except in the
            first stage, which sees single pixels unless it has a ``stride``.
        kernel_size: side of the convolutions, odd.
        out_dims: width of the feature.
        stride: of the first layer. With 2 its kernels are two pixels wider, and no layer sees
            single pixels: twice the side of an image, with its small things, at about the cost of
            the one.
        bands: number of horizontal bands in each stage, each with kernels of its own: a head is
            looked at otherwise than shoes, at no further operations. One for all by default.
        residual: add to each layer that keeps grid and width what stands before it, as
            Deep Residual Learning does, https://arxiv.org/abs/1512.03385.
        with_cp: keep no activations of the layers while training, compute them again (activation
            checkpointing).
        init_cfg: as in every MMEngine module.

    Raises:
        BadValue: depths or bands are no whole numbers, one for each stage; a stage has no layer,
            the kernel no middle, the width is no multiple of 8, the stride is below 1, or there are
            more bands than rows.

    Example:
        >>> tower = ConvVisionTower((64, 24), width=8, depths=(1, 1, 1, 1), out_dims=16)
        >>> tower.grid, tower(torch.zeros(2, 3, 64, 24)).shape
        ((8, 3), torch.Size([2, 16]))
    """

    last_weights = ('proj.', )

    def __init__(self, img_size: tuple[int, int] = (64, 24), width: int = 16,
                 depths: Sequence[int] = (1, 2, 2, 2), kernel_size: int = 3, out_dims: int = 96,
                 with_cp: bool = False, residual: bool = False, stride: int = 1,
                 bands: Sequence[int] | None = None, init_cfg: dict | list | None = None):
        super().__init__(init_cfg)
        check_counts('depths', depths)
        if min(depths, default=0) < 1:
            raise BadValue(f'a stage needs layers, got depths={tuple(depths)}')
        bands = [1] * len(depths) if bands is None else bands
        check_counts('bands', bands)
        if len(bands) != len(depths):
            raise BadValue(f'bands are given for {len(bands)} stages, depths for {len(depths)}')
        if stride < 1:
            raise BadValue(f'stride must be at least 1, got {stride}')
        check_kernel(kernel_size)
        self.image_size, self.with_cp, self.out_dims = tuple(img_size), with_cp, out_dims
        before = width
        layers = [GridLayer(3, width, kernel_size + 2 * (stride - 1), self.image_size, stride,
                            bands=bands[0])]
        for stage, depth in enumerate(depths):
            for number in range(depth if stage else depth - 1):
                halves = 2 if stage and not number else 1
                layers.append(GridLayer(
                    before, width << stage, kernel_size, layers[-1].out_grid, halves, residual,
                    bands[stage]))
                before = width << stage
        self.layers, self.grid = nn.ModuleList(layers), layers[-1].out_grid
        # A bias would be the same for all images, who then start alike, and may end so.
        self.proj = nn.Linear(self.grid[0] * before, out_dims, bias=False)

    def embed(self, images: Tensor) -> Tokens:
        """Turn images into tokens, pixels row by row.

        Args:
            images: ``(N, 3, H, W)``, normalised, of the size of this tower.

        Returns:
            ``hidden`` ``(N, H * W, 3)``; each stage but the first leaves a quarter as many, and so
            does a first layer of stride 2.

        Raises:
            BadValue: the images are of another size.
        """
        check_image_size(images, self.image_size)
        return Tokens(images.flatten(2).transpose(1, 2))

    def pool(self, tokens: Tokens) -> Tensor:
        """Average each row, and make the feature of all rows, ``(N, D)``."""
        rows = tokens.hidden.unflatten(1, self.grid).mean(2)
        return self.proj(rows.flatten(1))

    def token_features(self, tokens: Tokens) -> Tensor:
        """Put the feature before what each place gives to it, ``(N, 1 + P, D)``."""
        return torch.cat([self.pool(tokens)[:, None], self._places(tokens)], 1)

    def read_shares(self, tokens: Tokens) -> Tensor:
        """Compute the share of each token of the last layer in the feature, ``(N, P)``."""
        count, length = tokens.hidden.shape[:2]
        return tokens.hidden.new_full((count, length), 1 / length)

    def single_token_features(self, tokens: Tokens) -> Tensor:
        """Compute what each place gives more than it does of an empty picture, ``(N, P, D)``.

        Their mean is the feature less that of the empty picture, of the mean color everywhere. With
        rectified states every place gives much to any picture, which says nothing of this one.
        """
        empty = self.embed(tokens.hidden.new_zeros(1, 3, *self.image_size))
        return self._places(self.run(tokens, tokens.layer)) - self._places(self.run(empty))

    def _places(self, tokens: Tokens) -> Tensor:
        rows = self.grid[0]
        weight = self.proj.weight.unflatten(1, (rows, -1))
        states = tokens.hidden.unflatten(1, self.grid)
        given = torch.einsum('nrcd,erd->nrce', states, weight).flatten(1, 2)
        return rows * given

    @classmethod
    def tiny_settings(cls, settings: dict[str, Any]) -> dict[str, Any]:
        """Return settings of three stages for images of 32 x 16 pixels."""
        settings = super().tiny_settings(settings)
        settings.update(img_size=(32, 16), width=8, depths=(1, 1, 1), out_dims=16)
        if settings.get('bands'):
            settings.update(bands=(1, 1, 2))
        return settings


@MODELS.register_module()
class ConvTextTower(Tower):
    """Word vectors and convolutions over neighbouring words.

    Convolutional Neural Networks for Sentence Classification, https://arxiv.org/abs/1408.5882, in
    residual layers. In "a red coat and blue jeans" a colour stands beside what has it, so that a
    layer that reads neighbours binds the two at once, where attention has to learn what a place is
    first. The feature is a linear layer on the mean and the largest of the last states. There is no
    table of places: captions may have any length, and padding changes nothing.

    Args:
        vocab_size: number of words, pieces of words and special tokens.
        width: of word vectors and states.
        depth: number of layers.
        kernel_size: words that a layer reads at once, odd.
        expansion: channels of the convolutions, as a multiple of the width.
        out_dims: width of the feature; that of the states by default.
        word_drop: share of words that are zeros while training.
        with_cp: keep no activations of the layers while training, compute them again (activation
            checkpointing).
        init_cfg: as in every MMEngine module.

    Raises:
        BadValue: the kernel has no middle, or all words are to be dropped.

    Example:
        >>> tower = ConvTextTower(vocab_size=10, width=8)
        >>> ids = torch.tensor([[2, 5, 3]])
        >>> tower(ids, ids > 0).shape
        torch.Size([1, 8])
    """

    training_only = ('with_cp', 'word_drop')
    last_weights = ('proj.', )

    def __init__(self, vocab_size: int, width: int = 96, depth: int = 1, kernel_size: int = 5,
                 expansion: int = 2, out_dims: int | None = None, word_drop: float = 0.0,
                 with_cp: bool = False, init_cfg: dict | list | None = None):
        super().__init__(init_cfg)
        check_kernel(kernel_size)
        if not 0 <= word_drop < 1:
            raise BadValue(f'word_drop must lie in [0, 1), got {word_drop}')
        self.word_drop = word_drop
        self.vocab_size, self.with_cp, self.out_dims = vocab_size, with_cp, out_dims or width
        self.words = nn.Embedding(vocab_size, width)
        nn.init.normal_(self.words.weight, std=0.3)
        self.layers = nn.ModuleList(
            WordLayer(width, expansion * width, kernel_size) for _ in range(depth))
        self.proj = nn.Linear(2 * width, self.out_dims, bias=False)

    def embed(self, input_ids: Tensor, mask: Tensor) -> Tokens:
        """Turn token ids into word vectors, zero outside the mask.

        Args:
            input_ids: ``(N, L)``.
            mask: ``(N, L)`` bool, True where there is a token.

        Raises:
            BadValue: an id is outside the vocabulary.
        """
        check_token_ids(input_ids, self.vocab_size)
        seen = mask
        if self.training and self.word_drop:
            seen = mask & (torch.rand(mask.shape, device=mask.device) >= self.word_drop)
        return Tokens(self.words(input_ids) * seen[..., None], mask)

    def run_layers(self, tokens: Tokens, start: int, stop: int) -> Tensor:
        """Compute the hidden states after layers ``start`` to ``stop - 1``, ``(N, L, D)``."""
        hidden = tokens.hidden
        for layer in self.layers[start:stop]:
            hidden = apply_layer(partial(layer, mask=tokens.mask), hidden,
                                 self.with_cp and self.training)
        return hidden

    def pool(self, tokens: Tokens) -> Tensor:
        """Make the feature of the mean and the largest of the states, ``(N, D)``."""
        mean = torch.einsum('nl,nld->nd', self.read_shares(tokens), tokens.hidden)
        outside = ~tokens.mask[..., None]
        largest = tokens.hidden.masked_fill(outside, float('-inf')).amax(1)
        return self.proj(torch.cat([mean, largest], -1))

    def read_shares(self, tokens: Tokens) -> Tensor:
        """Compute the share of each token of the last layer in the mean, ``(N, L)``."""
        return tokens.mask.to(tokens.hidden.dtype) / tokens.mask.sum(1, keepdim=True)

    def token_features(self, tokens: Tokens) -> Tensor:
        """Compute the feature that each last state alone would give, ``(N, L, D)``."""
        return self.proj(torch.cat([tokens.hidden, tokens.hidden], -1))

    def single_token_features(self, tokens: Tokens) -> Tensor:
        """Compute the same after the layers that are left, ``(N, L, D)``."""
        return self.token_features(self.run(tokens, tokens.layer))

    @classmethod
    def tiny_settings(cls, settings: dict[str, Any]) -> dict[str, Any]:
        """Return settings of two layers and 2,048 words."""
        settings = super().tiny_settings(settings)
        settings.update(vocab_size=2048, width=16, depth=2, out_dims=16)
        return settings


def check_counts(name: str, counts: Sequence[int]) -> None:
    """Check that a setting has a whole number for each stage.

    Raises:
        BadValue: it is one number, or something else.

    Example:
        >>> check_counts('depths', (1, 2))
    """
    if isinstance(counts, str) or not isinstance(counts, Sequence) or not all(
            type(count) is int for count in counts):
        raise BadValue(f'{name} must be whole numbers, one for each stage, such as (1, 2, 2, 2); '
                       f'got {counts!r}')


def check_kernel(kernel_size: int) -> None:
    """Check that a convolution keeps the number of places.

    Raises:
        BadValue: its kernel has no middle.

    Example:
        >>> check_kernel(3)
    """
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise BadValue(f'kernel_size must be odd, so that a layer keeps its places, got '
                       f'{kernel_size}')
