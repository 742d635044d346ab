"""The tutorials: listings, commands in their order, notebooks, and what they state."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from doc_blocks import ROOT, blocks, file_in
from mmengine.config import Config
from mmengine.runner import Runner
from tiny_models import shrink

from mmtbps.config_file import read_config
from mmtbps.datasets import TBPSDataset
from mmtbps.engine.data_checks import check_data_sets
from mmtbps.engine.preflight import find_missing
from mmtbps.registry import MODELS

TUTORIALS = ROOT / 'docs/tutorials'
OWN, METHOD, FIND, PAPER = (TUTORIALS / f'{name}.md' for name in (
    'train_on_your_own_json', 'add_a_method', 'find_people_in_my_photographs',
    'reproduce_the_paper'))
NOTEBOOKS = sorted(TUTORIALS.glob('*.ipynb'))
#: Need a network, a page open in a browser, or weights that are not here.
_LEFT_OUT = re.compile(r'pip |.*mmtbps serve|.*--detector|mmtbps train own_data')


@pytest.fixture
def listings(tmp_path, monkeypatch):
    """A folder with the listings of the tutorials."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for page, names in ((OWN, ('convert.py', 'toy.py')),
                        (METHOD, ('my_method.py', 'my_config.py', 'test_my_method.py'))):
        for name in names:
            (tmp_path / name).write_text(file_in(page, name))
    yield tmp_path
    sys.modules.pop('my_method', None)
    MODELS._module_dict.pop('MyHead', None)


@pytest.fixture
def home(listings, micro_set):
    """The folder, with few drawn people as data of one's own."""
    (listings / 'data').mkdir()
    (listings / 'data/drawn').symlink_to(micro_set)
    exec(compile((listings / 'convert.py').read_text(), 'convert.py', 'exec'), {})
    return listings


def test_the_conversion_makes_a_data_set_of_all_pairs(home, micro_set):
    drawn = json.loads((micro_set / 'reid_raw.json').read_text())
    for split, kept in (('train', ('train', 'val')), ('test', ('test', ))):
        dataset = TBPSDataset('data/mine', 'pairs.jsonl', dict(img_path='photos'), split=split,
                              strict=True, verify_images=True)
        entries = [entry for entry in drawn if entry['split'] in kept]
        assert len(dataset) == sum(len(entry['captions']) for entry in entries) > 0
        assert dataset[0]['caption'] == entries[0]['captions'][0]
        assert dataset[0]['img_path'].endswith(entries[0]['file_path'])


def test_nothing_but_the_weights_is_missing_for_own_data(home):
    cfg = read_config('own_data')
    missing = [str(error) for error in find_missing(cfg)]
    assert [text.partition(':')[0] for text in missing] == ['./weights/clip_vit_b16.pth']
    checked = check_data_sets(cfg)
    assert not checked.problems and [line.split(':')[0] for line in checked.lines] == [
        'pairs train', 'pairs val', 'pairs test']


def test_own_data_trains_when_shrunk(home, micro_set):
    cfg = shrink(read_config('own_data'), micro_set, home / 'run')
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset.update(type='TBPSDataset', data_root='data/mine')
    cfg.train_cfg.max_epochs = 1
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter > 0 and (home / 'run/best_t2i_R1_epoch_1.pth').is_file()


def test_the_method_is_what_a_slow_loop_says(home):
    namespace = {}
    exec((home / 'test_my_method.py').read_text(), namespace)
    namespace['test_it_is_the_hinge_of_a_slow_loop']()


def test_the_method_is_a_head_of_its_config(home):
    cfg = read_config('my_config.py')
    assert [head['type'].rpartition('.')[2] for head in cfg.model.heads.values()] == [
        'HardnessAwareContrastiveHead', 'MyHead']
    assert cfg.train_dataloader.dataset.data_root == 'data/mine'


def test_the_table_of_the_recipe_is_that_of_the_config():
    cells = dict(re.findall(r'^\| ([a-z].+?) \| (.+?) \|$', PAPER.read_text('utf-8'), re.MULTILINE))
    cfg = Config.fromfile(ROOT / 'configs/tbps/vit_bert_pdg_cuhk.py')
    optimizer, mixup, vit = cfg.optim_wrapper.optimizer, cfg.model.mixup, cfg.model.image_backbone
    tokenize, = (step for step in cfg.train_dataloader.dataset.pipeline if 'max_length' in step)
    expected = {
        'image, height x width': '{} x {}'.format(*vit.img_size),
        'step between patches of 16 pixels': vit.stride, 'caption, tokens': tokenize.max_length,
        'temperature': cfg.model.heads.contrastive.temperature,
        'optimizer, learning rate': f'{optimizer.type.__name__}, {optimizer.lr}',
        'epochs': cfg.train_cfg.max_epochs,
        'pairs in a step, of all processes': cfg.auto_scale_lr.base_batch_size,
        'mixup after layer, probability': f'{mixup.layer}, {mixup.prob}'}
    assert {key: cells[key] for key in expected} == {
        key: str(value) for key, value in expected.items()}


