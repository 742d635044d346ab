"""Settings of the documentation site; `make docs` builds it, with every broken link as an error."""

import ast
import re
import sys
from types import ModuleType, SimpleNamespace

import pytest
from source_tree import ROOT, SOURCES

CONF = ROOT / 'docs/conf.py'
PACKAGES = sorted(path for path in SOURCES if path.name == '__init__.py')


@pytest.fixture
def conf(monkeypatch):
    """The settings as Sphinx reads them; names of Sphinx are not needed for what is tested."""
    for name in ('sphinx', 'sphinx.util', 'sphinx.util.nodes'):
        module = ModuleType(name)
        module.logging, module.make_refnode = None, lambda *parts: parts
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delenv('MMTBPS_REPOSITORY', raising=False)
    scope = dict(__file__=str(CONF), __name__='conf')
    exec(compile(CONF.read_text('utf-8'), str(CONF), 'exec'), scope)
    return SimpleNamespace(scope=scope, **{key: value for key, value in scope.items()
                                           if not key.startswith('__')})


def test_every_page_is_in_the_contents_once(conf):
    listed = [(folder.rpartition('/')[0] + '/' + page).lstrip('/')
              for folder, pages in conf.CONTENTS.items() for page in pages if '<' not in page]
    pages = [path.relative_to(ROOT / 'docs').with_suffix('').as_posix()
             for kind in ('md', 'ipynb') for path in (ROOT / 'docs').rglob(f'*.{kind}')]
    assert sorted(listed) == sorted(set(pages) - {'index', 'images/NOTICE'})


def test_every_page_of_a_section_is_linked_from_its_first_page(conf):
    for folder, pages in conf.CONTENTS.items():
        text = (ROOT / 'docs' / f'{folder}.md').read_text('utf-8')
        for page in pages:
            assert folder == 'index' or re.search(rf'\({page}\.(md|ipynb)', text), (folder, page)


@pytest.mark.parametrize('repository, text, shown', [
    ('', '[a](../../configs/tbps/README.md)', 'a'),
    ('', '[a](../../mmtbps/search)', 'a'),
    ('', '[a](../../setup.py)', '[a](../../setup.py)'),
    ('', '[a](deploy.md#x) [b](https://x.org) ![c](../images/answer.png) [d](#e)', None),
    ('https://host/o/n', '[a](../../configs/tbps/README.md#b)',
     '[a](https://host/o/n/blob/main/configs/tbps/README.md#b)'),
    ('https://host/o/n', '[a](../../mmtbps/search)', '[a](https://host/o/n/tree/main/mmtbps/search)'),
    ('', '[a](../../nowhere.md)', None)])
def test_links_to_files_of_the_repository_lead_there_or_are_text(conf, repository, text, shown):
    conf.scope['REPOSITORY'] = repository
    source = [text]
    conf.show_repository_files(None, 'guides/search_people', source)
    assert source == [text if shown is None else shown]


def test_a_name_leads_to_the_nearest_of_that_name(conf):
    warned = []
    conf.scope['logging'] = SimpleNamespace(getLogger=lambda _: SimpleNamespace(
        warning=lambda text, *rest, **_: warned.append(text % rest)))
    objects = {full: SimpleNamespace(docname=full, node_id=full)
               for full in ('mmtbps.a.thing.Part', 'mmtbps.b.thing.Part', 'mmtbps.errors.BadValue')}
    env = SimpleNamespace(get_domain=lambda _: SimpleNamespace(objects=objects))
    app = SimpleNamespace(builder=None)

    class Node(dict):
        pass

    def ask(target, here='mmtbps.b.other'):
        node = Node({'refdomain': 'py', 'reftarget': target, 'py:module': here, 'refdoc': 'x'})
        found = conf.find_name(app, env, node, 'as it was')
        return found if isinstance(found, str) else found[2]

    assert ask('Part') == 'mmtbps.b.thing.Part'
    assert ask('Part', 'mmtbps.a') == 'mmtbps.a.thing.Part'
    assert ask('mmtbps.a.Part') == 'mmtbps.a.thing.Part'
    assert ask('~mmtbps.errors.BadValue') == 'mmtbps.errors.BadValue'
    assert ask('nothing') == ask('torch.Tensor') == 'as it was' and not warned
    assert ask('mmtbps.errors.Remedy') == 'as it was' and not warned  # named in the source
    assert ask('mmtbps.errors.Nothing') == 'as it was' and warned == ['no mmtbps.errors.Nothing']


def test_the_version_is_that_of_the_package(conf):
    from mmtbps.version import __version__
    assert conf.version == conf.release == __version__


def test_requirements_are_what_the_settings_load(conf):
    named = set(re.findall(r'^[\w-]+', (ROOT / 'docs/requirements.txt').read_text(), re.MULTILINE))
    assert named == {'sphinx', 'myst-nb', 'pydata-sphinx-theme', 'sphinx-autoapi',
                     'sphinx-copybutton'}
    loaded = {name for name in conf.extensions if not name.startswith('sphinx.')}
    assert loaded == {'myst_nb', 'sphinx_copybutton', 'autoapi.extension'}
    assert conf.html_theme == 'pydata_sphinx_theme'
    assert ast.parse(CONF.read_text('utf-8'))


def test_the_page_of_a_package_names_what_can_be_imported_from_it(conf):
    source = ['Page']
    conf.list_exports(None, 'api/mmtbps/search/index', source)
    assert (':py:obj:`TextToPersonInferencer <mmtbps.search.inferencer.TextToPersonInferencer>`'
            in source[0])
    for name in ('api/mmtbps/search/inferencer/index', 'guides/deploy'):
        source = ['Page']
        conf.list_exports(None, name, source)
        assert source == ['Page']


@pytest.mark.parametrize('path', PACKAGES, ids=lambda path: path.parent.name)
def test_each_name_of_a_package_is_found_in_a_source(conf, path):
    module = '.'.join(path.parent.relative_to(ROOT).parts)
    for name, home in conf.read_exports(module).items():
        assert re.search(rf'\b{name}\b', conf._source_of(home.rpartition('.')[0])), home


def test_constants_are_shown_with_the_comment_above_them(conf):
    def ask(name, what='data'):
        part = SimpleNamespace(docstring='')
        return conf.keep_constants(None, what, name, part, True, []), part.docstring

    assert ask('mmtbps.catalog.FAMILIES') == (
        False, 'Families of models: made for people, by conversion; and for any picture, by name.')
    assert ask('mmtbps.catalog._FILE')[0] is None
    assert ask('mmtbps.catalog.list_models', 'function')[0] is None
    assert ask('mmtbps.fileio.image_files.IMAGE_SUFFIXES')[0] is False
    assert ask('mmtbps.fileio.IMAGE_SUFFIXES')[0] is None  # defined elsewhere
