"""Types of garments and patterns: the names, the tables behind them, and their reading."""

import itertools

import pytest

from mmtbps.lexicon import (
    details,
    families,
    family_of,
    garment_type,
    garments,
    names_construction,
    read_attributes,
    split_words,
    unknown_words,
    write_type,
)
from mmtbps.lexicon.attributes import pattern_words, type_names
from mmtbps.lexicon.garment_phrases import is_known_modifier
from mmtbps.lexicon.vocabulary import read_table


@pytest.mark.parametrize('form, type_, plural', [
    ('shirts', 'shirt', True), ('trousers', 'pants', True), ('pant', 'pants', False),
    ('jean', 'jeans', False), ('tee shirts', 't-shirt', True),
    ('hooded sweatshirt', 'hoodie', False),
    ('mini skirt', 'miniskirt', False), ('jean jacket', 'denim jacket', False),
    ('rucksack', 'backpack', False), ('scarves', 'scarf', True), ('slacks', 'dress pants', True)])
def test_all_forms_and_synonyms_lead_to_one_type(form, type_, plural):
    assert type_names()[form] == (type_, plural) and garment_type(form) == type_


@pytest.mark.parametrize('type_, plural, written', [
    ('shirt', True, ('shirts', True)), ('scarf', True, ('scarves', True)),
    ('jeans', False, ('jeans', True)), ('pants', False, ('pants', True)),
    ('denim jacket', True, ('denim jackets', True)), ('glasses', False, ('glasses', True)),
    ('leather jacket', False, ('leather jacket', False))])
def test_a_type_is_written_in_the_number_that_it_has(type_, plural, written):
    assert write_type(type_, plural) == written


def test_types_of_the_table_are_names_and_stand_in_one_kind_only():
    for family in families():
        names = [name for kind in family.kinds for name in kind]
        assert len(set(names)) == len(names)
        for name in {*names, *family.fits_all, *family.add, *itertools.chain(*family.new)}:
            assert type_names()[name].type == name
            assert garments()[name.split()[-1]].region == family.region
        assert len(family.new) == len(family.kinds)
        for names, new in zip(family.kinds, family.new, strict=True):
            assert set(new) <= set(names)
        assert all(family_of(name) is family for name in names)
        assert all(family_of(name) is family for name in family.add)
    kinds = [name for family in families() for kind in family.kinds for name in kind]
    assert len(set(kinds)) == len(kinds)


def test_what_takes_the_place_of_a_type_is_certainly_another():
    for family in families():
        for kind in family.kinds:
            for name in kind:
                others = family.others(name)
                assert not set(others) & (set(kind) | family.fits_all)
                assert all(garment_type(other) != garment_type(name) for other in others)
    assert 'hoodie' in family_of('shirt').others('t-shirt')
    assert 'shorts' not in family_of('jeans').others('jeans')  # they cover less
    assert family_of('dress') is None and family_of('skirt') is None
    assert family_of('hat').others('lamp') == ()


def test_patterns_are_known_words_that_name_one_pattern():
    table, known = read_table('attributes')['patterns'], pattern_words()
    for name, entry in table.items():
        assert {known[word] for word in entry['adjectives']} == {name}
        # What the planner writes must not make a garment doubtful.
        assert all(is_known_modifier(part) for part in entry['adjectives'][0].split())
        assert {known[noun] for noun in entry['nouns']} <= {name}
        assert entry['nouns'][:1] == [noun for noun in entry['nouns'][:1] if noun in details()
                                      or noun.split()[-1] in details()]
        assert is_known_modifier(entry['predicate'])
    for name in read_table('attributes')['patterned_garments']:
        assert type_names()[name].type == name
    for region, words in read_table('attributes')['construction'].items():
        assert len(set(words)) == len(words)
        assert names_construction(split_words(f'It has {words[0]}.'), region)
    assert not names_construction(split_words('A hat with a brim.'), 'hat')


@pytest.mark.parametrize('caption, items', [
    ('A striped red polo shirt.', [('polo shirt', ('red',), ('striped',))]),
    ('A red, striped shirt.', [('shirt', ('red',), ('striped',))]),
    ('His shirt is striped.', [('shirt', (), ('striped',))]),
    ('His shirt is blue and striped.', [('shirt', ('blue',), ('striped',))]),
    ('A red shirt with white stripes, blue jeans.',
     [('shirt', ('red',), ('striped',)), ('jeans', ('blue',), ())]),
    ('A blue floral print dress.', [('dress', ('blue',), ('floral',))]),
    ('A striped plaid tie.', [('tie', (), ('striped', 'plaid'))]),
    ('A man in gray track suit pants.', [('pants', ('gray',), ())]),
    ('A graphic tee.', [('t-shirt', (), ('',))])])
def test_types_and_patterns_of_a_caption(caption, items):
    reading = read_attributes(caption)
    assert [(i.type, i.bases, i.pattern_names) for i in reading.items] == items
    assert reading.loose == ()


@pytest.mark.parametrize('caption', [
    'A shirt with stripes on the sleeves.', 'A shirt, striped and red.', 'She checked her phone.',
    'A shirt with a print.', 'Stripes all over.', 'A man in a shirt and stripes.'])
def test_patterns_of_nothing_that_is_known(caption):
    reading = read_attributes(caption)
    assert reading.loose and not any(item.patterns for item in reading.items)


@pytest.mark.parametrize('caption, words', [
    ('The man is walking down the street, looking at his phone.', []),
    ("A woman's hair is tied back.", []), ('A man in a kurta.', ['kurta']),
    ('A guy in a fedora and a dhoti', ['fedora', 'dhoti']), ('', [])])
def test_words_that_may_be_the_name_of_a_garment(caption, words):
    assert unknown_words(split_words(caption)) == words
