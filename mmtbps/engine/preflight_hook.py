"""Hook that looks for missing files and unfit data where nobody else has done so."""

import copy

from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from mmtbps.registry import HOOKS

from .data_checks import stop_if_unfit
from .preflight import LOADERS
from .readiness import log_lines, stop_if_unready
from .setting_values import stop_if_wrong

__all__ = ['PreflightHook']


@HOOKS.register_module()
class PreflightHook(Hook):
    """A hook that checks values, files and data of a config before weights are read.

    `mmtbps.engine.launch.build_runner` does so before the model is built, and says it by
    ``checked``. A Runner that another program builds of the config has the checks here. No random
    number is drawn.

    Raises:
        WrongValues: a value of the config cannot be.
        MissingFiles: data sets or weights are missing.
        UnfitData: training and validation share people, or a tokenizer does not know the captions.
        NotReady: both.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self.checked = False

    def before_run(self, runner: Runner) -> None:
        """Check all that a training needs, and of a test alone the data that it reads."""
        cfg = runner.cfg
        if self.checked or not cfg.get('model'):  # a Runner may be built without a config
            return
        self.checked = True
        stop_if_wrong(cfg)
        if isinstance(runner._train_loop, BaseLoop):
            lines = stop_if_unready(cfg)
        else:
            cfg = copy.deepcopy(cfg)
            for name, loop in zip(LOADERS, (runner._train_loop, runner._val_loop,
                                            runner._test_loop), strict=True):
                if not isinstance(loop, BaseLoop):  # MMEngine builds the loops that it runs
                    cfg[name] = None
            lines = stop_if_unfit(cfg)
        log_lines(runner.logger, lines)
