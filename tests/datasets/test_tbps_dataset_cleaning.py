"""TBPSDataset on dirty data: what is skipped, replaced or refused, and that it is told."""

import json

import pytest
from mmcv.transforms import LoadImageFromFile

from mmtbps.datasets.skipped import ImagesLeftOut
from mmtbps.records import RecordError

# What is skipped -------------------------------------------------------------------------------

def test_bad_captions_are_listed_by_record(build, edit_line, own):
    edit_line(2, captions=['', 'good'])
    edit_line(4, captions=['fine', None])
    edit_line(5, captions=[])
    dataset = build(own)
    assert len(dataset) == 16 - 4
    assert [tuple(skip) for skip in dataset.skipped] == [
        ('pairs.jsonl', 2, 'empty caption: number 1'),
        ('pairs.jsonl', 4, 'caption is no text: number 2 is None'),
        ('pairs.jsonl', 5, 'empty caption: the list has none')]


@pytest.mark.parametrize('caption', ['\u200b', '\ufeff\u2060', '\x07', '\u3164', '\u00ad \u00a0'])
@pytest.mark.parametrize('test_mode', [False, True])
def test_a_caption_of_which_nothing_can_be_seen_is_empty(build, edit_line, own, caption, test_mode):
    edit_line(2, captions=[caption, 'good'])
    dataset = build(own, test_mode=test_mode)
    assert [tuple(skip) for skip in dataset.skipped if skip.record == 2] == [
        ('pairs.jsonl', 2, 'empty caption: number 1')]


@pytest.mark.parametrize('test_mode', [False, True])
def test_missing_images_are_skipped(build, own, test_mode):
    (own / 'imgs/10_1.jpg').unlink()
    (own / 'imgs/11_0.jpg').unlink()
    dataset = build(own, test_mode=test_mode, allow_missing=True)
    assert len(dataset) == (6 if test_mode else 12)
    assert [(skip.record, skip.kind) for skip in dataset.skipped] == [
        (2, 'missing image'), (4, 'missing image')]
    assert str(own / 'imgs/10_1.jpg') in dataset.skipped[0].reason
    if not test_mode:  # person 11 is gone: labels close the gap
        assert sorted(set(dataset.person_ids)) == [0, 1, 2]


def test_one_summary_is_logged(build, edit_line, own, monkeypatch):
    messages = []
    monkeypatch.setattr('mmtbps.datasets.tbps_dataset.print_log',
                        lambda message, **kwargs: messages.append(message))
    (own / 'imgs/10_1.jpg').unlink()
    edit_line(1, captions=['', ' ', 'good'])
    build(own)
    assert len(messages) == 1
    assert '2 x empty caption, 1 x missing image' in messages[0]
    assert '4 people, 7 images, 13 captions' in messages[0]


@pytest.mark.parametrize('harm', ['caption', 'image', 'pixels'])
def test_strict_raises_instead(build, edit_line, own, harm):
    if harm == 'caption':
        edit_line(3, captions=['good', ''])
    elif harm == 'image':
        (own / 'imgs/10_2.jpg').unlink()
    else:
        (own / 'imgs/10_2.jpg').write_bytes(b'no image')
    with pytest.raises(RecordError, match=r'pairs\.jsonl, record 3: .*strict'):
        build(own, strict=True, verify_images=True)


def test_nothing_left_is_an_error(build, own):
    for path in (own / 'imgs').glob('*.jpg'):
        path.unlink()
    with pytest.raises(ValueError, match="nothing usable in split 'train'; skipped 8 x missing"):
        build(own)


# Undecodable images ----------------------------------------------------------------------------

def truncate(path):
    path.write_bytes(path.read_bytes()[:200])


@pytest.mark.parametrize('harm', [truncate, lambda path: path.write_bytes(b'')])
def test_test_mode_may_drop_broken_images_at_the_start(build, own, harm):
    harm(own / 'imgs/12_0.jpg')
    with pytest.raises(ImagesLeftOut, match=r"1 of 8 images left out \(undecodable\), .*12_0\.jpg"):
        build(own, test_mode=True)
    dataset = build(own, test_mode=True, allow_missing=True)
    assert len(dataset) == 7
    assert [(skip.record, skip.kind) for skip in dataset.skipped] == [(5, 'undecodable image')]
    assert dataset.image_ids.tolist() == list(range(7))


def test_training_replaces_broken_images_when_it_meets_them(build, own):
    (own / 'imgs/10_2.jpg').write_bytes(b'no image')
    (own / 'imgs/11_0.jpg').write_bytes(b'no image')
    dataset = build(own, pipeline=[LoadImageFromFile()])
    assert len(dataset) == 16 and dataset.skipped == []
    # Another image of the same person, and for the person with one image the next item.
    assert dataset[4]['img_path'].endswith('10_0.jpg')
    assert dataset[6]['img_path'].endswith('12_0.jpg')
    assert [(skip.record, skip.kind) for skip in dataset.skipped] == [
        (3, 'undecodable image'), (4, 'undecodable image')]
    again = [dataset[4]['caption'], dataset[6]['caption']]
    assert again == [build(own, pipeline=[LoadImageFromFile()])[i]['caption'] for i in (4, 6)]
    assert len(dataset.skipped) == 2  # counted once


def test_training_can_verify_at_the_start(build, own):
    (own / 'imgs/10_0.jpg').write_bytes(b'no image')
    assert len(build(own, verify_images=True)) == 14


def test_a_fault_of_the_pipeline_is_not_blamed_on_the_image(build, own):
    def faulty(item):
        raise KeyError('colour')

    with pytest.raises(KeyError, match='colour'):
        build(own, pipeline=[faulty])[0]


def test_unverified_test_images_fail_loudly(build, own):
    (own / 'imgs/10_0.jpg').write_bytes(b'no image')
    dataset = build(own, pipeline=[LoadImageFromFile()], test_mode=True, verify_images=False)
    with pytest.raises(OSError, match=r'pairs\.jsonl, record 1: .*10_0\.jpg.*verify_images=True'):
        dataset[0]


def test_no_image_at_all_ends_with_an_error(build, own):
    for path in (own / 'imgs').glob('*.jpg'):
        path.write_bytes(b'no image')
    with pytest.raises(RuntimeError, match='no sample for item 0 nor'):
        build(own, pipeline=[LoadImageFromFile()])[0]


def test_a_transform_may_refuse_an_item_in_training_only(build, own):
    def only_later_images(item):
        return None if item['img_path'].endswith('_0.jpg') else item

    assert build(own, pipeline=[only_later_images])[0]['img_path'].endswith('10_1.jpg')
    with pytest.raises(RuntimeError, match='item 0'):
        build(own, pipeline=[only_later_images], test_mode=True)[0]


# Galleries -------------------------------------------------------------------------------------

def test_an_image_listed_twice_is_one_gallery_image(build, own):
    with open(own / 'pairs.jsonl', 'a') as file:
        file.write(json.dumps(dict(image='10_0.jpg', person_id=10, split='train',
                                   captions=['one more'])) + '\n')
        file.write(json.dumps(dict(image='10_0.jpg', person_id=12, split='train',
                                   captions=['somebody else'])) + '\n')
    dataset = build(own, test_mode=True)
    assert len(dataset) == 8
    assert dataset[0]['captions'][2:] == ['one more']
    assert [(skip.record, skip.kind) for skip in dataset.skipped] == [(10, 'image of two people')]
    assert len(build(own)) == 18  # training takes every pair