def commands(page):
    """Commands of a page that run here, in order."""
    return [line for block in blocks(page) if block.language == 'bash'
            for line in block.code.splitlines() if not _LEFT_OUT.match(line)]


@pytest.mark.parametrize('page', [OWN, METHOD, FIND, PAPER], ids=lambda page: page.stem)
def test_commands_run_without_a_checkout(page):
    """Tools and paths of configs are of a checkout; configs have bare names."""
    assert not [line for block in blocks(page) if block.language == 'bash'
                for line in block.code.splitlines() if re.search(r'\b(tools|configs)/', line)]


def test_the_conversion_may_be_repeated(home):
    exec(compile((home / 'convert.py').read_text(), 'convert.py', 'exec'), {})
    assert TBPSDataset('data/mine', 'pairs.jsonl', dict(img_path='photos'), split='train')


def run(line, folder):
    """Run a command of a page as a shell would, in a folder; return what it printed."""
    words = shlex.split(line)
    environment = dict(os.environ)
    if words[0] == 'PYTHONPATH=.':
        environment['PYTHONPATH'] = os.pathsep.join([str(folder), str(ROOT)])
        words = words[1:]
    head = dict(mmtbps=[sys.executable, '-m', 'mmtbps'], python=[sys.executable])[words[0]]
    environment.setdefault('PYTHONPATH', str(ROOT))
    done = subprocess.run([*head, *words[1:]], cwd=folder, env=environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, f'{line}\n{done.stdout[-3000:]}'
    return done.stdout


@pytest.mark.slow
def test_the_commands_run_in_their_order(listings):
    """Go from a JSON to an answer, then search with the model, and add a method on its data."""
    home = listings
    printed = {line: run(line, home) for line in commands(OWN)}
    shown = [block.code.strip() for block in blocks(OWN) if block.language == 'text']
    assert (home / 'data/mine/pairs.jsonl').read_text().splitlines()[0] in shown
    assert printed['mmtbps check-data own_data'].strip() in shown
    protocol, = (text.splitlines()[0] for text in shown if text.startswith('protocol: '))
    assert protocol in printed['mmtbps test toy.py work_dirs/toy/epoch_6.pth']
    (home / 'photos').symlink_to(home / 'data/mine/photos')
    for line in commands(FIND):
        printed[line] = run(line, home)
    assert printed['mmtbps index people.lance data/mine/photos --model person-model'].endswith(
        'people.lance: 402 indexed, 0 unchanged; 402 in all\n')
    assert (home / 'answer.html').is_file()
    namespace = {}
    for block in blocks(FIND):
        if block.language == 'python':
            exec(block.code, namespace)
    assert len(namespace['result'].hits) == 3
    line, = [line for line in commands(METHOD) if 'my_config.py' in line]
    assert 'loss_mine: ' in run(line, home)


def code_of(notebook):
    """The cells of code of a notebook."""
    cells = json.loads(notebook.read_text('utf-8'))['cells']
    return [''.join(cell['source']) for cell in cells if cell['cell_type'] == 'code']


@pytest.mark.parametrize('notebook', NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_compile_and_carry_no_output(notebook):
    book = json.loads(notebook.read_text('utf-8'))
    assert (book['nbformat'], len({cell['id'] for cell in book['cells']})) == (
        4, len(book['cells']))
    assert not [cell['id'] for cell in book['cells'] if cell.get('outputs')]
    assert all(compile(code, notebook.name, 'exec') for code in code_of(notebook))


@pytest.mark.slow
@pytest.mark.parametrize('notebook', NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run(notebook, tmp_path):
    """Cell by cell in one namespace, in a process and a folder of their own."""
    script = Path(tmp_path, 'cells.py')
    script.write_text('\n'.join(code_of(notebook)), encoding='utf-8')
    printed = run('python cells.py', tmp_path)
    assert '80 indexed, 0 unchanged' in printed and re.search(r'^ *1 +-?0\.\d{3} ', printed, re.M)


def test_there_are_notebooks_and_each_is_linked():
    index = (TUTORIALS / 'index.md').read_text('utf-8')
    assert len(NOTEBOOKS) == 2 and all(f'({path.name})' in index for path in NOTEBOOKS)
