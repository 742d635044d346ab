"""The step of a build that setuptools does not have; all else is in ``pyproject.toml``."""

import contextlib
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
LEFT_OUT = shutil.ignore_patterns('__pycache__', '.*')
NO_PAGES = {'_static', 'api', 'images'}


def all_but_pages(folder, names):
    """Name what in the documentation is no page: messages point to pages alone."""
    return {name for name in names if name in NO_PAGES
            or not name.endswith('.md') and not Path(folder, name).is_dir()}


class BuildWithMim(build_py):
    """Puts tools, configs and the model index where ``mmtbps``, ``mim`` and ``mmtbps::...`` look.

    A wheel gets copies, an editable install links in the source tree. The pages of the
    documentation, to which messages point, are copied only: those of a source tree are at hand.
    """

    def run(self):
        package = (ROOT if self.editable_mode else Path(self.build_lib)) / 'mmtbps'
        if not self.editable_mode:  # an earlier build may have left modules that are gone
            shutil.rmtree(package, ignore_errors=True)
        super().run()
        mim = package / '.mim'
        shutil.rmtree(mim, ignore_errors=True)
        mim.mkdir(parents=True)
        for name in ('tools', 'configs', 'model-index.yml'):
            source, target = ROOT / name, mim / name
            if self.editable_mode:
                # Not every account of Windows may link; the package then looks in the source tree.
                with contextlib.suppress(OSError):
                    target.symlink_to(Path('..') / '..' / name)
            elif source.is_dir():
                shutil.copytree(source, target, ignore=LEFT_OUT)
            else:
                shutil.copyfile(source, target)
        if not self.editable_mode:
            shutil.copytree(ROOT / 'docs', mim / 'docs', ignore=all_but_pages)


setup(cmdclass=dict(build_py=BuildWithMim))
