"""Strict loading of the checkpoint that a training starts from or goes on with."""

from collections.abc import Mapping
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from mmtbps.models.loading import WeightsMisfit, load_strictly
from mmtbps.registry import HOOKS

from .inner_model import whole_model

__all__ = ['StrictLoadHook']


@HOOKS.register_module()
class StrictLoadHook(Hook):
    """A hook that refuses a checkpoint that does not fit the model to be trained.

    MMEngine loads what fits, warns of the rest and trains on: towers of random weights then look
    like a bad result. Towers and necks must fit whole. Heads too where a run is resumed; where it
    starts from another one's weights (``load_from``), heads that do not fit start anew, with one
    line in the log for each of their weights, and so do missing weights of parameter-efficient
    tuning.

    Raises:
        WeightsMisfit: a weight is missing, left over or of another shape.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Check the weights and load them; MMEngine then loads the same once more."""
        if runner._train_loop is None:
            return  # testing may be partial, and has checked before
        state = (checkpoint.get('state_dict', checkpoint) if isinstance(checkpoint, Mapping)
                 else checkpoint)
        if not isinstance(state, Mapping):
            raise WeightsMisfit('the checkpoint to train from holds no weights by name, but a '
                                f'{type(state).__name__}')
        state = {str(key): value for key, value in state.items() if isinstance(value, Tensor)}
        try:
            with whole_model(runner, writeback=True) as model:
                report = load_strictly(model, state, new_heads=not runner._resume)
        except WeightsMisfit as error:
            which = 'resume' if runner._resume else 'load_from'
            raise WeightsMisfit(f'{which}: {error}') from error
        heads = [line for line in report.misfits if line.startswith('heads.')]
        for line in heads:
            runner.logger.info(f'load_from: {line}; this head starts anew there')
        if missing := len(report.misfits) - len(heads):
            runner.logger.info(f'load_from: it lacks {missing} weights of adapters; these start '
                               'anew')
        runner.logger.info(f'{report.loaded} tensors of the checkpoint fit')
