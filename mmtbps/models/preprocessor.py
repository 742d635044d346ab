"""From a list of samples to batch tensors on the device."""

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from mmtbps.registry import MODELS


def pad_captions(input_ids: list[Tensor], lengths: list[Tensor], pad_token_id: int = 0,
                 multiple: int = 1, min_length: int = 0) -> tuple[Tensor, Tensor]:
    """Pad the captions of a batch to the longest of them.

    Args:
        input_ids: one 1-D tensor an image: its captions' tokens, one after the other.
        lengths: one 1-D tensor an image: tokens of each of its captions.
        pad_token_id: filler.
        multiple: round the length up to a multiple of this.
        min_length: pad at least to this length.

    Returns:
        ``(K, L)`` ids and ``(K, L)`` bool mask over all K captions, in order.

    Example:
        >>> ids, mask = pad_captions([torch.tensor([2, 7, 3, 2, 3])], [torch.tensor([3, 2])])
        >>> ids.tolist()
        [[2, 7, 3], [2, 3, 0]]
    """
    counts = torch.cat(lengths)
    rows = torch.cat(input_ids).split(counts.tolist())
    length = max(int(counts.max()), min_length)
    length = -(-length // multiple) * multiple
    padded = rows[0].new_full((len(rows), length), pad_token_id)
    mask = torch.arange(length)[None] < counts[:, None].cpu()
    padded[mask.to(padded.device)] = torch.cat(input_ids)
    return padded, mask.to(padded.device)


@MODELS.register_module()
class TextImagePreprocessor(BaseDataPreprocessor):
    """Stacks and normalises images on the device and pads captions to the batch's longest.

    Args:
        mean: of each colour channel, 0-255, in the order after ``to_rgb``.
        std: of each colour channel.
        to_rgb: turn the loader's BGR into RGB.
        pad_token_id: filler of short captions.
        pad_multiple: round the caption length up to a multiple of this (8 suits GPUs).
        min_length: pad captions at least to this length.
        non_blocking: as in MMEngine.

    The batch is what ``PackTextImage`` and the default ``pseudo_collate`` make:
    ``inputs`` with lists ``image``, ``input_ids``, ``caption_lengths``, and ``data_samples``.
    """

    def __init__(self,
                 mean: tuple[float, float, float] = (123.675, 116.28, 103.53),
                 std: tuple[float, float, float] = (58.395, 57.12, 57.375),
                 to_rgb: bool = True,
                 pad_token_id: int = 0,
                 pad_multiple: int = 1,
                 min_length: int = 0,
                 non_blocking: bool = True):
        super().__init__(non_blocking)
        self.to_rgb, self.pad_token_id = to_rgb, pad_token_id
        self.pad_multiple, self.min_length = pad_multiple, min_length
        self.register_buffer('mean', torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std).view(-1, 1, 1), persistent=False)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Collated samples to the keyword arguments of ``TextImageRetriever.forward``.

        Returns:
            ``images`` ``(N, 3, H, W)`` float, ``input_ids`` and ``attention_mask`` ``(K, L)``,
            ``data_samples``; images or captions may be absent.
        """
        inputs = data['inputs']
        batch = dict(data_samples=data.get('data_samples'))
        if 'image' in inputs:
            images = self.cast_data(torch.stack(list(inputs['image'])))
            if self.to_rgb:
                images = images.flip(1)
            batch['images'] = (images.float() - self.mean) / self.std
        if 'input_ids' in inputs:
            batch['input_ids'], batch['attention_mask'] = self.pad(
                inputs['input_ids'], inputs['caption_lengths'])
        return batch

    def pad(self, input_ids: list[Tensor], lengths: list[Tensor]) -> tuple[Tensor, Tensor]:
        """:func:`pad_captions` as this preprocessor is set, on its device."""
        return self.cast_data(pad_captions(input_ids, lengths, self.pad_token_id,
                                           self.pad_multiple, self.min_length))
