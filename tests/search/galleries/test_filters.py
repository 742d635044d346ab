"""Filters: what is read from dicts and words, and what passes."""

import sys

import pytest

from mmtbps.search.galleries import GalleryEntry
from mmtbps.search.galleries.filters import OneOf, Range, parse_time, parse_where, read_where

DAY = 86_400
WEEKS = pytest.mark.skipif(sys.version_info < (3, 11), reason='Python 3.10 reads no weeks')


@pytest.mark.parametrize('words, where', [
    (None, {}), ([], {}),
    (['camera=c1,c2', 'coat=red'], {'camera': ['c1', 'c2'], 'coat': 'red'}),
    (['time=1970-01-01..1970-01-02'], {'time': ('1970-01-01', '1970-01-02')}),
    (['time=1970-01-01T00:01..'], {'time': (60., None)}), (['time=..12.5'], {'time': (None, 12.5)}),
    (['time=1970-01-02'], {'time': '1970-01-02'}), (['time=5,6.5'], {'time': [5., 6.5]}),
    (['frame=3'], {'frame': 3}), (['frame=3..9'], {'frame': (3, 9)}),
    (['path=../a..b.jpg'], {'path': '../a..b.jpg'}), (['coat=a=b'], {'coat': 'a=b'}),
    ([r'coat=red\, long,blue'], {'coat': ['red, long', 'blue']}),
    (["camera=c1' OR '1'='1"], {'camera': "c1' OR '1'='1"}),
    (['外套=红'], {'外套': '红'})])
def test_words_of_a_command_line(words, where):
    assert parse_where(words) == where


@pytest.mark.parametrize('word, message', [
    ('camera', "'camera' is not of the form key=value"), ('camera=', 'not of the form key=value'),
    ('=c1', "'' is no name"), ('a b=c', 'is no name'), ('size=3', "'size' is no filter key"),
    ('frame=1.5', 'frame is a whole number'), ('frame=1..2..3', 'a range is frame=from..to'),
    ('time=noon', "'noon' is neither a number of seconds nor a date"),
    ('time=2024-13-01', 'neither a number'), ('time=..', 'one open end'),
    ('time=5..3', 'ends before it begins'), ('camera=a,,b', 'between the commas is missing'),
    ('time=2024-01-01,2024-01-02', 'a day is a range of times')])
def test_a_wrong_word_is_shown(word, message):
    with pytest.raises(ValueError, match=message):
        parse_where([word])


def test_a_key_given_twice_is_not_guessed_at():
    with pytest.raises(ValueError, match='given twice: write camera=one,two'):
        parse_where(['camera=c1', 'camera=c2'])


@pytest.mark.parametrize('text, seconds', [
    ('12.5', 12.5), ('-3', -3), ('1970-01-02', DAY), ('1970-01-01T01:00', 3600),
    ('1970-01-01 01:00:00.25', 3600.25), ('1970-01-01T01:00Z', 3600),
    ('1970-01-01T01:00+01:00', 0), (' 1969-12-31 ', -DAY)])
def test_times_are_seconds_since_1970(text, seconds):
    assert parse_time(text) == seconds


@pytest.mark.parametrize('text', [
    '20240501', '20240501134500', '202405011345', '202405', '2024', '1999', '01052024', '05312024',
    '240501', '310524', '20240501.0', '2.0240501e7', '+20240501', '-20240501', ' 2024 ',
    '2024050113', '2024.05', '2024.0501', '05.2024', '45413', '45413.5729', '45413.0'])
def test_digits_that_read_as_a_date_are_no_seconds(text):
    with pytest.raises(ValueError, match=r'reads as a date.*: write 2024-05-01, 2024-05-01T13:45'):
        parse_time(text)
    with pytest.raises(ValueError, match='reads as a date'):
        parse_where([f'time=..{text}'])


