"""The build step of ``setup.py``, on a small tree: links stay, leftovers stay out."""

import subprocess
import sys

import pytest
from project_file import ROOT

LINKS = ('tools', 'configs', 'model-index.yml')


@pytest.fixture
def tree(tmp_path):
    """A source tree with one module, and the links that an editable installation leaves in it."""
    pytest.importorskip('setuptools', minversion='77')
    for file in ('mmtbps/__init__.py', 'mmtbps/version.py', 'mmtbps/catalog.json', 'README.md',
                 'LICENSE', 'tools/train.py', 'tools/__pycache__/train.cpython-310.pyc',
                 'tools/.train.py.swp', 'configs/tbps/a.py', 'model-index.yml',
                 'docs/faq.md', 'docs/guides/b.md', 'docs/conf.py', 'docs/images/c.md',
                 'docs/api/d.md'):
        path = tmp_path / 'tree' / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"__version__ = '{file}'\n")
    (tmp_path / 'tree/mmtbps/version.py').write_text("__version__ = '1.0'\n")
    for file in ('setup.py', 'pyproject.toml'):
        (tmp_path / 'tree' / file).write_bytes((ROOT / file).read_bytes())
    mim = tmp_path / 'tree/mmtbps/.mim'
    mim.mkdir()
    for name in LINKS:
        (mim / name).symlink_to(f'../../{name}')
    return tmp_path / 'tree'


def build(tree):
    """Run the build into ``build/lib``, and list what it holds."""
    code = ("import sys, setuptools\nsys.argv = ['setup.py', '-q', 'build_py', '--build-lib', "
            "'build/lib']\nexec(open('setup.py').read(), {'__file__': 'setup.py'})")
    done = subprocess.run([sys.executable, '-c', code], cwd=tree, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {path.relative_to(tree / 'build/lib').as_posix()
            for path in (tree / 'build/lib').rglob('*') if path.is_file()}


def test_a_build_copies_and_leaves_the_links(tree):
    (tree / 'build/lib/mmtbps').mkdir(parents=True)
    (tree / 'build/lib/mmtbps/gone.py').touch()  # of an earlier build
    assert build(tree) == {
        'mmtbps/__init__.py', 'mmtbps/version.py', 'mmtbps/catalog.json',
        'mmtbps/.mim/model-index.yml', 'mmtbps/.mim/tools/train.py',
        'mmtbps/.mim/configs/tbps/a.py', 'mmtbps/.mim/docs/faq.md',
        'mmtbps/.mim/docs/guides/b.md'}
    assert not any(path.is_symlink() for path in (tree / 'build/lib').rglob('*'))
    for name in LINKS:
        assert (tree / 'mmtbps/.mim' / name).readlink().as_posix() == f'../../{name}'
    assert (tree / 'tools/train.py').is_file()


def editable(tree, before=''):
    """Run the step of an editable installation."""
    code = (f"{before}\nimport runpy, setuptools.dist\nsetup = setuptools.setup\n"
            "setuptools.setup = lambda **options: None\n"
            "step = runpy.run_path('setup.py')['BuildWithMim']\n"
            "step = step(setuptools.dist.Distribution(dict(packages=['mmtbps'])))\n"
            'step.editable_mode = True\nstep.ensure_finalized()\nstep.run()')
    done = subprocess.run([sys.executable, '-c', code], cwd=tree, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_an_editable_installation_links_once_more(tree):
    (tree / 'mmtbps/.mim/tools').unlink()
    (tree / 'mmtbps/.mim/former').touch()
    editable(tree)
    assert {path.name: path.readlink().as_posix() for path in (tree / 'mmtbps/.mim').iterdir()
            } == {name: f'../../{name}' for name in LINKS}
    assert (tree / 'tools/train.py').is_file()


def test_an_account_that_may_not_link_installs_too(tree):
    editable(tree, before='import pathlib\ndef refuse(*args):\n    raise OSError("privilege")\n'
                          'pathlib.Path.symlink_to = refuse')
    assert not [*(tree / 'mmtbps/.mim').iterdir()]
