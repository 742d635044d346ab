"""Schedule of the probability of mixup."""

from mmengine.hooks import Hook

from mmtbps.registry import HOOKS

from .inner_model import inner_model


@HOOKS.register_module()
class FeatureMixupHook(Hook):
    """Hook that sets ``model.mixup.prob`` at the start of each epoch.

    Args:
        milestones: probability from each epoch on (epochs from 0).
        interpolate: ``'step'`` holds a value until the next milestone, ``'linear'`` moves
            towards it.

    Raises:
        ValueError: no milestones, a probability outside [0, 1], or another ``interpolate``.

    Example:
        >>> hook = FeatureMixupHook({0: 0.0, 10: 0.5, 60: 0.0})
        >>> [hook.prob_at(epoch) for epoch in (0, 10, 59, 60)]
        [0.0, 0.5, 0.5, 0.0]
    """

    def __init__(self, milestones: dict[int, float], interpolate: str = 'step'):
        if not milestones or any(not 0 <= prob <= 1 for prob in milestones.values()):
            raise ValueError('milestones must map epochs to probabilities in [0, 1], got '
                             f'{milestones}')
        if interpolate not in ('step', 'linear'):
            raise ValueError(f"interpolate must be 'step' or 'linear', got {interpolate!r}")
        self.milestones = sorted((int(epoch), prob) for epoch, prob in milestones.items())
        self.interpolate = interpolate

    def prob_at(self, epoch: int) -> float:
        """Return the probability in force during an epoch; the first one before all milestones."""
        passed = [m for m in self.milestones if m[0] <= epoch] or self.milestones[:1]
        start, prob = passed[-1]
        following = [m for m in self.milestones if m[0] > max(epoch, start)]
        if self.interpolate == 'step' or not following or epoch < start:
            return prob
        end, next_prob = following[0]
        return prob + (next_prob - prob) * (epoch - start) / (end - start)

    def before_train_epoch(self, runner) -> None:
        """Set the probability; a resumed run gets that of its epoch.

        Raises:
            AttributeError: the model has no mixup.
        """
        model = inner_model(runner)
        if getattr(model, 'mixup', None) is None:
            raise AttributeError(f'FeatureMixupHook: {type(model).__name__} has no mixup; add '
                                 'mixup=dict(type=FeatureMixup) to the model or drop the hook')
        model.mixup.prob = self.prob_at(runner.epoch)
        runner.message_hub.update_scalar('train/mixup_prob', model.mixup.prob)
