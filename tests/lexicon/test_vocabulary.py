"""The words: look-ups, and a lint of the data files that guards every later edit."""

import itertools
import re

import pytest

from mmtbps.lexicon import colors, details, garments, indefinite_article, synonyms
from mmtbps.lexicon.vocabulary import read_table, synonym_groups

FORM = re.compile(r"[a-z0-9]+(?:[-' ][a-z0-9]+)*")
REGIONS = {'upper', 'lower', 'full', 'shoes', 'hat', 'bag', 'accessory'}


@pytest.mark.parametrize(('term', 'base'), [
    ('black', 'black'), ('grey', 'gray'), ('navy blue', 'blue'), ('olive green', 'green'),
    ('maroon', 'red'), ('hot pink', 'pink'), ('khaki', 'beige'), ('off-white', 'white'),
])
def test_colors_lead_to_their_base(term, base):
    assert colors()[term].name == base


@pytest.mark.parametrize(('form', 'singular', 'plural', 'region', 'article'), [
    ('shirts', 'shirt', 'shirts', 'upper', 'a'),
    ('overcoat', 'overcoat', 'overcoats', 'upper', 'an'),
    ('uniform', 'uniform', 'uniforms', 'full', 'a'),
    ('jeans', None, 'jeans', 'lower', None),
    ('clothing', 'clothing', None, 'full', None),
    ('scarves', 'scarf', 'scarves', 'accessory', 'a'),
    ('flip flops', 'flip flop', 'flip flops', 'shoes', 'a'),
])
def test_garments_know_number_region_and_article(form, singular, plural, region, article):
    garment = garments()[form]
    assert (garment.singular, garment.plural, garment.region) == (singular, plural, region)
    assert garment.article == article


@pytest.mark.parametrize(('phrase', 'article'), [
    ('apron', 'an'), ('orange shirt', 'an'), ('umbrella', 'an'), ('unbuttoned coat', 'an'),
    ('hour', 'an'), ('8-year-old', 'an'), ('Elderly man', 'an'), ('x-ray', 'an'),
    ('uniform', 'a'), ('unisex bag', 'a'), ('one-piece suit', 'a'), ('used bag', 'a'),
    ('european man', 'a'), ('hat', 'a'), ('u-neck', 'a'), ('yellow', 'a'), ('', 'a'),
    ('unidentified person', 'an'),
])
def test_article_follows_the_sound(phrase, article):
    assert indefinite_article(phrase) == article


def test_synonyms_keep_the_number():
    assert synonyms('man') == ('guy', 'gentleman')
    assert synonyms('men') == ('guys', 'gentlemen')
    assert synonyms('GREY') == ('gray',)


def test_synonyms_of_unknown_and_fixed_phrases_are_none():
    assert synonyms('lamp') == synonyms('') == synonyms('mirror image') == ()


def test_relation_is_symmetric_and_transitive():
    for group in synonym_groups():
        for term in group:
            assert {term, *synonyms(term)} == set(group)


def test_no_term_has_two_meanings():
    groups = list(synonym_groups())
    terms = list(itertools.chain(*groups, read_table('synonyms')['fixed']))
    assert len(terms) == len(set(terms)), sorted({t for t in terms if terms.count(t) > 1})
    assert all(len(group) > 1 for group in groups)


def test_every_form_is_lower_case_words():
    tables = [colors(), garments(), details(), itertools.chain(*synonym_groups()),
              read_table('synonyms')['fixed']]
    for form in itertools.chain(*tables):
        assert FORM.fullmatch(form), form


def test_no_word_is_listed_twice():
    entries = read_table('garments')
    for kind in entries.values():
        forms = [form for pair in itertools.chain(*kind.values()) for form in pair if form]
        assert len(forms) == len(set(forms)), sorted({f for f in forms if forms.count(f) > 1})
    names = [name for base in read_table('colors')['bases'].values() for name in base['names']]
    assert len(names) == len(set(names))
    assert not set(names) & set(read_table('colors')['bases'])
    assert not set(garments()) & (set(details()) | set(colors()))


def test_regions_and_anchors():
    assert {garment.region for garment in garments().values()} == REGIONS
    assert {noun.region for noun in details().values()} == {'part', 'body'}
    anchors = [color.rgb for color in colors().values()]
    assert all(len(rgb) == 3 and all(0 <= v <= 255 for v in rgb) for rgb in anchors)
    assert len(set(anchors)) == 12


def test_synonyms_never_leave_a_garment_region_or_a_number():
    for group in synonym_groups():
        known = [garments()[term] for term in group if term in garments()]
        assert len({garment.region for garment in known}) <= 1, group
        plural = {term == garments()[term].plural for term in group if term in garments()}
        assert len(plural) <= 1, group


def test_synonyms_never_leave_a_base_color():
    for group in synonym_groups():
        bases = {color.name for term in group for word in [term.split()[-1]]
                 for color in [colors().get(term) or colors().get(word)] if color}
        assert len(bases) <= 1, group
    # General dictionaries offer insults for these two.
    assert synonyms('black') == synonyms('white') == ()


def test_tables_cannot_be_changed_by_a_caller():
    with pytest.raises(TypeError):
        colors()['black'] = None
    with pytest.raises(TypeError):
        garments()['shirt'] = None
