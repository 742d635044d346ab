"""Index runs with an encoder of colours, for the tests of indexing."""

from fakes import ColorEncoder

from mmtbps.search.indexing import DetectionOptions, IndexOptions, index_people


class Counting(ColorEncoder):
    """Remembers how many images it was given in each call; may stop at one."""

    def __init__(self, stop_at=None):
        self.batches = []
        self.stop_at = stop_at

    def encode_images(self, images):
        self.batches.append(len(images))
        if len(self.batches) == self.stop_at:
            raise KeyboardInterrupt
        return super().encode_images(images)


def index(folder, gallery, encoder=None, **options):
    metadata, detector = options.pop('metadata', None), options.pop('detector', None)
    detection = detector and DetectionOptions(detector, options.pop('tracker', None),
                                              options.pop('every', None))
    return index_people(folder, gallery, encoder or ColorEncoder(), metadata=metadata,
                        detection=detection, options=IndexOptions(progress=False, **options))


def paths(gallery):
    return sorted(entry.path for entry in gallery.entries())


def first(gallery, text):
    return gallery.search(ColorEncoder().encode_texts([text]), topk=1)[0][0]
