"""The colour switch: which captions change, how they read, and that they stay true."""

import numpy as np
import pytest
from PIL import Image

from mmtbps.drawing.captions import caption as drawn_caption
from mmtbps.drawing.person import sample_person, sample_scene
from mmtbps.generation.planning.planner import ColorSwitchPlanner
from mmtbps.lexicon import find_color_mentions
from mmtbps.lexicon.color_switching import (
    PAPER_COLORS,
    PAPER_GARMENTS,
    ColorSwitcher,
    base_colors,
    color_distance,
    garment_name,
)
from mmtbps.records import PairRecord


def switched(captions, noun, new, **kwargs):
    """The target captions and kept indices of one chosen edit; ``None`` if there is none."""
    switcher = ColorSwitcher(**kwargs)
    for target, color in switcher.options(captions):
        if target.noun == noun and color == new:
            return switcher.apply(captions, target, color)
    return None


@pytest.mark.parametrize('before, noun, new, after', [
    ('The man wears a dark blue shirt.', 'shirt', 'red', 'The man wears a red shirt.'),
    ('A light-gray sweater.', 'sweater', 'red', 'A red sweater.'),
    ('An orange top and a bag.', 'top', 'blue', 'A blue top and a bag.'),
    ('A red top and a bag.', 'top', 'orange', 'An orange top and a bag.'),
    ('She has a red coat.', 'coat', 'orange', 'She has an orange coat.'),
    ('His shirt is red.', 'shirt', 'orange', 'His shirt is orange.'),
    ("The man's pants are dark gray in color.", 'pant', 'red',
     "The man's pants are red in color."),
    ('A coat which is dark green.', 'coat', 'red', 'A coat which is red.'),
    ('A coat in black.', 'coat', 'green', 'A coat in green.'),
    ('Red shirts.', 'shirt', 'blue', 'Blue shirts.'),
    ('RED SHIRT.', 'shirt', 'blue', 'BLUE SHIRT.'),
    ('Red  Jacket,blue jeans', 'jacket', 'green', 'Green  Jacket,blue jeans'),
    ('A bright green colored dress and silver heels.', 'dress', 'red',
     'A red dress and silver heels.'),
    ('A navy blue coat; the coat is navy.', 'coat', 'red', 'A red coat; the coat is red.'),
    ('A pair of very dark brown pants.', 'pant', 'green', 'A pair of green pants.'),
    ('A yellow, short sleeved top.', 'top', 'red', 'A red, short sleeved top.'),
    ('A grey-colored hoodie', 'hoodie', 'red', 'A red hoodie'),
    ('A layered red hoodie on a shredded tee-shirt.', 'hoodie', 'blue',
     'A layered blue hoodie on a shredded tee-shirt.'),
])
def test_one_caption_reads_well(before, noun, new, after):
    edit = switched([before], noun, new)
    assert edit.target_captions == (after,)
    for place in edit.replacements:
        assert after[slice(*place.target)].lower() == new
        assert new in after[slice(*place.target_phrase)].lower()


