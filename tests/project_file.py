"""Content of ``pyproject.toml`` and ``MANIFEST.in``."""

import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest brings it there

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / 'pyproject.toml').read_text(encoding='utf-8'))
PROJECT = PYPROJECT['project']
EXTRAS = PROJECT['optional-dependencies']
#: What a source archive holds, of the top of the tree; setuptools names the first six itself.
SHIPPED = ['mmtbps', 'setup.py', 'pyproject.toml', 'README.md', 'LICENSE', 'MANIFEST.in', *(
    name for line in (ROOT / 'MANIFEST.in').read_text(encoding='utf-8').splitlines()
    if line.startswith(('graft ', 'include ')) for name in line.split()[1:])]
