"""Words and sentence frames of the captions.

Every entry is a pair: the words of training captions, and those of captions of *unseen wording*
alone. In a frame ``(a|b)`` is a choice, ``{slot}`` is filled in, and ``[...]`` is left out when
one of its slots is empty. Articles are written ``a``; :mod:`.captions` makes them ``an``.
"""

Wording = tuple[tuple[str, ...], tuple[str, ...]]

#: Names of a color; a word that stands twice is twice as likely.
COLOR_WORDS: dict[str, Wording] = {
    'black': (('black', 'black', 'black', 'dark'), ('jet black', 'ebony')),
    'white': (('white', 'white', 'white', 'cream'), ('off white', 'ivory')),
    'gray': (('gray', 'grey', 'grey', 'dark gray'), ('slate gray', 'ash grey')),
    'red': (('red', 'red', 'bright red'), ('scarlet', 'crimson')),
    'blue': (('blue', 'blue', 'royal blue', 'bright blue'), ('cobalt blue', 'cobalt')),
    'dark blue': (('dark blue', 'navy', 'navy blue'), ('midnight blue', 'deep blue')),
    'light blue': (('light blue', 'light blue', 'sky blue', 'pale blue'),
                   ('baby blue', 'powder blue')),
    'green': (('green', 'green', 'bright green'), ('emerald green', 'emerald')),
    'olive': (('olive', 'olive green', 'dark green', 'army green'),
              ('military green', 'moss green')),
    'yellow': (('yellow', 'yellow', 'bright yellow'), ('lemon yellow', 'golden')),
    'orange': (('orange', 'orange', 'bright orange'), ('tangerine', 'deep orange')),
    'pink': (('pink', 'pink', 'light pink'), ('rose pink', 'rosy')),
    'purple': (('purple', 'purple', 'violet'), ('deep purple', 'plum')),
    'brown': (('brown', 'brown', 'dark brown'), ('chocolate brown', 'coffee brown')),
    'beige': (('beige', 'tan', 'khaki', 'tan'), ('sand', 'camel')),
    'maroon': (('maroon', 'dark red', 'burgundy'), ('wine red', 'deep red')),
}
HAIR_COLOR_WORDS: dict[str, Wording] = {
    'black': (('black', 'black', 'dark'), ('jet black', 'raven')),
    'dark brown': (('dark', 'dark brown', 'brown'), ('deep brown', 'chocolate brown')),
    'brown': (('brown', 'brown', 'light brown'), ('chestnut', 'hazel')),
    'blonde': (('blonde', 'blonde', 'blond'), ('fair', 'golden')),
    'gray': (('gray', 'grey', 'white'), ('silver', 'graying')),
    'red': (('red', 'red', 'reddish'), ('ginger', 'auburn')),
}
#: Colors that people take for one another.
NEAR_MISSES = {
    'black': 'dark blue', 'dark blue': 'black', 'gray': 'black', 'maroon': 'red', 'red': 'orange',
    'olive': 'green', 'beige': 'white', 'white': 'beige', 'light blue': 'gray', 'brown': 'maroon',
    'orange': 'red', 'pink': 'purple', 'purple': 'blue', 'blue': 'dark blue', 'green': 'olive',
    'yellow': 'beige',
}

