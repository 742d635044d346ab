"""Strict loading of the checkpoint that a training starts from or goes on with."""

from collections.abc import Mapping
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner
from torch import Tensor
from torch.utils.data import DataLoader

from mmtbps.datasets.wrappers import data_sets_in
from mmtbps.models.loading import WeightsMisfit, load_strictly, noted_inputs
from mmtbps.models.trained_inputs import (
    KEY,
    describe_inputs,
    stop_if_other_inputs,
    stop_if_other_words,
)
from mmtbps.registry import HOOKS

from .inner_model import inner_model, whole_model

__all__ = ['StrictLoadHook', 'inputs_of_run']


@HOOKS.register_module()
class StrictLoadHook(Hook):
    """A hook that refuses a checkpoint that does not fit the model to be trained.

    MMEngine loads what fits, warns of the rest and trains on: towers of random weights then look
    like a bad result. Towers and necks must fit whole. Heads too where a run is resumed; where it
    starts from another one's weights (``load_from``), heads that do not fit start anew, with one
    line in the log for each of their weights, and so do missing weights of parameter-efficient
    tuning.

    Checkpoints note the vocabulary of their captions and the normalisation of their images, and
    one that was trained with another vocabulary than the run reads is refused; in a test one of
    another normalisation, too.

    Raises:
        WeightsMisfit: a weight is missing, left over or of another shape.
        BadValue: the inputs are others.
    """

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Note what the model is trained to read."""
        if is_main_process():
            checkpoint['meta'][KEY] = inputs_of_run(runner, runner.train_dataloader)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Check the weights and load them; MMEngine then loads the same once more."""
        if trained := noted_inputs(checkpoint, runner._load_from or ''):
            _compare_inputs(runner, trained)
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


def _compare_inputs(runner: Runner, trained: dict[str, Any]) -> None:
    """Refuse other inputs than a checkpoint notes; a training may go on with other colours."""
    if runner._train_loop is not None:
        stop_if_other_words(trained, inputs_of_run(runner, runner.train_dataloader),
                            runner._load_from)
    elif isinstance(runner._test_loop, BaseLoop):
        stop_if_other_inputs(trained, inputs_of_run(runner, runner.test_dataloader),
                             runner._load_from)


def inputs_of_run(runner: Runner, loader: DataLoader) -> dict[str, Any]:
    """Describe what the model of a run reads from a loader, from the first of its data sets.

    Args:
        runner: its model may be wrapped.
        loader: built.
    """
    steps = next((steps for one in data_sets_in(loader.dataset)
                  if (steps := getattr(getattr(one, 'pipeline', None), 'transforms', None))), ())
    return describe_inputs(steps, getattr(inner_model(runner), 'data_preprocessor', None))
