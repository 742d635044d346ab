"""The preprocessor: batch tensors on the device, of a list of samples."""

from collections.abc import Mapping, Sequence

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from mmtbps.registry import MODELS


def pad_captions(input_ids: list[Tensor], lengths: list[Tensor], pad_token_id: int = 0,
                 multiple: int = 1, min_length: int = 0,
                 max_length: int | None = None) -> tuple[Tensor, Tensor]:
    """Pad the captions of a batch to the longest of them.

    Args:
        input_ids: one 1-D tensor an image: its captions' tokens, one after the other.
        lengths: one 1-D tensor an image: tokens of each of its captions.
        pad_token_id: filler.
        multiple: round the length up to a multiple of this.
        min_length: pad at least to this length.
        max_length: do not pad beyond this length; a longer caption stays whole.

    Returns:
        ``(K, L)`` ids and ``(K, L)`` bool mask over all K captions, in order; ``(0, 0)`` without
        a caption.

    Example:
        >>> ids, mask = pad_captions([torch.tensor([2, 7, 3, 2, 3])], [torch.tensor([3, 2])])
        >>> ids.tolist()
        [[2, 7, 3], [2, 3, 0]]
    """
    counts = torch.cat(lengths)
    if not len(counts):
        empty = torch.cat(input_ids).view(0, 0)
        return empty, empty.bool()
    rows = torch.cat(input_ids).split(counts.tolist())
    longest = int(counts.max())
    length = -(-max(longest, min_length) // multiple) * multiple
    if max_length is not None:
        length = max(longest, min(length, max_length))
    padded = rows[0].new_full((len(rows), length), pad_token_id)
    mask = torch.arange(length)[None] < counts[:, None].cpu()
    padded[mask.to(padded.device)] = torch.cat(input_ids)
    return padded, mask.to(padded.device)


@MODELS.register_module()
class TextImagePreprocessor(BaseDataPreprocessor):
    """A preprocessor that stacks, augments and normalises images and pads captions.

    Args:
        mean: of each colour channel, 0-255, in the order after ``to_rgb``.
        std: of each colour channel.
        to_rgb: turn the loader's BGR into RGB.
        pad_token_id: filler of short captions.
        pad_multiple: round the caption length up to a multiple of this (8 suits GPUs).
        min_length: pad captions, and further token inputs, at least to this length; a tower that
            reads the last place, such as SigLIP's, needs all of its places.
        max_length: pad none beyond this length: the tower's number of places, where
            ``pad_multiple`` could lead past it, such as 77 of CLIP.
        batch_augments: augmentations of ``mmtbps.models.batch_augments``, applied in this order to
            the uint8 images of a training batch.
        pad_values: fillers of further token inputs by name, such as -100 for labels; by default
            ``pad_token_id``.
        non_blocking: as in MMEngine.

    The batch is what ``PackTextImage`` and ``stack_pairs`` or MMEngine's ``pseudo_collate`` make:
    ``inputs`` with lists ``image`` (or one tensor), ``input_ids``, ``caption_lengths``, and
    ``data_samples``. Further inputs are treated by their kind: those with ``NAME_lengths`` are
    tokens and padded, uint8 ``(3, H, W)`` are images and normalised, all others are stacked.

    Nothing here waits for the device: images and tokens reach a GPU from pinned memory.

    Raises:
        TypeError: ``batch_augments`` is no list.
    """

    def __init__(self,
                 mean: tuple[float, float, float] = (123.675, 116.28, 103.53),
                 std: tuple[float, float, float] = (58.395, 57.12, 57.375),
                 to_rgb: bool = True,
                 pad_token_id: int = 0,
                 pad_multiple: int = 1,
                 min_length: int = 0,
                 max_length: int | None = None,
                 batch_augments: Sequence[dict] = (),
                 pad_values: Mapping[str, int] | None = None,
                 non_blocking: bool = True):
        super().__init__(non_blocking)
        self.to_rgb, self.pad_token_id = to_rgb, pad_token_id
        self.pad_multiple, self.min_length, self.max_length = pad_multiple, min_length, max_length
        self.pad_values = dict(pad_values or {})
        if isinstance(batch_augments, dict):
            raise TypeError('batch_augments must be a list of augmentations, each with its own '
                            f'options, got the dict {batch_augments}')
        self.batch_augments = [MODELS.build(augment) for augment in batch_augments or ()]
        for name, value in dict(mean=mean, std=std).items():
            channels = torch.tensor(value, dtype=torch.float).view(-1, 1, 1)
            self.register_buffer(name, channels, persistent=False)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Turn collated samples into the keyword arguments of ``TextImageRetriever.forward``.

        Returns:
            ``images`` ``(N, 3, H, W)`` float, ``input_ids`` and ``attention_mask`` ``(K, L)``,
            ``data_samples``; images or captions may be absent. ``inputs``, a dict, if there are
            further ones; ``NAME_mask`` ``(K, L')`` bool beside padded tokens.
        """
        inputs = dict(data['inputs'])
        batch = dict(data_samples=data.get('data_samples'))
        if 'image' in inputs:
            batch['images'] = self._images(inputs.pop('image'), batch['data_samples'], training)
        if 'input_ids' in inputs:
            batch['input_ids'], batch['attention_mask'] = self.pad(
                inputs.pop('input_ids'), inputs.pop('caption_lengths'))
        if inputs:
            batch['inputs'] = self._further(inputs, batch['data_samples'], training)
        return batch

    def _images(self, images: Tensor | Sequence[Tensor], samples: list | None,
                training: bool) -> Tensor:
        images = self.cast_data(self.stack(images))
        for augment in self.batch_augments if training else ():
            images = augment(images, samples or ())
        return self.normalise(images)

    def _further(self, inputs: dict, samples: list | None, training: bool) -> dict[str, Tensor]:
        """Bring inputs that only heads read to the device, by their kind."""
        ready = {}
        for name, values in inputs.items():
            if f'{name}_lengths' in inputs:
                ready[name], ready[f'{name}_mask'] = self.cast_data(pad_captions(
                    values, inputs[f'{name}_lengths'],
                    self.pad_values.get(name, self.pad_token_id), *self._lengths))
            elif not name.endswith('_lengths'):
                image = values[0].dtype == torch.uint8 and values[0].ndim == 3
                ready[name] = (self._images(values, samples, training) if image
                               else self.cast_data(self.stack(values)))
        return ready

    @property
    def _lengths(self) -> tuple[int, int, int | None]:
        return self.pad_multiple, self.min_length, self.max_length

    def stack(self, images: Tensor | Sequence[Tensor]) -> Tensor:
        """Stack N tensors of one size to ``(N, ...)``, pinned if they are to go to a GPU."""
        if torch.is_tensor(images):
            return images
        if self.device.type != 'cuda' or images[0].is_cuda:
            return torch.stack(list(images))
        pinned = torch.empty((len(images), *images[0].shape), dtype=images[0].dtype,
                             pin_memory=True)
        return torch.stack(list(images), out=pinned)

    def normalise(self, images: Tensor) -> Tensor:
        """Turn ``(N, 3, H, W)`` pixels of 0-255 to RGB, less ``mean``, divided by ``std``."""
        if self.to_rgb:
            images = images.flip(1)
        return (images - self.mean).div_(self.std)

    def cast_data(self, data):
        """Bring data to the device; a copy of memory that is not pinned would wait for it."""
        if self.device.type == 'cuda' and torch.is_tensor(data) and not data.is_cuda:
            data = data.pin_memory()
        return super().cast_data(data)

    def pad(self, input_ids: list[Tensor], lengths: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Pad captions as this preprocessor is set, on its device; see :func:`pad_captions`."""
        return self.cast_data(pad_captions(input_ids, lengths, self.pad_token_id, *self._lengths))
