"""ONNX graphs, LanceDB galleries and tar shards of strangers: refused with the reason."""

import hashlib
import io
import json
import os
import shutil
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from mmtbps.datasets.packed import PackedImages, index_dtype
from mmtbps.search.encoders.graph_encoder import open_graph
from mmtbps.search.galleries import lance, open_gallery

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'search'))
from gallery_rig import FINGERPRINT, draw_people  # noqa: E402

pytestmark = pytest.mark.usefixtures('limited')


# ------------------------------------------------------------------ ONNX
def graph_with_weights_in(location):
    """A graph that adds four numbers which lie in another file."""
    onnx = pytest.importorskip('onnx')
    weights = onnx.TensorProto(name='w', data_type=1, dims=[4],
                               data_location=onnx.TensorProto.EXTERNAL)
    for key, value in dict(location=location, offset='0', length='16').items():
        weights.external_data.add(key=key, value=value)
    x, y = (onnx.helper.make_tensor_value_info(name, 1, [4]) for name in 'xy')
    graph = onnx.helper.make_graph([onnx.helper.make_node('Add', ['x', 'w'], ['y'])], 'g', [x],
                                   [y], [weights])
    return onnx.helper.make_model(graph, ir_version=9, opset_imports=[
        onnx.helper.make_opsetid('', 17)]).SerializeToString()


@pytest.fixture
def model(tmp_path):
    """A folder of a graph with weights beside it, a secret above it, and ways that lead there."""
    folder = tmp_path / 'model'
    folder.mkdir()
    for path in (folder / 'weights.bin', tmp_path / 'secret.bin'):
        path.write_bytes(np.arange(4, dtype=np.float32).tobytes())
    (folder / 'link.bin').symlink_to('../secret.bin')
    os.mkfifo(folder / 'pipe.bin')
    return folder


@pytest.mark.parametrize('location, reason', [
    ('../secret.bin', 'escapes'), ('sub/../../secret.bin', 'escapes'), ('link.bin', 'escapes'),
    ('{}/secret.bin', 'Absolute'), ('/dev/zero', 'Absolute'), ('/etc/hostname', 'Absolute'),
    ('nowhere.bin', 'not exist'), ('pipe.bin', 'regular file')])
def test_weights_outside_the_folder_of_a_graph_are_refused(location, reason, model, refusal):
    pytest.importorskip('onnxruntime')
    (model / 'a.onnx').write_bytes(graph_with_weights_in(location.format(model.parent)))
    said = refusal(lambda: open_graph(model / 'a.onnx'))
    assert f'{model}/a.onnx: no graph that ONNX Runtime opens' in said and reason in said


def test_weights_beside_a_graph_are_read(model):
    pytest.importorskip('onnxruntime')
    (model / 'a.onnx').write_bytes(graph_with_weights_in('weights.bin'))
    sums, = open_graph(model / 'a.onnx').run(None, dict(x=np.ones(4, np.float32)))
    assert sums.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize('content', [b'', b'PK', b'\x08\x09' * 99, None])
def test_a_file_that_is_no_graph_is_refused(content, model, refusal):
    pytest.importorskip('onnxruntime')
    os.mkfifo(model / 'a.onnx') if content is None else (model / 'a.onnx').write_bytes(content)
    assert f'{model}/a.onnx: ' in refusal(lambda: open_graph(model / 'a.onnx'))


# ------------------------------------------------------------------ LanceDB galleries
@pytest.fixture(scope='module')
def gallery(tmp_path_factory):
    pytest.importorskip('lancedb')
    folder = tmp_path_factory.mktemp('gallery') / 'people.lance'
    open_gallery(folder, FINGERPRINT).upsert(*draw_people(range(9)))
    return folder


def make_link(path):
    path.symlink_to('/etc/hostname')


@pytest.mark.parametrize('pattern', ['data/*.lance', '_versions/*.manifest', '_versions/*.json'])
@pytest.mark.parametrize('make', [os.mkfifo, make_link])
def test_a_lance_gallery_of_pipes_and_links_is_refused(pattern, make, gallery, refusal, tmp_path):
    folder = tmp_path / 'people.lance'
    shutil.copytree(gallery, folder)
    path = sorted(folder.glob(pattern))[0]
    path.unlink()
    make(path)
    said = refusal(lambda: open_gallery(folder).search(draw_people([1])[1]))
    assert f'{folder}: damaged' in said and path.name in said


@pytest.mark.parametrize('fingerprint, reason', [
    ('', 'its fingerprint'), ('[' * 100_000, 'its fingerprint'), ('[]', 'its fingerprint'),
    ('{"dim": -1}', "needs 'dim'"), ('{"dim": "x"}', "needs 'dim'"), ('{"dim": 99}', 'entry'),
    (None, 'no gallery of mmtbps')])
