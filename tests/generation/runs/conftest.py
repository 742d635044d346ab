"""A plan and its undisturbed run, shared by the tests of a module."""

import pytest
from fake_parts import make_plan, outcome, run


@pytest.fixture(scope='module')
def planned(tmp_path_factory):
    folder = tmp_path_factory.mktemp('planned')
    make_plan(folder, people=5)  # 20 jobs
    return folder


@pytest.fixture(scope='module')
def quiet(planned):
    """Run the plan in one undisturbed process."""
    run(planned, planned / 'quiet')
    return outcome(planned / 'quiet')
