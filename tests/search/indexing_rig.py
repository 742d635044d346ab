"""Index runs with an encoder of colours, for the tests of indexing."""

from fakes import COLORS, ColorEncoder, paint

from mmtbps.search.indexing import DetectionOptions, IndexOptions, index_people
from mmtbps.search.media.base import Detection


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


class Halves:
    """Sees a person left and right in a picture twice as wide as high, else nobody."""

    batch_size = 2

    def __call__(self, images):
        return [[Detection((0, 0, image.width // 2, image.height), .9),
                 Detection((image.width // 2, 0, image.width, image.height), .8)]
                if image.width == 2 * image.height else [] for image in images]


def couple(left, right):
    image = paint(left, size=(32, 16))
    image.paste(COLORS[right], (16, 0, 32, 16))
    return image
