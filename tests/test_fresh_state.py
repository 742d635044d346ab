"""No test finds what another one left, in whichever order they run."""

import multiprocessing
import os
import random
from importlib.machinery import PathFinder
from pathlib import Path

import cv2
import pytest
import torch
from fresh_state import fresh_state, no_instances
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope, init_default_scope
from mmengine.visualization import Visualizer

NAME = 'a name that comes twice'


@pytest.mark.parametrize('time', ['first', 'second'])
def test_a_name_is_free_again(time, tmp_path):
    """Each of them would fail on what the other one leaves."""
    assert DefaultScope.get_current_instance() is None
    assert 'LEFT_BEHIND' not in os.environ and not Path('left_behind').exists()
    assert MessageHub.get_instance(NAME).get_info('count', 0) == 0
    MessageHub.get_instance(NAME).update_info('count', 1)
    init_default_scope('mmtbps')
    os.environ['LEFT_BEHIND'] = time
    os.chdir(tmp_path)
    Path('left_behind').touch()


@pytest.fixture(scope='module')
def trained():
    """A file's own fixture, which makes a logger and a scope as a Runner does."""
    DefaultScope.get_instance(NAME, scope_name='mmtbps')
    return MMLogger.get_instance(NAME)


@pytest.mark.parametrize('time', ['first', 'second'])
def test_a_fixture_of_the_file_leaves_its_object_alone(trained, time):
    assert not MMLogger.check_instance_created(NAME) and trained.instance_name == NAME
    assert DefaultScope.get_current_instance() is None


def test_every_kind_of_instance_comes_back_and_log_files_are_closed(tmp_path):
    hub, drawer = MessageHub.get_instance(NAME), Visualizer.get_instance(NAME)
    with no_instances():
        assert not MessageHub.check_instance_created(NAME)
        assert not Visualizer.check_instance_created(NAME)
        logger = MMLogger.get_instance(NAME, log_file=str(tmp_path / 'a.log'))
        stream = logger.handlers[-1].stream
        logger.info('to the file')
    assert stream.closed and 'to the file' in (tmp_path / 'a.log').read_text(encoding='utf-8')
    assert MessageHub.get_instance(NAME) is hub and Visualizer.get_instance(NAME) is drawer
    assert not MMLogger.check_instance_created(NAME)


def test_settings_come_back_also_after_an_error(monkeypatch, tmp_path):
    monkeypatch.setenv('KEPT', 'as it was')
    monkeypatch.setenv('REMOVED', 'as it was')
    before = (os.getcwd(), torch.get_num_threads(), cv2.getNumThreads(), torch.get_default_dtype(),
              multiprocessing.get_start_method(allow_none=True), dict(os.environ))
    with pytest.raises(RuntimeError, match='a test fails'), fresh_state():
        os.chdir(tmp_path)
        torch.set_num_threads(before[1] + 1)
        cv2.setNumThreads(before[2] + 1)
        torch.set_default_dtype(torch.float64)
        multiprocessing.set_start_method('spawn', force=True)
        os.environ.update(KEPT='changed', NEW='one')
        del os.environ['REMOVED']
        raise RuntimeError('a test fails')
    assert before == (
        os.getcwd(), torch.get_num_threads(), cv2.getNumThreads(), torch.get_default_dtype(),
        multiprocessing.get_start_method(allow_none=True), dict(os.environ))


def test_torch_draws_by_the_seed_of_the_order():
    drawn = []
    for _ in range(2):
        random.seed(7)
        with fresh_state():
            drawn.append(torch.rand(3).tolist())
    assert drawn[0] == drawn[1]


def test_a_second_run_of_one_name_is_an_error():
    MMLogger.get_instance(NAME)
    with pytest.raises(UserWarning, match='has been created'):
        MMLogger.get_instance(NAME, log_level='ERROR')


def test_folders_of_tests_are_no_packages():
    """Libraries look for `datasets` and would take the folder for the one of Hugging Face."""
    tests = Path(__file__).parent
    folders = [path.name for path in tests.iterdir() if path.is_dir() and path.name.isidentifier()]
    assert {'datasets', 'models', 'tools'} <= {*folders}
    for name in folders:
        spec = PathFinder.find_spec(name)
        places = [*(spec.submodule_search_locations or [])] if spec else []
        assert str(tests / name) not in places, name
    assert PathFinder.find_spec('tiny_models').origin == str(tests / 'tiny_models.py')
