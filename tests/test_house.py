"""The house rules, proved from the source: floors, fences, sizes, names, docstrings."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / 'mmtbps'

# What each part may import of ours: only what lies on a lower floor, never a neighbour.
ALLOWED = {
    'registry': set(), 'records': set(), 'lexicon': set(), 'compat': set(), 'version': set(),
    'pretrained': set(),
    'datasets': {'registry', 'records', 'lexicon', 'pretrained'},
    'models': {'registry', 'pretrained'},
    'evaluation': {'registry'},
    'generation': {'registry', 'records', 'lexicon', 'pretrained', 'version'},
    'drawing': {'records', 'lexicon'},
    'visualization': {'registry'},
    'engine': {'registry', 'visualization', 'pretrained'},
    'search': {'registry', 'evaluation', 'visualization', 'pretrained'},
    '__init__': {'compat', 'version'},
}
# Who may import what of the outside; a name not listed is free for all.
FENCES = {
    'mmpretrain.models': ('models/backbones/vit.py',),
    'transformers': ('models/backbones/bert.py', 'models/backbones/clip.py',
                     'datasets/transforms/tokenize.py', 'generation/', 'search/media/detector.py',
                     'compat.py'),
    'trackers': ('search/media/tracker.py',),
    'supervision': ('search/media/tracker.py',),
    'diffusers': ('generation/',),
    'torchvision': ('compat.py',),
    'lancedb': ('search/galleries/',), 'pyarrow': ('search/galleries/',),
    'pymilvus': ('search/galleries/',),
    'torch': ('models/', 'datasets/transforms/', 'datasets/samplers.py', 'evaluation/', 'engine/',
              'generation/', 'search/', 'visualization/', 'compat.py'),
}
FORBIDDEN_NAMES = re.compile(r'utils|misc|helper|common', re.IGNORECASE)
SOURCES = sorted(PACKAGE.rglob('*.py'))
ALL_PYTHON = [path for folder in ('mmtbps', 'tools', 'tests', 'configs')
              for path in sorted((ROOT / folder).rglob('*.py'))
              # Neither copies nor what an earlier version wrote is source.
              if not {'.mim', 'written_by_0_1'} & set(path.parts)]


def imports_of(tree: ast.AST, path: Path):
    """Absolute dotted names of everything a module imports, lazily or not."""
    package = ('mmtbps', *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[:len(package) - node.level + 1] if node.level else ()
            module = '.'.join([*base, *([node.module] if node.module else [])])
            yield from (f'{module}.{alias.name}' for alias in node.names)


def floor_violations(path: Path, source: str) -> list[str]:
    """Imports of a module of ours that the floors do not allow."""
    part = path.relative_to(PACKAGE).parts[0].removesuffix('.py')
    wrong = []
    for name in imports_of(ast.parse(source), path):
        words = name.split('.')
        if words[0] != 'mmtbps' or len(words) < 2 or words[1] == part:
            continue
        if words[1] not in ALLOWED[part]:
            wrong.append(f'{path.relative_to(ROOT)} imports {name}')
    return wrong


def fence_violations(path: Path, source: str) -> list[str]:
    """Imports of the outside that only certain files may make."""
    inside = path.relative_to(PACKAGE).as_posix()
    return [f'{path.relative_to(ROOT)} imports {name}'
            for name in imports_of(ast.parse(source), path)
            for fenced, allowed in FENCES.items()
            if (name == fenced or name.startswith(fenced + '.')) and not inside.startswith(allowed)]


@pytest.mark.parametrize('path', SOURCES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_imports_run_down_the_floors(path):
    source = path.read_text()
    assert not floor_violations(path, source) + fence_violations(path, source)


@pytest.mark.parametrize('file, line', [
    ('models/x.py', 'from mmtbps.datasets import TBPSDataset'),
    ('datasets/x.py', 'from ..engine import EpochSeedHook'),
    ('registry.py', 'from . import records'),
    ('evaluation/x.py', 'import mmtbps.models.retrievers.dual_encoder'),
    ('drawing/x.py', 'def f():\n    from mmtbps import registry'),
])
def test_the_floor_check_can_fail(file, line):
    assert floor_violations(PACKAGE / file, line)
    assert not floor_violations(PACKAGE / 'engine/x.py', 'from mmtbps.registry import HOOKS')


@pytest.mark.parametrize('file, line', [
    ('models/heads/x.py', 'from mmpretrain.models import VisionTransformer'),
    ('evaluation/x.py', 'import transformers'),
    ('drawing/x.py', 'import torch'),
    ('datasets/x.py', 'def f():\n    import torchvision.ops'),
])
def test_the_fence_check_can_fail(file, line):
    assert fence_violations(PACKAGE / file, line)
    assert not fence_violations(PACKAGE / 'models/backbones/vit.py',
                                'from mmpretrain.models import VisionTransformer')


def test_every_part_has_its_place():
    parts = {path.relative_to(PACKAGE).parts[0].removesuffix('.py') for path in SOURCES}
    assert parts <= set(ALLOWED), 'a new part must be given its floor here and in the design'


def test_no_file_is_long_and_no_function_is_long():
    long = []
    for path in ALL_PYTHON:
        source = path.read_text()
        lines = source.count('\n')
        limit = 16 if path.name == '__init__.py' else 350
        if lines > limit:
            long.append(f'{path.relative_to(ROOT)}: {lines} lines, limit {limit}')
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                first = node.body[0]
                documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
                start = first.end_lineno if documented else node.lineno
                if node.end_lineno - start > 45:
                    long.append(f'{path.relative_to(ROOT)}:{node.lineno} {node.name}: '
                                f'{node.end_lineno - start} lines, limit 45')
    assert not long, '\n'.join(long)


def test_names_say_something():
    assert not [path for path in ALL_PYTHON if FORBIDDEN_NAMES.search(path.name)]
    assert not [path for path in ROOT.rglob('*/') if FORBIDDEN_NAMES.search(path.name)
                and 'mmtbps' in path.relative_to(ROOT).parts[:1]]


def test_package_inits_are_explicit():
    for path in SOURCES:
        if path.name == '__init__.py':
            assert 'import *' not in path.read_text(), f'{path}: star import'


def undocumented(path: Path) -> list[str]:
    """Public modules, classes, functions and methods without a docstring."""
    tree = ast.parse(path.read_text())
    missing = [] if ast.get_docstring(tree) else [str(path)]

    def visit(node, prefix, overrides):
        for child in node.body:
            if not isinstance(child, (ast.FunctionDef, ast.ClassDef)) or child.name[0] == '_':
                continue
            name = f'{prefix}.{child.name}'
            inherited = overrides and isinstance(child, ast.FunctionDef)
            if not ast.get_docstring(child) and not inherited:
                missing.append(name)
            if isinstance(child, ast.ClassDef):
                visit(child, name, overrides=bool(child.bases))

    visit(tree, path.relative_to(ROOT).as_posix(), overrides=False)
    return missing


def test_what_is_public_is_documented():
    missing = [name for path in SOURCES for name in undocumented(path)]
    assert not missing, '\n'.join(missing)


def test_the_package_speaks_of_itself_alone():
    words = re.compile(r'/work/|/tmp/venv|NotImplementedError|TODO|FIXME')
    found = [f'{path.relative_to(ROOT)}: {match.group()}' for path in ALL_PYTHON
             if path != Path(__file__).resolve()
             for match in [words.search(path.read_text())] if match]
    assert not found, '\n'.join(found)
