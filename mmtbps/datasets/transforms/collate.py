"""From items to a batch, in the workers."""

from collections.abc import Sequence

import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import FUNCTIONS
from torch.utils.data import default_collate


@FUNCTIONS.register_module()
def stack_pairs(items: Sequence[dict]) -> dict:
    """As MMEngine's ``pseudo_collate``, with few large tensors in the place of many small ones.

    Each tensor that leaves a worker takes a file, which the worker opens and the main process maps:
    for three tensors an item that costs more than to decode the images. Goes into the field
    ``collate_fn`` of a dataloader, ``dict(type=stack_pairs)``.

    Args:
        items: What ``PackTextImage`` gives.

    Returns:
        ``inputs`` with ``image``, (N, 3, H, W), and lists of one tensor each, ``input_ids`` and
        ``caption_lengths``, of all items one after the other; ``data_samples``, a list. Images of
        different sizes stay a list.

    Example:
        >>> item = dict(inputs=dict(image=torch.zeros(3, 4, 2), input_ids=torch.tensor([2, 7, 3]),
        ...                         caption_lengths=torch.tensor([3])), data_samples=None)
        >>> inputs = stack_pairs([item, item])['inputs']
        >>> inputs['image'].shape, inputs['input_ids']
        (torch.Size([2, 3, 4, 2]), [tensor([2, 7, 3, 2, 7, 3])])
    """
    batch = pseudo_collate(items)
    inputs = batch['inputs']
    for key in ('input_ids', 'caption_lengths'):
        if key in inputs:
            inputs[key] = [torch.cat(inputs[key])]
    if 'image' in inputs and len({image.shape for image in inputs['image']}) == 1:
        inputs['image'] = default_collate(inputs['image'])  # straight to shared memory
    return batch
