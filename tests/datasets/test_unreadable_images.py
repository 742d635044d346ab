"""Images that are there and cannot be read: tried again, never taken for broken ones."""

import pytest
from mmcv.transforms import LoadImageFromFile

from mmtbps.datasets import SeededIndex, images
from mmtbps.datasets.skipped import TooManyBroken, UnreadableImage


@pytest.fixture
def pauses(monkeypatch):
    """Pauses that take no time, and a list of what happens in them."""
    acts = []
    monkeypatch.setattr(images.time, 'sleep', lambda _: acts and acts.pop(0)())
    return acts


def away(own):
    (own / 'imgs').rename(own / 'away')


def back(own):
    (own / 'away').rename(own / 'imgs')


def test_an_image_that_is_back_in_a_moment_is_given(build, own, pauses):
    dataset = build(own, pipeline=[LoadImageFromFile()])
    away(own)
    pauses += [lambda: None, lambda: back(own)]
    assert dataset[0]['img_path'].endswith('10_0.jpg')
    assert dataset.skipped == [] and not pauses


def test_the_second_attempt_draws_what_the_first_would_have(build, own, pauses):
    import numpy as np

    def draw_then_read(item):
        item['drawn'] = np.random.rand()
        return LoadImageFromFile()(item)

    dataset = build(own, pipeline=[draw_then_read])
    expected = dataset[SeededIndex(3, 11)]['drawn']
    away(own)
    pauses.append(lambda: back(own))
    assert dataset[SeededIndex(3, 11)]['drawn'] == expected


@pytest.mark.parametrize('test_mode', [False, True])
def test_an_image_that_stays_away_ends_the_run(build, own, pauses, test_mode):
    dataset = build(own, pipeline=[LoadImageFromFile()], test_mode=test_mode)
    away(own)
    with pytest.raises(UnreadableImage, match=r'10_0\.jpg cannot be read \(FileNotFound.*away'):
        dataset[0]
    back(own)  # and nothing of it is remembered
    assert [dataset[i]['img_path'].endswith('.jpg') for i in range(len(dataset))]
    assert dataset.skipped == []


def test_a_fault_of_the_pipeline_that_is_an_os_error_is_itself(build, own, pauses):
    def faulty(item):
        raise PermissionError('mask.png')

    with pytest.raises(PermissionError, match=r'^mask\.png$'):
        build(own, pipeline=[faulty])[0]


def test_reading_fails_while_all_images_are_verified(build, own, pauses, monkeypatch):
    read, fail = images.get, [True]

    def get(path):
        if path.endswith('12_0.jpg') and fail:
            raise TimeoutError('stale handle')
        return read(path)

    monkeypatch.setattr(images, 'get', get)
    with pytest.raises(UnreadableImage, match=r'12_0\.jpg cannot be read \(TimeoutError'):
        build(own, test_mode=True, allow_missing=True)
    pauses.append(fail.clear)
    assert len(build(own, test_mode=True)) == 8


def test_only_so_many_broken_images_are_left_out(build, own):
    for name in ('10_0', '11_0', '12_0'):
        (own / f'imgs/{name}.jpg').write_bytes(b'no image')
    dataset = build(own, pipeline=[LoadImageFromFile()], max_broken=2)
    assert dataset[0]['img_path'].endswith('10_1.jpg')
    with pytest.raises(TooManyBroken, match='3 images cannot be decoded, more than max_broken=2'):
        dataset[6]  # 11_0, and 12_0 in its place
    with pytest.raises(TooManyBroken):
        build(own, verify_images=True, max_broken=2)
    assert len(build(own, verify_images=True, max_broken=3)) == 16 - 6