@pytest.mark.parametrize('captions, noun, new, after, kept', [
    # Every caption that names the garment changes.
    (['A red shirt.', 'The shirt is dark red.'], 'shirt', 'blue',
     ('A blue shirt.', 'The shirt is blue.'), (0, 1)),
    # The only garment there, by another word.
    (['A red shirt, black jeans.', 'Black jeans, a maroon top.'], 'shirt', 'blue',
     ('A blue shirt, black jeans.', 'Black jeans, a blue top.'), (0, 1)),
    # The second one sees another colour: it would contradict.
    (['A red shirt.', 'An orange shirt.'], 'shirt', 'blue', ('A blue shirt.',), (0,)),
    (['An orange top.', 'A red shirt.'], 'shirt', 'blue', ('A blue shirt.',), (1,)),
    # Silent about it: stays true.
    (['A red shirt.', 'He walks away.'], 'shirt', 'blue', ('A blue shirt.', 'He walks away.'),
     (0, 1)),
    # The jacket of the first is the jacket of the second.
    (['A red shirt under a gray jacket.', 'A gray jacket.'], 'shirt', 'blue',
     ('A blue shirt under a gray jacket.', 'A gray jacket.'), (0, 1)),
    # Two garments may be meant, so the other word is not understood.
    (['A red shirt under a gray jacket.', 'A red top.'], 'shirt', 'blue',
     ('A blue shirt under a gray jacket.',), (0,)),
    # Two colours, or one and a shade, for the same garment.
    (['A red shirt.', 'A red and white shirt.'], 'shirt', 'blue', ('A blue shirt.',), (0,)),
    (['Blue jeans.', 'Dark jeans.'], 'jeans', 'red', ('Red jeans.',), (0,)),
    # The red may be the shirt.
    (['A red shirt.', 'A man in red.'], 'shirt', 'blue', ('A blue shirt.',), (0,)),
    # A bag keeps its colour.
    (['A red shirt and a red bag.'], 'shirt', 'blue', ('A blue shirt and a red bag.',), (0,)),
])
def test_the_captions_of_an_image_agree(captions, noun, new, after, kept):
    edit = switched(captions, noun, new)
    assert (edit.target_captions, edit.kept) == (after, kept)
    assert edit.source_captions == tuple(captions[i] for i in kept)


@pytest.mark.parametrize('caption', [
    'A man walks away.', '', 'A man with black hair and a red bag.', 'A red and white shirt.',
    'A striped orange and dark shirt.', 'A multicolored shirt.', 'Dark jeans.',
    'A red shirt with a red collar.', 'A red jacket over a red shirt.',
    'A red shirt, the shirt is bright.',
])
def test_nothing_is_changed_that_could_become_false(caption):
    assert ColorSwitcher().switch([caption], np.random.default_rng(0)) == []


def test_the_new_color_is_free_and_far():
    captions = ['A red shirt, black pants.', 'A blue bag, gray shoes, a white car.']
    new = {color for target, color in ColorSwitcher().options(captions) if target.noun == 'shirt'}
    assert not new & {'red', 'black', 'blue', 'gray', 'white'}
    assert new and all(color_distance(color, 'red') >= 30 for color in new)
    wide = {c for _, c in ColorSwitcher(min_distance=90).options(captions)}
    assert wide < {c for _, c in ColorSwitcher().options(captions)}


def test_lab_distance_of_known_colors():
    # CIE76 of sRGB (190, 30, 40) and (40, 70, 170), computed by hand from the definition.
    def lab(rgb):
        lin = [v / 12.92 if v <= .04045 else ((v + .055) / 1.055) ** 2.4
               for v in (c / 255 for c in rgb)]
        x = (.4124564 * lin[0] + .3575761 * lin[1] + .1804375 * lin[2]) / .95047
        y = .2126729 * lin[0] + .7151522 * lin[1] + .0721750 * lin[2]
        z = (.0193339 * lin[0] + .1191920 * lin[1] + .9503041 * lin[2]) / 1.08883
        f = [v ** (1 / 3) if v > 216 / 24389 else (24389 / 27 * v + 16) / 116 for v in (x, y, z)]
        return 116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])

    expected = sum((a - b) ** 2 for a, b in zip(lab((190, 30, 40)), lab((40, 70, 170)),
                                                strict=True)) ** .5
    assert color_distance('red', 'blue') == pytest.approx(expected, abs=.01)


def drawn_images(count):
    for seed in range(count):
        rng = np.random.default_rng((5, seed))
        person, scene = sample_person(rng), sample_scene(rng)
        yield [drawn_caption(person, scene, s) for s in range(2)]


def test_only_the_spans_and_articles_change():
    """Property: outside the spans the text is equal; found again, the colour is the new one."""
    checked = 0
    for seed, captions in enumerate(drawn_images(150)):
        rng = np.random.default_rng(seed)
        for edit in ColorSwitcher().switch(captions, rng, count=3):
            for i, (before, after) in enumerate(zip(edit.source_captions, edit.target_captions,
                                                    strict=True)):
                places = [place for place in edit.replacements if place.caption == i]
                assert skeleton(before, [p.source for p in places]) == skeleton(
                    after, [p.target for p in places])
                for place in places:
                    found, = (m for m in find_color_mentions(after) if m.color == place.target)
                    assert found.bases == (edit.new_color,) and found.span == place.target_phrase
                assert not any(m.noun and garment_name(m.noun) == edit.noun
                               and edit.old_color in m.bases for m in find_color_mentions(after))
            checked += 1
    assert checked > 300


