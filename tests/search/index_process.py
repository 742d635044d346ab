"""A process of its own: ``index_process.py GALLERY FOLDER LOG [PART PARTS]``, a fast encoder."""

import sys

from fakes import ColorEncoder

from mmtbps.search.galleries.factory import open_gallery
from mmtbps.search.indexing import IndexOptions, index_people

if __name__ == '__main__':
    gallery, folder, log, *shard = sys.argv[1:]
    encoder = ColorEncoder()
    options = IndexOptions(batch_size=4, commit_every=4, progress=False, log=log,
                           shard=tuple(map(int, shard)) or (0, 1))
    index_people(folder, open_gallery(gallery, encoder.fingerprint), encoder, options=options)
