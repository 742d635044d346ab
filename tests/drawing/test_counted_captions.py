"""Captions of a number of things: the same images and lots, nothing but the number changes."""

import json

import numpy as np
import pytest

from mmtbps.drawing import draw_dataset
from mmtbps.drawing.build import Size
from mmtbps.drawing.counted_captions import write_counted_captions
from mmtbps.drawing.free_captions import free_caption
from mmtbps.drawing.versions import VERSIONS
from mmtbps.errors import BadValue, MissingFile

TINY = Size(3, 2, 2, height=32, width=16)


@pytest.fixture(scope='module')
def drawn(tmp_path_factory):
    return draw_dataset(tmp_path_factory.mktemp('counted') / 'two', TINY, workers=1,
                        progress=False, version=2)


def test_fewer_things_are_the_first_of_more():
    for number in range(1, 40):
        person, (shot, ) = VERSIONS[2].plan(3, number, 1)
        told = [free_caption(person, shot.scene, shot.caption_seeds[0], facts=count)
                for count in (1, 2, 4, 99)]
        assert [len(one.facts) for one in told] == [
            min(count, told[0].known) for count in (1, 2, 4, 99)]
        assert all(one.facts == told[-1].facts[:len(one.facts)] for one in told)
        by_lot = free_caption(person, shot.scene, shot.caption_seeds[0])
        assert by_lot == free_caption(person, shot.scene, shot.caption_seeds[0],
                                      facts=len(by_lot.facts))


def test_nothing_but_the_captions_changes(drawn):
    before = json.loads((drawn / 'reid_raw.json').read_text('utf-8'))
    notes = json.loads((drawn / 'attributes.json').read_text('utf-8'))['images']
    paths = {facts: write_counted_captions(drawn, facts) for facts in (1, 'all')}
    assert paths[1] == drawn.with_name('two-facts') / 'facts_1.json'
    lengths = {}
    for facts, path in paths.items():
        after = json.loads(path.read_text('utf-8'))
        for old, new in zip(before, after, strict=True):
            same = {'split', 'file_path', 'id'}
            assert {key: old[key] for key in same} == {key: new[key] for key in same}
            assert len(new['captions']) == len(new['processed_tokens']) == 2
            # A caption to which the lot gave so many things is that of the set.
            for place, told in enumerate(notes[old['file_path']]['facts']):
                assert len(told) != facts or new['captions'][place] == old['captions'][place]
        lengths[facts] = np.mean([len(text.split()) for new in after for text in new['captions']])
    assert lengths['all'] > 2 * lengths[1]
    paths[1].write_text('[]', 'utf-8')
    assert write_counted_captions(drawn, 1).read_text('utf-8') == '[]'  # what is there stays


def test_what_cannot_be_counted_is_refused(drawn, tmp_path):
    for facts in (0, -1, 1.5, 'some', None):
        with pytest.raises(BadValue, match="at least 1 thing, or 'all', got facts="):
            write_counted_captions(drawn, facts)
    with pytest.raises(MissingFile, match='no finished drawn data set'):
        write_counted_captions(tmp_path, 1)
    first = draw_dataset(tmp_path / 'one', TINY, workers=1, progress=False)
    with pytest.raises(BadValue, match='is version 1 of the drawn people; things are counted in'):
        write_counted_captions(first, 1)
    person, (shot, ) = VERSIONS[2].plan(0, 1, 1)
    with pytest.raises(ValueError, match='at least 1 thing, got facts=0'):
        free_caption(person, shot.scene, 0, facts=0)
