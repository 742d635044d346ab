"""Runs that end before they are done, as if killed."""

import pytest


class Stop(Exception):
    """A kill, as far as the run can tell."""


def train_until(runner, place, method='run_epoch'):
    """Train; end as if killed before this epoch or, by the loop's ``'run_iter'``, before a step."""
    loop = runner.train_loop
    ran = getattr(loop, method)

    def run(*args):
        if (runner.epoch if method == 'run_epoch' else runner.iter) == place:
            raise Stop
        ran(*args)

    setattr(loop, method, run)
    with pytest.raises(Stop):
        runner.train()
