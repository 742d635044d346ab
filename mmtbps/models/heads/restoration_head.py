"""The head of masked gray patches restored in color with the help of the caption."""

import torch
from torch import Tensor, nn

from mmtbps.errors import BadValue
from mmtbps.models.backbones.clip_layers import Float32LayerNorm, ResidualAttentionBlock
from mmtbps.models.losses import gray_images, patches_of, restoration_loss
from mmtbps.registry import MODELS

from .pairs import Pairs
from .part_head import PartHead

__all__ = ['RestorationHead', 'draw_kept', 'sincos_positions']


def sincos_positions(rows: int, columns: int, dims: int,
                     device: torch.device | None = None) -> Tensor:
    """Compute fixed positions of a grid of patches, sines and cosines of column and row.

    Masked Autoencoders Are Scalable Vision Learners, https://arxiv.org/abs/2111.06377. The first
    half of the numbers says the column, the second the row, each as sines, then cosines, of
    frequencies from 1 down to nearly 1 / 10,000.

    Args:
        rows: of the grid.
        columns: of the grid.
        dims: D, a multiple of 4.
        device: of the result.

    Returns:
        ``(rows * columns, D)`` float32.

    Example:
        >>> sincos_positions(1, 2, 4)[0]
        tensor([0., 1., 0., 1.])
    """
    steps = torch.arange(dims // 4, dtype=torch.double, device=device)
    frequencies = 10000.0**-(steps / (dims // 4))
    places = torch.meshgrid(torch.arange(rows, device=device),
                            torch.arange(columns, device=device), indexing='ij')
    parts = []
    for place in reversed(places):
        angles = place.reshape(-1, 1) * frequencies
        parts += [angles.sin(), angles.cos()]
    return torch.cat(parts, dim=1).float()


def draw_kept(count: int, patches: int, kept: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Draw which patches of each image stay.

    Args:
        count: N images.
        patches: P of each.
        kept: K that stay.
        device: of the result; its random state is used.

    Returns:
        ``(N, K)`` places among the patches, ascending, and ``(N, P)`` bool, True where a patch is
        masked: exactly those that are not kept.
    """
    chosen = torch.rand(count, patches, device=device).argsort(1)[:, :kept].sort(1).values
    masked = torch.ones(count, patches, dtype=torch.bool, device=device)
    return chosen, masked.scatter(1, chosen, False)


@MODELS.register_module()
class RestorationHead(PartHead):
    """Masked patches of a gray image, restored in color from what is left of it and the caption.

    Text-guided Image Restoration and Semantic Enhancement for Text-to-Image Person Retrieval (SEN),
    https://arxiv.org/abs/2307.09059, its text-guided image restoration (TIR), with weight 10: only
    the caption says colors. The image loses its color and most of its patches and goes through the
    image tower; its tokens, and one learned token in the place of each masked patch, read those of
    the caption in one cross attention, nothing is added around it, run through Transformer layers
    of CLIP's make, and a linear layer gives the pixels of each patch. Tokens are in the space of
    the part ``global`` and not normalised. Sub-modules have the names of published files.

    The published code draws patches without the first place of a row that counts the class token,
    and its mask is so off by one: some patches count that were seen. Here exactly those count that
    were left out. Filler of captions is masked here; there it takes part.

    Args:
        patch_size: of the image tower.
        stride: of the image tower; ``None`` for patches side by side.
        dims: width of the part ``global``, a multiple of 4.
        num_layers: Transformer layers after the cross attention.
        num_heads: heads of each attention; ``None`` for one every 64 dims.
        keep_share: share of the tokens, the class token among them, that are encoded.
        class_tokens: tokens of an image that stand for no patch; ``None`` for those of the tower.
        loss_weight: factor of the loss.
        init_cfg: as in every MMEngine module.

    Raises:
        BadValue: an option is out of its range.

    Example:
        >>> head = RestorationHead(patch_size=8, dims=8, num_layers=1, num_heads=2)
        >>> kept = torch.tensor([[0, 3]])
        >>> head.decode(torch.zeros(1, 3, 8), kept, torch.zeros(1, 5, 8), None, (3, 2)).shape
        torch.Size([1, 6, 192])
    """

    needs_tokens = True
    heeds_weights = True
    no_mixup = 'restores images, which are not mixed, by captions, which are'

    def __init__(self, patch_size: int = 16, stride: int | None = None, dims: int = 512,
                 num_layers: int = 4, num_heads: int | None = None, keep_share: float = 0.3,
                 class_tokens: int | None = None, loss_weight: float = 1.0,
                 init_cfg: dict | list | None = None):
        super().__init__('global', loss_weight, init_cfg)
        num_heads = num_heads or max(1, dims // 64)
        if dims % num_heads or dims % 4:
            raise BadValue(f'dims must be a multiple of 4 and of the {num_heads} heads, got {dims}')
        if not 0 < keep_share < 1 or (class_tokens or 0) < 0:
            raise BadValue('keep_share must lie between 0 and 1 and class_tokens not be negative, '
                           f'got {keep_share} and {class_tokens}')
        self.patch_size, self.stride = patch_size, stride or patch_size
        self.keep_share, self.class_tokens = keep_share, class_tokens
        self.mask_token = nn.Parameter(torch.empty(1, 1, dims).normal_(std=0.02))
        self.decoder_embed = nn.Linear(dims, dims)
        self.cross_attn_Text = nn.MultiheadAttention(dims, num_heads, batch_first=True)
        self.cross_modal_transformer_mae = nn.Module()
        self.cross_modal_transformer_mae.resblocks = nn.ModuleList(
            [ResidualAttentionBlock(dims, num_heads) for _ in range(num_layers)])
        for number in (1, 2, 4, 6, 7):
            setattr(self, f'norm_{number}', Float32LayerNorm(dims))
        self.decoder_pred = nn.Linear(dims, 3 * patch_size**2)
        for block in self.cross_modal_transformer_mae.resblocks:
            block.init_weights(num_layers)
        nn.init.normal_(self.cross_attn_Text.in_proj_weight, std=dims**-0.5)
        nn.init.normal_(self.cross_attn_Text.out_proj.weight,
                        std=dims**-0.5 * (2 * max(num_layers, 1))**-0.5)

    def forward(self, pairs: Pairs, samples: list) -> dict[str, Tensor]:
        """Compute ``loss_restoration``, a mean over the masked patches of this process.

        Raises:
            BadValue: the image tower has another grid of patches.
        """
        images, grid = pairs.images, self._grid_of(pairs)
        first = pairs.image.class_tokens if self.class_tokens is None else self.class_tokens
        patches = grid[0] * grid[1]
        count = max(1, int((patches + first) * self.keep_share) - first)
        kept, masked = draw_kept(len(images), patches, count, images.device)
        places = torch.arange(first, device=images.device).expand(len(images), -1)
        seen = pairs.encode_image(gray_images(images), torch.cat([places, kept + first], dim=1))
        predicted = self.decode(seen.tokens, kept, pairs.text.tokens, pairs.text.mask, grid)
        targets = patches_of(images, self.patch_size, self.stride)
        return self.named('restoration', restoration_loss(predicted, targets, masked,
                                                          pairs.weights))

    def _grid_of(self, pairs: Pairs) -> tuple[int, int]:
        """Return rows and columns of the patches, which the tower must have, too."""
        size, tower = pairs.images.shape[-2:], pairs.image.grid
        grid = tuple((side - self.patch_size) // self.stride + 1 for side in size)
        if tower is not None and tuple(tower) != grid:
            raise BadValue(
                f'RestorationHead cuts images of {size[0]} x {size[1]} into {grid[0]} x {grid[1]} '
                f'patches of {self.patch_size}, {self.stride} apart; the image tower has '
                f'{tower[0]} x {tower[1]}: give the head the patch_size and stride of the tower')
        return grid

    def decode(self, seen: Tensor, kept: Tensor, words: Tensor, mask: Tensor | None,
               grid: tuple[int, int]) -> Tensor:
        """Restore all patches.

        Args:
            seen: ``(N, C + K, D)`` tokens of the image, class tokens first.
            kept: ``(N, K)`` places of the others among the patches.
            words: ``(N, L, D)`` tokens of the captions.
            mask: ``(N, L)`` bool, True where there is a token; ``None`` where all are.
            grid: (rows, columns) of patches.

        Returns:
            ``(N, P, 3 * patch_size ** 2)``.
        """
        first, states = seen.shape[1] - kept.shape[1], self.decoder_embed(self.norm_1(seen))
        places = kept[..., None].expand(-1, -1, states.shape[-1])
        patches = self.mask_token.to(states.dtype).repeat(len(states), grid[0] * grid[1], 1)
        patches = patches.scatter(1, places, states[:, first:])
        positions = sincos_positions(*grid, states.shape[-1], states.device).to(states.dtype)
        states = torch.cat([states[:, :first], patches + positions], dim=1)
        words = self.norm_2(words)
        states = self.cross_attn_Text(self.norm_4(states), words, words, need_weights=False,
                                      key_padding_mask=None if mask is None else ~mask)[0]
        states = self.norm_6(states)
        for block in self.cross_modal_transformer_mae.resblocks:
            states = block(states)
        return self.decoder_pred(self.norm_7(states))[:, first:]
