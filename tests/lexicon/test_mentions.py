"""The phrase grammar against captions read by hand."""

import pytest

from mmtbps.lexicon import find_color_mentions, protected_spans

# caption -> (colour words, noun, basic colours) of each mention
READ_BY_HAND = [
    ('The man is wearing a dark blue shirt, grey pants and white sneakers.',
     [('dark blue', 'shirt', ('blue',)), ('grey', 'pants', ('gray',)),
      ('white', 'sneakers', ('white',))]),
    ('A woman with long black hair wears a light-gray sweater.',
     [('black', 'hair', ('black',)), ('light-gray', 'sweater', ('gray',))]),
    ('a red and white striped t-shirt, a pair of black leggings',
     [('red and white', 't-shirt', ('red', 'white')), ('black', 'leggings', ('black',))]),
    ('red, white and dark blue plaid shirt',
     [('red, white and dark blue', 'shirt', ('red', 'white', 'blue'))]),
    ('a navy blue backpack, a Red coat, and olive green cargo shorts.',
     [('navy blue', 'backpack', ('blue',)), ('Red', 'coat', ('red',)),
      ('olive green', 'shorts', ('green',))]),
    ('His shirt is orange and his trousers are brown.',
     [('orange', 'shirt', ('orange',)), ('brown', 'trousers', ('brown',))]),
    ('a yellow, short sleeved top with black shorts',
     [('yellow', 'top', ('yellow',)), ('black', 'shorts', ('black',))]),
    ('a layered red hoodie over a shredded grey tee-shirt',
     [('red', 'hoodie', ('red',)), ('grey', 'tee-shirt', ('gray',))]),
    ('a black-and-white blouse', [('black-and-white', 'blouse', ('black', 'white'))]),
    ('a long sleeve purple button up shirt with tan khakis',
     [('purple', 'shirt', ('purple',)), ('tan', 'khakis', ('beige',))]),
    ('a bright green colored dress and silver heels',
     [('bright green colored', 'dress', ('green',)), ('silver', 'heels', ('gray',))]),
    ('dark-colored pants', [('dark-colored', 'pants', ())]),
    ('very dark jeans', [('very dark', 'jeans', ())]),
    ('The pants are long and dark gray', [('dark gray', 'pants', ('gray',))]),
    ('a coat which is dark green and high heel black boots',
     [('dark green', 'coat', ('green',)), ('black', 'boots', ('black',))]),
    ('shoes that appear to be white', [('white', 'shoes', ('white',))]),
    ('his shirt is red and blue jeans', [('red', 'shirt', ('red',)), ('blue', 'jeans', ('blue',))]),
    ('shoes are red, shirt is blue', [('red', 'shoes', ('red',)), ('blue', 'shirt', ('blue',))]),
    ('dressed in red, jeans and a hat', [('red', None, ('red',))]),
    ('a coat in black, a bag in red', [('black', 'coat', ('black',)), ('red', 'bag', ('red',))]),
    ('a pink/purple handbag', [('pink/purple', 'handbag', ('pink', 'purple'))]),
    ('black lace up boots', [('black', 'boots', ('black',))]),
    ('the top is a white tank top', [('white', 'tank top', ('white',))]),
    ('A man in black walks past a white car', [('black', None, ('black',)),
                                               ('white', None, ('white',))]),
    ('blonde hair', [('blonde', 'hair', ())]),
    ('a shredded layered tired hundred', []),
    ('a very old shirt', []),
    ('', []),
]


@pytest.mark.parametrize(('caption', 'expected'), READ_BY_HAND)
def test_mentions_read_by_hand(caption, expected):
    mentions = find_color_mentions(caption)
    assert [(caption[slice(*m.color)], m.noun, m.bases) for m in mentions] == expected


def test_a_mention_knows_its_region_and_direction():
    before, after = find_color_mentions('A red coat; the shoes are white.')
    assert (before.region, before.predicative) == ('upper', False)
    assert (after.region, after.predicative) == ('shoes', True)


@pytest.mark.parametrize(('caption', 'expected'), [
    ('A dark blue t-shirt with long sleeves.', ['dark blue t-shirt']),
    ('black and white striped shirt', ['black and white striped shirt']),
    ('The shirt is red.', ['shirt is red']),
    ('a red, knee-length dress', ['red, knee-length dress']),
    ('white cell phone in hand', ['white cell phone']),
    ('She has no hat and a bag.', ['has no hat']),
    ('He is not wearing a hat or glasses and walks.', ['is not wearing a hat or glasses']),
    ('without a bag', ['without a bag']),
    ("She doesn't have a backpack with her.", ["doesn't have a backpack"]),
    ('She doesn’t have a backpack.', ['doesn’t have a backpack']),
    ('His shoes are not visible.', ['shoes are not visible']),
    ('no visible logo, but a bag', ['no visible logo']),
    ('not wearing a red hat', ['not wearing a red hat']),
    ('pants are not black', ['pants are not black']),
    ('nothing in the', ['nothing']),
    ('no', ['no']),
    ('A tall man walks on a street.', []),
    ('a notable knot', []),
])
def test_protected_spans_read_by_hand(caption, expected):
    assert [caption[start:end] for start, end in protected_spans(caption)] == expected


def test_spans_are_sorted_disjoint_and_end_at_words():
    for caption, _ in READ_BY_HAND:
        spans = protected_spans(caption)
        flat = [position for span in spans for position in span]
        assert flat == sorted(flat)
        for start, end in spans:
            assert caption[start].isalnum() and caption[end - 1].isalnum()
            assert not caption[start - 1:start].isalnum() and not caption[end:end + 1].isalnum()
