"""Entries in words and pictures, for people to read."""

import base64
import io

import pytest
from PIL import Image

from mmtbps.markup import CARD_SIZE, as_data_uri
from mmtbps.search.galleries import GalleryEntry
from mmtbps.search.presentation import clock, in_words, stopwatch


@pytest.mark.parametrize('seconds, words', [
    (None, None), (0., '1970-01-01 00:00:00 UTC'), (-.5, '1969-12-31 23:59:59 UTC'),
    (631_151_999.9, '1989-12-31 23:59:59 UTC'), (483_753_600., '1985-05-01 00:00:00 UTC'),
    (-157_766_400., '1965-01-01 00:00:00 UTC'), (1_714_563_900., '2024-05-01 11:45:00 UTC'),
    (1e18, '1e+18 s since 1970'), (-1e11, '-1e+11 s since 1970')])
def test_a_time_is_a_date_in_utc(seconds, words):
    assert clock(seconds) == words


@pytest.mark.parametrize('seconds, words', [
    ('0.000', '0:00:00'), ('3599.9', '0:59:59'), ('36000', '10:00:00'), ('inf', 'inf')])
def test_a_place_in_a_video_is_a_length(seconds, words):
    assert stopwatch(seconds) == words


def test_unknown_facts_are_left_out():
    assert in_words(GalleryEntry('1', 'a/b.jpg')) == [('file', 'a/b.jpg')]
    assert in_words(GalleryEntry('1', 'a.mp4', camera='c', time=61., track='t', frame=0,
                                 extra={'coat': 'red'})) == [
        ('camera', 'c'), ('time', '1970-01-01 00:01:01 UTC'), ('track', 't'), ('frame', '0'),
        ('coat', 'red'), ('file', 'a.mp4')]
    assert in_words(GalleryEntry('1', 'a.jpg', box=(1, 2, 30, 40))) == [
        ('file', 'a.jpg'), ('box', '1,2,30,40')]


def test_a_video_without_a_date_has_a_length_alone():
    # As earlier versions stored it: the place in the video was its time too.
    for time in (None, 61.5):
        entry = GalleryEntry('1', 'a.mp4', time=time, extra={'video_time': '61.500'})
        assert in_words(entry) == [('video_time', '0:01:01'), ('file', 'a.mp4')]


@pytest.mark.parametrize('size, shown', [
    ((40, 60), (40, 60)), ((400, 520), (200, 260)), ((100, 1040), (50, 520))])
def test_a_picture_is_shrunk_to_fit_and_left_as_it_was(size, shown):
    image = Image.new('RGB', size, (200, 30, 30))
    kind, _, data = as_data_uri(image, CARD_SIZE).partition(',')
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        assert kind == 'data:image/jpeg;base64' and picture.size == shown
    assert image.size == size


def test_nothing_but_pixels_leaves():
    image = Image.new('RGB', (20, 40))
    image.info = dict(comment=b'serial 4711', icc_profile=b'serial 4711', exif=b'serial 4711',
                      xmp=b'serial 4711')
    assert b'4711' not in base64.b64decode(as_data_uri(image).partition(',')[2])
    assert image.info['comment'] == b'serial 4711'
