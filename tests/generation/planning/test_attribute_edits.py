"""Edits of attributes: what may change into what, and that all else reads as before."""

import re
from collections import Counter

import numpy as np
import pytest
from test_attributes_read_by_hand import CASES

from mmtbps.drawing.captions import caption as drawn_caption
from mmtbps.drawing.person import sample_person, sample_scene
from mmtbps.generation.planning import AttributeEdit, AttributeSwitcher
from mmtbps.generation.planning.attribute_change import AttributeChange
from mmtbps.generation.planning.attribute_edits import instruct
from mmtbps.lexicon import find_color_mentions, garments, read_caption

#: Marks without a word before them, and words after which no sentence ends.
DANGLING = re.compile(r" [.,;!]|,[.,;]|,$|(?:\b(?:and|with|wearing|an?|the|while|who|along|by|is)"
                      r"|'s)(?:[.,;]|$)")
KEEP = 'the person, the pose, the face, all other clothes and the background exactly the same.'


def drawn_images(count):
    for seed in range(count):
        rng = np.random.default_rng((7, seed))
        person, scene = sample_person(rng), sample_scene(rng)
        yield [drawn_caption(person, scene, s) for s in range(2)]


def every_edit(images):
    """Every edit that may be made of some images; of the many new things one each."""
    for captions in images:
        switcher, seen = AttributeSwitcher(), Counter()
        for change in switcher.options(captions):
            thing = change.kind, change.noun, change.old, bool(change.new)
            edit = switcher.apply(captions, change) if seen[thing] < 2 else None
            if edit is not None:
                seen[thing] += 1
                yield edit


def all_images():
    return [case['captions'] for case in CASES] + list(drawn_images(12))


@pytest.fixture(scope='module')
def edits():
    found = list(every_edit(all_images()))
    assert len(found) > 600 and {edit.kind for edit in found} == {
        'garment', 'pattern', 'accessory'}
    return found


def colors_of(caption, edit):
    """Colours of all that the edit leaves alone, by the regions that the lexicon gives."""
    return Counter((m.region, m.bases) for m in find_color_mentions(caption)
                   if not (edit.kind == 'accessory' and m.region == edit.region)
                   and not (edit.kind == 'pattern' and m.region == 'part'))


def test_colors_and_other_garments_read_back_the_same(edits):
    for edit in edits:
        for before, after in zip(edit.source_captions, edit.target_captions, strict=True):
            assert colors_of(before, edit) == colors_of(after, edit), (before, after)
            others = [Counter((g.noun, g.doubt) for g in read_caption(text).garments
                              if g.region != edit.region) for text in (before, after)]
            assert others[0] == others[1], (before, after)


def test_only_what_was_asked_is_added_or_gone(edits):
    allowed = set('a an pair of is are plain print and'.split())
    for edit in edits:
        for before, after in zip(edit.source_captions, edit.target_captions, strict=True):
            old, new = (Counter(re.findall(r"[\w'-]+", text.lower())) for text in (before, after))
            added, gone = set(new - old), set(old - new)
            if edit.kind == 'accessory':
                assert edit.old.startswith('no ') or not added - {
                    *edit.new.split(), *allowed}, (before, after)
                assert not (edit.old.startswith('no ') and gone), (before, after)
            else:
                assert not added - {*edit.new.split(), *allowed, 'dots', 'flowers', 'stripes',
                                    'polka-dotted', *(f'{edit.new}s',)}, (before, after)
                assert len(gone) < 6


def test_sentences_are_whole(edits):
    """Articles fit what follows, and no blank, comma or capital is left over."""
    for edit in edits:
        for before, after in zip(edit.source_captions, edit.target_captions, strict=True):
            assert after == after.strip() and '  ' not in after
            assert not DANGLING.search(after), after
            assert not re.search(r'\ba (?=[aeio])|\ban (?=[^aeiouh])', after.lower()), after
            assert before[:1].isupper() == after[:1].isupper()
            assert before[-1:] == after[-1:] or before[-1:].isalnum()
            assert before.isupper() == after.isupper()


def test_at_least_one_caption_says_it_and_none_is_doubtful(edits):
    for edit in edits:
        assert edit.source_captions != edit.target_captions
        assert len(edit.kept) == len(edit.source_captions) == len(edit.target_captions)
        assert all(read_caption(text).doubt is None for text in edit.target_captions)
        said = edit.new.split()[-1][:4]   # "striped" and "stripes", "floral" and "flowers"
        if not edit.new.startswith('no '):
            assert any(said in text.lower().replace('flow', 'flor')
                       for text in edit.target_captions), edit


def test_choices_are_those_of_the_generator_and_take_turns():
    captions = ['A man in a red shirt, blue jeans and a hat.']
    edits = AttributeSwitcher().switch(captions, np.random.default_rng(3), count=6)
    assert edits == AttributeSwitcher().switch(captions, np.random.default_rng(3), count=6)
    assert edits != AttributeSwitcher().switch(captions, np.random.default_rng(4), count=6)
    assert [Counter(edit.kind for edit in edits[:n]) for n in (3, 6)] == [
        Counter(garment=n, pattern=n, accessory=n) for n in (1, 2)]
    does = [(edit.old[:3] == 'no ', edit.new[:3] == 'no ') for edit in AttributeSwitcher(
        ['accessory']).switch(captions, np.random.default_rng(3), count=3)]
    assert len(set(does)) == 3


