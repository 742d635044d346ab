"""tools/check_data.py: what it prints and what it returns."""

import json

import pytest
from mmengine.logging import MMLogger
from PIL import Image

from mmtbps.datasets import CUHKPEDES

TOOL = 'tools/check_data.py'


@pytest.fixture(autouse=True)
def _same_log_level_afterwards():
    logger = MMLogger.get_current_instance()
    level = logger.level
    yield
    logger.setLevel(level)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A CUHK-PEDES of three images whose sizes pass for the published ones."""
    records = []
    for person, split in enumerate(('train', 'val', 'test'), start=1):
        (tmp_path / 'imgs').mkdir(exist_ok=True)
        Image.new('RGB', (4, 12)).save(tmp_path / f'imgs/{person}.jpg')
        records.append(dict(split=split, captions=['A man.', 'He.'], file_path=f'{person}.jpg',
                            id=person, processed_tokens=[]))
    (tmp_path / 'reid_raw.json').write_text(json.dumps(records))
    monkeypatch.setattr(CUHKPEDES, 'published_sizes',
                        {split: (1, 1, 2) for split in ('train', 'val', 'test')})
    return tmp_path


def edit(root, **change):
    records = json.loads((root / 'reid_raw.json').read_text())
    records[0] |= change
    (root / 'reid_raw.json').write_text(json.dumps(records))


def test_good_data_returns_zero(tool, root, capsys):
    assert tool.main(['--type', 'cuhk', '--root', str(root)]) == 0
    printed = capsys.readouterr().out
    assert printed.count('equal') == 3
    assert 'No problems.' in printed


def test_empty_captions_are_a_note(tool, root, capsys):
    edit(root, captions=['A man.', ''])
    assert tool.main(['--type', 'cuhk', '--root', str(root)]) == 0
    assert 'note    reid_raw.json, record 1: empty caption' in capsys.readouterr().out


@pytest.mark.parametrize(('harm', 'message'), [
    (lambda root: (root / 'imgs/2.jpg').unlink(), 'record 2: missing image'),
    (lambda root: (root / 'imgs/2.jpg').write_bytes(b''), 'record 2: undecodable image'),
    (lambda root: edit(root, captions=['one']), "split 'train' has another size than published"),
    (lambda root: edit(root, split='val'), "split 'train' is missing"),
    (lambda root: edit(root, id='1'), "record 1: key 'id' must be an integer"),
    (lambda root: (root / 'reid_raw.json').unlink(), 'ShuangLI59'),
])
def test_problems_return_one(tool, root, capsys, harm, message):
    harm(root)
    assert tool.main(['--type', 'cuhk', '--root', str(root)]) == 1
    line = next(line for line in capsys.readouterr().out.splitlines() if message in line)
    assert line.startswith('PROBLEM')


def test_no_decode_only_looks(tool, root):
    (root / 'imgs/2.jpg').write_bytes(b'')
    assert tool.main(['--type', 'cuhk', '--root', str(root), '--no-decode']) == 0


def test_long_lists_are_cut(tool, root, capsys):
    edit(root, captions=['', ' ', '', 'A man.'])
    tool.main(['--type', 'cuhk', '--root', str(root), '--show', '1'])
    assert '... and 2 more (--show 3 prints them)' in capsys.readouterr().out


def test_own_data_by_type(tool, root, capsys):
    (root / 'mine.jsonl').write_text(json.dumps(dict(
        image='1.jpg', captions=['A man.'], person_id=4, split='train')))
    arguments = ['--type', 'jsonl', '--root', str(root), '--ann-file', 'mine.jsonl']
    assert tool.main([*arguments, '--images', 'imgs']) == 0
    assert 'mine.jsonl' in capsys.readouterr().out
    assert tool.main(arguments) == 1  # the images are not beside the file


def test_a_config_names_each_data_set_once(tool, root, tmp_path, capsys):
    config = tmp_path / 'config.py'
    config.write_text(f'''
from mmengine.dataset import RepeatDataset
from mmtbps.datasets import CUHKPEDES
train_dataloader = dict(dataset=dict(type=RepeatDataset, times=2, dataset=dict(
    type=CUHKPEDES, data_root={str(root)!r}, split='train')))
val_dataloader = dict(dataset=dict(type=CUHKPEDES, data_root={str(root)!r}, split='val'))
''')
    assert tool.main([str(config)]) == 0
    assert capsys.readouterr().out.count('\nCUHK-PEDES') == 1
    config.write_text("train_dataloader = dict(dataset=dict(type='mmtbps.ICFGPEDES'))")
    assert tool.main([str(config)]) == 1


def test_config_and_type_exclude_each_other(tool, capsys):
    for arguments in ([], ['config.py', '--type', 'cuhk']):
        with pytest.raises(SystemExit) as stop:
            tool.main(arguments)
        assert stop.value.code == 2
    with pytest.raises(SystemExit):
        tool.main(['--help'])
    assert 'examples:' in capsys.readouterr().out


def test_a_file_without_a_record_is_a_problem(tool, tmp_path, capsys):
    (tmp_path / 'photos').mkdir()
    (tmp_path / 'pairs.jsonl').write_text('\n')
    code = tool.main(['--type', 'jsonl', '--root', str(tmp_path), '--ann-file', 'pairs.jsonl',
                      '--images', 'photos'])
    assert code == 1 and 'pairs.jsonl: no record in it' in capsys.readouterr().out
