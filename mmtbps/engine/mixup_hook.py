"""Schedule of the probability of mixup."""

from collections.abc import Mapping

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmtbps.errors import BadValue
from mmtbps.registry import HOOKS

from .inner_model import inner_model
from .resume_hook import counts_epochs

__all__ = ['FeatureMixupHook']


@HOOKS.register_module()
class FeatureMixupHook(Hook):
    """Hook that sets ``model.mixup.prob`` as the run goes on.

    Places between 0 and 1 are shares of the run, as in our schedules: they follow its length, in
    epochs or in steps. Others are epochs, or steps with ``by_epoch=False``; all of one schedule are
    of one kind, but for the place 0.

    Args:
        milestones: probability from each place on (epochs and steps from 0).
        interpolate: ``'step'`` holds a value until the next milestone, ``'linear'`` moves
            towards it.
        by_epoch: places of 1 and more are epochs, and not steps.

    Raises:
        BadValue: no milestones, a probability outside [0, 1], a place below 0, shares beside
            epochs or steps, or another ``interpolate``.

    Example:
        >>> hook = FeatureMixupHook({0: 0.0, 10: 0.5, 60: 0.0})
        >>> [hook.prob_at(epoch) for epoch in (0, 10, 59, 60)]
        [0.0, 0.5, 0.5, 0.0]
        >>> off_after_two_thirds = FeatureMixupHook({0: 0.5, 2 / 3: 0.0})
        >>> [off_after_two_thirds.prob_at(step / 450) for step in (0, 299, 300)]
        [0.5, 0.5, 0.0]
    """

    def __init__(self, milestones: Mapping[float, float], interpolate: str = 'step',
                 by_epoch: bool = True):
        if not isinstance(milestones, Mapping) or not milestones or any(
                not 0 <= prob <= 1 for prob in milestones.values()):
            raise BadValue('milestones must map places in the run to probabilities in [0, 1], '
                           f'got {milestones}')
        if interpolate not in ('step', 'linear'):
            raise BadValue(f"interpolate must be 'step' or 'linear', got {interpolate!r}")
        self.milestones = sorted((float(place), prob) for place, prob in milestones.items())
        places = [place for place, _ in self.milestones]
        self.in_shares = any(0 < place < 1 for place in places)
        if not all(place >= 0 for place in places) or (self.in_shares and places[-1] >= 1):
            raise BadValue('places of milestones must be epochs, steps or shares of the run, '
                           f'all of one kind, got {sorted(milestones)}')
        self.interpolate, self.by_epoch = interpolate, by_epoch

    def prob_at(self, place: float) -> float:
        """Return the probability in force at a place; the first one before all milestones."""
        passed = [m for m in self.milestones if m[0] <= place] or self.milestones[:1]
        start, prob = passed[-1]
        following = [m for m in self.milestones if m[0] > max(place, start)]
        if self.interpolate == 'step' or not following or place < start:
            return prob
        end, next_prob = following[0]
        return prob + (next_prob - prob) * (place - start) / (end - start)

    def before_train(self, runner: Runner) -> None:
        """Look for what could never act.

        Raises:
            BadValue: milestones are epochs, and the run counts steps alone.
        """
        if not self.in_shares and self.by_epoch and not counts_epochs(runner) and (
                self.milestones[-1][0] >= 1):
            raise BadValue('FeatureMixupHook: this run counts steps and not epochs; give the '
                           'milestones in steps, by_epoch=False, or as shares of the run below 1')

    def before_train_epoch(self, runner: Runner) -> None:
        """Set the probability; a resumed run gets that of its epoch.

        Raises:
            AttributeError: the model has no mixup.
        """
        if not self.in_shares and self.by_epoch:
            self._set(runner, runner.epoch)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: object = None) -> None:
        """Set the probability of a step; a resumed run gets that of its place.

        Raises:
            AttributeError: the model has no mixup.
        """
        if self.in_shares:
            self._set(runner, runner.iter / runner.max_iters)
        elif not self.by_epoch:
            self._set(runner, runner.iter)

    def _set(self, runner: Runner, place: float) -> None:
        model = inner_model(runner)
        if getattr(model, 'mixup', None) is None:
            raise AttributeError(f'FeatureMixupHook: {type(model).__name__} has no mixup; add '
                                 'mixup=dict(type=FeatureMixup) to the model or drop the hook')
        model.mixup.prob = self.prob_at(place)
        runner.message_hub.update_scalar('train/mixup_prob', model.mixup.prob)
