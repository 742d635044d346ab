"""Words and styles of free captions: details, and ways to string facts together.

As in `.wording`, every entry is a pair: the words of training captions, and those of captions of
*unseen wording* alone.
"""

from .wording import Wording

#: Noun phrases of the details, with their color ``{c}``.
DETAIL_NOUNS: dict[str, Wording] = {
    'mask': (('a {c} face mask', 'a {c} mask', 'a {c} surgical mask'), ('a {c} face covering',)),
    'headphones': (('{c} headphones', 'a pair of {c} headphones', '{c} over-ear headphones'),
                   ('a {c} headset',)),
    'gloves': (('{c} gloves', 'a pair of {c} gloves'), ('{c} mittens',)),
    'vest': (('a {c} vest', 'a {c} sleeveless vest', 'a {c} body warmer'), ('a {c} gilet',)),
    'tie': (('a {c} tie', 'a {c} necktie'), ('a {c} cravat',)),
    'belt': (('a {c} belt', 'a {c} waist belt'), ('a {c} strap around the waist',)),
    'stripe': (('a {c} stripe down the {legs}', '{legs} with {c} side stripes',
                'a {c} line along the {legs}'), ('{c} piping on the {legs}',)),
    'socks': (('{c} socks', 'high {c} socks', 'long {c} socks'), ('{c} knee highs',)),
    'umbrella': (('a {c} umbrella', 'a closed {c} umbrella', 'a folded {c} umbrella'),
                 ('a {c} brolly',)),
    'bottle': (('a {c} bottle', 'a {c} water bottle', 'a {c} drink'), ('a {c} flask',)),
}
#: Facts by the verbs that go with them; all others are clothes.
CARRIED = ('bag', 'umbrella', 'bottle')
OF_THE_BODY = ('hair', 'beard', 'stripe')
SMALL = ('glasses', 'hat', 'scarf', 'mask', 'headphones', 'gloves', 'tie', 'belt', 'socks')

#: Ways to open a caption of clauses, each with the person ``{who}``.
OPENINGS: Wording = (
    ('The {who}', 'A {who}', 'This {who}', 'There is a {who} who', 'A person, a {who},',
     'I see a {who} who', 'The person is a {who} who', 'Someone, a {who},'),
    ('We are looking for a {who} who', 'Have you seen a {who} who', 'Reported: a {who} who'))
#: Verbs by what they are said of.
VERBS: dict[str, Wording] = {
    'clothes': (('wears {it}', 'is wearing {it}', 'has {it} on', 'is dressed in {it}',
                 'is in {it}'), ('sports {it}', 'is clad in {it}')),
    'small': (('wears {it}', 'is wearing {it}', 'has {it} on', 'has {it}'),
              ('sports {it}', 'comes with {it}')),
    'body': (('has {it}', 'has {it}', 'shows {it}'), ('is somebody with {it}',)),
    'carried': (('carries {it}', 'is carrying {it}', 'has {it} with {him}', 'is holding {it}'),
                ('is seen with {it}', 'brings {it}')),
    'action': (('is {it}', 'is {it}', 'was filmed {it}'), ('was last seen {it}',)),
}
#: Between clauses.
LINKS: Wording = ((' and ', ', and ', '. {He} ', '. {He} ', '; {he} '),
                  (' and besides ', '. Also, {he} '))
#: Captions without verbs: a list of things after, before or around the person.
LISTS: Wording = (
    ('{who}, {things}', '{who}, {things}', '{who}: {things}', '{things}, {who}',
     'a {who}: {things}'),
    ('wanted: {who}, {things}', '{things} - {who}'))
SEPARATORS = (', ', ', ', ', ', '; ', ' and ')
