"""Extraction on a cluster with the encoder of colours; called by name in processes."""

import threading
from pathlib import Path

from ray_index_work import Lethal, kill_one
from ray_rig import small_pool

from mmtbps.commands.extract_features import write_files
from mmtbps.search.feature_files import BatchEncoder, FeatureFiles
from mmtbps.search.media.images import list_images

PART = 150


class Opened:
    """Opener of the work of an actor."""

    def __init__(self, notes):
        self.notes = notes

    def __call__(self):
        return BatchEncoder(Lethal(self.notes))


def extract_on_ray(images, out, notes, kill=''):
    if kill:
        threading.Thread(target=kill_one, args=(notes, ), daemon=True).start()
    files = FeatureFiles(list_images(images), Path(out), PART, 'float32')
    batches = files.batches()
    with small_pool() as pool:
        write_files(files, batches, pool.run(Opened(notes), batches))
    return dict(encoded=files.encoded, images=files.images)
