"""Hostile configs, and values with which nothing could run: refused in one line."""

import os
import re

import pytest

from mmtbps.config_file import read_config
from mmtbps.engine.setting_values import find_wrong_values, stop_if_wrong
from mmtbps.errors import UserError

pytestmark = pytest.mark.usefixtures('limited')

SHIPPED = 'vit_bert_pdg_drawn'
BASED = 'from mmengine.config import read_base\nwith read_base():\n    from .{} import *\n'
#: Name -> content, reason.
CONFIGS = {
    'empty.py': ('', "no key 'model'"), 'cut.py': ('model = dict(\n', 'line 1: .*never closed'),
    'binary.py': (bytes(range(256)), 'not UTF-8'), 'zero.py': (b'a = 1\0', 'null bytes'),
    'deep.py': ('model = ' + '[' * 300 + ']' * 300, 'too many nested parentheses'),
    'name.py': ('model = dict(type=Foo)\n', "name 'Foo' is not defined"),
    'module.py': (BASED.format('plain') + 'from no_such import Model\nmodel = dict(type=Model)\n',
                  'Failed to import no_such in .*module.py, line 4'),
    'attribute.py': (BASED.format('plain') + 'from mmtbps.records import No\nmodel = dict(a=No)\n',
                     'Failed to import No from mmtbps.records in .*, line 4'),
    'base.py': ("_base_ = 'gone.py'\n", 'it inherits .*gone.py: no such file'),
    'base_number.py': ('_base_ = 3\n', '_base_ must name files, got 3'),
    'itself.py': ("_base_ = 'itself.py'\n", 'itself.py inherits itself.py'),
    'circle.py': ("_base_ = 'circle_2.py'\n", 'circle.py inherits circle_2.py inherits circle.py'),
    'lazy_itself.py': (BASED.format('lazy_itself'), 'inherits itself, or is nested too deeply'),
    'lazy_base.py': (BASED.format('gone'), 'gone.py not found'),
    'list.py': ('model = [1]\n', 'model must be a dict of settings, got list'),
    'cut.json': ('{', ':1: broken JSON'), 'list.json': ('[1]', 'a dict of settings, got list'),
    'twice.json': ('{"model": 1, "model": 2}', "key 'model' stands twice"),
    'deep.json': ('[' * 100_000, 'nested too deeply'), 'text.yaml': ('hello\n', 'got str'),
    'cut.yaml': ('a: [1\n', 'broken YAML'),
    'code.yaml': ('model: !!python/object/apply:os.system ["touch hacked"]\n', 'broken YAML'),
    'bomb.yaml': ('a: &a [x, x, x, x, x, x, x, x, x]\n' + ''.join(
        f'{new}: &{new} [{", ".join([f"*{old}"] * 9)}]\n'
        for old, new in zip('abcdefgh', 'bcdefghi', strict=True)), 'stands for more than 100,000'),
    'kind.pth': (b'PK', r'a config is a file in \.py'),
}


@pytest.mark.parametrize('name', CONFIGS)
def test_a_hostile_config_is_refused(name, refusal, tmp_path):
    content, reason = CONFIGS[name]
    (tmp_path / 'plain.py').write_text('a = 1\n')
    (tmp_path / 'circle_2.py').write_text("_base_ = 'circle.py'\nmodel = dict()\n")
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    said = refusal(lambda: dict(read_config(path, 'model')))
    assert re.search(reason, said), said


@pytest.mark.parametrize('make, reason', [
    (lambda path: None, 'no such config'), (lambda path: path.mkdir(), 'a folder, no file'),
    (os.mkfifo, 'a pipe, no file'), (lambda path: path.symlink_to('/dev/zero'), 'a device'),
    (lambda path: path.symlink_to(path.name), 'a link to a.py, where no file is')])
def test_a_config_that_is_no_file_is_refused(make, reason, refusal, tmp_path):
    make(tmp_path / 'a.py')
    assert reason in refusal(lambda: read_config(tmp_path / 'a.py'))


NAN, HUGE = float('nan'), 10**6
#: Key of a setting -> values that no run can have.
VALUES = {
    'optim_wrapper.optimizer.lr': ['fast', NAN, -1., None],
    'optim_wrapper.optimizer.weight_decay': ['x', -1], 'optim_wrapper.optimizer.betas': [3, (2, 1)],
    'optim_wrapper.optimizer': [None, {}], 'optim_wrapper.accumulative_counts': [0, 1.5],
    'optim_wrapper.clip_grad.max_norm': ['x', 0],
    'train_dataloader.batch_size': [0, -1, 1.5, 'many', True], 'val_dataloader.batch_size': [0],
    'train_dataloader.num_workers': [-1, 1.5], 'train_dataloader.dataset': [None],
    'train_dataloader.dataset.pipeline': ['x'], 'train_dataloader.dataset.holdout': [-1],
    'test_dataloader': [3], 'train_cfg.max_epochs': [0, -1, 1.5, 'x'],
    'train_cfg.val_interval': [0], 'model': [[1]], 'model.chunk_size': [0],
    'model.heads.contrastive.temperature': [0, -1, NAN, float('inf'), 'x'],
    'model.mixup.prob': [2], 'model.image_backbone.img_size': [
        (0, 0), (-32, 16), 'x', (32.5, 16), (HUGE, HUGE), (1, 2, 3)],
    'model.image_backbone.stride': [0], 'randomness.seed': ['x', -1],
    'param_scheduler': [3], 'default_hooks.checkpoint.interval': [0, 'x'], 'work_dir': [3]}


@pytest.mark.parametrize('key, value', [
    (key, value) for key, values in VALUES.items() for value in values])
def test_a_value_that_no_run_can_have_is_refused(key, value, refusal):
    cfg = read_config(SHIPPED)
    stop_if_wrong(cfg)
    *path, last = key.split('.')
    node = cfg
    for word in path:
        node = node[word]
    if value == {}:
        del node[last].type
    else:
        node[last] = value
    said = refusal(lambda: stop_if_wrong(cfg))
    assert key in said and (repr(value) in said or value == {}), said


def test_gradients_that_are_measured_and_not_clipped_are_no_fault():
    cfg = read_config(SHIPPED)
    cfg.optim_wrapper.clip_grad.max_norm = float('inf')
    assert find_wrong_values(cfg) == []


def test_captions_of_no_length_and_half_a_training_are_refused(refusal):
    cfg = read_config(SHIPPED)
    cfg.train_dataloader.dataset.pipeline[-2].max_length = 1.5
    assert 'max_length must be a whole number of at least 3, got 1.5' in refusal(
        lambda: stop_if_wrong(cfg))
    cfg = read_config(SHIPPED)
    cfg.optim_wrapper = None
    assert 'optim_wrapper: a training needs' in refusal(lambda: stop_if_wrong(cfg))


def test_control_characters_of_a_name_do_not_reach_the_terminal(refusal):
    def fail():
        raise UserError('a\nb\x1b[31m\x07.pth: no such file')

    assert refusal(fail) == r'error: a b\x1b[31m\x07.pth: no such file'
