"""A web page over painted people, for the tests of the page."""

import socket
from contextlib import contextmanager, suppress
from types import SimpleNamespace

import numpy as np
from fakes import ColorEncoder, paint

from mmtbps.search.galleries.base import GalleryEntry
from mmtbps.search.galleries.memory import MemoryGallery
from mmtbps.search.inferencer import TextToPersonInferencer

#: Name of the picture (upper and lower colour): camera, time and track.
PEOPLE = {
    'red-blue': ('c1', 1704067200., 't1'),      # 2024-01-01
    'red-black': ('c2', 1704153600., 't1'),     # 2024-01-02
    'green-white': ('c1', 1704240000., 't2'),   # 2024-01-03
    'yellow-purple': ('c2', 1704326400., 't2'),
    'blue-orange': ('c3', 1704412800., 't3'),
    'white-green': ('c3', 1704499200., 't3'),
}


class PointingInferencer(TextToPersonInferencer):
    """Finds every word in the upper half of the picture; words in capitals it cannot find."""

    def explain(self, text, entry):
        """Maps of 4 x 2 patches."""
        if text.isupper():
            raise TypeError('an encoder of capitals has no patches')
        words = text.split()
        heat = np.zeros((len(words), 4, 2), np.float32)
        heat[:, :2] = 1
        return SimpleNamespace(words=words, heat=heat, total=heat[0])


def fill(root, uri, people=PEOPLE):
    """Pictures below ``root / 'crops'`` and a gallery of them."""
    (root / 'crops').mkdir(parents=True)
    gallery, entries, images = MemoryGallery(uri, ColorEncoder.fingerprint), [], []
    for name, (camera, time, track) in people.items():
        images.append(paint(*name.split('-'), size=(32, 80)))
        images[-1].save(root / 'crops' / f'{name}.png')
        entries.append(GalleryEntry(name, f'crops/{name}.png', camera=camera, time=time,
                                    track=track))
    gallery.upsert(entries, ColorEncoder().encode_images(images))
    return gallery


@contextmanager
def open_page(folder, uploads=True, reranker=None, shown=PEOPLE, presence=None, **options):
    """The page at a free port: its ``url``, ``searcher``, ``images`` and ``uploads``."""
    images = folder / 'images'
    searcher = PointingInferencer(ColorEncoder(), gallery=fill(images, folder / 'gallery', shown),
                                  images=images, reranker=reranker, presence=presence)
    kept = images / 'uploads' if uploads else None
    page = serve_at_free_port(searcher, images, kept, **options)
    try:
        yield SimpleNamespace(url=page.local_url.rstrip('/'), searcher=searcher, images=images,
                              uploads=kept, blocks=page)
    finally:
        page.close()


def serve_at_free_port(*arguments, **options):
    from mmtbps.search.webui import serve
    for _ in range(2):
        with suppress(OSError):  # somebody was faster
            return serve(*arguments, port=free_port(), wait=False, **options)
    return serve(*arguments, port=free_port(), wait=False, **options)


def free_port():
    """One that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def ask(tab, text):
    """Ask a question in a browser's tab and wait for its answer."""
    tab.fill('#ask textarea', text)
    tab.click('#go')
    tab.wait_for_selector(f'.people h2:has-text("{text}")')


def people(tab):
    """Ids of the people that a tab shows, in their order."""
    return tab.eval_on_selector_all('.card', 'cards => cards.map(card => card.dataset.pick)')
