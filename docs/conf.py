"""Documentation site: Sphinx makes it of the Markdown pages and of the docstrings of the package.

``make docs`` builds it. The package is read, not imported: torch need not be installed.
"""

import ast
import os
import re
from functools import cache
from pathlib import Path

from sphinx.util import logging
from sphinx.util.nodes import make_refnode

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
#: Where the repository is hosted, so that the pages can show its files; else they are downloads.
REPOSITORY = os.environ.get('MMTBPS_REPOSITORY', '').rstrip('/')
REVISION = os.environ.get('MMTBPS_REVISION', 'main')
_LINK = re.compile(r'(?P<text>!?\[[^\]\n]*\])\((?P<path>[^)\s:#]+)(?P<anchor>#[^)\s]*)?\)')

#: Page -> pages below it. A table of contents in the pages would be text where a host shows them.
CONTENTS = {
    'index': ['get_started', 'tutorials/index', 'guides/index', 'concepts/index',
              'Python API <api/mmtbps/index>', 'results', 'gallery', 'compare', 'faq'],
    'tutorials/index': ['find_people_in_my_photographs', 'train_on_your_own_json',
                        'reproduce_the_paper', 'add_a_method', 'search_a_folder',
                        'train_your_own', 'strangers_hour'],
    'guides/index': ['install', 'search_people', 'answers', 'phrases', 'captioned_galleries',
                     'watch', 'object_stores', 'many_pages', 'pretrained_models',
                     'published_checkpoints', 'cross_encoders', 'frames_and_video', 'deploy',
                     'hugging_face', 'explain',
                     'prepare_data', 'data_sets', 'train_and_test', 'parameter_efficient_tuning',
                     'scale', 'postgresql', 'cluster_indexing', 'train_at_scale', 'robustness',
                     'binding', 'generate_pairs', 'choose_an_editor', 'evidence', 'judge_edits'],
    'concepts/index': ['data_flow', 'towers', 'losses_and_heads', 'evaluation_protocol',
                       'galleries', 'caption_augmentation', 'drawn_pedes', 'add_a_part',
                       'from_another_mm_project'],
    'results': ['model_zoo', 'reproduction', 'benchmarks', 'reliability'],
}

project, author = 'mmtbps', 'the authors of mmtbps'
project_copyright = f'{author}, Apache 2.0'
release = version = re.search(r"__version__ = '(.+)'",
                              (ROOT / 'mmtbps/version.py').read_text('utf-8'))[1]
extensions = ['myst_nb', 'sphinx.ext.napoleon', 'sphinx_copybutton',
              'autoapi.extension']
suppress_warnings = ['ref.python', 'autoapi.python_import_resolution']  # see find_name
myst_heading_anchors, highlight_language = 4, 'text'
nb_execution_mode = 'off'  # the tests run the notebooks
default_role = 'py:obj'  # a name in single backticks, as docstrings have them
autoapi_dirs, autoapi_root = [str(ROOT / 'mmtbps')], 'api'
autoapi_add_toctree_entry = False
autoapi_keep_files = False
autoapi_options = ['members', 'show-inheritance', 'show-module-summary']
autoapi_python_class_content = 'class'
napoleon_use_ivar = True  # else the fields of a class stand in two lists, one without texts
autodoc_typehints = 'description'
html_theme = 'pydata_sphinx_theme'
html_copy_source = False
html_title, html_static_path, html_css_files = 'mmtbps', ['_static'], ['site.css']
html_sidebars = {page: [] for page in CONTENTS['index'] if '/' not in page and page not in CONTENTS}
html_theme_options = dict(
    header_links_before_dropdown=6,
    navbar_end=['theme-switcher', 'navbar-icon-links'], show_prev_next=True,
    show_toc_level=2, collapse_navigation=True, navigation_depth=3,
    pygments_light_style='friendly', pygments_dark_style='monokai',
    icon_links=[dict(name='Repository', url=REPOSITORY, icon='fa-brands fa-github')] * bool(
        REPOSITORY))
if switcher := os.environ.get('MMTBPS_VERSIONS'):  # address of a list of the hosted versions
    html_theme_options.update(navbar_start=['navbar-logo', 'version-switcher'],
                              switcher=dict(json_url=switcher, version_match=release))


