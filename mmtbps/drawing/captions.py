"""Captions of drawn people, of their visible attributes, in many wordings.

Two captions with one seed take the same choices whatever the colors are, so the caption of a
recolored person differs from that of the original in the color alone.
"""

import re

import numpy as np

from . import wording as words
from .person import Person, Scene
from .wording import Wording

WORDINGS = ('train', 'unseen')
NEAR_MISS = .03
#: Share of captions that mention an attribute they could mention.
MENTION = dict(shoes=.70, hair=.62, bag=.92, act=.40, beard=.5, glasses=.65, hat=.85, scarf=.85,
               inner=.80, sleeves=.30, build=.5)
#: Share of words that a caption of unseen wording takes from the unseen ones, if there are any.
UNSEEN_WORD = .3


def caption(person: Person, scene: Scene, seed: int, wording: str = 'train',
            near_miss: float = NEAR_MISS) -> str:
    """Write one caption of an image.

    Args:
        person, scene: Content of the image; attributes out of view are not mentioned.
        seed: Seed of all choices.
        wording: ``train``, or ``unseen`` for sentence frames and some words that no training
            caption has.
        near_miss: Probability that a color of the clothes is taken for a similar one.

    Raises:
        ValueError: If there is no such wording.

    >>> from mmtbps.drawing.person import sample_person, sample_scene
    >>> rng = np.random.default_rng((0, 1))
    >>> caption(sample_person(rng), sample_scene(rng), seed=0).endswith('.')
    True
    """
    if wording not in WORDINGS:
        raise ValueError(f'no wording {wording!r}; there are {", ".join(WORDINGS)}')
    rng = np.random.default_rng(seed)
    return CaptionWriter(person, scene, rng, wording == 'unseen', near_miss).say()


def visible(person: Person, scene: Scene) -> frozenset[str]:
    """Name the attributes in view, of those attributes that a view can hide."""
    facing = np.cos(scene.pose.yaw)                   # 1 into the camera, -1 away from it
    far = person.bag_side * np.sin(scene.pose.yaw)    # 1: the bag is behind the body
    raised = scene.pose.elbows[0 if person.bag_side > 0 else 1] > 1     # before the chest
    capped = person.hat != 'none'
    short = person.hair == 'short'
    seen = {
        'logo': facing > .5,
        'inner': person.open and facing > .3,
        'glasses': person.glasses != 'none' and facing > .35,
        'beard': person.beard and facing > 0,
        'hat': capped,
        'hair': not capped or (person.hair != 'bald' and (not short or facing < .2)),
        'tied hair': facing < .5,
        'scarf': person.scarf and (facing > -.3 or person.hair in ('short', 'bald', 'bun')),
        'bag': person.bag != 'none' and (person.bag not in ('handbag', 'shopping bag')
                                         or far < .5 and not (raised and facing < 0)),
        'shoes': not scene.feet_hidden,
        'phone': scene.pose.action == 'phone' and facing > -.3,
    }
    return frozenset(name for name, shown in seen.items() if shown)


def expand(frame: str, slots: dict[str, str], rng: np.random.Generator) -> str:
    """Fill a frame: ``(a|b)`` one of them, ``[...]`` only if its slots are filled, ``{slot}``.

    >>> expand('A (man|man) [with {hat}][in {coat}].', dict(hat='', coat='a coat'),
    ...        np.random.default_rng(0))
    'A man in a coat.'
    """
    while (choice := re.search(r'\(([^()]*)\)', frame)) is not None:
        options = choice[1].split('|')
        frame = frame[:choice.start()] + options[int(rng.random() * len(options))] + (
            frame[choice.end():])

    def keep(optional: re.Match) -> str:
        filled = all(slots[name] for name in re.findall(r'\{(\w+)\}', optional[1]))
        return optional[1] if filled else ''
    return re.sub(r'\[([^\[\]]*)\]', keep, frame).format_map(slots)


def listed(items: list[str]) -> str:
    """Join items as ``a``, ``a and b``, ``a, b and c``."""
    return ' and '.join(filter(None, [', '.join(items[:-1]), *items[-1:]]))


