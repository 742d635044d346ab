"""Short sentences on drawn people: truth by what is seen, in words that training never has."""

from collections import Counter
from dataclasses import replace
from itertools import islice
from statistics import median

import numpy as np
import pytest

from mmtbps.drawing.benchmarks import DrawnPicture, build_short_sentences
from mmtbps.drawing.benchmarks.pictures import CLEAR, PALETTES, read_pictures
from mmtbps.drawing.benchmarks.short_sentences import short_sentence, truth_table
from mmtbps.drawing.benchmarks.visible_attributes import attributes
from mmtbps.drawing.canvas import PARTS
from mmtbps.drawing.render import render
from mmtbps.drawing.versions import VERSIONS
from mmtbps.lexicon.color_distance import rgb_to_lab
from mmtbps.lexicon.short_captions import shorten

KNOWN = {one.name: one for one in attributes()}


def pictures_of(version, count):
    for person_id in range(1, count + 1):
        person, shots = VERSIONS[version].plan(4, person_id, 2)
        for shot in shots:
            yield DrawnPicture(shot.file_path, person_id, person, shot.scene,
                               dict.fromkeys(PARTS, 100.), (128, 48))


@pytest.fixture(scope='module', params=[1, 2])
def pictures(request):
    return list(pictures_of(request.param, 200))


def picture(shares=100., seen=(), yaw=0., **looks):
    base = next(pictures_of(1, 1))
    scene = replace(base.scene, pose=replace(base.scene.pose, yaw=yaw, action='walk'))
    colors = {**base.person.colors, **looks.pop('colors', {})}
    plain = dict(upper='t-shirt', pattern='plain', contrast_sleeves=False, open=False,
                 lower='trousers', bag='none', hat='none', scarf=False, glasses='none', hair='long')
    return replace(base, person=replace(base.person, colors=colors, **{**plain, **looks}),
                   scene=replace(scene, occluder=None), shares=dict.fromkeys(PARTS, shares),
                   seen_colors=dict(seen))


@pytest.mark.parametrize('name, looks, truth', [
    ('red top', dict(colors=dict(upper='red')), True),
    ('red top', dict(colors=dict(upper='blue')), False),
    ('red top', dict(colors=dict(upper='red'), shares=1.), None),          # hidden
    ('white top', dict(colors=dict(upper='white'), seen=dict(upper='gray')), None),  # in the dusk
    ('gray top', dict(colors=dict(upper='white'), seen=dict(upper='gray')), None),
    ('black top', dict(colors=dict(upper='white'), seen=dict(upper='gray')), False),
    ('red top', dict(colors=dict(upper='red'), seen=dict(upper='maroon')), True),   # red, some say
    ('white pants', dict(colors=dict(lower='white'), seen=dict(upper='gray')), True),
    ('black shoes', dict(colors=dict(shoes='brown'), seen=dict(shoes='black')), None),
    ('blonde hair', dict(colors=dict(hair='blonde'), seen=dict(hair='brown')), None),
    ('blonde hair', dict(colors=dict(hair='gray'), seen=dict(hair='blonde')), None),
    ('black hair', dict(colors=dict(hair='black'), seen=dict(hair='dark brown')), True),
    ('red top', dict(colors=dict(upper='maroon')), None),                  # dark red, some say
    ('blue top', dict(colors=dict(upper='dark blue')), None),
    ('dark blue top', dict(colors=dict(upper='blue')), False),
    ('red top', dict(colors=dict(upper='red'), upper='coat'), None),       # a top?
    ('red top', dict(colors=dict(upper='blue'), upper='coat'), False),
    ('red top', dict(colors=dict(upper='blue', accent='red'), pattern='striped'), None),
    ('red top', dict(colors=dict(upper='blue', accent='red')), False),     # no pattern, no accent
    ('red top', dict(colors=dict(upper='blue', inner='red'), upper='jacket', open=True), None),
    ('black pants', dict(colors=dict(lower='black')), True),
    ('black pants', dict(colors=dict(lower='black'), lower='shorts'), None),
    ('black pants', dict(lower='none', upper='dress', colors=dict(lower='black')), False),
    ('backpack', dict(bag='backpack'), True), ('backpack', dict(bag='backpack', shares=1.), None),
    ('backpack', dict(bag='suitcase', shares=1.), False), ('backpack', {}, False),
    ('handbag', dict(bag='shopping bag'), None), ('hat', dict(hat='beanie'), True),
    ('glasses', dict(glasses='sunglasses'), None), ('sunglasses', dict(glasses='none'), False),
    ('scarf', dict(scarf=True), True), ('scarf', dict(scarf=True, shares=0.), None),
    ('glasses', dict(glasses='glasses'), True), ('glasses', dict(glasses='glasses', yaw=1.5), None),
    ('glasses', dict(yaw=1.5), False),                                     # none to be seen
    ('handbag', dict(bag='handbag', bag_side=1, yaw=-1.5), True),
    ('handbag', dict(bag='handbag', bag_side=1, yaw=1.5), None),           # behind the body
    ('t-shirt', dict(upper='jacket', open=True), None),                    # beneath it
    ('t-shirt', dict(upper='jacket'), False), ('sweater', dict(upper='coat', open=True), False),
    ('jacket', dict(upper='coat'), None), ('jeans', dict(lower='leggings'), False),
    ('striped', dict(pattern='striped'), True), ('striped', dict(pattern='plaid'), False),
    ('black hair', dict(hair='bald', colors=dict(hair='black')), False),
    ('black hair', dict(colors=dict(hair='dark brown')), None), ('face mask', {}, False),
])
def test_truth_is_what_can_be_seen(name, looks, truth):
    assert KNOWN[name].truth(picture(**looks)) is truth


