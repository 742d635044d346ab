"""Entries in words and pictures, for people to read."""

import base64
import io

import pytest
from PIL import Image

from mmtbps.search.galleries import GalleryEntry
from mmtbps.search.presentation import CARD_SIZE, as_data_uri, clock, in_words


@pytest.mark.parametrize('seconds, words', [
    (None, None), (0., '0:00:00'), (3599.9, '0:59:59'), (36_000., '10:00:00'),
    (631_152_000., '1990-01-01 00:00:00'), (631_151_999., '175319:59:59'), (1e18, '1e+18 s')])
def test_a_time_is_a_date_or_a_place_in_a_video(seconds, words):
    assert clock(seconds) == words


def test_unknown_facts_are_left_out():
    assert in_words(GalleryEntry('1', 'a/b.jpg')) == [('file', 'a/b.jpg')]
    assert in_words(GalleryEntry('1', 'a.mp4', camera='c', time=61., track='t', frame=0,
                                 extra={'coat': 'red'})) == [
        ('camera', 'c'), ('time', '0:01:01'), ('track', 't'), ('frame', '0'), ('coat', 'red'),
        ('file', 'a.mp4')]


@pytest.mark.parametrize('size, shown', [
    ((40, 60), (40, 60)), ((400, 520), (200, 260)), ((100, 1040), (50, 520))])
def test_a_picture_is_shrunk_to_fit_and_left_as_it_was(size, shown):
    image = Image.new('RGB', size, (200, 30, 30))
    kind, _, data = as_data_uri(image, CARD_SIZE).partition(',')
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        assert kind == 'data:image/jpeg;base64' and picture.size == shown
    assert image.size == size
