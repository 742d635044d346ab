"""Augmentation of a whole batch at once, where the images already are: on the device."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mmtbps.registry import MODELS

__all__ = ['BatchRandomCrop', 'BatchRandomErasing', 'BatchRandomFlip', 'draw_boxes', 'erase',
           'flip_images', 'pad_and_crop']

_ATTEMPTS = 10  # boxes drawn for an image until one fits


def flip_images(images: Tensor, flipped: Tensor) -> Tensor:
    """Mirror some images of a batch, left to right.

    Args:
        images: ``(N, C, H, W)``, any dtype.
        flipped: ``(N,)`` bool, which ones.

    Returns:
        ``(N, C, H, W)``.

    Example:
        >>> images = torch.tensor([[[[1, 2]]], [[[3, 4]]]])
        >>> flip_images(images, torch.tensor([True, False])).tolist()
        [[[[2, 1]]], [[[3, 4]]]]
    """
    return torch.where(flipped[:, None, None, None], images.flip(-1), images)


def pad_and_crop(images: Tensor, tops: Tensor, lefts: Tensor, padding: int,
                 fill: float = 0) -> Tensor:
    """Pad each image on all sides and cut a window of its old size out.

    Args:
        images: ``(N, C, H, W)``, any dtype.
        tops: ``(N,)`` first row of the window in the padded image, 0 to ``2 * padding``.
        lefts: ``(N,)`` first column, likewise.
        padding: pixels on each side.
        fill: value of the padded pixels.

    Returns:
        ``(N, C, H, W)``.

    Example:
        >>> image = torch.tensor([[[[1, 2]]]])
        >>> pad_and_crop(image, torch.tensor([1]), torch.tensor([2]), padding=1).tolist()
        [[[[2, 0]]]]
    """
    height, width = images.shape[2:]
    padded = F.pad(images, (padding,) * 4, value=fill)
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # a view: nothing is copied
    return windows[torch.arange(len(images), device=images.device), :, tops, lefts]


def erase(images: Tensor, boxes: Tensor, fill: float | Sequence[float] = 0) -> Tensor:
    """Paint one rectangle of each image in one colour.

    Args:
        images: ``(N, C, H, W)``, any dtype.
        boxes: ``(N, 4)`` top, left, height, width; a box of height or width 0 erases nothing.
        fill: the colour, one value or one a channel, in the order of the images' channels; rounded
            where the images are integers.

    Returns:
        ``(N, C, H, W)``.

    Example:
        >>> erase(torch.ones(1, 1, 2, 3), torch.tensor([[0, 1, 2, 2]])).tolist()
        [[[[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]]]
    """
    top, left, height, width = boxes[:, :, None].unbind(1)
    row, column = (torch.arange(size, device=images.device) for size in images.shape[2:])
    rows = (row >= top) & (row < top + height)
    columns = (column >= left) & (column < left + width)
    color = torch.tensor(fill, dtype=torch.float).view(-1, 1, 1)
    color = color if images.is_floating_point() else color.round()
    return torch.where(rows[:, None, :, None] & columns[:, None, None],
                       color.to(images.device, images.dtype, non_blocking=True), images)


def draw_boxes(count: int, height: int, width: int, area: tuple[float, float],
               ratio: tuple[float, float]) -> Tensor:
    """Random rectangles inside an image, from torch's global generator.

    Algorithm 1 of Random Erasing, https://arxiv.org/abs/1708.04896, for many images at once: area
    and ratio are uniform, a box that is too high or too wide is drawn again, up to ten times. The
    place of one that fits is uniform.

    Args:
        count: how many, N.
        height: of the image.
        width: of the image.
        area: least and greatest, as a fraction of the image.
        ratio: least and greatest height / width.

    Returns:
        ``(N, 4)`` top, left, height, width in pixels; height and width are 0 where none fits.
    """
    areas = torch.empty(_ATTEMPTS, count).uniform_(*area) * (height * width)
    ratios = torch.empty(_ATTEMPTS, count).uniform_(*ratio)
    sizes = torch.stack([(areas * ratios).sqrt(), (areas / ratios).sqrt()]).round()
    room = torch.tensor([height, width])[:, None]
    fits = (sizes <= room[..., None]).all(0)
    first = fits.int().argmax(0)  # 0 where none fits
    chosen = (sizes * fits)[:, first, torch.arange(count)]
    places = (torch.rand(2, count) * (room - chosen + 1)).floor()
    return torch.cat([places, chosen]).T.long()


class _BatchAugment:
    """Draws the parameters of each image on the CPU and hands them to the device.

    torch's global generator, which ``EpochSeedHook`` reseeds, is what makes a resumed run equal to
    the uninterrupted one; a draw on the device would take another generator, or wait for one.
    """

    def __call__(self, images: Tensor, data_samples: Sequence = ()) -> Tensor:
        """Augment ``(N, C, H, W)`` images; ``data_samples`` are their N samples, if any."""
        drawn = self.draw(len(images), *images.shape[2:])
        return self.apply(images, *(d.to(images.device, non_blocking=True) for d in drawn))


@MODELS.register_module()
class BatchRandomFlip(_BatchAugment):
    """Mirrors images left to right; mmcv's ``RandomFlip`` for a batch on the device.

    Does not go with ``MirrorCaption``: the caption is tokenised in the worker, before it is known
    here whether the image will be mirrored. Where captions name left and right and are to follow
    the image, keep ``RandomFlip`` and ``MirrorCaption`` in the pipeline and leave this one out.

    Args:
        prob: share of images that are mirrored.

    Raises:
        ValueError: ``prob`` is out of range; on use: the pipeline has flipped the images already.

    Example:
        >>> BatchRandomFlip(prob=1.0)(torch.tensor([[[[1, 2, 3]]]])).tolist()
        [[[[3, 2, 1]]]]
    """

    def __init__(self, prob: float = 0.5):
        self.prob = _probability(prob)

    def __call__(self, images: Tensor, data_samples: Sequence = ()) -> Tensor:
        if any('flip' in sample for sample in data_samples):
            raise ValueError(
                'the images come through RandomFlip and would be flipped once more by '
                'BatchRandomFlip. Take RandomFlip out of the pipeline; if there is a '
                'MirrorCaption, take BatchRandomFlip out of batch_augments instead')
        return super().__call__(images)

    def draw(self, count: int, height: int, width: int) -> tuple[Tensor]:
        """``(N,)`` bool: which images are mirrored."""
        return (torch.rand(count) < self.prob,)

    apply = staticmethod(flip_images)


@MODELS.register_module()
class BatchRandomCrop(_BatchAugment):
    """Shifts images at random: pads them and crops to their size.

    mmpretrain's ``RandomCrop(crop_size=<size of the image>, padding=padding)`` for a batch on the
    device.

    Args:
        padding: pixels on each side; 10 in the paper, at 384 x 128.
        fill: value of the padded pixels, before normalisation.

    Raises:
        ValueError: ``padding`` is not positive.

    Example:
        >>> crop = BatchRandomCrop(padding=1)
        >>> crop(torch.ones(4, 3, 8, 6)).shape
        torch.Size([4, 3, 8, 6])
    """

    def __init__(self, padding: int, fill: float = 0):
        if padding < 1:
            raise ValueError(f'padding must be 1 or more pixels, got {padding}')
        self.padding, self.fill = padding, fill

    def draw(self, count: int, height: int, width: int) -> tuple[Tensor, Tensor]:
        """``(N,)`` tops and lefts of the windows."""
        return torch.randint(2 * self.padding + 1, (2, count)).unbind()

    def apply(self, images: Tensor, tops: Tensor, lefts: Tensor) -> Tensor:
        """:func:`pad_and_crop` as this augmentation is set."""
        return pad_and_crop(images, tops, lefts, self.padding, self.fill)


@MODELS.register_module()
class BatchRandomErasing(_BatchAugment):
    """Paints a random rectangle of an image, as something in front of the person would.

    Random Erasing Data Augmentation, https://arxiv.org/abs/1708.04896, which measured it on person
    re-identification too; see :func:`draw_boxes`.

    Args:
        prob: share of images with an erased rectangle.
        area: its least and greatest area, as a fraction of the image.
        ratio: its least and greatest height / width.
        fill: its colour, one value or one a channel in the loader's order, which is BGR; by default
            the mean of ImageNet.

    Raises:
        ValueError: an option is out of its range.

    Example:
        >>> erasing = BatchRandomErasing(prob=1.0, area=(0.5, 0.5), ratio=(2.0, 2.0), fill=0)
        >>> erasing(torch.ones(1, 1, 4, 4)).sum().item()  # of 4 x 4 pixels, 4 x 2 are gone
        8.0
    """

    def __init__(self, prob: float = 0.5, area: tuple[float, float] = (0.02, 0.4),
                 ratio: tuple[float, float] = (0.3, 1 / 0.3),
                 fill: float | Sequence[float] = (103.53, 116.28, 123.675)):
        if not 0 < area[0] <= area[1] <= 1:
            raise ValueError(f'area must be (least, greatest) in (0, 1], got {area}')
        if not 0 < ratio[0] <= ratio[1]:
            raise ValueError(f'ratio must be (least, greatest) and positive, got {ratio}')
        self.prob, self.area, self.ratio = _probability(prob), tuple(area), tuple(ratio)
        self.fill = fill

    def draw(self, count: int, height: int, width: int) -> tuple[Tensor]:
        """``(N, 4)`` boxes, of size 0 where nothing is erased."""
        boxes = draw_boxes(count, height, width, self.area, self.ratio)
        return (boxes * (torch.rand(count) < self.prob)[:, None],)

    def apply(self, images: Tensor, boxes: Tensor) -> Tensor:
        """:func:`erase` as this augmentation is set."""
        return erase(images, boxes, self.fill)


def _probability(prob: float) -> float:
    if not 0 <= prob <= 1:
        raise ValueError(f'prob must lie in [0, 1], got {prob}')
    return prob
