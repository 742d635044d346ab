"""The table of models: JSON and table say the same, filters, examples of the help."""

import dataclasses
import json
import re
import shlex

import pytest
from source_tree import ROOT

from mmtbps.catalog import speed_conditions
from mmtbps.commands.main import run_command


@pytest.fixture
def printed(capsys):
    """Return the output of the command."""
    def run(*words):
        run_command('models', list(words))
        return capsys.readouterr().out
    return run


def table_rows(text):
    """Cells of every row by heading, and the sentences below the tables by heading and model."""
    rows, sentences, columns, heading = [], {}, None, None
    for line in text.splitlines():
        cells = re.split(r' {2,}', line.strip())
        if cells[:2] == ['model', 'name']:
            columns = cells
        elif not line:
            columns = None if rows and columns else columns
            heading = None
        elif columns and len(cells) == len(columns):
            rows.append(dict(zip(columns, cells, strict=True)))
        elif line.startswith('  ') and heading:
            sentences[heading.split()[0], cells[0]] = cells[1]
        else:
            heading = line
    return rows, sentences


def test_the_table_equals_the_json(printed):
    records = json.loads(printed('--json'))
    rows, sentences = table_rows(printed())
    assert [row['model'] for row in rows] == [record['title'] for record in records]
    for row, record in zip(rows, records, strict=True):
        size = record['image_size']
        assert row == dict(
            model=record['title'], name=record['name'], dims=str(record['dimensions']),
            size=f'{round(record["parameters"] / 1e6)} M', tokens=str(record['tokens']),
            input=f'{size[0]}x{size[1]}' if size else 'any', languages=record['languages'],
            ms=' / '.join(f'{record["cpu_ms"][tower]:.0f}' for tower in ('image', 'text'))
            if record['cpu_ms'] else '-', aspect=record['aspect'], licence=record['licence'],
            commercial=record['commercial'])
        assert sentences['Weights', record['title']] == record['fetch']
        said = sentences.get(('Published', record['title']))
        if record['published'] is None:
            assert said is None
            continue
        assert [float(number) for number in re.findall(r'([\d.]+) [A-Z]', said)] == list(
            record['published']['rank1'].values())
        assert said.endswith(f'{record["published"]["setting"]}; {record["published"]["by"]}')


def test_filters(printed):
    people = json.loads(printed('person', '--json'))
    assert {row['family'] for row in people} == {'person'}
    rows = json.loads((ROOT / 'mmtbps/catalog.json').read_text('utf-8'))['person']
    assert [row['name'] for row in people] == [row['name'] for row in rows]
    free = json.loads(printed('--commercial', '--json'))
    assert free and {row['commercial'] for row in free} == {'yes'}
    assert printed('person', '--commercial').startswith('no such model')
    assert 'Person models' not in printed('general')


def test_examples_of_the_help_run(printed, capsys):
    with pytest.raises(SystemExit):
        run_command('models', ['--help'])
    examples = re.findall(r'^ {4}mmtbps models(.*)', capsys.readouterr().out, re.MULTILINE)
    assert len(examples) >= 4
    for words in examples:
        assert printed(*shlex.split(words.partition('>')[0]))


def test_the_speed_is_said_with_command_and_conditions(printed):
    line = printed('general').rpartition('\n\n')[2]
    conditions = dataclasses.asdict(speed_conditions())
    assert line.startswith('ms: ') and all(str(value) in line for value in conditions.values())
    name, _, words = re.search(r'mmtbps (\w+) (\w+) (.*)', line).group(1, 2, 3)
    assert name == 'benchmark' and words == (
        f'--models catalog --threads {conditions["threads"]} --runs {conditions["runs"]}')
    measured = [row for row in table_rows(printed())[0] if row['ms'] != '-']
    assert len(measured) > 20
    assert all(int(cell) > 0 for row in measured for cell in row['ms'].split(' / '))
