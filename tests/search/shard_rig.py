"""Tar shards and parquet files of painted people, for the tests of indexing."""

import io
import json
import tarfile

import pytest
from fakes import paint


def png(name):
    paint(*name.split('-')).save(file := io.BytesIO(), 'PNG')
    return file.getvalue()


def add(shard, name, data, **kind):
    member = tarfile.TarInfo(name)
    member.size = len(data)
    for key, value in kind.items():
        setattr(member, key, value)
    shard.addfile(member, io.BytesIO(data))


def write_tar(path, names):
    """A sample of image and JSON each, as `webdataset` has them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, 'w') as shard:
        for name in names:
            add(shard, f'{name}.json', json.dumps(dict(id=1, caption=name)).encode())
            add(shard, f'{name}.png', png(name))


def write_parquet(path, names, group=2, column='image', say=lambda name: f'cam/{name}.png'):
    """Rows of bytes and path, as `datasets` has them."""
    arrow = pytest.importorskip('pyarrow')
    import pyarrow.parquet as parquet
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [dict(bytes=png(name), path=say(name)) for name in names]
    parquet.write_table(arrow.table({column: rows, 'caption': [*names]}), path,
                        row_group_size=group, write_page_checksum=True)


def table(path, **columns):
    arrow = pytest.importorskip('pyarrow')
    import pyarrow.parquet as parquet
    parquet.write_table(arrow.table(columns), path)
