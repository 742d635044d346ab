"""Packages below: present, and not too old; else one line, before one of them is imported."""

import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError

import pytest
from project_file import EXTRAS, PROJECT, ROOT

from mmtbps.errors import MissingPackage
from mmtbps.stack import _FLOORS, is_before, require_stack


@pytest.fixture
def installed(monkeypatch):
    """A function that says which distributions are installed, and nothing of them is loaded."""
    def pretend(**versions):
        def version(name):
            if name.replace('-', '_') in versions:
                return versions[name.replace('-', '_')]
            raise PackageNotFoundError(name)

        monkeypatch.setattr('importlib.metadata.version', version)
        for name in ('torch', 'mmengine', 'mmcv', 'mmpretrain', 'transformers'):
            monkeypatch.setitem(sys.modules, name, type(sys)(name))
            monkeypatch.setattr(sys.modules[name], '__spec__', 'found', raising=False)

    return pretend


NEW = dict(torch='2.13.0+cpu', mmengine='0.11.0rc3', mmcv_lite='2.2.0', mmpretrain='1.2.0',
           transformers='5.24.0')
ONEDL = dict(torch='2.5.0a0+872d972e41', onedl_mmengine='0.10.12', onedl_mmcv='2.3.6',
             onedl_mmpretrain='1.3.6', transformers='4.40.2')


@pytest.mark.parametrize('versions', [
    NEW, ONEDL, {**NEW, 'torch': '2.5'}, {**NEW, 'torch': '2.5.0.dev20240901'},
    {**NEW, 'torch': '10.0'}, {**NEW, 'mmengine': '0.10.6'},
    {**ONEDL, 'mmengine': '0.10.4'},  # overwritten by the other family, which is new enough
    {},  # no metadata at all: a build of one's own on the path
    {**NEW, 'torch': None}, {**NEW, 'torch': 'unknown'},  # broken metadata
])
def test_what_is_new_enough_passes(versions, installed):
    installed(**versions)
    require_stack()


@pytest.mark.parametrize('versions, message', [
    ({**NEW, 'torch': '2.4.1+cpu'},
     'torch 2.5 or later (2.4.1+cpu is installed): pip install -U "torch>=2.5"'),
    ({**NEW, 'mmengine': '0.10.5'}, 'mmengine 0.10.6 or later (0.10.5 is installed): '
     'pip install -U "mmengine>=0.10.6,<1"'),
    ({**ONEDL, 'onedl_mmengine': '0.10.2'}, 'mmengine 0.10.6 or later (0.10.2 is installed): '
     'pip install -U "onedl-mmengine>=0.10.6,<1"'),
    ({**NEW, 'torch': '1.13.1', 'transformers': '4.9.0', 'mmcv_lite': '1.7.2'},
     'torch 2.5 or later (1.13.1 is installed), mmcv 2.0 or later (1.7.2 is installed), '
     'transformers 4.40 or later (4.9.0 is installed): pip install -U "torch>=2.5" '
     '"mmcv-lite>=2.0,<2.4" "transformers>=4.40,<6"'),
])
def test_what_is_too_old_is_one_line_with_the_cure(versions, message, installed):
    installed(**versions)
    with pytest.raises(MissingPackage, match=f'^mmtbps needs {re.escape(message)}$'):
        require_stack()


def test_a_loaded_package_says_its_own_version(installed, monkeypatch):
    installed(**{**NEW, 'torch': '2.4.1'})  # of another folder, later on the path
    monkeypatch.setattr(sys.modules['torch'], '__version__', '2.9.0', raising=False)
    require_stack()


def test_the_first_part_that_needs_torch_says_so_before_it_is_loaded(tmp_path):
    (tmp_path / 'torch-2.4.1.dist-info').mkdir()
    (tmp_path / 'torch-2.4.1.dist-info/METADATA').write_text('Name: torch\nVersion: 2.4.1\n')
    code = (
        'import sys, mmtbps, mmtbps.search\n'
        "for part in ('models', 'engine', 'search.encoders.torch_encoder'):\n"
        '    try:\n'
        "        __import__(f'mmtbps.{part}')\n"
        '    except ImportError as error:\n'
        "        print(error, 'torch' in sys.modules)\n")
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join([str(tmp_path), str(ROOT)])})
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 3 and set(lines) == {
        'mmtbps needs torch 2.5 or later (2.4.1 is installed): '
        'pip install -U "torch>=2.5" False'}


def test_the_floors_are_those_of_the_package():
    """A floor of an import is never above that of a fresh installation."""
    asked = [*PROJECT['dependencies'], *EXTRAS['mm'], *EXTRAS['onedl']]
    for floor in _FLOORS.values():
        for distribution in floor.distributions:
            for requirement in asked:
                if found := re.fullmatch(rf'{distribution}>=([\d.]+)(?:rc\d)?(.*)', requirement):
                    assert not is_before(found[1], floor.version), requirement
                    assert found[2] in ('', f',<{floor.below}')