def test_a_lance_table_with_a_hostile_fingerprint_is_refused(fingerprint, reason, refusal,
                                                             tmp_path):
    lancedb = pytest.importorskip('lancedb')
    from mmtbps.search.galleries import lance_table
    schema = lance_table.schema_of(FINGERPRINT)
    rows = lance_table.rows_of(*draw_people(range(3)), schema).replace_schema_metadata(
        {} if fingerprint is None else {'mmtbps': fingerprint})
    lancedb.connect(tmp_path).create_table('people', rows)
    vector = np.eye(1, 99, dtype=np.float32) if reason == 'entry' else draw_people([1])[1]
    said = refusal(lambda: open_gallery(tmp_path / 'people.lance').search(vector))
    assert str(tmp_path / 'people.lance') in said and (reason in said or reason == 'entry')


@pytest.mark.parametrize('text', ['', '[]', '{}', '3', '[' * 100_000, '{"id": 3, "path": 4}x',
                                  '{"id": "a", "path": "a", "code": "os.system"}'])
def test_a_lance_gallery_of_hostile_entries_is_refused(text, refusal, tmp_path, monkeypatch):
    pytest.importorskip('lancedb')
    from mmtbps.search.galleries import lance_table
    monkeypatch.setattr(lance_table, 'seal', lambda *_: text)
    gallery = lance.LanceGallery(tmp_path / 'people.lance', FINGERPRINT)
    gallery.upsert(*draw_people(range(3)))
    for call in (lambda: list(gallery.entries()), lambda: gallery.search(draw_people([1])[1])):
        assert f'{tmp_path}/people.lance: damaged (an entry: ' in refusal(call)


# ------------------------------------------------------------------ tar shards
def write_shard(folder, members, names):
    """A shard of tar members, and an index that says that all of it is one image a name."""
    folder.mkdir()
    with tarfile.open(folder / '000000.tar', 'w') as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(b'x' * member.size))
    content = (folder / '000000.tar').read_bytes()
    index = np.zeros(len(names), index_dtype(max(map(len, names))))
    index['name'], index['size'] = names, 1
    index['crc'] = __import__('zlib').crc32(content[:1])
    np.save(folder / '000000.npy', index)


def member(name, kind=tarfile.REGTYPE, target=''):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, 9 if kind == tarfile.REGTYPE else 0
    return info


def test_a_shard_with_links_and_names_that_lead_out_reaches_nothing_outside(tmp_path):
    """Nothing of a shard is unpacked: a name is looked up in the index, and read from the shard."""
    folder = tmp_path / 'imgs.tars'
    names = sorted([b'../../hacked', b'../secret.jpg', b'/etc/hostname', b'link.jpg'])
    write_shard(folder, [member('../../hacked'), member('/etc/hostname'),
                         member('link.jpg', tarfile.SYMTYPE, '/etc/hostname'),
                         member('hard.jpg', tarfile.LNKTYPE, '../secret.jpg'),
                         member('device.jpg', tarfile.CHRTYPE)], names)
    (tmp_path / 'secret.jpg').write_text('secret')
    before = state_of(tmp_path)
    images = PackedImages(folder)
    start = (folder / '000000.tar').read_bytes()[:1]
    assert [images.read(name.decode()) for name in names] == [start] * len(names)
    assert state_of(tmp_path) == before


def state_of(folder):
    return {path: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.rglob('*') if path.is_file()}


@pytest.mark.parametrize('suffix', ['.tar', '.npy'])
def test_a_shard_that_is_a_pipe_is_refused(suffix, refusal, tmp_path):
    write_shard(tmp_path / 'imgs.tars', [member('a.jpg')], [b'a.jpg'])
    path = tmp_path / f'imgs.tars/000000{suffix}'
    path.unlink()
    os.mkfifo(path)
    assert f'{path}: a pipe' in refusal(lambda: PackedImages(tmp_path / 'imgs.tars'))


def test_an_index_that_leads_out_of_its_shard_is_refused(refusal, tmp_path):
    write_shard(tmp_path / 'imgs.tars', [member('a.jpg')], [b'a.jpg'])
    path = tmp_path / 'imgs.tars/000000.npy'
    for key, value in (('offset', 1 << 62), ('offset', -1), ('size', 1 << 62), ('size', -1)):
        index = np.load(path)
        index[key] = value
        np.save(path.with_name('changed.npy'), index)
        shutil.copytree(tmp_path / 'imgs.tars', tmp_path / f'{key}{value}.tars')
        shutil.move(tmp_path / f'{key}{value}.tars/changed.npy',
                    tmp_path / f'{key}{value}.tars/000000.npy')
        assert '000000' in refusal(lambda at=f'{key}{value}': PackedImages(tmp_path / f'{at}.tars'))


def test_an_exported_model_whose_manifest_leads_out_is_refused(refusal, tmp_path):
    from mmtbps.search.encoders.onnx_encoder import read_manifest
    (tmp_path / 'export.json').write_text(json.dumps(dict(schema='mmtbps.export/9')))
    assert f'{tmp_path}/export.json: schema must be' in refusal(lambda: read_manifest(tmp_path))
