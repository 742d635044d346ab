"""Truth of phrases on drawn people: what is worn, what is hidden, what nobody can tell."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from mmtbps.drawing import sample_person, sample_scene
from mmtbps.drawing.phrase_truth import holds, read_person, read_scene
from mmtbps.errors import BadValue
from mmtbps.lexicon import read_sentence


@pytest.fixture
def drawn():
    """A man from behind: striped maroon shirt, jeans, black backpack, cap."""
    rng = np.random.default_rng(0)
    person, scene = sample_person(rng), sample_scene(rng)
    colors = dict(person.colors, upper='maroon', lower='dark blue', shoes='white', bag='black',
                  hat='red', hair='dark brown')
    person = replace(person, gender='man', upper='shirt', pattern='striped', lower='jeans',
                     shoes='sneakers', bag='backpack', hat='cap', glasses='glasses', scarf=False,
                     beard=True, hair='short', open=False, colors=colors)
    pose = replace(scene.pose, yaw=np.pi, view='back')
    return person, replace(scene, pose=pose, occluder=None)


@pytest.mark.parametrize(('phrase', 'truth'), [
    ('red shirt', True), ('maroon shirt', True), ('blue shirt', False), ('red coat', False),
    ('striped shirt', True), ('plaid shirt', False), ('floral shirt', None), ('blue jeans', True),
    ('jeans', True), ('shorts', False), ('white sneakers', True), ('white shoes', True),
    ('boots', False), ('backpack', True), ('black bag', True), ('red backpack', False),
    ('handbag', False), ('suitcase', False), ('cap', True), ('beanie', False), ('red hat', True),
    ('scarf', False), ('glasses', None), ('sunglasses', False), ('beard', None), ('man', True),
    ('lady', False), ('short hair', True), ('long hair', False), ('brown hair', True),
    ('blonde hair', False), ('bald', False), ('umbrella', None), ('no backpack', True),
    ('cream sneakers', None), ('tan sneakers', False), ('beige sneakers', False),
    ('dark shirt', None), ('dark glasses', None)])
def test_a_phrase_is_so_by_what_can_be_seen(drawn, phrase, truth):
    asked, = read_sentence(phrase).phrases
    assert holds(asked, *drawn) is truth


@pytest.mark.parametrize(('phrase', 'looks', 'truth'), [
    ('cream coat', dict(upper='beige'), None), ('light cream coat', dict(upper='white'), None),
    ('cream coat', dict(upper='red'), False), ('tan coat', dict(upper='brown'), None),
    ('tan coat', dict(upper='beige'), True)])
def test_what_lies_between_two_colors_may_be_called_either(drawn, phrase, looks, truth):
    person, scene = drawn
    person = replace(person, upper='coat', colors={**person.colors, **looks})
    assert holds(read_sentence(phrase).phrases[0], person, scene) is truth


@pytest.mark.parametrize(('phrase', 'upper', 'truth'), [
    ('sleeveless shirt', 'tank top', None), ('red sleeveless shirt', 'tank top', None),
    ('sleeveless shirt', 'coat', False), ('hooded jacket', 'hoodie', None),
    ('shirt', 'tank top', False), ('hooded jacket', 'jacket', True)])
def test_a_garment_may_be_called_by_its_cut(drawn, phrase, upper, truth):
    person, scene = drawn
    assert holds(read_sentence(phrase).phrases[0], replace(person, upper=upper), scene) is truth


def test_no_color_of_glasses_is_drawn(drawn):
    person, scene = drawn
    front = replace(scene, pose=replace(scene.pose, yaw=0., view='front'))
    assert holds(read_sentence('red glasses').phrases[0], person, front) is None


def test_a_face_shows_what_a_back_hides(drawn):
    person, scene = drawn
    scene = replace(scene, pose=replace(scene.pose, yaw=0., view='front'))
    for phrase in ('glasses', 'beard'):
        assert holds(read_sentence(phrase).phrases[0], person, scene) is True
        bare = replace(person, glasses='none', beard=False)
        assert holds(read_sentence(phrase).phrases[0], bare, scene) is False


def test_attributes_of_a_file_read_back(drawn):
    person, scene = drawn
    looks = {'colours' if key == 'colors' else key: value for key, value in asdict(person).items()}
    assert read_person(json.loads(json.dumps(looks))).colors == person.colors
    assert read_scene(json.loads(json.dumps(asdict(scene)))) == scene
    with pytest.raises(BadValue, match='version 1'):
        read_scene(dict(asdict(scene), pitch=.2))
