"""Towers of pretrained dual encoders, from pixels as they are and from token ids to unit features.

They are what an export turns into graphs: normalisation, cut and patches of the model's own
processor are part of them.
"""

import copy
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from mmtbps.errors import BadValue
from mmtbps.models.dual_encoders import DualEncoder

__all__ = ['NaFlexImageTower', 'PretrainedImageTower', 'PretrainedTextTower', 'channel_scales',
           'to_patches']


def channel_scales(network: DualEncoder, size: tuple[int, int]) -> Tensor:
    """Measure the factor and the summand by which a processor turns bytes into numbers.

    Rescaling, offset, mean and deviation have other names in every library; plain pictures tell
    what they come to.

    Args:
        network: with its processor.
        size: (height, width) of the pictures.

    Returns:
        ``(2, 3)``, factors and summands of red, green and blue.

    Raises:
        BadValue: The numbers do not grow in proportion to the bytes.
    """
    plain = [Image.new('RGB', size[::-1], (level, ) * 3) for level in (0, 128, 255)]
    values = next(iter(network.process_images(plain).values())).double()
    # The channels of one pixel come one after another in patches, (N, P, D), else each by itself.
    dark, gray, light = values[:, 0, :3] if values.ndim == 3 else values.flatten(2)[..., 0]
    factors = (light - dark) / 255
    if not torch.allclose(dark + 128 * factors, gray, atol=1e-5):
        raise BadValue(f'{network.name} cannot be exported: its processor does not normalise '
                       'pixels by a mean and a deviation')
    return torch.stack([factors, dark]).float()


def to_patches(pixels: Tensor, side: int) -> Tensor:
    """Cut ``(N, H, W, C)`` pixels into ``(N, P, side * side * C)`` patches, row by row.

    Sigmoid Loss for Language Image Pre-Training, version 2, https://arxiv.org/abs/2502.14786,
    section 2.4.2: the patches of its variant NaFlex.

    Example:
        >>> to_patches(torch.arange(16).view(1, 4, 4, 1), 2)[0].tolist()
        [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
    """
    patches = pixels.unflatten(2, (-1, side)).unflatten(1, (-1, side))
    return patches.transpose(2, 3).flatten(3).flatten(1, 2)


class PretrainedImageTower(nn.Module):
    """Image tower with its normalisation: pixels ``(N, H, W, 3)`` to unit features ``(N, D)``.

    Args:
        network: A dual encoder whose processor makes one input.
        cut: (height, width) of the middle of the pixels that the network reads; None for all.

    Raises:
        BadValue: Its processor does more to a pixel than a factor and a summand.
    """

    def __init__(self, network: DualEncoder, cut: tuple[int, int] | None = None) -> None:
        super().__init__()
        self.network, self.cut = network, cut
        self.name, = network.process_images([Image.new('RGB', network.image_size[::-1])])
        scales = channel_scales(network, network.image_size).to(network.device)
        self.register_buffer('scales', scales)

    def forward(self, images: Tensor) -> Tensor:
        """Encode RGB pixels, uint8."""
        if self.cut:
            (rows, columns), (height, width) = images.shape[1:3], self.cut
            top, left = (rows - height) // 2, (columns - width) // 2
            images = images[:, top:top + height, left:left + width]
        factors, summands = self.scales
        pixels = (images.float() * factors + summands).permute(0, 3, 1, 2)
        features = self.network.image_features(**{self.name: pixels})
        return F.normalize(features.float(), dim=-1)


class NaFlexImageTower(nn.Module):
    """Image tower of a SigLIP 2 NaFlex for pictures of one grid of patches.

    No place is left empty, so that there is no mask, and the position table is resized to the grid
    once, by the library.

    Args:
        network: Dual encoder of transformers around a ``Siglip2Model``.
        grid: (rows, columns) of patches.
        side: Pixels of a patch's side.
    """

    def __init__(self, network: DualEncoder, grid: tuple[int, int], side: int) -> None:
        super().__init__()
        self.side = side
        scales = channel_scales(network, (grid[0] * side, grid[1] * side)).to(network.device)
        self.register_buffer('scales', scales)
        # A copy of the shell: the weights are shared, and the model itself stays as it is.
        self.vision = copy.copy(network.network.vision_model)
        self.vision._modules = dict(self.vision._modules,
                                    embeddings=_GridEmbeddings(self.vision.embeddings, grid))

    def forward(self, images: Tensor) -> Tensor:
        """Encode RGB pixels, uint8, of the size of the grid."""
        factors, summands = self.scales
        patches = to_patches(images.float() * factors + summands, self.side)
        return F.normalize(self.vision(patches, None, None).pooler_output.float(), dim=-1)


class _GridEmbeddings(nn.Module):
    """Embedding of patches, with the positions of one grid."""

    def __init__(self, embeddings: nn.Module, grid: tuple[int, int]) -> None:
        super().__init__()
        self.patch_embedding = embeddings.patch_embedding
        table = embeddings.position_embedding.weight.detach()
        side = embeddings.position_embedding_size
        positions = embeddings.resize_positional_embeddings(
            table.view(side, side, -1), torch.tensor([grid], device=table.device),
            max_length=grid[0] * grid[1])
        self.register_buffer('positions', positions)

    def forward(self, pixel_values: Tensor, spatial_shapes: None) -> Tensor:
        return self.patch_embedding(pixel_values) + self.positions


class PretrainedTextTower(nn.Module):
    """Text tower: ids and mask ``(N, L)`` to unit features ``(N, D)`` of single prompts.

    Args:
        network: A dual encoder.
        names: Of its inputs: ids, and the mask if its own tokenizer gives the tower one.
        pad_token_id: Filler.
    """

    def __init__(self, network: DualEncoder, names: Sequence[str], pad_token_id: int) -> None:
        super().__init__()
        self.network, self.names, self.pad_token_id = network, tuple(names), pad_token_id

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Encode token ids, int64, with their bool mask."""
        # Changes nothing, and keeps the mask an input of every graph.
        ids = torch.where(attention_mask, input_ids, self.pad_token_id)
        inputs = dict(zip(self.names, (ids, attention_mask.long()), strict=False))
        return F.normalize(self.network.text_features(**inputs).float(), dim=-1)
