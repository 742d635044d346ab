"""The check of data sets in several files, without numbers of people, or in files of others."""

import json
from functools import partial

import pytest
from PIL import Image

from mmtbps.commands.main import run_command
from mmtbps.datasets import MALS

main = partial(run_command, 'check-data')
pytestmark = pytest.mark.usefixtures('same_log_level_afterwards')


def write_mals(folder, count):
    (folder / 'gene_attrs').mkdir()
    for i in range(count):
        Image.new('RGB', (4, 12)).save(folder / f'{i}.jpg')
        (folder / f'gene_attrs/g_{i}.json').write_text(json.dumps([dict(
            image=f'{i}.jpg', caption='A man.', image_id=f'x_{i}', label=[0] * 27)]))


def test_files_of_one_split_are_compared_together(tmp_path, capsys, monkeypatch):
    write_mals(tmp_path, 3)
    assert main(['--type', 'mals', '--root', str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert "PROBLEM MALS: split 'train' has another size than published" in printed
    assert printed.count('1,510,330') == 3 and 'g_2.json' in printed
    monkeypatch.setattr(MALS, 'published_sizes', {'train': (3, 3, 3)})
    assert main(['--type', 'mals', '--root', str(tmp_path)]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if 'all files' in line)
    assert row.split() == ['all', 'files', 'train', '3', '3', '3', 'equal']


def test_a_total_is_compared_where_the_splits_are_not_known(tmp_path, capsys):
    (tmp_path / 'images').mkdir()
    Image.new('RGB', (4, 12)).save(tmp_path / 'images/1.jpg')
    (tmp_path / 'UFine6926.json').write_text(json.dumps([dict(
        split='test', id=1, file_path='images/1.jpg', captions=['A man.', 'He.'])]))
    assert main(['--type', 'ufine6926', '--root', str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert "PROBLEM UFine6926: split 'all' has another size than published" in printed
    assert '6,926 / 26,206 / 52,412' in printed


def test_all_splits_are_checked_where_each_has_its_file(tmp_path, capsys):
    for split in ('train', 'test'):
        (tmp_path / f'annotation/{split}').mkdir(parents=True)
        (tmp_path / split).mkdir()
        Image.new('RGB', (4, 12)).save(tmp_path / f'{split}/0.jpg')
        name = 'attr_0.json' if split == 'train' else 'attr.json'
        (tmp_path / f'annotation/{split}/{name}').write_text(json.dumps(dict(
            image=f'{split}/0.jpg', caption='A man.', image_id='0_0')))
    main(['--type', 'pab', '--root', str(tmp_path)])
    printed = capsys.readouterr().out
    assert 'annotation/train/attr_0.json' in printed and 'annotation/test/attr.json' in printed
    assert "in split 'train' and in split" not in printed  # ids of the files say nothing


def test_a_template_in_a_caption_is_a_note(tmp_path, capsys):
    (tmp_path / 'images').mkdir()
    (tmp_path / 'captions').mkdir()
    Image.new('RGB', (4, 12)).save(tmp_path / 'images/a.jpg')
    (tmp_path / 'captions/Ts-qwen.json').write_text('{"x/a.jpg": "A <color> coat."}')
    (tmp_path / 'captions/Td-qwen.json').write_text('{"y/a.jpg": "A red coat."}')
    assert main(['--type', 'luperson_mllm', '--root', str(tmp_path)]) == 0
    assert 'note    captions/Ts-qwen.json, record 1: caption with a template' in (
        capsys.readouterr().out)


def test_images_are_counted_once_where_each_caption_has_a_record(tmp_path, capsys):
    (tmp_path / 'imgs').mkdir()
    Image.new('RGB', (4, 12)).save(tmp_path / 'imgs/1.jpg')
    (tmp_path / 'cuhk_train.json').write_text(json.dumps([
        dict(image='1.jpg', caption=text, image_id=1) for text in ('A man.', 'In red.')]))
    assert main(['--type', 'aptm', '--root', str(tmp_path)]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if 'cuhk_train' in line)
    assert row.split() == ['cuhk_train.json', 'train', '1', '1', '2', '-']


def test_another_file_of_the_other_name_is_a_note(tmp_path, capsys):
    (tmp_path / 'imgs').mkdir()
    Image.new('RGB', (4, 12)).save(tmp_path / 'imgs/1.jpg')
    record = dict(file_path='1.jpg', captions=['A man.'], id=1, split='train')
    for name, caption in (('ICFG-PEDES.json', 'A man.'), ('ICFG_PEDES.json', 'Another.')):
        (tmp_path / name).write_text(json.dumps([record | dict(captions=[caption])]))
    words = ['--type', 'icfg', '--root', str(tmp_path)]
    main(words)
    note = 'note    ICFG_PEDES.json is there, too, and differs; ICFG-PEDES.json is read'
    assert note in capsys.readouterr().out
    (tmp_path / 'ICFG_PEDES.json').write_bytes((tmp_path / 'ICFG-PEDES.json').read_bytes())
    main(words)
    assert 'is there, too' not in capsys.readouterr().out
