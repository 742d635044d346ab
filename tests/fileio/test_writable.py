"""Places that cannot be written are found before the work."""

import errno
import os
import tempfile

import pytest

from mmtbps.errors import BadValue, UserError
from mmtbps.fileio import DiskFull, NotWritable, check_writable


@pytest.mark.parametrize('name, folder', [('a.json', False), ('new/deep/a.json', False),
                                          ('', True), ('new/run', True)])
def test_a_good_place_is_left_as_it_is(tmp_path, name, folder):
    before = tmp_path.stat().st_mtime_ns
    check_writable(tmp_path / name, folder)
    assert not list(tmp_path.iterdir()) and tmp_path.stat().st_mtime_ns == before


def test_a_file_may_be_replaced(tmp_path):
    (tmp_path / 'a.json').write_text('old')
    check_writable(tmp_path / 'a.json')
    assert (tmp_path / 'a.json').read_text() == 'old'


@pytest.mark.parametrize('name, folder, said', [
    ('', False, ': a folder; name a file'), ('file', True, 'file: a file; name a folder'),
    ('file/a.json', False, 'file is a file, not a folder'),
    ('file/deep/run', True, 'file is a file, not a folder')])
def test_another_kind_in_the_way_is_named(tmp_path, name, folder, said):
    (tmp_path / 'file').touch()
    with pytest.raises(BadValue, match=said):
        check_writable(tmp_path / name, folder)


@pytest.mark.parametrize('code, kind', [(errno.EACCES, NotWritable), (errno.EROFS, NotWritable),
                                        (errno.ENOSPC, DiskFull)])
def test_what_the_system_refuses_is_named(tmp_path, monkeypatch, code, kind):
    def refuse(dir):
        assert dir == tmp_path
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(tempfile, 'TemporaryFile', refuse)
    with pytest.raises(kind, match='new/a.json: ') as error:
        check_writable(tmp_path / 'new/a.json')
    assert isinstance(error.value, UserError) and isinstance(error.value, OSError)
    if kind is NotWritable:
        assert os.strerror(code) in str(error.value)


@pytest.mark.skipif(os.geteuid() == 0, reason='root may write everywhere')
def test_a_folder_without_rights_is_refused(tmp_path):
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(NotWritable, match='Permission denied'):
            check_writable(tmp_path / 'a.json')
    finally:
        tmp_path.chmod(0o755)
