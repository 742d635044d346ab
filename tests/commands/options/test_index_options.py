"""Warnings of an index run, each with the option that helps."""

import argparse
from pathlib import Path

import pytest

from mmtbps.commands.options.index import (
    add_index_options,
    print_warnings,
    read_index_options,
)
from mmtbps.errors import BadValue
from mmtbps.search.indexing import IndexReport


@pytest.mark.parametrize('report, words', [
    (dict(wide=['a.jpg', 'b.jpg']), ['2 new pictures', 'a.jpg', '--detector']),
    (dict(videos=['a.mp4']), ['1 videos were passed over', 'a.mp4', '--detector']),
    (dict(nobody=['a.jpg']), ['in 1 files nobody was found', 'a.jpg', '--threshold']),
    (dict(forgotten=3), ['3 files hold another picture', '--metadata']),
    (dict(skipped=[('a.jpg', 'broken')]), ['skipped a.jpg: broken']),
    (dict(unused=['privat']), ['--exclude privat fits nothing']),
    (dict(unknown=['b.jpg', 'c.jpg'], similar={'b.jpg': 'B.JPG'}),
     ['2 rows of m.csv name no file: b.jpg (did you mean B.JPG?), c.jpg']),
    (dict(indexed=3, passed_over=['@eaDir']), [])])
def test_a_warning_names_files_and_option(capsys, report, words):
    print_warnings(IndexReport(**report), Path('m.csv'))
    said = capsys.readouterr().err
    assert all(word in said for word in words) and len(said.splitlines()) == bool(words)


def test_of_two_tables_none_is_passed_over_in_silence(capsys):
    parser = argparse.ArgumentParser()
    add_index_options(parser)
    assert parser.parse_args(['crops', '--metadata', 'a.csv']).metadata == Path('a.csv')
    with pytest.raises(SystemExit):
        parser.parse_args(['crops', '--metadata', 'a.csv', '--metadata', 'b.csv'])
    assert '--metadata is given twice: index once with each table' in capsys.readouterr().err


ARRAY = dict(SLURM_ARRAY_TASK_ID='14', SLURM_ARRAY_TASK_COUNT='3', SLURM_ARRAY_TASK_MIN='10',
             SLURM_ARRAY_TASK_STEP='2')


@pytest.fixture
def read(monkeypatch):
    for name in (*ARRAY, 'RANK', 'WORLD_SIZE'):
        monkeypatch.delenv(name, raising=False)

    def read(environment, *options):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        parser = argparse.ArgumentParser()
        add_index_options(parser)
        return read_index_options(parser.parse_args(['crops', *options]))
    return read


@pytest.mark.parametrize('environment, options, shard', [
    ({}, [], (0, 1)),
    ({}, ['--shard', '3/4'], (3, 4)),
    (ARRAY, [], (2, 3)),
    (ARRAY, ['--shard', '0/5'], (0, 5)),
    (ARRAY, ['--shard', '0/1'], (0, 1)),
    (dict(RANK='1', WORLD_SIZE='4'), [], (1, 4)),
    (dict(ARRAY, RANK='1', WORLD_SIZE='2'), [], (5, 6))])
def test_the_part_is_the_one_named_or_that_of_the_array(read, environment, options, shard):
    assert read(environment, *options).shard == shard


def test_an_array_that_is_unevenly_numbered_is_refused(read):
    with pytest.raises(BadValue, match='SLURM_ARRAY_TASK_ID=13 is not one of 3 evenly numbered'):
        read(dict(ARRAY, SLURM_ARRAY_TASK_ID='13'))
