"""Runs that end before they are done, as if killed."""

import pytest


class Stop(Exception):
    """A kill, as far as the run can tell."""


def train_until(runner, epochs):
    """Train; end as if killed when so many epochs are done, validated and saved."""
    loop = runner.train_loop
    ran = loop.run_epoch

    def run_epoch():
        if runner.epoch == epochs:
            raise Stop
        ran()

    loop.run_epoch = run_epoch
    with pytest.raises(Stop):
        runner.train()
