"""Sizes, names and words of the source, proved by reading it."""

import ast
import re
from functools import lru_cache
from pathlib import Path

import pytest
from source_tree import PACKAGE, ROOT, SOURCES, inside

from mmtbps.moved import DIVIDED, MOVED

FORBIDDEN_NAMES = re.compile(r'utils|misc|helper|common(?!ds)', re.IGNORECASE)
# No docstring begins with a riddle; a function's begins with a verb, not with an article.
RIDDLES = re.compile(r'(What|How|Which|Where|From|Whether|Who|Whose|When|Why|That)\b')
# Metaphors that once were names, and two words for one thing.
WORDS = re.compile(r'\b(intake|Intake|sighting|recolour\w*|Desk|_desk|Scope)\b')
FORMER = re.compile(
    rf'(?<![\w.])mmtbps\.({"|".join(map(re.escape, (*MOVED, *DIVIDED)))})(?![\w.])')
ALL_PYTHON = [path for folder in ('mmtbps', 'tools', 'tests', 'configs', 'projects')
              for path in sorted((ROOT / folder).rglob('*.py'))
              if not {'.mim', 'written_by_0_1'} & set(path.parts)]
PAGES = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *sorted((ROOT / 'docs').rglob('*.md'))]


def read(path: Path) -> str:
    return path.read_text(encoding='utf-8')


@lru_cache(maxsize=2)
def parsed(source: str) -> ast.Module:
    return ast.parse(source)


@lru_cache(maxsize=2)
def nodes(source: str) -> list[ast.AST]:
    return [*ast.walk(parsed(source))]


def too_long(source: str, name: str) -> list[str]:
    """Files and functions beyond the limits; a docstring does not count."""
    lines, limit = source.count('\n'), 60 if name.endswith('__init__.py') else 350
    long = [f'{name}: {lines} lines, limit {limit}'] if lines > limit else []
    for node in nodes(source):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0]
            documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            start = first.end_lineno if documented else node.lineno
            if node.end_lineno - start > 45:
                long.append(f'{name}:{node.lineno} {node.name}: {node.end_lineno - start} lines, '
                            'limit 45')
    return long


def riddles(source: str, name: str) -> list[str]:
    """Docstrings that open with a question word, or point back."""
    return [f'{name}:{getattr(node, "lineno", 1)}: {text.splitlines()[0]}'
            for node in nodes(source)
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
            and (text := ast.get_docstring(node)) and RIDDLES.match(text)]


def undocumented(source: str, name: str) -> list[str]:
    """Public modules, classes, functions and methods without a docstring."""
    tree = parsed(source)
    missing = [] if ast.get_docstring(tree) else [name]

    def visit(node: ast.AST, prefix: str, overrides: bool) -> None:
        for child in node.body:
            if not isinstance(child, (ast.FunctionDef, ast.ClassDef)) or child.name[0] == '_':
                continue
            inherited = overrides and isinstance(child, ast.FunctionDef)
            if not ast.get_docstring(child) and not inherited:
                missing.append(f'{prefix}.{child.name}')
            if isinstance(child, ast.ClassDef):
                visit(child, f'{prefix}.{child.name}', overrides=bool(child.bases))

    visit(tree, name, overrides=False)
    return missing


def not_a_plain_init(source: str, name: str) -> list[str]:
    """Statements of an ``__init__`` other than imports, ``__all__`` and one ``__getattr__``."""
    wrong, getters = [], 0
    for node in parsed(source).body:
        getter = isinstance(node, ast.FunctionDef) and node.name == '__getattr__'
        getters += getter
        allowed = getter or isinstance(node, (ast.Import, ast.ImportFrom)) or (
            isinstance(node, ast.Assign)) or (
            isinstance(node, ast.If) and 'TYPE_CHECKING' in ast.unparse(node.test)) or (
            isinstance(node, ast.Expr) and isinstance(node.value, (ast.Constant, ast.Call)))
        if not allowed or 'import *' in ast.unparse(node):
            wrong.append(f'{name}:{node.lineno}')
    has_all = any(isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == '__all__'
                  for node in parsed(source).body)
    return [*wrong, *([f'{name}: no __all__'] if not has_all else []),
            *([f'{name}: {getters} __getattr__'] if getters > 1 else [])]


def encodings_left_to_the_locale(source: str, name: str) -> list[str]:
    """Text read or written without saying that it is UTF-8."""
    def leaves(call: ast.Call) -> bool:
        function = call.func
        if any(word.arg in ('encoding', None) for word in call.keywords):
            return False
        if isinstance(function, ast.Attribute) and function.attr in ('read_text', 'write_text'):
            return len(call.args) < (1 if function.attr == 'read_text' else 2)
        mode = next((word.value for word in call.keywords if word.arg == 'mode'),
                    call.args[1] if len(call.args) > 1 else ast.Constant('r'))
        return getattr(function, 'id', '') == 'open' and 'b' not in ast.unparse(mode)

    return [f'{name}:{node.lineno}: {ast.unparse(node)}' for node in nodes(source)
            if isinstance(node, ast.Call) and leaves(node)]


