"""Index runs on a cluster with the encoder of colours; called by name in processes."""

import os
import signal
import tempfile
import threading
import time
from dataclasses import asdict
from pathlib import Path

import pytest
from fakes import ColorEncoder
from ray_rig import small_pool
from videos import FPS, ColorDetector

from mmtbps.search.galleries.factory import open_gallery
from mmtbps.search.indexing import DetectionOptions, IndexOptions, index_people
from mmtbps.search.indexing.file_run import IndexParts
from mmtbps.search.indexing.ray_index import RayIndexing
from mmtbps.search.media.tracker import PersonTracker


class Lethal(ColorEncoder):
    """Notes its process in a folder, is slow, and ends at a black picture; or is ended once."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def encode_images(self, images):
        (self.folder / f'{os.getpid()}').touch()
        time.sleep(.1)
        if any(image.getextrema() == ((0, 0), ) * 3 for image in images):
            os._exit(9)
        return super().encode_images(images)


class Opened:
    """Opener of the parts of an actor."""

    def __init__(self, uri, folder, find=lambda: None):
        self.uri, self.folder, self.find = uri, folder, find

    def __call__(self):
        return IndexParts(open_gallery(self.uri, ColorEncoder.fingerprint), Lethal(self.folder),
                          self.find())


def walkers():
    """People of videos, followed."""
    return DetectionOptions(ColorDetector(), PersonTracker(every=1 / FPS, lost_after=.5))


def kill_one(folder):
    """Kill the first actor that works."""
    while not (found := list(Path(folder).iterdir())):
        time.sleep(.02)
    time.sleep(.15)
    os.kill(int(found[0].name), signal.SIGKILL)


def index_on_ray(uri, crops, folder, kill=''):
    if kill:
        threading.Thread(target=kill_one, args=(folder, ), daemon=True).start()
    with small_pool() as pool:
        return asdict(_index(uri, crops, folder, pool))


def _index(uri, crops, folder, pool, find=lambda: None):
    gallery = open_gallery(uri, ColorEncoder.fingerprint)
    return index_people(crops, gallery, ColorEncoder(), detection=find(),
                        options=IndexOptions(batch_size=4, commit_every=4, progress=False),
                        spread=RayIndexing(pool, Opened(uri, folder, find)))


def find_people_on_ray(uri, videos, folder, kill):
    threading.Thread(target=kill_one, args=(folder, ), daemon=True).start()
    with small_pool() as pool:
        return asdict(_index(uri, videos, folder, pool, walkers))


def index_bucket(copy, crops, folder):
    """Index crops of a store into a gallery of the store, and copy what that holds here."""
    from object_store_rig import put_s3, s3_server
    with pytest.MonkeyPatch.context() as patch, s3_server(patch) as client:
        patch.setenv('AWS_ALLOW_HTTP', 'true')  # LanceDB has clients of its own
        put_s3(client, Path(crops), 'people', 'crops/')
        reports = []
        for _ in range(2):
            with small_pool() as pool:
                reports.append(asdict(_index('s3://people/all.lance', 's3://people/crops', folder,
                                             pool)))
        _copy('s3://people/all.lance', copy)
    return reports


def _copy(uri, folder):
    with open_gallery(uri) as gallery:
        entries, vectors = gallery.get([entry.id for entry in gallery.entries()])
        open_gallery(folder, gallery.fingerprint).upsert(entries, vectors)


def index_into_postgres(copy, crops, folder, kill=''):
    """Index into a server of this process's own, and copy what it holds into a folder."""
    from benchmarks.postgres_server import postgres_server
    with postgres_server() as server:
        os.environ.update(server.environment)
        uri = f'{server.address}/people'
        report = index_on_ray(uri, crops, folder, kill)
        _copy(uri, copy)
    return report


def index_into_milvus(copy, crops, folder, kill):
    """Index into a server of Milvus Lite, and copy what it holds into a folder."""
    from benchmarks.milvus_server import milvus_server
    with tempfile.TemporaryDirectory() as data, milvus_server(Path(data)) as (server, _):
        report = index_on_ray(f'{server}/people', crops, folder, kill)
        _copy(f'{server}/people', copy)
    return report


def index_with_killed_node(uri, crops, folder):
    """Index on two machines in name, one of which is killed when it works."""
    from ray.cluster_utils import Cluster

    from mmtbps.clusters import ActorNeeds, RayPool
    cluster = Cluster(initialize_head=True, head_node_args=dict(
        num_cpus=2, node_ip_address='127.0.0.1'))
    second = cluster.add_node(num_cpus=2, node_ip_address='127.0.0.1')

    def kill():
        while len(list(Path(folder).iterdir())) < 2:
            time.sleep(.02)
        time.sleep(.15)
        cluster.remove_node(second, allow_graceful=False)

    threading.Thread(target=kill, daemon=True).start()
    with RayPool(cluster.address, ActorNeeds(cpus=1.4, count=2)) as pool:
        return asdict(_index(uri, crops, folder, pool))
