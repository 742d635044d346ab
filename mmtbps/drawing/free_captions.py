"""Free captions of version 2: one fact up to all of them, in any order, in many styles."""

import re
from typing import NamedTuple

import numpy as np

from . import free_wording as free
from . import wording as words
from .captions import WORDINGS, CaptionWriter
from .details import DetailedPerson, visible_details
from .viewpoints import DetailedScene

__all__ = ['Told', 'free_caption']

_NEAR_MISS = .03
#: Share of captions that are a list of things, without verbs.
_LISTS = .4
_LOWERED = .15


class Told(NamedTuple):
    """A caption and what it tells.

    Args:
        text: the caption.
        facts: names of what it says of the person, in its order, such as ``upper``; a caption tells
            at least one.
        known: number of facts that there were to tell.
    """

    text: str
    facts: tuple[str, ...]
    known: int


def free_caption(person: DetailedPerson, scene: DetailedScene, seed: int, wording: str = 'train',
                 near_miss: float = _NEAR_MISS, facts: int | None = None) -> Told:
    """Write a caption that tells some of what can be seen, by lot from one thing to all.

    Args:
        person, scene: Content of the image.
        seed: Seed of all choices; the same choices are taken whatever the colors are.
        wording: ``train``, or ``unseen`` for openings, links and some words that no training
            caption has.
        near_miss: Probability that a color of the clothes is taken for a similar one.
        facts: Things that are told, or as many as there are; ``None`` leaves it to the lot. With
            one seed, fewer things are the first ones of more.

    Raises:
        ValueError: If there is no such wording, or no thing is to be told.

    >>> from mmtbps.drawing.details import add_details
    >>> from mmtbps.drawing.person import sample_person
    >>> from mmtbps.drawing.viewpoints import sample_detailed_scenes
    >>> rng = np.random.default_rng(0)
    >>> person, (scene, ) = add_details(sample_person(rng), rng), sample_detailed_scenes(rng, 1)
    >>> told = free_caption(person, scene, seed=0)
    >>> 1 <= len(told.facts) <= told.known
    True
    """
    if wording not in WORDINGS:
        raise ValueError(f'no wording {wording!r}; there are {", ".join(WORDINGS)}')
    if facts is not None and facts < 1:
        raise ValueError(f'a caption tells at least 1 thing, got facts={facts}')
    rng = np.random.default_rng((seed, 2))
    return _FreeWriter(person, scene, rng, wording == 'unseen', near_miss).tell(facts)


class _FreeWriter(CaptionWriter):
    """Writer of one free caption."""

    def mention(self, what: str) -> bool:
        super().mention(what)  # the lot is drawn all the same
        return what not in ('sleeves', 'inner', 'build') or bool(self.rng.random() < .4)

    def tell(self, count: int | None = None) -> Told:
        facts = self.facts()
        names = [name for name, text in facts.items() if text]
        order = [names[i] for i in self.rng.permutation(len(names))]
        lot = int(self.rng.integers(1, len(order) + 1))
        told = order[:lot if count is None else count]
        who = self.who()
        listed, lowered = self.rng.random(2)
        style = self.as_list if listed < _LISTS else self.as_clauses
        text = style(who, [(name, facts[name]) for name in told])
        text = re.sub(r'\b([Aa]) (?=[aeiou])', r'\1n ', text)
        if lowered > _LOWERED:
            text = text[:1].upper() + text[1:] + ('' if text[-1:] in '.?' else '.')
        return Told(text, tuple(told), len(names))

    def facts(self) -> dict[str, str]:
        """Word every fact in view, by its name; what is not there is empty."""
        person, pose = self.person, self.scene.pose
        shoes = f'{self.color("shoes")} {self.choose(words.NOUNS[person.shoes])}'
        facts = dict(upper=self.upper(), lower=self.lower(),
                     shoes=shoes if 'shoes' in self.shown else '', hair=self.hair(),
                     bag=self.bag(), action=self.action())
        names = [name for name, there in (
            ('beard', 'beard' in self.shown), ('glasses', 'glasses' in self.shown),
            ('hat', 'hat' in self.shown), ('scarf', 'scarf' in self.shown)) if there]
        facts.update(zip(names, self.worn(), strict=True))
        facing, side = np.cos(pose.yaw), person.bag_side * np.sin(pose.yaw)
        colors = visible_details(person, facing, side, self.scene.feet_hidden,
                                 self.scene.sides_hidden)
        if self.scene.sides_hidden and person.bag != 'backpack':
            facts['bag'] = ''
        return {**facts, **{name: self.detail(name, colors.get(name))
                            for name in free.DETAIL_NOUNS}}

    def detail(self, name: str, color: str | None) -> str:
        """Word a detail; lots are drawn for those that are not there, too."""
        noun, missed = self.choose(free.DETAIL_NOUNS[name]), self.rng.random() < self.near_miss
        legs = self.choose(words.NOUNS['leggings' if self.person.lower == 'leggings'
                                       else 'trousers'])
        shade = color and (words.NEAR_MISSES[color] if missed else color)
        said = self.choose(words.COLOR_WORDS[shade or 'black'])
        return noun.format(c=said, legs=legs) if color else ''

    def as_list(self, who: str, told: list[tuple[str, str]]) -> str:
        """String facts together without verbs."""
        things = told[0][1]
        for _, text in told[1:]:
            things += free.SEPARATORS[int(self.rng.integers(len(free.SEPARATORS)))] + text
        return self.choose(free.LISTS).format(who=who, things=things)

    def as_clauses(self, who: str, told: list[tuple[str, str]]) -> str:
        """Give every fact a verb of its own."""
        text = self.choose(free.OPENINGS).format(who=who)
        for place, (name, fact) in enumerate(told):
            link = self.choose(free.LINKS).format(he=self.he, He=self.he.capitalize())
            verb = self.choose(free.VERBS[_kind(name)])
            text += (' ' if place == 0 else link) + verb.format(it=fact, him=self.him)
        return text + ('?' if text.startswith('Have you') else '')


def _kind(fact: str) -> str:
    kinds = dict(carried=free.CARRIED, body=free.OF_THE_BODY, small=free.SMALL, action=('action', ))
    return next((kind for kind, names in kinds.items() if fact in names), 'clothes')