class CaptionWriter:
    """Writer of one caption. Every choice is drawn whether it is used or not."""

    def __init__(self, person: Person, scene: Scene, rng: np.random.Generator, unseen: bool,
                 near_miss: float) -> None:
        self.person, self.scene, self.rng = person, scene, rng
        self.unseen, self.near_miss = unseen, near_miss
        self.shown = visible(person, scene)
        woman = person.gender == 'woman'
        self.he, self.his, self.him = ('she', 'her', 'her') if woman else ('he', 'his', 'him')

    def choose(self, wording: Wording) -> str:
        """Choose a wording of the training captions, or by lot an unseen one."""
        where, which = self.rng.random(2)
        options = wording[int(self.unseen and where < UNSEEN_WORD)]
        return options[int(which * len(options))]

    def mention(self, what: str) -> bool:
        """Decide by lot whether something that could be told is told."""
        return bool(self.rng.random() < MENTION[what])

    def color(self, slot: str) -> str:
        """Word the color of a slot, or by lot one that people take for it."""
        name = self.person.colors[slot]
        missed = self.rng.random() < self.near_miss
        if slot == 'hair':
            return self.choose(words.HAIR_COLOR_WORDS[name])
        return self.choose(words.COLOR_WORDS[words.NEAR_MISSES[name] if missed else name])

    def upper(self) -> str:
        """Word the upper garment, with sleeves, pattern and what shows beneath."""
        person = self.person
        noun = self.choose(words.NOUNS[person.upper])
        told_sleeves, told_inner = self.mention('sleeves'), self.mention('inner')
        if told_sleeves and 'sleeve' not in noun and person.upper in ('t-shirt', 'shirt', 'dress'):
            noun = f'{words.SLEEVES[person.sleeves]} {noun}'
        elif person.upper == 'dress' and noun == 'dress':
            noun = f'{words.HEMS["middle" if person.hem < .72 else "long"]} dress'
        kind = 'sleeves' if person.contrast_sleeves else person.pattern
        if kind == 'logo' and 'logo' not in self.shown:
            kind = 'plain'
        text = self.choose(words.PATTERNS[kind]).format(
            c=self.color('upper'), c2=self.color('accent'), n=noun)
        inner = self.choose(words.INNERS).format(
            c=self.color('inner'), n=self.choose(words.NOUNS['inner']))
        return f'a {text} {inner}' if 'inner' in self.shown and told_inner else f'a {text}'

    def lower(self) -> str:
        """Word the lower garment; empty with a dress."""
        person, color = self.person, self.color('lower')
        pair = 'a pair of ' if self.rng.random() < .3 else ''
        if person.lower == 'none':
            return ''
        noun = self.choose(words.NOUNS[person.lower])
        if person.lower != 'skirt':
            return f'{pair}{color} {noun}'
        length = 'short' if person.hem < .65 else 'middle' if person.hem < .75 else 'long'
        return f'a {words.HEMS[length]} {color} {noun}' if pair else f'a {color} {noun}'

    def hair(self) -> str:
        """Word the hair; empty where it is not seen or not told."""
        person = self.person
        style = person.hair
        if style in ('ponytail', 'bun') and 'tied hair' not in self.shown:
            style = 'color'
        text = self.choose(words.HAIR[style]).format(c=self.color('hair'), his=self.his)
        covered = person.hat != 'none' and self.rng.random() < .5
        return text if self.mention('hair') and 'hair' in self.shown and not covered else ''

    def bag(self) -> str:
        """Word the bag; empty where it is not seen or not told."""
        color, told = self.color('bag'), self.mention('bag')
        if 'bag' not in self.shown or not told:
            return ''
        return 'a ' + self.choose(words.NOUNS[self.person.bag]).format(c=color, his=self.his)

    def worn(self) -> list[str]:
        """Describe beard, glasses, hat and scarf."""
        person, items = self.person, []
        for name, kind, slot in (('beard', 'beard', ''), ('glasses', person.glasses, ''),
                                 ('hat', person.hat, 'hat'), ('scarf', 'scarf', 'scarf')):
            noun = self.choose(words.NOUNS[kind]) if kind != 'none' else ''
            color = self.color(slot) if slot else ''
            if self.mention(name) and name in self.shown:
                items.append(f'a {color} {noun}' if slot else noun)
        return items

    def action(self) -> str:
        """Word what the person does."""
        pose = self.scene.pose
        view = pose.view if pose.view in ('front', 'back') else 'side'
        key = f'{"walking" if pose.walking else "standing"} {view}'
        usual, phone = self.choose(words.ACTIONS[key]), self.choose(words.ACTIONS['phone'])
        text = phone if 'phone' in self.shown and self.rng.random() < .6 else usual
        return text.format(his=self.his)

    def who(self) -> str:
        """Word the person, perhaps with the build."""
        build = self.person.build
        kind = 'heavy' if build > 1.13 else 'slim' if build < .87 else 'average'
        word = self.choose(words.BUILDS[kind])
        told = self.mention('build') and word
        noun = self.choose(words.NOUNS[self.person.gender])
        return f'{word} {noun}' if told else noun

    def slots(self) -> dict[str, str]:
        """Fill every slot that a frame may have."""
        upper, lower = self.upper(), self.lower()
        joined = self.choose(words.JOINED).format(upper=upper, lower=lower)
        shoes = f'{self.color("shoes")} {self.choose(words.NOUNS[self.person.shoes])}'
        shoes = shoes if self.mention('shoes') and 'shoes' in self.shown else ''
        hair, worn, bag, action = self.hair(), self.worn(), self.bag(), self.action()
        kind = self.person.bag if self.person.bag in words.CARRYING else 'other'
        carry = self.choose(words.CARRYING[kind])
        marks = [hair, *worn] if hair else worn
        slots = dict(
            who=self.who(), wear=self.choose(words.WEARING), upper=upper, lower=lower,
            outfit=joined if lower else upper, shoes=shoes, marks=listed(marks),
            firstmark=marks[0] if marks else '',
            otherbits=listed(marks[1:] + ([bag] if bag else [])), bag=bag, carry=carry,
            action=action, act=action if self.mention('act') else '',
            doing=f'{carry} {bag}' if bag else f'is {action}',
            he=self.he, his=self.his, him=self.him)
        capitals = {name.capitalize(): slots[name][:1].upper() + slots[name][1:]
                    for name in ('upper', 'shoes', 'bag', 'he', 'his')}
        return {**slots, **capitals}

    def say(self) -> str:
        """Write the caption."""
        slots = self.slots()
        frames = words.FRAMES[int(self.unseen)]
        usable = [f for f in frames if slots['firstmark'] or '{firstmark}' not in f]
        text = expand(usable[int(self.rng.random() * len(usable))], slots, self.rng)
        return re.sub(r'\b([Aa]) (?=[aeiou])', r'\1n ', text)
