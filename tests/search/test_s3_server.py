"""A real S3 server, moto's, on this machine: index, search and data sets from other processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fakes import ColorEncoder, paint, paint_folder
from indexing_rig import index, paths
from mmengine.fileio import get
from object_store_rig import put_s3, s3_server

from mmtbps.datasets import TBPSDataset
from mmtbps.datasets.write_packed import pack_images
from mmtbps.errors import MissingFile, MissingPackage
from mmtbps.fileio import StoreError, as_path
from mmtbps.search.galleries.factory import open_gallery
from mmtbps.search.inferencer import TextToPersonInferencer

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
NAMES = ['-'.join((upper, lower)) for upper in ('red', 'green', 'blue', 'white', 'black')
         for lower in ('yellow', 'orange', 'purple')]


@pytest.fixture
def client(monkeypatch):
    with s3_server(monkeypatch) as opened:
        yield opened


@pytest.fixture
def crops(tmp_path, client):
    folder = paint_folder(tmp_path / 'crops', *NAMES)
    paint_folder(folder / 'a b/ü', 'red')
    put_s3(client, folder, 'people', 'crops/')
    return folder


def indexing(gallery, log, *shard):
    path = os.pathsep.join([str(HERE), str(HERE.parents[1]), os.environ.get('PYTHONPATH', '')])
    return subprocess.Popen(
        [sys.executable, HERE / 'index_process.py', gallery, 's3://people/crops', log, *shard],
        env=dict(os.environ, PYTHONPATH=path), stderr=subprocess.PIPE, text=True)


def test_two_processes_index_a_bucket_and_answers_show_its_pictures(crops, client, tmp_path):
    gallery = open_gallery(tmp_path / 'people.lance', ColorEncoder.fingerprint) if (
        pytest.importorskip('lancedb')) else None
    both = [indexing(gallery.uri, tmp_path / f'{part}.jsonl', str(part), '2') for part in (0, 1)]
    for process in both:
        assert process.wait(120) == 0, process.stderr.read()
    assert paths(gallery) == sorted(
        path.relative_to(crops).as_posix() for path in crops.rglob('*.png'))
    searcher = TextToPersonInferencer(ColorEncoder(), gallery=gallery)
    hit, = searcher('green over purple', topk=1)[0].hits
    assert np.array_equal(searcher.picture(hit), paint('green', 'purple'))

    data = (crops / 'red-purple.png').read_bytes()
    client.put_object(Bucket='people', Key='crops/new.png', Body=data)
    client.delete_object(Bucket='people', Key='crops/red-orange.png')
    report = index('s3://people/crops', gallery, prune=True)
    assert (report.indexed, report.removed, report.unchanged) == (1, 1, len(NAMES))
    noted = [path.read_bytes() for path in tmp_path.rglob('*') if path.is_file()]
    assert not any(b'not-to-be-noted' in text or b'tester' in text for text in noted)


def test_data_sets_are_read_from_a_bucket(client, tmp_path):
    names = NAMES[:8]
    paint_folder(tmp_path / 'set/imgs', *names)
    rows = [dict(image=f'{name}.png', person_id=number, split='train',
                 captions=[f'Someone in {name}.']) for number, name in enumerate(names)]
    (tmp_path / 'set/pairs.jsonl').write_text(''.join(json.dumps(row) + '\n' for row in rows))
    pack_images(tmp_path / 'set/imgs', tmp_path / 'set/imgs.tars', 4000)
    put_s3(client, tmp_path / 'set', 'sets')
    for images in ('imgs', 'imgs.tars'):
        dataset = TBPSDataset(data_root='s3://sets', ann_file='pairs.jsonl',
                              data_prefix=dict(img_path=images), verify_images=True)
        assert len(dataset) == len(names)
        for place, name in enumerate(names):
            assert get(dataset.get_data_info(place)['img_path']) == (
                tmp_path / f'set/imgs/{name}.png').read_bytes()


@pytest.mark.parametrize('address, without, said', [
    ('s3://nowhere/crops', (), 's3://nowhere/crops: there is no bucket nowhere'),
    ('s3://people/none', (), 's3://people/none: no such file or folder'),
    ('s3://people/crops', ('ACCESS_KEY_ID', 'SECRET_ACCESS_KEY'), 'no credentials, which are'),
    ('s3://me:hunter2@people/crops', (), 'leave user, password and signature out'),
    ('gs://people/crops', (), 'reading gs:// needs gcsfs: pip install "mmtbps[gs]"'),
])
def test_a_command_says_in_one_line_what_is_wrong(crops, address, without, said, tmp_path):
    if address.startswith('gs') and subprocess.run(
            [sys.executable, '-c', 'import gcsfs'], capture_output=True).returncode == 0:
        pytest.skip('gcsfs is installed')
    environment = {name: value for name, value in os.environ.items()
                   if name.removeprefix('AWS_') not in without}
    done = subprocess.run(
        [sys.executable, '-m', 'mmtbps', 'index', tmp_path / 'people', address, '--model',
         'hf:none/none'], env=environment, capture_output=True, text=True, cwd=HERE.parents[1])
    assert done.returncode != 0 and said in done.stderr and 'Traceback' not in done.stderr
    assert 'hunter2' not in done.stderr and not (tmp_path / 'people').exists()


def test_errors_of_the_server_are_told_apart(crops, client, monkeypatch):
    folder = as_path('s3://people/crops')
    assert len(folder.files_below()) == len(NAMES) + 1
    assert (folder / 'red-purple.png').read_bytes(1, 4) == b'PNG'
    with pytest.raises(MissingFile, match='there is no bucket nowhere'):
        as_path('s3://nowhere/a.png').read_bytes()
    with pytest.raises(MissingPackage, match='adlfs'):
        pytest.importorskip('fsspec')
        as_path('az://people/a.png').read_bytes()
    import s3fs
    s3fs.S3FileSystem.clear_instance_cache()
    monkeypatch.setenv('AWS_ENDPOINT_URL', 'http://127.0.0.1:9')
    monkeypatch.setenv('AWS_MAX_ATTEMPTS', '1')
    with pytest.raises(StoreError, match='cannot be read .*Could not connect'):
        folder.exists()