NOUNS: dict[str, Wording] = {
    'woman': (('woman', 'woman', 'lady', 'female', 'girl'), ('female pedestrian', 'young lady')),
    'man': (('man', 'man', 'male', 'guy', 'gentleman'), ('male pedestrian', 'fellow')),
    't-shirt': (('t-shirt', 't-shirt', 'shirt', 'tee shirt', 'top'), ('tee', 'crew neck')),
    'shirt': (('shirt', 'button up shirt', 'dress shirt', 'collared shirt'),
              ('oxford shirt', 'button down')),
    'jacket': (('jacket', 'jacket', 'coat', 'zip up jacket'), ('windbreaker', 'blazer')),
    'hoodie': (('hoodie', 'hooded sweatshirt', 'sweatshirt', 'hooded jacket'),
               ('hooded top', 'hooded pullover')),
    'coat': (('long coat', 'coat', 'overcoat', 'knee length coat'), ('trench coat', 'parka')),
    'sweater': (('sweater', 'pullover', 'long sleeved top', 'jumper'), ('knit top', 'knitwear')),
    'tank top': (('tank top', 'sleeveless top', 'sleeveless shirt'), ('singlet', 'vest top')),
    'dress': (('dress', 'dress', 'gown'), ('frock', 'sundress')),
    'inner': (('shirt', 't-shirt', 'top'), ('undershirt', 'tee')),
    'trousers': (('pants', 'pants', 'trousers', 'slacks'), ('chinos', 'dress pants')),
    'jeans': (('jeans', 'jeans', 'denim jeans', 'denim pants'), ('denims', 'denim trousers')),
    'shorts': (('shorts', 'shorts', 'short pants'), ('bermuda shorts', 'knee length shorts')),
    'leggings': (('leggings', 'tights', 'skinny pants'), ('stretch pants', 'tight trousers')),
    'skirt': (('skirt',), ('flared skirt',)),
    'sneakers': (('sneakers', 'sneakers', 'tennis shoes', 'trainers'),
                 ('running shoes', 'sports shoes')),
    'shoes': (('shoes', 'shoes', 'leather shoes'), ('footwear', 'loafers')),
    'boots': (('boots', 'boots', 'ankle boots'), ('high boots', 'leather boots')),
    'cap': (('baseball cap', 'cap', 'hat'), ('peaked cap', 'visor cap')),
    'beanie': (('beanie', 'knit hat', 'knit cap'), ('woolly hat', 'winter hat')),
    'glasses': (('glasses', 'eyeglasses'), ('spectacles', 'eyewear')),
    'sunglasses': (('sunglasses', 'dark sunglasses'), ('dark glasses', 'shades')),
    'scarf': (('scarf', 'scarf', 'neck scarf'), ('neckerchief', 'shawl')),
    'beard': (('a beard', 'a full beard'), ('facial hair', 'whiskers')),
    'backpack': (('{c} backpack', '{c} backpack on {his} back', '{c} rucksack', '{c} book bag'),
                 ('{c} knapsack', '{c} school bag on both shoulders')),
    'shoulder bag': (('{c} shoulder bag', '{c} messenger bag across {his} body',
                      '{c} cross body bag', 'bag with a {c} strap'),
                     ('{c} satchel', '{c} sling bag')),
    'handbag': (('{c} handbag', '{c} purse in {his} hand', 'small {c} bag', '{c} hand bag'),
                ('{c} clutch', '{c} tote in one hand')),
    'shopping bag': (('{c} shopping bag', '{c} plastic bag', '{c} bag in {his} hand'),
                     ('{c} carrier bag', '{c} grocery bag')),
    'suitcase': (('{c} suitcase', '{c} rolling suitcase', '{c} suitcase on wheels'),
                 ('{c} trolley case', '{c} travel case')),
}
BUILDS: dict[str, Wording] = {
    'heavy': (('heavy set', 'heavyset', 'large'), ('stocky', 'stout')),
    'slim': (('slim', 'thin', 'skinny'), ('slender', 'lean')),
    'average': (('',), ('',)),
}
SLEEVES: dict[str, str] = {'short': 'short sleeved', 'long': 'long sleeved', 'none': 'sleeveless'}
HEMS: dict[str, str] = {'short': 'short', 'middle': 'knee length', 'long': 'long'}

PATTERNS: dict[str, Wording] = {
    'plain': (('{c} {n}', '{c} {n}', '{c} colored {n}'), ('{n} in {c}', 'plain {c} {n}')),
    'striped': (('{c} and {c2} striped {n}', '{c} {n} with {c2} stripes',
                 'striped {c2} and {c} {n}'), ('{c} {n} with {c2} bands', '{c2} lined {c} {n}')),
    'plaid': (('{c} and {c2} plaid {n}', '{c} and {c2} checkered {n}', '{c2} and {c} checked {n}'),
              ('{c} tartan {n} with {c2}', '{c} {n} with {c2} squares')),
    'logo': (('{c} {n} with a {c2} logo', '{c} {n} with {c2} print on it',
              '{c} {n} with a {c2} graphic on the front'),
             ('{c} {n} with a {c2} emblem', '{c} {n} with a {c2} picture')),
    'block': (('{c2} and {c} {n}', 'two toned {c2} and {c} {n}'),
              ('{c} {n} with {c2} on top', '{c} {n} that is {c2} at the chest')),
    'dotted': (('{c} {n} with {c2} polka dots', '{c} {n} with {c2} dots'),
               ('{c2} spotted {c} {n}', '{c} {n} with {c2} spots')),
    'sleeves': (('{c} {n} with {c2} sleeves',), ('{c} {n} that has {c2} arms',)),
}
INNERS: Wording = (('over a {c} {n}', 'with a {c} {n} underneath', 'open over a {c} {n}'),
                   ('unzipped to show a {c} {n}', 'with a {c} {n} beneath it'))
