"""Restoration of masked patches of an image."""

import torch.nn.functional as F
from torch import Tensor

from .scores import full, mean_of_pairs

__all__ = ['gray_images', 'patches_of', 'restoration_loss']

_LUMA = (0.2989, 0.587, 0.114)


def gray_images(images: Tensor) -> Tensor:
    """Take the color out of ``(N, 3, H, W)`` normalised RGB images; all channels become equal.

    The luma of ITU-R 601-2, of the numbers as they are: after normalising, as SEN has it.

    Example:
        >>> import torch
        >>> gray_images(torch.tensor([1., 0., 0.]).view(1, 3, 1, 1)).flatten()
        tensor([0.2989, 0.2989, 0.2989])
    """
    # Number by number: a tensor of them would be waited for on a GPU.
    gray = sum(share * images[:, channel] for channel, share in enumerate(_LUMA))
    return gray[:, None].expand_as(images)


def patches_of(images: Tensor, patch_size: int, stride: int | None = None) -> Tensor:
    """Cut images into patches, row by row.

    Args:
        images: ``(N, C, H, W)``.
        patch_size: side p of a patch.
        stride: step between patches; ``None`` for patches side by side.

    Returns:
        ``(N, P, p * p * C)``: pixel by pixel, each with its channels.

    Example:
        >>> import torch
        >>> patches_of(torch.arange(8.).view(1, 1, 2, 4), 2).tolist()
        [[[0.0, 1.0, 4.0, 5.0], [2.0, 3.0, 6.0, 7.0]]]
    """
    patches = F.unfold(images, patch_size, stride=stride or patch_size).mT
    return patches.unflatten(-1, (images.shape[1], -1)).mT.flatten(2)


def restoration_loss(predicted: Tensor, targets: Tensor, masked: Tensor,
                     pair_weights: Tensor | None = None) -> Tensor:
    """Compute the mean squared error of masked patches.

    Masked Autoencoders Are Scalable Vision Learners, https://arxiv.org/abs/2111.06377, without
    normalising patches.

    Args:
        predicted: ``(N, P, V)``. Half precision is computed in float32.
        targets: ``(N, P, V)``.
        masked: ``(N, P)`` bool, True where a patch counts; one at least.
        pair_weights: ``(N,)`` factor of the patches of each image; the mean is still over their
            number. ``None`` for 1.

    Returns:
        ``()`` loss, a mean over these patches.

    Raises:
        ValueError: shapes differ, or there is not one weight for each image.

    Example:
        >>> import torch
        >>> ones, masked = torch.ones(1, 2, 3), torch.tensor([[True, False]])
        >>> restoration_loss(ones, 3 * ones, masked)
        tensor(4.)
    """
    if predicted.shape != targets.shape or masked.shape != targets.shape[:2]:
        raise ValueError('predicted and targets must be (N, P, V), masked (N, P), got '
                         f'{tuple(predicted.shape)}, {tuple(targets.shape)} and '
                         f'{tuple(masked.shape)}')
    errors = (full(predicted) - full(targets)).square().mean(-1)
    # An image may have more masked patches than the average, and then more of the mean.
    return mean_of_pairs((errors * masked).sum(1) * len(masked) / masked.sum(), pair_weights)
