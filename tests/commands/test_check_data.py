"""The check of data sets: what it prints and what it returns."""

import errno
import json
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from mmtbps.commands.main import run_command
from mmtbps.datasets import CUHKPEDES

main = partial(run_command, 'check-data')
pytestmark = pytest.mark.usefixtures('same_log_level_afterwards')


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


def test_good_data_returns_zero(root, capsys):
    assert main(['--type', 'cuhk', '--root', str(root)]) == 0
    printed = capsys.readouterr().out
    assert printed.count('equal') == 3
    assert 'No problems.' in printed


def test_copies_in_a_gallery_are_a_note(root, capsys):
    Image.new('RGB', (4, 12)).save(root / 'imgs/4.png')
    edit(root)
    records = json.loads((root / 'reid_raw.json').read_text())
    records.append(dict(records[-1], file_path='4.png', id=4))
    (root / 'reid_raw.json').write_text(json.dumps(records))
    main(['--type', 'cuhk', '--root', str(root)])
    printed = capsys.readouterr().out
    assert 'note    test: copies: 1 (' in printed
    assert 'same pixels, 2 people); 4 of 4 queries are of these people' in printed
    main(['--type', 'cuhk', '--root', str(root), '--no-decode'])
    assert 'copies:' not in capsys.readouterr().out


def test_empty_captions_are_a_note(root, capsys):
    edit(root, captions=['A man.', ''])
    assert main(['--type', 'cuhk', '--root', str(root)]) == 0
    assert 'note    reid_raw.json, record 1: empty caption' in capsys.readouterr().out


@pytest.mark.parametrize(('harm', 'message'), [
    (lambda root: (root / 'imgs/2.jpg').unlink(), 'record 2: missing image'),
    (lambda root: (root / 'imgs/2.jpg').write_bytes(b''), 'record 2: undecodable image'),
    (lambda root: edit(root, captions=['one']), "split 'train' has another size than published"),
    (lambda root: edit(root, split='val'), "split 'train' is missing"),
    (lambda root: edit(root, id='1'), "record 1: key 'id' must be an integer"),
    (lambda root: (root / 'reid_raw.json').unlink(), 'ShuangLI59'),
])
def test_problems_return_one(root, capsys, harm, message):
    harm(root)
    assert main(['--type', 'cuhk', '--root', str(root)]) == 1
    line = next(line for line in capsys.readouterr().out.splitlines() if message in line)
    assert line.startswith('PROBLEM')


def test_no_decode_only_looks(root):
    (root / 'imgs/2.jpg').write_bytes(b'')
    assert main(['--type', 'cuhk', '--root', str(root), '--no-decode']) == 0


def test_long_lists_are_cut(root, capsys):
    edit(root, captions=['', ' ', '', 'A man.'])
    main(['--type', 'cuhk', '--root', str(root), '--show', '1'])
    assert '... and 2 more (--show 3 prints them)' in capsys.readouterr().out


def test_own_data_by_type(root, capsys):
    (root / 'mine.jsonl').write_text(json.dumps(dict(
        image='1.jpg', captions=['A man.'], person_id=4, split='train')))
    arguments = ['--type', 'jsonl', '--root', str(root), '--ann-file', 'mine.jsonl']
    assert main([*arguments, '--images', 'imgs']) == 0
    assert 'mine.jsonl' in capsys.readouterr().out
    assert main(arguments) == 1  # the images are not beside the file


def test_a_config_names_each_data_set_once(root, tmp_path, capsys):
    config = tmp_path / 'config.py'
    config.write_text(f'''
from mmengine.dataset import RepeatDataset
from mmtbps.datasets import CUHKPEDES
train_dataloader = dict(dataset=dict(type=RepeatDataset, times=2, dataset=dict(
    type=CUHKPEDES, data_root={str(root)!r}, split='train')))
val_dataloader = dict(dataset=dict(type=CUHKPEDES, data_root={str(root)!r}, split='val'))
''')
    assert main([str(config)]) == 0
    assert capsys.readouterr().out.count('\nCUHK-PEDES') == 1
    config.write_text("train_dataloader = dict(dataset=dict(type='mmtbps.ICFGPEDES'))")
    assert main([str(config)]) == 1


def test_config_and_type_exclude_each_other(capsys):
    for arguments in ([], ['config.py', '--type', 'cuhk']):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 2
    with pytest.raises(SystemExit):
        main(['--help'])
    assert 'Examples:' in capsys.readouterr().out


