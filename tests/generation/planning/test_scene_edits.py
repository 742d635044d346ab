"""Plans of other scenes: captions that stay true, choices that are spread and repeatable."""

from collections import Counter

import pytest

from mmtbps.errors import BadValue
from mmtbps.generation.editing import kinds_that
from mmtbps.generation.planning import SceneEditPlanner
from mmtbps.lexicon.scenes import scene_word
from mmtbps.lexicon.vocabulary import read_table
from mmtbps.records import PairRecord

SENTENCES = dict(background=['On a beach.', 'In a park.'], weather=['Let it rain.'],
                 style=['As a sketch.', 'Blurred.', 'Sharp.'], posture=['Sit down.'])
PLAIN = 'The man wears a red coat and blue jeans.'

#: Caption -> the kinds of scene that it tells something of, by hand.
TOLD = {
    PLAIN: '',
    'A woman with a white handbag, a striped shirt and pink shoes.': '',
    'A man in a black suit walking down a street.': 'background posture',
    'The girl is standing in front of a bus with her arms crossed.': 'background posture',
    'He has an umbrella because it is raining.': 'weather',
    'A boy in a green jacket in the snow.': 'weather',
    'A blurry picture of a man in a white shirt.': 'style',
    'She looks at the camera.': 'style posture',
    'His back is turned, he carries a gray backpack.': 'posture',
    'A lady riding a bicycle at night.': 'background weather posture',
    'A lady in a floor-length dress.': 'background',
    'THE MAN IS WALKING.': 'posture',
}


def record(*captions, image='a/1.jpg', person=7, **keys):
    return PairRecord(image, captions, person, keys.pop('split', 'train'), **keys)


@pytest.mark.parametrize('caption', TOLD)
def test_what_a_caption_says_of_the_scene(caption):
    told = [kind for kind in SENTENCES if scene_word(kind, caption)]
    assert told == TOLD[caption].split()


@pytest.mark.parametrize('caption', TOLD)
def test_a_caption_that_may_be_false_afterwards_is_left_out(caption):
    planner = SceneEditPlanner(SENTENCES, edits_per_image=9)
    jobs = planner.plan([record(caption, 'He wears red shoes.')], 'toy')
    assert {job.kind for job in jobs} == set(SENTENCES)
    for job in jobs:
        stays = job.kind not in TOLD[caption].split()
        assert job.edit['kept'] == ([0, 1] if stays else [1])
        assert job.output['captions'] == [job.source['captions'][i] for i in job.edit['kept']]
    assert {job.kind for job in planner.plan([record(caption)], 'toy')} == (
        set(SENTENCES) - set(TOLD[caption].split()))


def test_words_are_those_of_the_kinds_of_scenes():
    assert set(read_table('scenes')) == kinds_that(changes_person=False) == set(SENTENCES)
    for kind, words in read_table('scenes').items():
        assert len(set(words)) == len(words), kind
        assert all(word == word.lower() and ' ' not in word for word in words)


def test_kinds_come_in_turn_and_sentences_once():
    planner = SceneEditPlanner(SENTENCES, keep='Keep the rest.', edits_per_image=4)
    jobs = planner.plan([record(PLAIN)], 'toy')
    assert {job.kind for job in jobs} == set(SENTENCES) and len(jobs) == 4
    planner.edits_per_image = 99
    jobs = planner.plan([record(PLAIN)], 'toy')
    told = [job.edit['instruction'] for job in jobs]
    assert sorted(told) == sorted(f'{text} Keep the rest.'
                                  for texts in SENTENCES.values() for text in texts)
    assert [job.edit['new']['text'] + ' Keep the rest.' for job in jobs] == told


def test_all_kinds_and_sentences_are_as_likely():
    planner = SceneEditPlanner(dict(background=['a', 'b', 'c'], weather=['d']))
    records = [record(PLAIN, image=f'{i}.jpg') for i in range(2000)]
    counts = Counter(job.edit['instruction'] for job in planner.plan(records, 'toy'))
    assert counts['d'] == pytest.approx(1000, abs=90)
    assert all(counts[text] == pytest.approx(333, abs=70) for text in 'abc')


def test_the_plan_of_an_image_does_not_depend_on_the_others():
    records = [record(PLAIN, image=f'{i}.jpg', person=i) for i in range(20)]
    planner = SceneEditPlanner(SENTENCES, edits_per_image=2)
    whole = planner.plan(records, 'toy')
    assert planner.plan(records[::-1], 'toy')[::-1] != []
    for one in records:
        alone = planner.plan([one], 'toy')
        assert alone == [job for job in whole if job.source['image'] == one.image]
    assert SceneEditPlanner(SENTENCES, edits_per_image=2, seed=1).plan(records, 'toy') != whole


def test_the_report_counts_images():
    report = SceneEditPlanner(SENTENCES).check(
        [record(PLAIN, image='1.jpg'), record('A man walking.', image='2.jpg')])
    assert '1 of 2 images have a caption that says nothing of the posture' in report
    assert '2 of 2 images have a caption that says nothing of the background' in report


@pytest.mark.parametrize('instructions, message', [
    ({}, 'background, posture, style, weather, got none'),
    (dict(color=['Make it red.']), 'got color'),
    (dict(style='As a sketch.'), 'kind style must be a list of sentences'),
    (dict(style=[]), 'kind style must be a list of sentences'),
    (dict(style=['a', ' ']), 'kind style must be a list of sentences'),
    (dict(style=['a', 'a']), 'kind style have a sentence twice')])
def test_instructions_that_make_no_sense_are_refused(instructions, message):
    with pytest.raises(BadValue, match=message):
        SceneEditPlanner(instructions)


@pytest.mark.parametrize('keys, message', [
    (dict(split='test'), 'only pairs of train'), (dict(source='b.jpg'), 'is itself generated')])
def test_only_real_pictures_of_train_are_edited(keys, message):
    with pytest.raises(BadValue, match=message):
        SceneEditPlanner(SENTENCES).plan([record(PLAIN, **keys)], 'toy')
