"""The option that changes settings of a config."""

import argparse

import pytest

from mmtbps.engine.cfg_options import CfgOptions


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