def test_json_has_all_findings(root, tmp_path, capsys):
    """As a script reads them: the same exit code, nothing but JSON, and no list cut."""
    (root / 'imgs/2.jpg').unlink()
    edit(root, captions=['', ' ', 'A man.'])
    words = ['--type', 'cuhk', '--root', str(root), '--show', '1', '--json']
    assert main(words) == 1
    part, = json.loads(capsys.readouterr().out)['data_sets']
    assert part['data_set'] == 'CUHK-PEDES' and part['root'] == str(root)
    assert [(row['split'], row['people'], row['images'], row['captions'], row['published'])
            for row in part['sizes']] == [
        ('train', 1, 1, 3, [1, 1, 2]), ('val', 1, 1, 2, [1, 1, 2]), ('test', 1, 1, 2, [1, 1, 2])]
    assert part['left_out'] == {'empty caption': 2, 'missing image': 1}
    assert len(part['notes']) == 3 and 'captions are at more than one person' in part['notes'][0]
    assert len(part['problems']) == 2 and 'another size' in part['problems'][0]
    assert 'record 2: missing image' in part['problems'][1]
    config = tmp_path / 'config.py'
    config.write_text("train_dataloader = dict(dataset=dict(type='mmtbps.ICFGPEDES'))")
    assert main([str(config), '--json']) == 1
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {'data_sets', 'together'} and found['data_sets'][0]['problems']
    config.write_text('model = dict()')
    with pytest.raises(SystemExit):
        main([str(config), '--json'])
    assert 'names no data set of mmtbps' in capsys.readouterr().err


# What training refuses, leaves out or would be misled by ----------------------------------------

def own_check(capsys, folder, *records, tail=''):
    """Write records as a JSONL file with their images; return exit code and output of the check."""
    (folder / 'photos').mkdir(exist_ok=True)
    for record in records:
        name = record['image'].replace('\\', '/')
        Image.new('RGB', (4, 12)).save(folder / 'photos' / name)
    (folder / 'mine.jsonl').write_text(
        ''.join(json.dumps(record) + '\n' for record in records) + tail)
    code = main(['--type', 'jsonl', '--root', str(folder), '--ann-file', 'mine.jsonl',
                 '--images', 'photos'])
    return code, capsys.readouterr().out


def a_record(number, split='train', person=None, **fields):
    return dict(image=f'{number}.jpg', captions=[f'Person {number}.'],
                person_id=number if person is None else person, split=split, **fields)


@pytest.mark.parametrize('split, meant', [('training', 'train'), ('Train', 'train'),
                                          ('train ', 'train'), ('TEST', 'test')])
def test_an_unknown_split_is_a_problem(tmp_path, capsys, split, meant):
    code, out = own_check(capsys, tmp_path, a_record(1), a_record(2, split))
    assert code == 1
    assert f"record 2: split {split!r} is not known, write '{meant}' (1 records" in out


def test_a_torn_last_line_is_one_problem(tmp_path, capsys):
    code, out = own_check(capsys, tmp_path, a_record(1), a_record(2, 'test'), tail='{"ima')
    assert code == 1 and out.count('PROBLEM') == 1
    assert 'PROBLEM mine.jsonl, record 3: half-written last line' in out
    assert '\n1 problems' in out


def test_a_person_in_train_and_test_is_a_problem(tmp_path, capsys):
    code, out = own_check(capsys, tmp_path, a_record(1), a_record(2, 'test', person=1),
                          a_record(3, 'test'))
    assert code == 1
    assert "PROBLEM 1 person (mine.jsonl id 1) in split 'train' and in split 'test'" in out


def test_a_record_that_stands_twice_is_a_problem(tmp_path, capsys):
    code, out = own_check(capsys, tmp_path, a_record(1), a_record(1))
    assert code == 1
    assert 'PROBLEM mine.jsonl, record 2: record twice: it says what mine.jsonl, record 1' in out


def test_a_caption_of_several_people_is_a_note(tmp_path, capsys):
    records = [dict(a_record(number), captions=['A man.', f'Person {number}.', 'A man.'])
               for number in (1, 2, 3)]
    code, out = own_check(capsys, tmp_path, *records)
    assert code == 0 and 'note    1 captions are at more than one person' in out


def test_an_image_outside_the_folder_is_a_problem(tmp_path, capsys):
    code, out = own_check(capsys, tmp_path, a_record(1), dict(a_record(2),
                                                                    image='../2.jpg'))
    assert code == 1 and "record 2: image '../2.jpg' leads out of the image folder" in out


