"""A cure for a folder of tests that is taken for a package; jobs that run undisturbed."""

import sys

import pytest


@pytest.fixture(autouse=True)
def no_folder_of_tests_for_a_package():
    """MMEngine looks for ``mmtbps.datasets.X`` as ``datasets.X`` first, and finds tests/datasets.

    LanceDB would then take it for the package of that name.
    """
    yield
    if getattr(sys.modules.get('datasets'), '__file__', '') is None:
        del sys.modules['datasets']


@pytest.fixture(scope='session')
def inputs(micro_set, tmp_path_factory):
    """Files that the jobs of ``writing_jobs.py`` read."""
    from writing_jobs import make_inputs
    return make_inputs(micro_set, tmp_path_factory.mktemp('inputs'))


@pytest.fixture(scope='session')
def undisturbed(inputs, tmp_path_factory):
    """A function that gives the folder of a job that nothing disturbed, by the job's name."""
    from writing_jobs import JOBS, run
    folders = {}

    def do(name):
        if name not in folders:
            folder = tmp_path_factory.mktemp('undisturbed')
            done = run(JOBS[name].command(inputs, folder))
            assert done.returncode == 0, done.stderr
            folders[name] = folder
        return folders[name]

    return do
