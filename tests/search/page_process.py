"""A page in a process of its own: ``page_process.py GALLERY IMAGES PORT``, a fast encoder."""

import sys

from fakes import ColorEncoder

from mmtbps.search.galleries.factory import open_gallery
from mmtbps.search.inferencer import TextToPersonInferencer
from mmtbps.search.webui import serve

if __name__ == '__main__':
    gallery, images, port = sys.argv[1:]
    searcher = TextToPersonInferencer(ColorEncoder(), gallery=open_gallery(gallery), images=images)
    serve(searcher, images, f'{images}/added', port=int(port))
