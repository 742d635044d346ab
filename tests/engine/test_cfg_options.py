"""The option that changes settings of a config."""

import argparse
import copy
import re
from pathlib import Path

import pytest
from mmengine.config import Config

from mmtbps.engine.cfg_options import CfgOptions, merge_options
from mmtbps.errors import BadValue

ROOT = Path(__file__).resolve().parents[2]


def parse(*words):
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=CfgOptions)
    return parser.parse_args(['--cfg-options', *words]).cfg_options


@pytest.mark.parametrize('text, value', [
    ('my folder/é (1)/a.json', 'my folder/é (1)/a.json'), ("'quoted folder'", 'quoted folder'),
    ('a=b c', 'a=b c'), ('3', 3), (' 0.5 ', 0.5), ('True', True), ('None', None), ('', ''),
    ('1,5,10', [1, 5, 10]), ('[a, b]', ['a', 'b']), ('(384, 128)', (384, 128)),
    ('[(1,2), [x]]', [(1, 2), ['x']])])
def test_values(text, value):
    found = parse(f'some.key={text}')['some.key']
    assert found == value and type(found) is type(value)


def test_several_options_are_one_dict():
    assert parse('a=1', 'b.c=two words') == {'a': 1, 'b.c': 'two words'}


def test_a_word_without_a_value_is_named(capsys):
    with pytest.raises(SystemExit):
        parse('a=1', 'train_cfg.max_epochs')
    assert "'train_cfg.max_epochs' is not of the form KEY=VALUE" in capsys.readouterr().err


@pytest.mark.parametrize('text, value', [
    ('007', '007'), ('1e-4', 1e-4), ('true', True), ('"1,5"', '1,5'), ('a,b c', ['a', 'b c']),
    ('work dirs/x y', 'work dirs/x y'), ("{'a': 1}", {'a': 1}), ('[]', []), ('3.10', 3.1),
    ('2024_05_01', '2024_05_01'), ('[2024_05, 1]', ['2024_05', 1]), ('3j', '3j'), ('...', '...'),
    ('{1, 2}', '{1, 2}'), ('{}', {}), ('"1_0"', '1_0'), ('1.5', 1.5),
    ("dict(type='A', k=[1, 2])", dict(type='A', k=[1, 2])),
    ("[dict(type='A'), dict(b=dict(c=(1, 2)))]", [dict(type='A'), dict(b=dict(c=(1, 2)))]),
    ('f(a, b)', 'f(a, b)'), ('dict(1, 2)', 'dict(1, 2)'), ('dict(a=b, c=1)', 'dict(a=b, c=1)'),
    ('dict(a=print(1))', 'dict(a=print(1))'), ('f(a, b), c', ['f(a, b)', 'c']),
    ('__import__("os")', '__import__("os")'), ('-5', -5), ('C:\\data', 'C:\\data')])
def test_values_are_read_as_python_or_stay_text(text, value):
    found = parse(f'some.key={text}')['some.key']
    assert found == value and type(found) is type(value)


def test_how_a_list_of_words_was_read_is_said(capsys):
    parse('ann_file=reid_raw.json,my pairs.jsonl', 'topk=1,5')
    assert capsys.readouterr().out == (
        "ann_file is a list of 2: ['reid_raw.json', 'my pairs.jsonl']. A text with a comma stands "
        'in quotes\n')


@pytest.fixture(scope='module')
def config():
    return Config.fromfile(ROOT / 'configs/tbps/vit_bert_pdg_drawn.py')


@pytest.mark.parametrize('key', [
    'train_cfg.max_epochs', 'model.chunk_size', 'model.head.temperature', 'work_dir',
    'resume_anyway', 'cfg', 'load_from',
    'model.heads.contrastive.temperature', 'train_dataloader.dataset.pipeline.0.to_float32',
    'train_dataloader.dataset.holdout', 'train_dataloader.dataset.lazy_init',
    'default_hooks.checkpoint.out_dir', 'optim_wrapper.accumulative_counts',
    'optim_wrapper.optimizer.amsgrad', 'model.text_backbone.config.hidden_dropout_prob',
    'model.mixup.weight', 'val_evaluator.distractors', 'param_scheduler.1.eta_min',
    'model.data_preprocessor.batch_augments', 'randomness.deterministic',
    'train_dataloader.prefetch_factor', 'env_cfg.dist_cfg.timeout'])
def test_a_key_that_something_reads_is_taken(config, key):
    merge_options(copy.deepcopy(config), {key: 1})


@pytest.mark.parametrize('key, hint', [
    ('train_dataloder.batch_size', 'did you mean train_dataloader?'),
    ('optim_wraper.dtype', 'did you mean optim_wrapper?'),
    ('train_dataloader.batchsize', 'did you mean train_dataloader.batch_size?'),
    ('model.heads.contrastive.temprature', 'did you mean model.heads.contrastive.temperature?'),
    ('model.chunksize', 'did you mean model.chunk_size?'),
    ('train_cfg.max_epoch', 'did you mean train_cfg.max_epochs?'),
    ('default_hooks.checkpoint.max_keep', 'nothing reads default_hooks.checkpoint.max_keep'),
    ('train_dataloader.dataset.hold_out', 'did you mean train_dataloader.dataset.holdout?'),
    ('randomness.sed', 'did you mean randomness.seed?'),
    ('param_scheduler.7.eta_min', 'is a list of 2'), ('log_level.x', "is 'INFO' and has no 'x'")])
def test_a_key_that_nothing_reads_is_refused_with_the_nearest_one(config, key, hint):
    before = config.pretty_text if key == 'model.chunksize' else None
    with pytest.raises(BadValue, match=re.escape(hint)):
        merge_options(config, {key: 1})
    assert before is None or config.pretty_text == before


def test_a_schedule_by_epochs_is_taken_as_it_is():
    cfg = Config(dict(custom_hooks=[dict(type='EMAHook'), dict(type='FeatureMixupHook',
                                                             milestones={0: .1, 9: .2})]))
    merge_options(cfg, parse('custom_hooks.1.milestones={0: 0.5, 5: 1.0}'))
    assert cfg.custom_hooks[1].milestones == {0: .5, 5: 1.}
    assert cfg.custom_hooks[1].type == 'FeatureMixupHook' and len(cfg.custom_hooks) == 2
    assert Config.fromstring(cfg.pretty_text, '.py').custom_hooks[1].milestones == {0: .5, 5: 1.}