def test_windows_separators_are_no_problem(tmp_path, capsys):
    (tmp_path / 'photos/cam').mkdir(parents=True)
    assert own_check(capsys, tmp_path, dict(a_record(1), image='cam\\1.jpg'))[0] == 0


def test_an_image_that_cannot_be_read_is_a_problem(root, capsys, monkeypatch):
    from mmtbps.datasets import images
    monkeypatch.setattr(images, 'RETRY_PAUSES', (0.,))

    def read(path):  # as of a mount that is away
        if path.endswith('2.jpg'):
            raise OSError(errno.ESTALE, 'Stale file handle', path)
        return Path(path).read_bytes()

    monkeypatch.setattr(images, 'get', read)
    assert main(['--type', 'cuhk', '--root', str(root)]) == 1
    assert 'PROBLEM' in (out := capsys.readouterr().out) and '2.jpg cannot be read' in out


def test_ids_of_two_files_are_counted(tmp_path, capsys):
    for number in (0, 1):
        Image.new('RGB', (4, 12)).save(tmp_path / f'{number}.jpg')
        (tmp_path / f'{number}.jsonl').write_text(json.dumps(dict(a_record(number), person_id=5)))
    arguments = ['--type', 'jsonl', '--root', str(tmp_path), '--images', '.', '--ann-file',
                 '0.jsonl', '1.jsonl']
    assert main(arguments) == 0
    assert '0.jsonl and 1.jsonl: 1 ids are in both, for different people' in capsys.readouterr().out
    assert main([*arguments, '--shared-ids']) == 0
    assert '1 ids are in both, for the same people' in capsys.readouterr().out


def test_a_config_is_checked_as_a_whole(root, tmp_path, capsys):
    """Validation on people of train, and a tokenizer for other captions."""
    records = json.loads((root / 'reid_raw.json').read_text())
    for record in records:
        record['captions'] = ['穿着红色外套的男人背着黑色的背包', '他走路']
    (root / 'reid_raw.json').write_text(json.dumps(records))
    config = tmp_path / 'config.py'
    config.write_text(f'''
from mmtbps.datasets import CUHKPEDES
from mmtbps.datasets.transforms import CLIP_TOKENIZER, TokenizeCaption
data = dict(type=CUHKPEDES, data_root={str(root)!r}, split='train',
            pipeline=[dict(type=TokenizeCaption, tokenizer=CLIP_TOKENIZER, max_length=77)])
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=dict(data, test_mode=True))
test_dataloader = dict(dataset=dict(data, split='test', test_mode=True))
''')
    assert main([str(config)]) == 1
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith('PROBLEM')]
    assert 'val_dataloader: 1 person (reid_raw.json id 1) of 1 are in train_dataloader' in lines[0]
    assert 'CUHK-PEDES train: 2 captions: 0.0 % unknown tokens, 5.' in lines[1]
    assert 'CUHK-PEDES test: 2 captions' in lines[2] and len(lines) == 3


def test_words_that_the_tokenizer_splits_are_a_warning_and_no_problem(root, tmp_path, capsys):
    records = json.loads((root / 'reid_raw.json').read_text())
    for record in records:
        record['captions'] = [f'Ein Mann mit roter Jacke, Nummer {record["id"]}.']
    (root / 'reid_raw.json').write_text(json.dumps(records))
    config = tmp_path / 'config.py'
    config.write_text(f'''
from mmtbps.datasets import CUHKPEDES
from mmtbps.datasets.transforms import CLIP_TOKENIZER, TokenizeCaption
train_dataloader = dict(dataset=dict(
    type=CUHKPEDES, data_root={str(root)!r}, split='train',
    pipeline=[dict(type=TokenizeCaption, tokenizer=CLIP_TOKENIZER, max_length=77)]))
''')
    main([str(config)])
    together = capsys.readouterr().out.partition('Together\n')[2].splitlines()
    assert 'unknown tokens' in together[0]
    assert together[1].startswith('warning CUHK-PEDES train: 0.0 % of the words unknown, ')
    assert not [line for line in together if line.startswith('PROBLEM')]


def test_a_file_without_a_record_is_a_problem(tmp_path, capsys):
    (tmp_path / 'photos').mkdir()
    (tmp_path / 'pairs.jsonl').write_text('\n')
    code = main(['--type', 'jsonl', '--root', str(tmp_path), '--ann-file', 'pairs.jsonl',
                 '--images', 'photos'])
    assert code == 1 and 'pairs.jsonl: no record in it' in capsys.readouterr().out