@pytest.fixture(scope='module')
def faults():
    """The lines of each of these checks over all Python, of which a file is parsed once."""
    found = {check: [] for check in (encodings_left_to_the_locale, too_long, riddles)}
    for path in ALL_PYTHON:
        source, name = read(path), path.relative_to(ROOT).as_posix()
        for check, lines in found.items():
            lines += check(source, name)
    return found


def test_no_encoding_is_left_to_the_locale(faults):
    left = [line for line in faults[encodings_left_to_the_locale]
            if 'tests' not in line.partition(':')[0].split('/')]
    assert not left, '\n'.join(left)


def test_no_file_is_long_and_no_function_is_long(faults):
    assert not faults[too_long], '\n'.join(faults[too_long])


def test_names_say_something():
    assert not [path for path in ALL_PYTHON
                if any(FORBIDDEN_NAMES.search(part) for part in path.relative_to(ROOT).parts)]


def test_no_docstring_opens_with_a_riddle(faults):
    assert not faults[riddles], '\n'.join(faults[riddles])


def test_what_is_public_is_documented():
    missing = [name for path in SOURCES for name in undocumented(read(path), inside(path))]
    assert not missing, '\n'.join(missing)


def test_package_inits_are_plain():
    wrong = [line for path in SOURCES if path.name == '__init__.py' and path.parent != PACKAGE
             for line in not_a_plain_init(read(path), inside(path))]
    assert not wrong, '\n'.join(wrong)


def test_the_library_names_no_tool():
    """An error carries data; only a command line words commands."""
    tool = re.compile(r'tools/\w+\.py|python tools|`--\w')
    found = [f'{inside(path)}: {match.group()}' for path in SOURCES
             if not inside(path).startswith('commands/')
             for match in [tool.search(read(path))] if match]
    assert not found, '\n'.join(found)


def test_former_names_are_not_used():
    former = [path for path in [*ALL_PYTHON, *PAGES]
              if path.name not in ('moved.py', 'test_moved.py', Path(__file__).name)
              and FORMER.search(read(path))]
    assert not former
    # These two say which former names they still read.
    words = [f'{inside(path)}: {match.group()}' for path in SOURCES
             if inside(path) not in ('moved.py', 'drawing/__init__.py')
             for match in [WORDS.search(read(path))] if match]
    assert not words, '\n'.join(words)


def test_the_package_speaks_of_itself_alone():
    words = re.compile(r'/work/|/tmp/venv|NotImplementedError|TODO|FIXME')
    found = [f'{path.relative_to(ROOT)}: {match.group()}' for path in ALL_PYTHON
             if path != Path(__file__).resolve()
             for match in [words.search(read(path))] if match]
    assert not found, '\n'.join(found)


def test_these_checks_can_fail():
    assert riddles('def f():\n    """What a gate measures."""', 'x.py')
    assert riddles('"""From a folder to an index."""', 'x.py')
    assert riddles('class A:\n    """That of the others."""', 'x.py')
    assert not riddles('def f():\n    """Whatever: a word that only begins so."""', 'x.py')
    assert too_long('x = 1\n' * 351, 'x.py') and not too_long('x = 1\n' * 350, 'x.py')
    assert too_long('x = 1\n' * 61, 'mmtbps/__init__.py')
    assert too_long('def f():\n' + '    x = 1\n' * 46, 'x.py')
    assert undocumented('"""M."""\nclass A:\n    pass', 'x.py') == ['x.py.A']
    for call in ('p.read_text()', "p.write_text('a')", "open(p, 'w')", "open(p, mode='a')"):
        assert encodings_left_to_the_locale(call, 'x.py')
    for call in ("p.read_text('utf-8')", "open(p, 'rb')", "open(p, encoding='utf-8')", 'i.open(p)'):
        assert not encodings_left_to_the_locale(call, 'x.py')
    assert not_a_plain_init('"""P."""\nfrom .a import *\n__all__ = []', 'x/__init__.py')
    assert not_a_plain_init('"""P."""\nfrom .a import b', 'x/__init__.py')
    assert not_a_plain_init('"""P."""\ndef f(): pass\n__all__ = []', 'x/__init__.py')
    assert FORMER.search('from mmtbps.models.feature_mixup import mix')
    assert FORMER.search('from mmtbps.generation.retelling import RetellRunner')
    assert not FORMER.search('from mmtbps.search.images_of import x')
    assert FORBIDDEN_NAMES.search('models/common.py') and not FORBIDDEN_NAMES.search('commands')


def test_test_files_have_names_of_their_own():
    """pytest imports two files of one name as one module."""
    names = [path.name for path in ALL_PYTHON if path.name.startswith('test_')]
    assert not {name for name in names if names.count(name) > 1}
