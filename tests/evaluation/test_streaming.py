"""A gallery in parts gives the numbers of the joined gallery, and is read as rarely as can be."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mmtbps.evaluation import evaluate_ranking, evaluate_streamed, open_features

CUTS = [(57,), (20, 37), (1, 55, 1), (19,) * 3, (1,) * 57]


def drawn(seed, levels, queries=23, gallery=57, people=9, width=64):
    """``signs``: unit features and products are exact and tie; ``real``: hardly any tie."""
    draw = torch.Generator().manual_seed(seed)
    centres = torch.randn(people, width, generator=draw)
    sides = []
    for count in (queries, gallery):
        ids = torch.randint(people, (count,), generator=draw)
        features = centres[ids] + 2 * torch.randn(count, width, generator=draw)
        if levels == 'signs':
            features = features.sign()
            features[:, 6:] = 1  # 64 different ones: many are there twice
        sides += [features, ids]
    return sides


def cut(sizes, *columns):
    return list(zip(*(column.split(sizes) for column in columns), strict=True))


class Watched:
    """Features that note which of their rows were asked for."""

    def __init__(self, features):
        self.features, self.shape, self.seen = features, features.shape, []

    def __len__(self):
        return len(self.features)

    def __getitem__(self, rows):
        self.seen.append((rows.start, rows.stop))
        return self.features[rows]


@pytest.mark.parametrize('levels', ['signs', 'real'])
@pytest.mark.parametrize('sizes', CUTS, ids=lambda sizes: f'{len(sizes)} parts')
def test_parts_give_the_numbers_of_the_whole(levels, sizes):
    queries, query_ids, gallery, ids = drawn(0, levels)
    ids[ids == 3] = 100  # some queries have no positive
    expected = evaluate_ranking(queries, query_ids, gallery, ids)
    assert expected['num_unmatched'] and 0 < expected['R1'] < 100
    for chunk_size, part_size in ((1024, 65536), (5, 7), (1, 20)):
        assert evaluate_streamed(queries, query_ids, cut(sizes, gallery, ids),
                                 chunk_size=chunk_size, part_size=part_size) == expected


@pytest.mark.parametrize('sizes', CUTS, ids=lambda sizes: f'{len(sizes)} parts')
def test_parts_with_the_own_image_left_out(sizes):
    queries, query_ids, gallery, ids = drawn(1, 'signs')
    images = torch.arange(57) // 2
    query_images = torch.arange(23)
    own = dict(query_images=query_images, cross_image_only=True, chunk_size=6)
    expected = evaluate_ranking(queries, query_ids, gallery, ids, gallery_images=images, **own)
    assert expected != evaluate_ranking(queries, query_ids, gallery, ids)
    parts = cut(sizes, gallery, ids, images)
    assert evaluate_streamed(queries, query_ids, parts, **own) == expected


def test_copies_in_other_parts_stand_in_gallery_order():
    """Every score is there in each part: only the order of the parts tells the copies apart."""
    queries, query_ids, gallery, ids = drawn(2, 'signs')
    stranger = torch.full_like(ids, -1)
    for order in ((ids, stranger, stranger), (stranger, ids, stranger), (stranger, ids, ids)):
        parts = [(gallery, part_ids) for part_ids in order]
        assert evaluate_streamed(queries, query_ids, parts, part_size=19) == evaluate_ranking(
            queries, query_ids, gallery.repeat(3, 1), torch.cat(order))


def test_a_folder_of_files(tmp_path):
    queries, query_ids, gallery, ids = drawn(3, 'signs')
    parts = gallery.split(19)
    np.save(tmp_path / 'b.npy', parts[1].half().numpy())
    np.save(tmp_path / 'd.npy', np.asfortranarray(parts[2]))
    save_file(dict(features=parts[0].bfloat16(), ids=ids[:19]), tmp_path / 'a.safetensors')
    save_file(dict(features=parts[0] * 3), tmp_path / 'c.safetensors')
    (tmp_path / 'readme.txt').write_text('not a part')
    nobody = torch.full((57,), -1)
    expected = evaluate_ranking(
        queries, query_ids, torch.cat([*parts[:2], parts[0], parts[2]]),
        torch.cat([ids[:19], nobody]))
    assert evaluate_streamed(queries, query_ids, open_features(tmp_path)) == expected
    assert expected['num_gallery'] == 76 and expected['num_unmatched'] < 23


def test_images_of_a_file_and_of_distractors(tmp_path):
    queries, query_ids, gallery, ids = drawn(4, 'signs')
    images = torch.arange(57)
    save_file(dict(features=gallery, ids=ids, images=images), tmp_path / 'a.safetensors')
    np.save(tmp_path / 'b.npy', gallery.numpy())
    own = dict(query_images=torch.arange(23), cross_image_only=True)
    assert evaluate_streamed(queries, query_ids, open_features(tmp_path), **own) == \
        evaluate_ranking(queries, query_ids, gallery.repeat(2, 1),
                         torch.cat([ids, torch.full_like(ids, -1)]),
                         gallery_images=torch.cat([images, images - 100]), **own)


def test_distractors_are_nobody_even_if_ids_are_negative():
    gallery = torch.eye(3)
    numbers = evaluate_streamed(gallery, [-1, -2, 5], [(-gallery,), (gallery, [-1, -2, 5])])
    assert numbers['R1'] == 100 and numbers['num_unmatched'] == 0


def test_each_part_is_read_once_but_those_with_positives(capsys):
    queries, query_ids, gallery, ids = drawn(5, 'signs')
    stranger = torch.full_like(ids, -1)
    parts = [(Watched(gallery), part_ids) for part_ids in (stranger, ids, stranger, ids)]
    evaluate_streamed(queries, query_ids, parts, chunk_size=8, progress=True)
    assert [len(features.seen) for features, _ in parts] == [1, 2, 1, 1]
    assert '15/15' in capsys.readouterr().err  # 5 readings x 3 chunks of queries


def test_no_more_than_part_size_rows_are_asked_for():
    queries, query_ids, gallery, ids = drawn(6, 'signs')
    watched = Watched(gallery)
    evaluate_streamed(queries, query_ids, [(gallery, ids), (watched,)], part_size=25)
    assert watched.seen == [(0, 25), (25, 50), (50, 57)]


def test_nothing_is_read_when_nobody_can_be_found():
    queries, query_ids, gallery, ids = drawn(7, 'signs')
    watched = Watched(gallery)
    with pytest.raises(ValueError, match='none of the 23 queries has a positive'):
        evaluate_streamed(queries, query_ids, [(watched, ids + 50)])
    assert not watched.seen


def part_with_nan():
    features = torch.ones(30, 4)
    features[27] = torch.nan
    return (features,)


ONES = torch.ones(3, 4)


@pytest.mark.parametrize('gallery, change, message', [
    ([], {}, 'no part'),
    ([(ONES, [1, 2, 3]), (torch.ones(3, 5),)], {}, 'gallery part 1 .* as wide .* 4; got .*3, 5'),
    ([(ONES, [1, 2, 3]), (torch.ones(0, 4),)], {}, 'gallery part 1 .* got shape .0, 4'),
    ([(ONES, [1, 2])], {}, 'ids of gallery part 0 must hold one id for each of the 3'),
    ([(ONES, [1, 2, .5])], {}, 'ids of gallery part 0 must be integers'),
    ([(ONES, [1, 2, 3]), part_with_nan()], {}, r'gallery part 1\[20:30\]: 1 rows .* row 7'),
    ([(ONES, [1, 2, 3])], dict(cross_image_only=True), 'needs query_images'),
    ([(ONES, [1, 2, 3])], dict(cross_image_only=True, query_images=[1, 2]),
     'needs images of gallery part 0'),
    ([(ONES, [1, 2, 3])], dict(part_size=0), 'part_size'),
    ([(ONES, [1, 2, 3])], dict(chunk_size=0), 'chunk_size'),
])
def test_bad_input_is_named(gallery, change, message):
    with pytest.raises(ValueError, match=message):
        evaluate_streamed(torch.ones(2, 4), [1, 2], gallery, **{'part_size': 20, **change})


def test_bad_files_are_named(tmp_path):
    with pytest.raises(ValueError, match='holds no .npy or .safetensors'):
        open_features(tmp_path)
    good = tmp_path / 'a.npy'
    np.save(good, part_with_nan()[0].numpy())
    with pytest.raises(ValueError, match=r'a.npy\[0:30\]: 1 rows hold NaN .* row 27'):
        evaluate_streamed(torch.ones(1, 4), [1], [(ONES, [1, 1, 1]), *open_features(tmp_path)])
    for name, content in (('b.npy', b''), ('c.npy', good.read_bytes()[:-100]),
                          ('d.safetensors', b'no header')):
        bad = tmp_path / name
        bad.write_bytes(content)
        with pytest.raises(ValueError, match=f'{name} cannot be read as features'):
            open_features(tmp_path)
        bad.unlink()
    save_file(dict(vectors=ONES), tmp_path / 'e.safetensors')
    with pytest.raises(ValueError, match="e.safetensors cannot be read as features"):
        open_features(tmp_path)


def test_pickles_are_refused(tmp_path):
    np.save(tmp_path / 'a.npy', np.array([[{}], [{}]], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match='a.npy cannot be read as features'):
        open_features(tmp_path)


@pytest.mark.gpu
@pytest.mark.parametrize('levels', ['signs', 'real'])
def test_gpu_equals_cpu(levels):
    queries, query_ids, gallery, ids = drawn(8, levels)
    parts = cut((20, 37), gallery, ids)
    assert evaluate_streamed(queries, query_ids, [*parts, (gallery,)], part_size=16,
                             device='cuda') == pytest.approx(
        evaluate_streamed(queries, query_ids, [*parts, (gallery,)], part_size=16), abs=1e-9)
