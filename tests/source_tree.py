"""The source of the package as a graph of files, read without running it."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / 'mmtbps'
SOURCES = sorted(path for path in PACKAGE.rglob('*.py') if '.mim' not in path.parts)


def inside(path: Path) -> str:
    """Path of a file as the rules name it, relative to the package."""
    return path.relative_to(PACKAGE).as_posix()


@cache
def imports_of(source: str, path: Path) -> tuple[str, ...]:
    """Return the absolute dotted names of everything a file imports, lazily or not.

    What stands under ``if TYPE_CHECKING:`` is for readers and is passed over.
    """
    return tuple(_imports_of(source, path))


def _imports_of(source: str, path: Path) -> Iterator[str]:
    package = ('mmtbps', *path.relative_to(PACKAGE).parts[:-1])
    tree = ast.parse(source)
    unread = {id(child) for node in ast.walk(tree) if _is_type_checking(node)
              for child in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in unread:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[:len(package) - node.level + 1] if node.level else ()
            module = '.'.join([*base, *([node.module] if node.module else [])])
            yield from (f'{module}.{alias.name}' for alias in node.names)


def file_of(name: str, files: set[str]) -> str | None:
    """The file that a dotted name of ours leads to: a module, or a package's own file."""
    words = name.split('.')[1:]
    for length in range(len(words), 0, -1):
        stem = '/'.join(words[:length])
        for file in (f'{stem}.py', f'{stem}/__init__.py'):
            if file in files:
                return file
    return None


def import_graph(sources: dict[str, str]) -> dict[str, set[str]]:
    """The files that each file imports, given the text of each."""
    files, graph = set(sources), {}
    for file, source in sources.items():
        names = (name for name in imports_of(source, PACKAGE / file)
                 if name.split('.')[0] == 'mmtbps')
        graph[file] = {found for name in names if (found := file_of(name, files))} - {file}
    return graph


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of files that import each other, directly or through others (Tarjan's algorithm)."""
    index, low, stack, groups = {}, {}, [], []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = stack[stack.index(node):]
            del stack[stack.index(node):]
            if len(group) > 1:
                groups.append(sorted(group))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return groups


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and 'TYPE_CHECKING' in ast.unparse(node.test)
