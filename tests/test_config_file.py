"""Config files: a file that is none is named, with the reason."""

import pytest
from mmengine.config import Config

from mmtbps.config_file import read_config
from mmtbps.errors import BadValue, MissingFile


def test_a_config_is_read_as_mmengine_reads_it(tmp_path):
    (tmp_path / 'base.py').write_text('a = 1\n', 'utf-8')
    (tmp_path / 'my config.py').write_text("_base_ = 'base.py'\nb = dict(c=2)\n", 'utf-8')
    path = tmp_path / 'my config.py'
    assert read_config(path, 'a', 'b').to_dict() == Config.fromfile(path).to_dict()


@pytest.mark.parametrize('name, content, says', [
    ('latin.py', b'a = "\xe9"\n', 'UTF-8'), ('broken.json', b'{bad', ':1: broken JSON'),
    ('empty.json', b'', ':1: broken JSON'), ('a.txt', b'a = 1\n', r'\.py, \.json'),
    ('no suffix', b'a = 1\n', r'\.py, \.json'), ('empty.py', b'', "no key 'model'")])
def test_a_file_that_is_no_config_is_named(name, content, says, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadValue, match=says) as refused:
        read_config(path, 'model')
    assert str(refused.value).startswith(str(path))


def test_a_config_that_is_not_there_is_named(tmp_path):
    (tmp_path / 'loop.py').symlink_to(tmp_path / 'loop.py')
    (tmp_path / 'folder.py').mkdir()
    for name in ('nowhere.py', 'loop.py', 'folder.py'):
        with pytest.raises(MissingFile, match=f'{name}: no such config'):
            read_config(tmp_path / name)


def test_a_config_that_raises_keeps_its_error(tmp_path):
    (tmp_path / 'raises.py').write_text("raise ValueError('of its author')\n", 'utf-8')
    with pytest.raises(ValueError, match='of its author') as raised:
        read_config(tmp_path / 'raises.py')
    assert not isinstance(raised.value, BadValue)
