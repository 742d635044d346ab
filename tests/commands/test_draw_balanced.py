"""The set of every colour: what it writes, and its refusals in one line."""

import json

import pytest

from mmtbps.commands.main import run_command


def test_people_of_both_splits_are_drawn_with_their_annotations(tmp_path):
    run_command('draw-balanced', [str(tmp_path / 'set'), '--people', '2', '1'])
    entries = json.loads((tmp_path / 'set/reid_raw.json').read_text('utf-8'))
    assert [entry['split'] for entry in entries] == ['train', 'train', 'val']
    assert all((tmp_path / 'set/imgs' / entry['file_path']).is_file() for entry in entries)


@pytest.mark.parametrize('options, says', [
    (['--people', '0', '1'], '--people'), (['--people', '1', '1', '--seed', '-1'], '--seed'),
    (['--people', '1', '1'], 'Not a directory')])
def test_mistakes_are_one_line(options, says, tmp_path, capsys):
    (tmp_path / 'file').write_text('in the way', 'utf-8')
    with pytest.raises(SystemExit) as stop:
        run_command('draw-balanced', [str(tmp_path / 'file'), *options])
    line, = capsys.readouterr().err.splitlines()
    assert stop.value.code == 1 and line.startswith('error: ') and says in line
