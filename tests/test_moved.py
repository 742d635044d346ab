"""Former module names open what was written with them."""

import importlib
import pickle
import subprocess
import sys

import pytest

from mmtbps.moved import DIVIDED, MOVED, install_former_names
from mmtbps.registry import TASK_UTILS


def test_a_former_name_is_the_module_that_took_its_place():
    with pytest.warns(DeprecationWarning, match='mmtbps.models.feature_mixup is now '
                                                'mmtbps.models.mixup'):
        sys.modules.pop('mmtbps.models.feature_mixup', None)
        former = importlib.import_module('mmtbps.models.feature_mixup')
    from mmtbps.models import mixup
    assert former is mixup
    assert mixup.__name__ == mixup.__spec__.name == 'mmtbps.models.mixup'


@pytest.mark.parametrize('former', MOVED)
@pytest.mark.filterwarnings('ignore::DeprecationWarning')
def test_every_former_name_leads_somewhere(former):
    module = importlib.import_module(f'mmtbps.{former}')
    assert module.__name__ == f'mmtbps.{MOVED[former]}'


@pytest.mark.parametrize('former', DIVIDED)
def test_a_divided_module_has_the_public_names_of_its_parts(former):
    sys.modules.pop(f'mmtbps.{former}', None)
    with pytest.warns(DeprecationWarning, match=f'mmtbps.{former} is now .* and mmtbps.'):
        module = importlib.import_module(f'mmtbps.{former}')
    parts = [importlib.import_module(f'mmtbps.{name}') for name in DIVIDED[former]]
    assert {name: getattr(module, name) for name in module.__all__} == {
        name: getattr(part, name) for part in parts for name in part.__all__}
    assert all(part.__spec__.name == part.__name__ for part in parts)


@pytest.mark.filterwarnings('ignore::DeprecationWarning')
def test_parts_of_a_divided_module_are_found_by_their_former_names():
    """By import, as dumped configs name a type, and in a pickle."""
    from mmtbps.generation.retelling import Captioner, RetellPlanner, RetellRunner
    from mmtbps.generation.retelling.rules import RuleRewriter

    from mmtbps.generation import planning, rewriting, runs
    assert (Captioner, RetellPlanner, RetellRunner, RuleRewriter) == (
        rewriting.Captioner, planning.RetellPlanner, runs.RetellRunner, rewriting.RuleRewriter)
    planner = TASK_UTILS.build(dict(type='mmtbps.generation.retelling.runner.RetellPlanner'))
    assert type(planner) is planning.RetellPlanner
    data = pickle.dumps(planning.RetellPlanner, protocol=0)
    assert pickle.loads(data.replace(b'planning.retell_planner', b'retelling.runner')) is (
        planning.RetellPlanner)
    with pytest.raises(ModuleNotFoundError, match='retelling.unheard_of'):
        importlib.import_module('mmtbps.generation.retelling.unheard_of')


@pytest.mark.parametrize('former', [*MOVED, *DIVIDED])
@pytest.mark.filterwarnings('ignore::DeprecationWarning')
def test_no_former_module_hides_a_public_name(former):
    """An imported module becomes an attribute of its package, whatever stood there."""
    package, _, name = f'mmtbps.{former}'.rpartition('.')
    assert name not in getattr(importlib.import_module(package), '__all__', [])


@pytest.mark.filterwarnings('ignore::DeprecationWarning')
def test_names_below_a_former_package_are_found():
    from mmtbps.search.page import layout

    from mmtbps.search.webui.layout import build_page
    assert layout.build_page is build_page


@pytest.mark.filterwarnings('ignore::DeprecationWarning')
def test_a_former_function_of_a_former_module_is_found():
    from mmtbps.evaluation.chance import chance_ranks

    from mmtbps.evaluation import random_ranks
    assert chance_ranks is random_ranks


@pytest.mark.filterwarnings('ignore::DeprecationWarning')
def test_what_was_pickled_under_a_former_name_opens():
    from mmtbps.models.mixup import mix
    data = pickle.dumps(mix, protocol=0).replace(b'mmtbps.models.mixup',
                                                 b'mmtbps.models.feature_mixup')
    assert pickle.loads(data) is mix


@pytest.mark.filterwarnings('ignore::DeprecationWarning')
def test_a_config_that_names_a_former_module_builds():
    from mmtbps.registry import MODELS
    mixup = MODELS.build(dict(type='mmtbps.models.feature_mixup.FeatureMixup', prob=0.25))
    assert mixup.prob == 0.25


def test_nothing_is_imported_for_the_former_names_alone():
    code = ('import sys, mmtbps\n'
            'assert not {"torch", "mmengine", "numpy"} & set(sys.modules), "imported too much"')
    subprocess.run([sys.executable, '-c', code], check=True)


def test_unknown_names_stay_unknown_and_a_second_install_changes_nothing():
    before = list(sys.meta_path)
    install_former_names()
    assert sys.meta_path == before
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module('mmtbps.models.never_was')
