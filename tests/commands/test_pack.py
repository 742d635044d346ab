"""Packing: what it prints, and what it answers to mistakes."""

import re
from pathlib import Path

import pytest

from mmtbps.commands import pack
from mmtbps.commands.main import run_command


@pytest.fixture
def folders(tmp_path):
    (tmp_path / 'imgs').mkdir()
    for number in range(5):
        (tmp_path / f'imgs/{number}.jpg').write_bytes(bytes([number]) * 400)
    return [str(tmp_path / 'imgs'), str(tmp_path / 'imgs.tars')]


def test_packs_counts_and_goes_on(folders, capsys):
    (Path(folders[0]) / 'a.txt').touch()
    (Path(folders[0]) / 'gone.png').symlink_to('nowhere')
    run_command('pack', [*folders, '--shard-size', '0.8KB', '--workers', '2'])
    out = capsys.readouterr().out
    assert 'left out: gone.png: unreadable' in out
    assert 'left out: 1 x no image by its suffix' in out
    assert '5 images packed, 0 were packed before, 2 files left out' in out
    assert len(list(Path(folders[1]).glob('*.tar'))) == 3
    run_command('pack', [*folders, '--quiet'])
    assert '0 images packed, 5 were packed before' in capsys.readouterr().out


def test_verify_compares_with_the_originals(folders, capsys):
    run_command('pack', folders)
    run_command('pack', [*folders, '--verify'])
    assert 'all 5 images are packed, byte for byte' in capsys.readouterr().out
    (Path(folders[0]) / '3.jpg').write_bytes(b'changed')
    with pytest.raises(SystemExit) as stop:
        run_command('pack', [*folders, '--verify'])
    printed = capsys.readouterr()
    assert stop.value.code == 1 and printed.err.startswith('error: 1 of 5 images differ')
    assert '3.jpg: other bytes than the original' in printed.out


@pytest.mark.parametrize(('text', 'bytes_'), [
    ('1GB', 10**9), ('500 mb', 5 * 10**8), ('1.5k', 1500), ('123', 123)])
def test_sizes(text, bytes_):
    assert pack.size(text) == bytes_


@pytest.mark.parametrize('options', [
    ['--shard-size', '0'], ['--shard-size', 'big'], ['--shard-size', '1..5GB'], ['--workers', '0']])
def test_wrong_options_are_refused(folders, options):
    with pytest.raises(SystemExit) as stop:
        run_command('pack', [*folders, *options])
    assert stop.value.code == 2


@pytest.mark.parametrize('folder, out, message', [
    ('nowhere', 'imgs.tars', r'error: nowhere: no such folder of images\n'),
    ('imgs', 'imgs-packed', r'error: .*must be named \*\.tars.*\n'),
    ('imgs', 'broken.tars', r'error: .*000000\.tar: broken tar file .*once more: '
                            r"mmtbps pack FOLDER .*broken\.tars'?\n")])
def test_mistakes_are_one_line(folders, tmp_path, capsys, folder, out, message):
    (tmp_path / 'broken.tars').mkdir()
    (tmp_path / 'broken.tars/000000.tar').write_bytes(b'no tar' * 500)
    with pytest.raises(SystemExit) as stop:
        run_command('pack', [folder if folder == 'nowhere' else folders[0], str(tmp_path / out)])
    assert stop.value.code == 1
    assert re.fullmatch(message, capsys.readouterr().err)


def test_help_shows_examples(capsys):
    with pytest.raises(SystemExit):
        run_command('pack', ['--help'])
    assert '--verify\n' in capsys.readouterr().out


@pytest.mark.parametrize('option', [[], ['--verify']])
def test_a_folder_without_images_is_an_error(option, tmp_path, capsys):
    (tmp_path / 'imgs').mkdir()
    (tmp_path / 'imgs/notes.txt').touch()
    with pytest.raises(SystemExit) as stop:
        run_command('pack', [str(tmp_path / 'imgs'), str(tmp_path / 'imgs.tars'), '--quiet',
                             *option])
    line, = capsys.readouterr().err.splitlines()
    assert stop.value.code == 1 and line.startswith('error: ')
    assert [path.name for path in tmp_path.iterdir()] == ['imgs']