def test_only_the_kinds_and_regions_asked_for():
    captions = ['A man in a red shirt, blue jeans, black sneakers and a hat.']
    for kinds, regions, nouns in ((['garment'], ['lower'], {'jeans'}),
                                  (['garment'], ['shoes'], {'sneakers'}),
                                  (['pattern'], ['upper', 'lower', 'hat'], {'shirt'})):
        options = AttributeSwitcher(kinds, regions).options(captions)
        assert {change.noun for change in options} == nouns
    assert 'sneakers' not in {c.noun for c in AttributeSwitcher().options(captions)}


@pytest.mark.parametrize('name, value', [
    ('kinds', ['color']), ('kinds', 'garment'), ('kinds', []), ('regions', ['body']),
    ('regions', 'upper')])
def test_wrong_settings(name, value):
    with pytest.raises(ValueError, match=f'{name} must be a list out of'):
        AttributeSwitcher(**{name: value})


def test_captions_that_a_text_encoder_would_cut_are_left_out():
    captions = ['A man in a red shirt.', 'A man in a red shirt who is walking down the street.']
    switcher = AttributeSwitcher(['garment'], count_tokens=lambda text: len(text.split()),
                                 max_tokens=6)
    edit, = switcher.switch(captions, np.random.default_rng(0))
    assert edit.kept == (0,)


@pytest.mark.parametrize('change, start', [
    (('garment', 'upper', 'shirt', 'shirt', 'hoodie'),
     f'Change the shirt into a hoodie. Keep the color and the pattern, {KEEP}'),
    (('garment', 'lower', 'pants', 'pants', 'jeans'), 'Change the pants into jeans. Keep'),
    (('garment', 'shoes', 'sneakers', 'sneakers', 'loafer'),
     'Change the sneakers into loafers. Keep'),
    (('pattern', 'upper', 'shirt', 'plain', 'striped'),
     f'Give the shirt a striped pattern. Keep the color, {KEEP}'),
    (('pattern', 'upper', 'shirt', 'striped', 'plain'),
     'Remove the striped pattern of the shirt and leave it plain. Keep'),
    (('pattern', 'upper', 'shirt', 'striped', 'plaid'),
     'Change the striped pattern of the shirt into a plaid one. Keep'),
    (('accessory', 'accessory', 'umbrella', '', 'umbrella'),
     f'Add an umbrella to the person. Keep {KEEP.replace("other ", "")}'),
    (('accessory', 'accessory', 'glasses', '', 'glasses'), 'Add glasses to the person. Keep'),
    (('accessory', 'hat', 'hat', 'hat', ''), 'Remove the hat. Keep'),
    (('accessory', 'bag', 'bag', 'bag', 'backpack'),
     'Change the bag into a backpack of the same color. Keep')])
def test_an_editor_is_told_what_to_change_and_what_to_keep(change, start):
    assert instruct(AttributeChange(*change)).startswith(start)


def test_an_edit_says_its_words():
    change = AttributeChange('accessory', 'hat', 'hat', 'hat', '')
    assert AttributeSwitcher().apply(['He walks.', 'A man with a hat walks.'], change) == (
        AttributeEdit('accessory', 'hat', 'hat', 'hat', 'no hat', instruct(change), (0, 1),
                      ('He walks.', 'A man with a hat walks.'), ('He walks.', 'A man walks.')))
    assert AttributeSwitcher().apply(['He walks.'], change) is None


def test_clothes_of_women_are_not_given_to_men():
    for captions, expected in ((['A man in a sweater and shorts.'], set()),
                               (['His sweater is red. He wears shorts.'], set()),
                               (['A woman in a sweater and shorts.'], {'blouse', 'miniskirt'}),
                               (['A person in a sweater and shorts.'], {'blouse', 'miniskirt'})):
        new = {change.new for change in AttributeSwitcher(['garment']).options(captions)}
        assert new & {'blouse', 'miniskirt'} == expected


def test_a_type_that_a_caption_names_already_is_not_made_of_another():
    captions = ['A man in a shirt under a jacket and jeans.', 'He wears a blazer and sweatpants.']
    options = AttributeSwitcher(['garment']).options(captions)
    assert {c.new for c in options if c.noun == 'jeans'} == {'dress pants'}
    assert 'blazer' not in {c.new for c in options}
    assert all(garments()[c.new.split()[-1]].region == c.region for c in options)


@pytest.mark.parametrize('captions, seen', [
    (['A man in a coat.'], True), (['A man in a coat is walking away.'], False),
    (['A man in a coat.', 'He is seen from behind.'], False)])
def test_glasses_are_not_put_on_a_face_that_is_not_seen(captions, seen):
    new = {change.new for change in AttributeSwitcher(['accessory']).options(captions)}
    assert new >= {'backpack', 'hat'} and ('glasses' in new) is ('mask' in new) is seen