def test_every_part_has_a_bound():
    assert set(CLEAR) < set(PARTS)


def test_truth_of_sets_is_that_of_their_attributes(pictures):
    sentences = build_short_sentences(pictures, seed=1)
    people = np.array([one.person_id for one in pictures])
    assert {one['group'] for one in sentences} > {'two attributes', 'three attributes',
                                                  'upper color', 'shoe color', 'bag'}
    for one in sentences[::7]:
        table = truth_table(pictures, [KNOWN[name] for name in one['attributes']])
        slow = [False if 0 in column else None if -1 in column else True
                for column in table.T.tolist()]
        assert one['true'] == [i for i, truth in enumerate(slow) if truth]
        assert one['unsure'] == [i for i, truth in enumerate(slow) if truth is None]
        assert len(set(people[one['true']])) >= 10
        slots = [KNOWN[name].slot for name in one['attributes']]
        assert len(set(slots)) == len(slots)
    # The rare ones are left out, all others asked in every wording.
    asked = Counter(one['attributes'][0] for one in sentences if len(one['attributes']) == 1)
    table = truth_table(pictures, attributes())
    often = {one.name for one, truth in zip(attributes(), table, strict=True)
             if len(set(people[truth == 1])) >= 10}
    assert set(asked) == often and set(asked.values()) == {3} and len(often) < len(attributes())


def test_no_sentence_is_one_of_training(pictures):
    training = set()
    rng = np.random.default_rng(0)
    for version in (1, 2):
        for person_id in range(1, 90):
            person, (shot,) = VERSIONS[version].plan(0, person_id, 1)
            for seed in shot.caption_seeds:
                text = VERSIONS[version].caption(person, shot.scene, seed, 'train').text
                training |= {text.lower().strip(' .'), (shorten(text, rng) or 'x.').lower()[:-1]}
    sentences = {one['sentence'] for one in build_short_sentences(pictures, seed=0)}
    assert not sentences & training
    # The openings too are none of training's.
    assert not {text[:12] for text in training} & {'one on camer', 'is there any'}


def test_wordings_name_person_and_things():
    chosen = [KNOWN['woman'], KNOWN['red top'], KNOWN['handbag']]
    assert [short_sentence(chosen, wording) for wording in range(3)] == [
        'woman with red top and handbag', 'woman on camera with a red top and a handbag',
        'is there any woman to be seen with a red top and a handbag']
    assert short_sentence([KNOWN['orange top']], 1) == 'one on camera with an orange top'
    assert short_sentence([KNOWN['man']], 0) == 'man'


def test_colors_are_named_by_the_pixels_of_their_part(micro_set):
    """Against the nearest of the palette, pixel by pixel and color by color."""
    renamed = Counter()
    for one in islice(read_pictures(micro_set), 12):
        image, parts = render(one.person, one.scene, one.size, with_parts=True)
        for slot, palette in PALETTES.items():
            pixels = [tuple(map(int, image[place])) for place in np.ndindex(parts.shape)
                      if PARTS[parts[place]] == slot]
            if not pixels:
                assert slot not in one.seen_colors
                continue
            middle = np.array([median(channel) for channel in zip(*pixels, strict=True)])
            nearest = min(palette, key=lambda name: sum(
                (rgb_to_lab(middle) - rgb_to_lab(np.array(palette[name]))) ** 2))
            assert one.seen_colors[slot] == nearest
            renamed[nearest == one.person.colors.get(slot)] += 1
    assert renamed[True] > renamed[False] > 0
