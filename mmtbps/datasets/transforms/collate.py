"""Collation of items into a batch, in the workers."""

from collections.abc import Sequence

import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import FUNCTIONS
from torch.utils.data import default_collate


@FUNCTIONS.register_module()
def stack_pairs(items: Sequence[dict]) -> dict:
    """Collate as MMEngine's ``pseudo_collate``, into few large tensors instead of many small ones.

    Each tensor that leaves a worker takes a file, which the worker opens and the main process maps:
    for three tensors an item that costs more than to decode the images. Goes into the field
    ``collate_fn`` of a dataloader, ``dict(type=stack_pairs)``.

    Args:
        items: Items as ``PackTextImage`` gives them.

    Returns:
        ``inputs`` with ``image``, (N, 3, H, W), and lists of one tensor each, ``input_ids`` and
        ``caption_lengths``, of all items one after the other; ``data_samples``, a list. Further
        inputs likewise: tokens one after the other, all others stacked. What is of different
        sizes stays a list.

    Example:
        >>> item = dict(inputs=dict(image=torch.zeros(3, 4, 2), input_ids=torch.tensor([2, 7, 3]),
        ...                         caption_lengths=torch.tensor([3])), data_samples=None)
        >>> inputs = stack_pairs([item, item])['inputs']
        >>> inputs['image'].shape, inputs['input_ids']
        (torch.Size([2, 3, 4, 2]), [tensor([2, 7, 3, 2, 7, 3])])
    """
    batch = pseudo_collate(items)
    inputs = batch['inputs']
    tokens = {key.removesuffix('_lengths') for key in inputs if key.endswith('_lengths')}
    for key, values in inputs.items():
        if key in tokens or key.endswith('_lengths') or key == 'input_ids':
            inputs[key] = [torch.cat(values)]
        elif len({value.shape for value in values}) == 1:
            inputs[key] = default_collate(values)  # straight to shared memory
    return batch
