"""The documentation keeps its word: links, listings, examples, and the index of configs."""

import ast
import doctest
import inspect
import re
import shlex

import pytest
import yaml
from doc_blocks import ROOT, blocks
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmtbps.commands.main import read_words
from mmtbps.commands.wording.command_names import COMMANDS
from mmtbps.models.converters.fit import without_values
from mmtbps.registry import MODELS

PAGES = sorted([*ROOT.glob('*.md'), *ROOT.glob('docs/**/*.md'), *ROOT.glob('configs/**/*.md')])
INDEX = yaml.safe_load((ROOT / 'model-index.yml').read_text('utf-8'))['Import']
METAFILES = [yaml.safe_load((ROOT / path).read_text('utf-8')) for path in INDEX]
MODELS_LISTED = [entry for metafile in METAFILES for entry in metafile['Models']]
BERT_BASE_VOCABULARY = 30522
LINK = re.compile(r'!?\[[^\]]*\]\(([^)\s]+)\)')


def name(page):
    return page.relative_to(ROOT).as_posix()


def anchors(text):
    """Headings of a page as GitHub turns them into anchors."""
    prose = re.sub(r'^```.*?^```$', '', text, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r'^#+ +(.+?) *$', prose, re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings}


def broken_links(page, text):
    """Relative links of a page whose file or heading is not there."""
    prose = re.sub(r'^```.*?^```$|`[^`\n]*`', '', text, flags=re.MULTILINE | re.DOTALL)
    broken = []
    for target in LINK.findall(prose):
        if re.match(r'[a-z]+:', target):
            continue
        path, _, anchor = target.partition('#')
        file = (page.parent / path).resolve() if path else page
        if not file.exists():
            broken.append(target)
        elif anchor and file.suffix == '.md':
            there = text if file == page else file.read_text('utf-8')
            if anchor not in anchors(there):
                broken.append(target)
    return broken


@pytest.mark.parametrize('page', PAGES, ids=name)
def test_every_relative_link_resolves(page):
    assert not broken_links(page, page.read_text('utf-8'))


@pytest.mark.parametrize('text, broken', [
    ('[a](nowhere.md)', ['nowhere.md']),
    ('![a](docs/images/nothing.png)', ['docs/images/nothing.png']),
    ('# Two words\n[a](#two-words) [b](#three-words)', ['#three-words']),
    ('`[a](nowhere.md)` [b](https://example.org/x) [c](LICENSE)', []),
])
def test_the_link_check_can_fail(text, broken):
    assert broken_links(ROOT / 'README.md', text) == broken


@pytest.mark.parametrize('page', PAGES, ids=name)
def test_python_listings_compile(page):
    for block in blocks(page):
        if block.language in ('python', 'py'):
            assert compile('\n' * (block.line - 1) + block.code, name(page), 'exec')


def imports_of_ours(page):
    """Lines of a page's listings that import from the package; a config is named by its file."""
    return {ast.unparse(node) for block in blocks(page) if block.language in ('python', 'py')
            for node in ast.walk(ast.parse(block.code)) if isinstance(node, ast.ImportFrom)
            and (node.module or '').split('.')[0] == 'mmtbps'}


@pytest.mark.parametrize('line', sorted(set().union(*(
    imports_of_ours(page) for page in PAGES if page.name != 'add_a_part.md'))))  # adds to it
def test_what_listings_import_is_there(line):
    config = re.match(r'from mmtbps\.configs\.([\w.]+) import \*', line)
    if config:  # MMEngine finds it, in a package that mim installed
        assert (ROOT / 'configs' / f'{config[1].replace(".", "/")}.py').is_file()
    else:
        exec(line, {})


@pytest.mark.parametrize('page', [p for p in PAGES if '```pycon' in p.read_text('utf-8')], ids=name)
def test_console_examples_are_true(page):
    """All ``pycon`` blocks of a page, one session."""
    session = '\n'.join(block.code for block in blocks(page) if block.language == 'pycon')
    test = doctest.DocTestParser().get_doctest(session, {}, name(page), name(page), 0)
    report = []
    outcome = doctest.DocTestRunner().run(test, out=report.append)
    assert outcome.attempted and not outcome.failed, ''.join(report)


def test_the_parts_of_add_a_part_work(tmp_path):
    """Its listings in order, then every test they define; configs are only compiled, above."""
    page = ROOT / 'docs/concepts/add_a_part.md'
    namespace = {'__name__': 'add_a_part'}
    for block in blocks(page):
        if block.language == 'python' and 'read_base' not in block.code:
            code = '\n' * (block.line - 1) + block.code
            exec(compile(code, name(page), 'exec'), namespace)
    tests = [value for key, value in namespace.items() if key.startswith('test_')]
    assert len(tests) == 4
    for test in tests:
        test(**({'tmp_path': tmp_path} if inspect.signature(test).parameters else {}))


@pytest.mark.parametrize('command', ['train', 'test'])
def test_the_guide_names_every_option(command):
    guide = (ROOT / 'docs/guides/train_and_test.md').read_text('utf-8')
    sources = [ROOT / f'mmtbps/commands/{command}.py', ROOT / 'mmtbps/engine/launch.py']
    options = {argument.value for source in sources for node in ast.walk(ast.parse(
        source.read_text('utf-8'))) if isinstance(node, ast.Call)
        and getattr(node.func, 'attr', '') == 'add_argument'
        for argument in node.args if argument.value.startswith('--')}
    assert len(options) > 8
    hidden = {'--local_rank', '--local-rank'}
    assert not [option for option in options - hidden if f'`{option}' not in guide]