HAIR: dict[str, Wording] = {
    'short': (('short {c} hair', '{c} hair', 'short cut {c} hair'),
              ('cropped {c} hair', 'closely cut {c} hair')),
    'bald': (('a bald head', 'a shaved head'), ('no hair', 'a hairless head')),
    'long': (('long {c} hair', 'long straight {c} hair', '{c} hair past {his} shoulders'),
             ('{c} hair that hangs down {his} back', 'flowing {c} hair')),
    'shoulder-length': (('shoulder length {c} hair', 'medium length {c} hair'),
                        ('{c} hair to {his} shoulders', 'mid length {c} hair')),
    'ponytail': (('{c} hair in a ponytail', 'a {c} ponytail', '{c} hair tied back'),
                 ('{c} hair in a tail', 'pulled back {c} hair')),
    'bun': (('{c} hair in a bun', '{c} hair pulled up', 'a {c} bun'),
            ('{c} hair in a knot', '{c} hair pinned up')),
    'color': (('{c} hair',), ('hair that is {c}',)),
}
#: Actions of the person, by gait and view.
ACTIONS: dict[str, Wording] = {
    'walking front': (('walking towards the camera', 'walking forward'),
                      ('coming closer', 'strolling towards the viewer')),
    'walking back': (('walking away from the camera', 'walking with {his} back to the camera',
                      'walking away'), ('strolling off', 'heading away')),
    'walking side': (('walking', 'walking to the side', 'walking past'),
                     ('passing by', 'strolling along')),
    'standing front': (('standing and facing the camera', 'facing the camera'),
                       ('looking at the viewer', 'standing with {his} face to the viewer')),
    'standing back': (('standing with {his} back to the camera', 'facing away', 'seen from behind'),
                      ('turned away', 'viewed from the rear')),
    'standing side': (('standing to the side', 'seen from the side', 'standing'),
                      ('standing in profile', 'turned sideways')),
    'phone': (('holding up one hand', 'holding a phone', 'looking at a phone'),
              ('raising one forearm', 'using a mobile')),
}
WEARING: Wording = (('is wearing', 'is wearing', 'wears', 'is dressed in', 'has on'),
                    ('is clothed in', 'sports'))
CARRYING: dict[str, Wording] = {
    'backpack': (('is carrying', 'has', 'carries', 'is wearing'), ('bears', 'is equipped with')),
    'suitcase': (('is pulling', 'has', 'is traveling with'), ('drags', 'is rolling')),
    'other': (('is carrying', 'carries', 'has', 'is holding'), ('takes along', 'holds')),
}
JOINED: Wording = (('{upper} and {lower}', '{upper} with {lower}', '{upper} along with {lower}'),
                   ('{upper} over {lower}', '{upper} matched with {lower}'))

#: Whole captions. ``marks`` lists hair, beard, glasses, hat and scarf.
FRAMES: Wording = ((
    '(The|A|This) {who} {wear} {outfit}.[ {He} (is also wearing|also wears) {shoes}.]'
    '[ {He} has {marks}.][ {He} {carry} {bag}.][ {He} is {act}.]',
    '(The|A|This) {who} {wear} {outfit}.[ {He} has {shoes} on {his} feet.]'
    '[ {He} has {marks}.][ {He} {carry} {bag}.][ {He} is {act}.]',
    'A {who}[ with {marks}] wearing {outfit}[, and {shoes}][, (carrying|holding) {bag}].'
    '[ {He} is {act}.]',
    '(The|A|This) {who} is {action}, (dressed in|wearing) {outfit}.[ {He} has {marks}.]'
    '[ {He} {wear} {shoes}.][ {He} {carry} {bag}.]',
    '(The|A|This) {who} has {firstmark} and {wear} {outfit}.'
    '[ (On {his} feet are|{His} shoes are|{He} wears) {shoes}.][ {He} also has {otherbits}.]'
    '[ {He} is {act}.]',
    'Wearing {outfit}[, and {shoes}], the {who} {doing}.[ {He} has {marks}.]',
    '(The|A|This) {who} (wears|is wearing) {upper}.'
    '[ {He} (has {lower} on|is also in {lower}|also wears {lower}).]'
    '[ {He} {carry} {bag}.][ {He} is wearing {shoes}.][ {He} has {marks}.]',
    '(The|A|This) {who} {doing}. {He} {wear} {outfit}[, and {shoes}].[ {He} has {marks}.]',
), (
    'In {outfit}[ and {shoes}], this {who} {doing}.[ {He} is seen with {marks}.]',
    '{Upper} is on the {who}[, along with {lower}].[ {Shoes} are on {his} feet.]'
    '[ {Bag} is with {him}.][ {He} has {marks}.]',
    'The {who} in {outfit} is {action}.[ With {him} is {bag}.][ {His} shoes: {shoes}.]'
    '[ {He} is a {who} with {marks}.]',
    'Look for a {who}[ who has {marks}].[ {He} {carry} {bag}.] {He} {wear} {outfit}[, {shoes}].',
))
