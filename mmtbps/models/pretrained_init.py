"""Pretrained weights that a part of a model begins with."""

from mmengine.logging import print_log
from mmengine.model import PretrainedInit, update_init_info
from torch import nn

from mmtbps.errors import Remedy
from mmtbps.registry import WEIGHT_INITIALIZERS

from .loading import WeightsMisfit, load_strictly, read_weights

__all__ = ['StrictPretrainedInit']


@WEIGHT_INITIALIZERS.register_module('Pretrained')
class StrictPretrainedInit(PretrainedInit):
    """MMEngine's initialiser ``Pretrained``, which refuses weights that do not fit.

    MMEngine's own loads what fits and goes on, so that a file of another make leaves a tower at
    its random weights. In the scope ``mmtbps`` the name stands for this class.

    Args:
        checkpoint: ``.pth`` or ``.safetensors``; a path or a URL.
        prefix: first part of the names of the weights that are taken.
        map_location: as of MMEngine; weights are read into memory in any case.
        partial: load what fits, for those who mean it.

    Raises:
        WeightsMisfit: a weight is missing, left over or of another shape.

    Example:
        >>> import tempfile, torch
        >>> path = f'{tempfile.mkdtemp()}/weights.pth'
        >>> torch.save(nn.Linear(2, 1).state_dict(), path)
        >>> StrictPretrainedInit(path)(nn.Linear(3, 1))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        mmtbps.models.loading.WeightsMisfit: ...weights.pth does not fit Linear: 1 misfit: ...
    """

    def __init__(self, checkpoint: str, prefix: str | None = None, map_location: str = 'cpu',
                 partial: bool = False) -> None:
        super().__init__(checkpoint, prefix, map_location)
        self.partial = partial

    def __call__(self, module: nn.Module) -> None:
        """Load the weights into a module."""
        state = read_weights(self.checkpoint)
        if self.prefix:
            start = f'{self.prefix.rstrip(".")}.'
            state = {key.removeprefix(start): value for key, value in state.items()
                     if key.startswith(start)}
        kind = getattr(module, 'checkpoint_kind', None)
        try:
            report = load_strictly(module, state, self.partial)
        except WeightsMisfit as error:
            message = str(error).replace('the weights do not', f'{self.checkpoint} does not')
            remedy = kind and Remedy('convert_weights', dict(kind=kind, target=self.checkpoint))
            raise WeightsMisfit(
                message.replace('Were they trained with this config?',
                                'A file as published is converted first'), remedy) from error
        print_log(f'{self.checkpoint}: {report}', logger='current')
        if hasattr(module, '_params_init_info'):
            update_init_info(module, init_info=self._get_init_info())
