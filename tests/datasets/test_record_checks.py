"""Records that would vanish or count twice: refused, or left out and named."""

import json

import pytest

from mmtbps.records import RecordError


def append(own, text):
    with open(own / 'pairs.jsonl', 'a') as file:
        file.write(text)


@pytest.mark.parametrize(('split', 'meant'), [
    ('training', "'train'"), ('Train', "'train'"), ('train ', "'train'"), ('TEST', "'test'"),
    ('validation', "'val'"), ('testing', "'test'")])
def test_an_unknown_split_is_refused_with_the_one_that_is_meant(build, edit_line, own, split,
                                                                meant):
    edit_line(3, split=split)
    edit_line(5, split=split)
    with pytest.raises(RecordError) as error:
        build(own)
    assert f'pairs.jsonl, record 3: split {split!r} is not known, write {meant} (2 records' in str(
        error.value)


def test_a_split_like_no_other_is_named_all_the_same(build, edit_line, own):
    edit_line(8, split='query')
    with pytest.raises(RecordError, match=r"record 8: split 'query' is not known \(1 records"):
        build(own)


def test_a_file_without_a_record_is_refused(build, own):
    (own / 'more.jsonl').write_text('\n')
    with pytest.raises(RecordError, match=r'more\.jsonl: no record in it'):
        build(own, ann_file=['pairs.jsonl', 'more.jsonl'])


def test_a_torn_last_line_is_counted(build, own):
    append(own, '{"image": "13_9.jpg", "pers')
    dataset = build(own)
    assert len(dataset) == 16
    assert [(skip.record, skip.kind) for skip in dataset.skipped] == [
        (9, 'half-written last line')]
    with pytest.raises(RecordError, match='record 9: half-written'):
        build(own, strict=True)


@pytest.mark.parametrize('test_mode', [False, True])
def test_a_record_that_stands_twice_counts_once(build, own, test_mode):
    append(own, (own / 'pairs.jsonl').read_text().splitlines()[1] + '\n')
    dataset = build(own, test_mode=test_mode)
    assert len(dataset) == (8 if test_mode else 16)
    assert [tuple(skip) for skip in dataset.skipped] == [
        ('pairs.jsonl', 9, 'record twice: it says what pairs.jsonl, record 2 says')]
    if test_mode:
        assert len(dataset[1]['captions']) == 2


def test_windows_separators_are_read(build, own, edit_line, write_image):
    write_image(own / 'imgs/cam/1.jpg')
    edit_line(2, image='cam\\1.jpg')
    append(own, json.dumps(dict(image='cam\\1.jpg', person_id=60, captions=['b'], split='train',
                                source='.\\cam\\1.jpg')) + '\n')
    dataset = build(own)
    assert dataset.skipped == [] and dataset[2]['img_path'] == str(own / 'imgs/cam/1.jpg')
    assert dataset.family_ids[-1] == dataset.person_ids[2] == 0 != dataset.person_ids[-1]


def test_images_outside_the_folder_are_refused(build, own, edit_line, write_image):
    write_image(own / 'other/1.jpg')
    for path in (str(own / 'other/1.jpg'), '../other/1.jpg'):
        edit_line(4, image=path)
        with pytest.raises(RecordError, match=r'pairs\.jsonl, record 4: image .* leads out'):
            build(own)
        dataset = build(own, allow_outside=True)
        assert dataset.skipped == [] and dataset[6]['img_path'].endswith('other/1.jpg')


def test_links_that_the_user_laid_are_followed(build, own, edit_line, write_image):
    write_image(own / 'other/1.jpg')
    (own / 'imgs/link').symlink_to(own / 'other')
    edit_line(4, image='link/1.jpg')
    assert build(own).skipped == []


# Testing -------------------------------------------------------------------------------------

def test_an_image_without_captions_is_in_the_gallery(build, own, edit_line):
    edit_line(2, captions=[])
    edit_line(4, captions=['', ' '])
    dataset = build(own, test_mode=True)
    assert [len(dataset[i]['captions']) for i in range(8)] == [2, 0, 2, 0, 2, 2, 2, 2]
    assert 'left_out' not in dataset.metainfo
    assert len(build(own)) == 16 - 4


def test_a_test_set_without_a_caption_is_refused(build, own, edit_line):
    for number in range(1, 9):
        edit_line(number, captions=[])
    with pytest.raises(ValueError, match='nothing usable'):
        build(own, test_mode=True)


def test_missing_images_of_a_test_set_are_refused_or_noted(build, own):
    for name in ('10_1', '11_0', '12_0'):
        (own / f'imgs/{name}.jpg').unlink()
    (own / 'imgs/13_0.jpg').write_bytes(b'')
    with pytest.raises(ValueError, match=r"split 'train': 4 of 8 images left out \(3 missing, "
                                         r"1 undecodable\), first .*10_1\.jpg.*allow_missing"):
        build(own, test_mode=True)
    dataset = build(own, test_mode=True, allow_missing=True)
    assert len(dataset) == 4
    assert dataset.metainfo['left_out'] == '4 of 8 images left out (3 missing, 1 undecodable)'
    assert 'left_out' not in build(own).metainfo


@pytest.mark.parametrize('published, said', [
    ((1, 1, 2), None), ((3, 8, 16), 'published with 3 people, 8 images, 16 captions')])
def test_another_size_than_published_is_noted(cuhk_root, published, said, monkeypatch):
    from mmtbps.datasets import CUHKPEDES
    monkeypatch.setattr(CUHKPEDES, 'published_sizes', {'val': published})
    assert CUHKPEDES(data_root=str(cuhk_root), split='val', test_mode=True).metainfo.get(
        'other_size') == said
