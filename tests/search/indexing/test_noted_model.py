"""The model that a gallery notes: a folder beside it, where one can be written."""

from pathlib import Path

import pytest
from fakes import ColorEncoder

from mmtbps.search.galleries.provenance import read_provenance
from mmtbps.search.indexing.noted_model import note_model


class Saved(ColorEncoder):
    """A model of a config, which may be written to a folder."""

    def save_pretrained(self, folder):
        (Path(folder) / 'weights').write_text('colors')


@pytest.mark.parametrize('named', ['.', './', 'people', '../here/people', 'people/'])
def test_the_model_lies_beside_the_gallery_whatever_its_address(named, tmp_path, monkeypatch):
    (tmp_path / 'here/people').mkdir(parents=True)
    monkeypatch.chdir(tmp_path / 'here')
    assert note_model(named, Saved(), 'config.py', 'best.pth') is None
    gallery = tmp_path / 'here' / named
    folder = Path(read_provenance(str(gallery)).model)
    assert folder.parent == gallery.resolve().parent and (folder / 'weights').is_file()
    assert folder.name.startswith(f'{gallery.resolve().name}.model-')


@pytest.mark.parametrize('fault', ['name', 'rights'])
def test_where_no_folder_can_be_written_the_reason_is_said(fault, tmp_path, monkeypatch):
    """The gallery itself is there already, and what is in it stays."""
    gallery = tmp_path / ('x' * 245 if fault == 'name' else 'people')
    gallery.mkdir()
    make = Path.mkdir

    def refuse(path, *args, **options):
        if '.model-' in path.name and fault == 'rights':
            raise PermissionError(13, 'Permission denied', str(path))
        make(path, *args, **options)

    monkeypatch.setattr(Path, 'mkdir', refuse)
    reason = note_model(str(gallery), Saved(), 'config.py', 'best.pth')
    assert reason.startswith(f'config.py cannot be written to a folder beside {gallery} (')
    assert read_provenance(str(gallery)).model is None
    assert [path.name for path in tmp_path.iterdir()] == [gallery.name]