@pytest.mark.parametrize('text, message', [
    ('1714570000500', 'divide it by 1000'), ('4102444800', 'after 2100'), ('1e12', 'after 2100'),
    ('2100-01-01', 'after 2100'), ('9999-12-31', 'after 2100'), ('1_000', 'neither a number'),
    ('２０２４', 'neither a number'), ('inf', 'neither a number'), ('nan', 'neither a number'),
    ('2024:05:01 13:45:00', 'neither a number'), ('01.05.2024', 'neither a number'),
    ('2024-05-01T24:30', 'neither a number'), ('UTC', 'neither a number'),
    ('2024-05-01+02:00', 'neither a number'), ('2024-05-01-0500', 'neither a number'),
    ('2024-05-01.13:45', 'neither a number'), ('0001-01-01', 'before 1826; leave it empty'),
    ('0001-01-01T00:00:00Z', 'before 1826'), ('-62135596800', 'before 1826')])
def test_a_time_that_none_can_mean_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_time(text)


@pytest.mark.parametrize('text, seconds', [
    ('1714570000.5', 1714570000.5), ('1714570000', 1714570000), ('3600', 3600), ('0', 0),
    ('1985-05-01', 483753600), ('2024-05-01 13:45:00 UTC', 1714571100),
    ('2024-05-01T13:45:00z', 1714571100), ('2099-12-31', 4102358400)])
def test_what_times_are_shown_as_is_read(text, seconds):
    assert parse_time(text) == seconds


@pytest.mark.parametrize('text', ['1970-01-02Z', '1970-01-02 UTC', ' 1970-01-02 ',
                                  pytest.param('1970-W01-5', marks=WEEKS)])
def test_a_day_is_all_of_it_however_it_is_written(text):
    assert read_where({'time': text}) == read_where({'time': '1970-01-02'})
    assert read_where(parse_where([f'time=..{text}'])) == (Range('time', None, 2 * DAY - 1e-6),)


@WEEKS
def test_a_week_is_all_of_it():
    assert read_where({'time': '1970-W02'}) == (Range('time', 4 * DAY, 11 * DAY - 1e-6),)


def test_a_day_is_all_of_it():
    (day,) = read_where({'time': '1970-01-02'})
    (days,) = read_where({'time': ('1970-01-02', '1970-01-03')})
    (since,) = read_where({'time': ('1970-01-02', None)})
    for time, of_day, of_days, of_since in [
            (DAY - .5, False, False, False), (DAY, True, True, True),
            (2 * DAY - .5, True, True, True), (2 * DAY, False, True, True),
            (3 * DAY - .5, False, True, True), (3 * DAY, False, False, True)]:
        entries = [GalleryEntry('a', 'a', time=time), GalleryEntry('b', 'b')]
        assert [each.select(entries) for each in (day, days, since)] == [
            [of_day, False], [of_days, False], [of_since, False]]


@pytest.mark.parametrize('where, passes', [
    ({'camera': 'c1'}, True), ({'camera': ['c2', 'c1']}, True), ({'camera': 'C1'}, False),
    ({'frame': 0}, True), ({'frame': (0, 0)}, True), ({'frame': (1, None)}, False),
    ({'track': 't'}, False), ({'time': (None, 1e9)}, False),  # neither is known
    ({'path': 'a/1.jpg'}, True), ({'path': 'a/'}, False),
    ({'coat': 'red'}, True), ({'coat': 're'}, False), ({'hat': 'red'}, False)])
def test_what_passes(where, passes):
    entry = GalleryEntry('1', 'a/1.jpg', camera='c1', frame=0, extra={'coat': 'red'})
    assert [condition.select([entry]) for condition in read_where(where)] == [[passes]]


def test_a_filter_is_read_into_conditions():
    assert read_where(None) == read_where({}) == ()
    assert read_where({'camera': ['c1'], 'time': (None, 3), 'coat': 'red'}) == (
        OneOf('camera', ('c1',)), Range('time', None, 3.), OneOf('coat', ('red',)))
