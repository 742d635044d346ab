"""Servers of the stores of Amazon, Google and Microsoft, on this machine: index, search, data."""

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from fakes import ColorEncoder, paint, paint_folder
from indexing_rig import Counting, index, paths
from mmengine.fileio import get
from object_store_rig import AZURE_KEY, STORES, put_folder

from mmtbps.datasets import TBPSDataset
from mmtbps.datasets.write_packed import pack_images
from mmtbps.errors import MissingFile
from mmtbps.fileio import as_path, load_checkpoint_file
from mmtbps.search.galleries.factory import open_gallery
from mmtbps.search.inferencer import TextToPersonInferencer

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
NAMES = ['-'.join((upper, lower)) for upper in ('red', 'green', 'blue', 'white')
         for lower in ('yellow', 'orange', 'purple')]
SECRETS = (b'not-to-be-noted', b'tester', AZURE_KEY.encode())


@pytest.fixture(params=STORES)
def store(request, monkeypatch, tmp_path_factory):
    with STORES[request.param](monkeypatch, tmp_path_factory.mktemp('server')) as opened:
        yield opened


@pytest.fixture
def crops(tmp_path):
    folder = paint_folder(tmp_path / 'crops', *NAMES)
    paint_folder(folder / 'a b/ü', 'red')
    return folder


def indexing(gallery, source, log, *shard):
    path = os.pathsep.join([str(HERE), str(HERE.parents[1]), os.environ.get('PYTHONPATH', '')])
    return subprocess.Popen(
        [sys.executable, HERE / 'index_process.py', gallery, source, log, *shard],
        env=dict(os.environ, PYTHONPATH=path), stderr=subprocess.PIPE, text=True)


def test_two_processes_index_a_bucket_and_answers_show_its_pictures(store, crops, tmp_path):
    pytest.importorskip('lancedb')
    put_folder(store, crops, 'crops/')
    gallery = open_gallery(tmp_path / 'people.lance', ColorEncoder.fingerprint)
    both = [indexing(gallery.uri, f'{store.root}/crops', tmp_path / f'{part}.jsonl', str(part), '2')
            for part in (0, 1)]
    for process in both:
        assert process.wait(120) == 0, process.stderr.read()
    assert paths(gallery) == sorted(
        path.relative_to(crops).as_posix() for path in crops.rglob('*.png'))
    searcher = TextToPersonInferencer(ColorEncoder(), gallery=gallery)
    hit, = searcher('green over purple', topk=1)[0].hits
    assert np.array_equal(searcher.picture(hit), paint('green', 'purple'))

    store.put('crops/new.png', (crops / 'red-purple.png').read_bytes())
    store.delete('crops/red-orange.png')
    encoder = Counting()
    report = index(f'{store.root}/crops', gallery, encoder, prune=True)
    assert (report.indexed, report.removed, report.unchanged) == (1, 1, len(NAMES))
    assert encoder.batches == [1]
    noted = [path.read_bytes() for path in tmp_path.rglob('*') if path.is_file()]
    assert not any(secret in text for text in noted for secret in SECRETS)


def test_shards_and_parquet_files_of_a_bucket(store, crops, tmp_path):
    gallery = open_gallery(tmp_path / 'people', ColorEncoder.fingerprint)
    parquet = pytest.importorskip('pyarrow.parquet')
    import pyarrow
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode='w') as shard:
        for name in NAMES[:6]:
            shard.add(crops / f'{name}.png', f'{name}.png')
    rows = [dict(bytes=(crops / f'{name}.png').read_bytes(), path=f'{name}.png')
            for name in NAMES[6:]]
    parquet.write_table(pyarrow.table(dict(image=rows)), table := io.BytesIO(), row_group_size=4)
    store.put('shards/a.tar', tar.getvalue())
    store.put('shards/b.parquet', table.getvalue())
    assert index(f'{store.root}/shards', gallery).indexed == len(NAMES)
    assert index(f'{store.root}/shards', gallery).unchanged == len(NAMES)
    searcher = TextToPersonInferencer(ColorEncoder(), gallery=gallery)
    for words, name in (('red over orange', 'a.tar/red-orange.png'),
                        ('white over purple', 'b.parquet/white-purple.png')):
        hit, = searcher(words, topk=1)[0].hits
        assert hit.entry.path == name
        assert np.array_equal(searcher.picture(hit), paint(*name.split('/')[1][:-4].split('-')))


def test_data_sets_and_checkpoints_are_read_from_a_bucket(store, tmp_path):
    names = NAMES[:8]
    paint_folder(tmp_path / 'set/imgs', *names)
    rows = [dict(image=f'{name}.png', person_id=number, split='train',
                 captions=[f'Someone in {name}.']) for number, name in enumerate(names)]
    (tmp_path / 'set/pairs.jsonl').write_text(''.join(json.dumps(row) + '\n' for row in rows))
    pack_images(tmp_path / 'set/imgs', tmp_path / 'set/imgs.tars', 4000)
    torch.save(dict(state_dict=dict(weight=torch.arange(6.))), tmp_path / 'set/weights.pth')
    put_folder(store, tmp_path / 'set', 'set/')
    for images in ('imgs', 'imgs.tars'):
        dataset = TBPSDataset(data_root=f'{store.root}/set', ann_file='pairs.jsonl',
                              data_prefix=dict(img_path=images), verify_images=True)
        assert len(dataset) == len(names)
        for place, name in enumerate(names):
            assert get(dataset.get_data_info(place)['img_path']) == (
                tmp_path / f'set/imgs/{name}.png').read_bytes()
    loaded = load_checkpoint_file(f'{store.root}/set/weights.pth')
    assert torch.equal(loaded['state_dict']['weight'], torch.arange(6.))


def test_what_is_not_there_is_told_apart(store):
    store.put('crops/a.txt', b'first')
    folder = as_path(f'{store.root}/crops')
    assert folder.is_dir() and (folder / 'a.txt').is_file() and not (folder / 'b.txt').exists()
    assert (folder / 'a.txt').read_bytes(1, 3) == b'ir'
    assert (folder / 'a.txt').stat().st_mtime_ns > 10**18
    scheme = store.root.partition('://')[0]
    for read in (lambda path: path.read_bytes(), lambda path: path.exists()):
        with pytest.raises(MissingFile, match='there is no bucket nowhere'):
            read(as_path(f'{scheme}://nowhere/a.png'))
    with pytest.raises(MissingFile, match='b.txt: no such file or folder'):
        (folder / 'b.txt').read_bytes()