def show_repository_files(app, name, source):
    """Point links that leave the documentation to the files of the repository."""
    folder = DOCS.joinpath(name).parent

    def replace(match):
        target = folder.joinpath(match['path']).resolve()
        if target.is_relative_to(DOCS) and target.is_file() or not target.exists():
            return match[0]
        if REPOSITORY:
            kind = 'blob' if target.is_file() else 'tree'
            path = target.relative_to(ROOT).as_posix()
            return f'{match["text"]}({REPOSITORY}/{kind}/{REVISION}/{path}{match["anchor"] or ""})'
        shown = target.is_file() and target.suffix != '.md'
        return match[0] if shown else match['text'].lstrip('!')[1:-1]

    source[0] = _LINK.sub(replace, source[0])
    if name == 'images/NOTICE':
        source[0] = f'---\norphan: true\n---\n{source[0]}'
    if pages := CONTENTS.get(name):
        source[0] += '\n```{toctree}\n:hidden:\n\n' + '\n'.join(pages) + '\n```\n'


def _source_of(module):
    """Read a module of the package, by its dotted name."""
    path = ROOT.joinpath(*module.split('.'))
    return (path / '__init__.py' if path.is_dir() else path.with_suffix('.py')).read_text('utf-8')


@cache
def read_exports(name):
    """Read where each name of ``__all__`` of a module is defined, as far as its source says."""
    homes, exported = {}, ()
    package = name if ROOT.joinpath(*name.split('.')).is_dir() else name.rpartition('.')[0]
    for node in ast.walk(ast.parse(_source_of(name))):
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module:
            homes |= {part.name: f'{package}.{node.module}.{part.name}' for part in node.names}
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == '__all__':
            exported = ast.literal_eval(node.value)
    return {one: homes.get(one, f'{name}.{one}') for one in exported}


def list_exports(app, name, source):
    """Name, on the page of a package, what can be imported from it."""
    folder = name.removeprefix('api/').removesuffix('/index')
    if name.startswith('api/') and ROOT.joinpath(folder, '__init__.py').is_file():
        links = [f':py:obj:`{one} <{home}>`' for one, home in
                 read_exports(folder.replace('/', '.')).items() if one != '__version__']
        source[0] += f'\nTo import from here: {", ".join(links)}.\n' if links else ''


def keep_constants(app, what, name, obj, skip, options):
    """Show the constants of ``__all__``, with the comment ``#:`` above them as their text."""
    module, _, own = name.rpartition('.')
    if what != 'data' or read_exports(module).get(own) != name:  # or shown where it is defined
        return None
    if found := re.search(rf'^((?:#: ?.*\n)+){own}\b', _source_of(module), re.MULTILINE):
        obj.docstring = re.sub(r'^#: ?', '', found[1], flags=re.MULTILINE).strip()
    return False


def find_name(app, env, node, content):
    """Resolve a name of a docstring that is imported somewhere else, or leave it as it is.

    A name with ``mmtbps.`` before it must be there; a warning is an error in CI.
    """
    if node.get('refdomain') != 'py':
        return None
    *package, name = node['reftarget'].lstrip('~.').split('.')
    objects = env.get_domain('py').objects
    ends = [full for full in objects if full.endswith(f'.{name}')
            and full.startswith('.'.join(package) if package[:1] == ['mmtbps'] else '')]
    if not ends:
        if package[:1] == ['mmtbps'] and not _defines('/'.join(package), name):
            logging.getLogger('docs').warning('no %s', node['reftarget'], location=node)
        return content
    here = node.get('py:module') or ''
    best = max(ends, key=lambda full: (len(os.path.commonprefix([full, here])), -len(full)))
    return make_refnode(app.builder, node['refdoc'], objects[best].docname,
                        objects[best].node_id, content, best)


def _defines(module, name):
    """Tell whether a module has a name that needs no docstring, such as a type's."""
    files = ROOT / f'{module}.py', ROOT / module / '__init__.py'
    return any(re.search(rf'\b{name}\b', file.read_text('utf-8'))
               for file in files if file.is_file())


def setup(app):
    app.connect('source-read', show_repository_files)
    app.connect('source-read', list_exports)
    app.connect('autoapi-skip-member', keep_constants)
    app.connect('missing-reference', find_name)
