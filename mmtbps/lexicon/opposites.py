"""Opposites of a phrase: the other answers to the question that it answers."""

from .asked_phrases import AskedPhrase
from .attributes import family_of, garment_type
from .body_phrases import gender_of
from .color_distance import base_colors, colors_beside
from .vocabulary import indefinite_article, read_table

__all__ = ['NOBODY', 'opposites_of', 'other_hair', 'other_types', 'types_by_cut',
           'word_phrase']

#: What is true of everybody; of somebody without a thing no sentence of a model's training speaks.
NOBODY = ('a person', 'a pedestrian')
#: What everybody wears.
_ALL_WEAR = frozenset({'clothes', 'clothing', 'outfit', 'shoe', 'footwear'})
_PATTERNS = ('plain', 'striped', 'plaid', 'floral', 'polka dot')


def word_phrase(phrase: AskedPhrase | str) -> str:
    """Word a phrase, or the text of one, with its article, as a caption would say it.

    >>> word_phrase('orange coat'), word_phrase('blue jeans'), word_phrase('blonde hair')
    ('an orange coat', 'blue jeans', 'blonde hair')
    """
    text = phrase if isinstance(phrase, str) else phrase.text
    last = text.split()[-1].lower()
    plural = last.endswith('s') and not last.endswith(('ss', 'us'))
    counted = not plural and 'hair' not in text.split() and last not in (
        'luggage', 'baggage', 'footwear', 'clothing', 'ponytail', 'bun', 'braid')
    return f'{indefinite_article(text)} {text}' if counted else text


def opposites_of(phrase: AskedPhrase) -> tuple[str, ...]:
    """List texts of which one holds where a phrase does not; none where nothing is known.

    A color has the other colors of the same thing, except those it lies beside; a pattern has the
    other patterns, a garment other garments of its place, hair other lengths and colors, a gender
    the other. A thing that a person may do without has, beside its other colors, what is true of
    everybody (`NOBODY`): that a person has *no* bag is in no caption, so a model cannot know how
    that is said.

    >>> from mmtbps.lexicon.asked_phrases import read_sentence
    >>> opposites_of(read_sentence('a man with long hair').phrases[1])
    ('short hair', 'bald head')
    >>> opposites_of(read_sentence('red coat').phrases[0])[:3]
    ('black coat', 'white coat', 'gray coat')
    """
    if phrase.kind == 'gender':
        return (_other_gender(phrase.noun),)
    if phrase.kind == 'beard':
        return NOBODY
    if phrase.kind == 'hair':
        return _write_other_hair(phrase)
    others = [_text(phrase, color=color) for color in _other_colors(phrase)]
    if phrase.pattern:
        others += [_text(phrase, pattern=pattern) for pattern in _PATTERNS
                   if pattern != phrase.pattern]
    if phrase.negated and not others and (phrase.modifiers or phrase.stuff):
        return ()  # "no logo shirt": who wears another shirt is not meant
    if phrase.kind == 'accessory':
        return (*others, *NOBODY)
    if phrase.color and not others:
        return ()  # "a bright coat": of no basic color
    return tuple(others) or other_types(phrase)


def _text(phrase: AskedPhrase, color: str | None = None, pattern: str | None = None) -> str:
    return phrase._replace(color=phrase.color if color is None else color,
                           pattern=phrase.pattern if pattern is None else pattern).in_words()


def _other_colors(phrase: AskedPhrase) -> list[str]:
    if not phrase.bases:
        return read_table('asked')['other_tones'].get(phrase.color.lower(), [])
    beside = colors_beside(phrase.color.lower())
    return [name for name in base_colors() if name not in phrase.bases and name not in beside]


def other_types(phrase: AskedPhrase) -> tuple[str, ...]:
    """List other garments of the place of one, none that it may be called as well.

    >>> from mmtbps.lexicon.asked_phrases import read_sentence
    >>> other_types(read_sentence('a hoodie').phrases[0])
    ('shirt', 't-shirt', 'coat', 'tank top', 'dress')
    """
    table, family = read_table('asked'), family_of(phrase.name)
    names = {phrase.name, garment_type(phrase.name.split()[-1])}
    alike = set(names)
    if family is not None:
        names |= family.fits_all
        alike |= family.fits_all | set(family.kinds[family.kind_of(phrase.name)])
    for name in names:  # who may call a windbreaker a jacket may call it a coat
        if name != 'top' or phrase.name == 'top':  # anything at all may be called a top
            alike |= {*table['not_other'].get(name, ())}
    alike |= types_by_cut(phrase)
    if phrase.name in _ALL_WEAR:
        return ()
    return tuple(name for name in table['other_types'].get(phrase.region, ())
                 if garment_type(name) not in alike)


def types_by_cut(phrase: AskedPhrase) -> frozenset[str]:
    """Return the types that a garment may be of by its cut.

    >>> from mmtbps.lexicon.asked_phrases import read_sentence
    >>> types_by_cut(read_sentence('a sleeveless shirt').phrases[0])
    frozenset({'tank top'})
    """
    words = f'{phrase.modifiers} {phrase.stuff}'.lower().split()
    return frozenset(name for word in words
                     for name in read_table('asked')['not_other_with'].get(word, ()))


def other_hair(phrase: AskedPhrase) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """List the styles and the colors that hair of a phrase has not.

    >>> from mmtbps.lexicon.asked_phrases import read_sentence
    >>> other_hair(read_sentence('long hair').phrases[0])
    (('short', 'bald'), ())
    """
    table = read_table('asked')
    return (tuple(table['hair_other_styles'].get(phrase.style, ())),
            tuple(table['hair_other_colors'].get(phrase.color, ())))


def _write_other_hair(phrase: AskedPhrase) -> tuple[str, ...]:
    written = read_table('asked')['hair_written']
    styles, shades = other_hair(phrase)

    def write(style: str, color: str) -> str:
        return ' '.join(written[style].replace('{c}', color).split())
    return (*(write(phrase.style, color) for color in shades),
            *(write(style, phrase.color) for style in styles))


def _other_gender(noun: str) -> str:
    other = read_table('asked')['genders'].get(noun)
    return other or ('woman' if gender_of(noun) == 'man' else 'man')