def skeleton(caption, spans):
    """The caption with every span as X, and articles alike."""
    for start, end in sorted(spans, reverse=True):
        caption = f'{caption[:start]}X{caption[end:]}'
    for article in ('an X', 'a X'):
        caption = caption.replace(f' {article}', ' @ X').replace(article.capitalize(), '@ X')
    return caption


def test_the_same_rng_makes_the_same_edits():
    captions = next(drawn_images(1))
    runs = [ColorSwitcher().switch(captions, np.random.default_rng(4), 3) for _ in range(2)]
    assert runs[0] == runs[1] and len({e.target_captions for e in runs[0]}) == 3


def test_long_captions_are_dropped():
    def count(caption):
        return len(caption.split()) + 2

    captions = ['A red shirt ' + 'and so on ' * 30, 'A red shirt.']
    assert switched(captions, 'shirt', 'blue', count_tokens=count).kept == (1,)
    assert switched(captions[:1], 'shirt', 'blue', count_tokens=count) is None
    assert switched(captions, 'shirt', 'blue', count_tokens=count, max_tokens=200).kept == (0, 1)
    # A new colour may be longer than the old one.
    assert switched(['A red shirt.'], 'shirt', 'orange', count_tokens=len, max_tokens=12) is None


def test_the_papers_rule():
    switcher = ColorSwitcher(mode='paper')
    captions = ['He is in a dark blue shirt and a red coat.', 'A blue shirt.']
    edits = switcher.switch(captions, np.random.default_rng(0), count=20)
    assert {e.target_captions[0] for e in edits} == {
        f'He is in a dark {color} shirt and a red coat.'
        for color in PAPER_COLORS if color != 'blue'}
    assert all(e.kept == (0,) and e.old_color == 'blue' for e in edits)
    assert len(PAPER_COLORS) == 10 and len(PAPER_GARMENTS) == 20
    assert {e.new_color for e in edits} <= set(base_colors())


@pytest.mark.parametrize('caption, after', [
    ('Blue jeans, a black shirt and a red coat.', 'Blue jeans, a black shirt and a @ coat.'),
    ('A red and white shirt.', 'A red and @ shirt.'),  # the last colour of the phrase
    ('A Red shirt, red pants.', 'A Red shirt, @ pants.'),  # spelling counts
    ('A shirt that is red.', None), ('Gray pants.', None), ('A navy blouse.', None),
    ('a red shirt ' + 'and so on ' * 30, None),  # too many words
])
def test_the_papers_rule_on_one_caption(caption, after):
    edits = ColorSwitcher(mode='paper').switch([caption], np.random.default_rng(1))
    for edit in edits:
        new = edit.target_captions[0][slice(*edit.replacements[0].target)]
        assert edit.target_captions[0] == after.replace('@', new)
    assert bool(edits) == (after is not None)


@pytest.mark.parametrize('kwargs', [dict(mode='colour'), dict(regions=['shoes']),
                                    dict(regions='upper'), dict(regions=[])])
def test_wrong_settings_are_named(kwargs):
    with pytest.raises(ValueError, match=next(iter(kwargs))):
        ColorSwitcher(**kwargs)


def test_spans_fit_the_editors_request():
    record = PairRecord('1.jpg', ('He has an orange bag.', 'A red coat, a man.', 'The coat is red'),
                        3, 'train')
    for job in ColorSwitchPlanner(edits_per_image=5).plan([record], 'x'):
        request = job.request('ab', Image.new('RGB', (8, 24)), 1)
        assert request.source_caption[slice(*request.source_span)] == 'red'
        assert request.target_caption[slice(*request.target_span)] == request.new_color
        assert request.source_caption[slice(*request.phrase_span)] == 'red coat'
        assert request.target_caption[slice(*request.target_phrase_span)] == (
            f'{request.new_color} coat')
        assert request.old_color == 'red' and request.noun == 'coat'