def commands(page):
    """Command lines of a page's listings, of ours and of scripts in ``tools/``."""
    lines = [line for block in blocks(page) if block.language in ('bash', 'sh')
             for line in block.code.replace('\\\n', ' ').splitlines()]
    return [line for line in lines if re.match(r'(\w+=\S+ )*(mmtbps|tools/\S+) ', line)]


def wrong_words(line, capsys):
    """Say why a command line would end at once: an option, a choice, a file that is not there."""
    words = [word for word in shlex.split(re.split('[>|<]', line)[0], comments=True)
             if not re.match(r'[A-Z_]+=|\$options$', word)]
    gone = [word for word in words if re.match(r'(tools|configs)/', word)
            and not (ROOT / word).is_file()]
    if gone or words[0] != 'mmtbps' or words[1] == '--help':
        return ', '.join(gone)
    if words[1] not in COMMANDS:
        return f'no command {words[1]}'
    try:
        read_words(words[1], words[2:])
    except SystemExit:
        return capsys.readouterr().err.splitlines()[-1]
    return ''


@pytest.mark.parametrize('page', [page for page in PAGES if commands(page)], ids=name)
def test_the_commands_of_a_page_are_read_by_what_they_call(page, capsys):
    wrong = {line: said for line in commands(page) if (said := wrong_words(line, capsys))}
    assert not wrong


@pytest.mark.parametrize('line, said', [
    ('mmtbps serach people', 'no command serach'),
    ('mmtbps train configs/tbps/nowhere.py', 'configs/tbps/nowhere.py'),
    ('A=4 tools/dist_train.sh configs/tbps/nowhere.py 4', 'configs/tbps/nowhere.py'),
    ('tools/dist_trian.sh configs/tbps/vit_bert_base_cuhk.py', 'tools/dist_trian.sh'),
    ('mmtbps query people "a man" --top 3 --out', 'expected one argument'),
    ('mmtbps generate plot CONFIG', "invalid choice: 'plot'"),
    ('mmtbps compact people.lance $options > log.txt  # fine', '')])
def test_the_check_of_commands_can_fail(line, said, capsys):
    assert said in wrong_words(line, capsys) and bool(said) == bool(wrong_words(line, capsys))


def test_guides_call_the_command_by_its_name():
    """Tools of the same name are for those who know them; one table and one paragraph say so."""
    named = [name(page) for page in PAGES if 'python tools/' in page.read_text('utf-8')]
    assert named == ['docs/get_started.md', 'docs/guides/train_and_test.md']


def test_the_index_lists_configs_once():
    assert sorted(INDEX) == sorted(name(path) for path in ROOT.glob('configs/*/metafile.yml'))
    listed = [model['Config'] for model in MODELS_LISTED]
    there = [name(path) for path in ROOT.glob('configs/*/*.py')
             if re.search('_(cuhk|icfg|rstp|drawn|mals)$', path.stem)
             and path.parent.name != 'generation' and not path.stem.startswith('ablation')]
    assert sorted(listed) == sorted(there) and len(listed) > 30
    assert all(model['Name'] == path.rpartition('/')[2].removesuffix('.py')
               for model, path in zip(MODELS_LISTED, listed, strict=True))
    for metafile in METAFILES:
        collections = {collection['Name'] for collection in metafile['Collections']}
        assert {model['In Collection'] for model in metafile['Models']} == collections
        # An empty one would be a TypeError in MMEngine's hub, which says that there is none.
        assert all(model.get('Weights', 'none') for model in metafile['Models'])
        assert all((ROOT / collection['README']).is_file()
                   for collection in metafile['Collections'])


@pytest.mark.parametrize('entry', MODELS_LISTED, ids=lambda entry: entry['Name'])
def test_the_index_says_the_truth(entry):
    cfg = Config.fromfile(ROOT / entry['Config'])
    assert entry['Metadata']['Training Data'] == cfg.train_dataloader.dataset.type.dataset_name
    assert ('mixup' in cfg.model) == ('PDG' in entry['In Collection'])
    assert entry['Metadata']['Parameters'] == count_parameters(cfg)


def count_parameters(cfg):
    """Parameters of a config's model, built without memory or weights."""
    init_default_scope('mmtbps')
    text = cfg.model.text_backbone
    if text.pop('model', None):
        text.config = dict(vocab_size=BERT_BASE_VOCABULARY)  # its other defaults are BERT-base
    with without_values():
        return sum(parameter.numel() for parameter in MODELS.build(cfg.model).parameters())


def test_the_readme_is_short_and_its_targets_exist():
    readme = (ROOT / 'README.md').read_text('utf-8')
    assert readme.count('\n') <= 170
    targets = set(re.findall(r'(?:^|`)make (\w[\w-]*)', readme, re.MULTILINE))
    assert {'demo', 'test'} <= targets
    rules = (ROOT / 'Makefile').read_text('utf-8')
    assert not [target for target in targets if not re.search(rf'^{target}:', rules, re.MULTILINE)]
