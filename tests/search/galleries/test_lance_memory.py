"""Memory of a process that has a LanceDB gallery open while others write to it."""

import numpy as np
import pytest
from gallery_rig import DIM, FINGERPRINT, unit

from mmtbps.search.galleries import GalleryEntry, lance, open_gallery

pytest.importorskip('lancedb')


def remembered(folder, writes):
    """Bytes that a reader holds of versions after so many writes, and whether it sees all."""
    writer, reader = (open_gallery(folder / 'people.lance', FINGERPRINT) for _ in range(2))
    features = unit(np.random.default_rng(0).normal(size=(writes, DIM)))
    for i in range(writes):
        writer.upsert([GalleryEntry(f'{i}', f'{i}.jpg')], features[i:i + 1])
        hit, = reader.search(features[i:i + 1], 1)[0]
        assert hit.entry.id == f'{i}'
    return reader._session.size_bytes


def test_a_reader_forgets_former_versions(tmp_path, monkeypatch):
    few, many = remembered(tmp_path / 'a', 10), remembered(tmp_path / 'b', 30)
    assert many > 2 * few  # as the library does by itself, up to a gigabyte
    monkeypatch.setattr(lance, 'METADATA_CACHE', few)
    assert remembered(tmp_path / 'c', 30) < 1.5 * few
    assert few < 1 << 20  # what is kept is enough for a thousand versions
