"""Views: HTML of the page in answer to a question of a visitor."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mmtbps.markup import as_data_uri

from ..galleries.base import GalleryEntry
from ..presentation import describe_presence, in_figures, in_words
from ..results import SearchHit
from . import html
from .service import Facets, Refused, SearchService, make_where

__all__ = ['SHEET_SIZE', 'Question', 'answer', 'describe', 'greet', 'show_person']

MAX_HISTORY = 12
#: A sheet of heat-maps is at most so many pixels wide and high.
SHEET_SIZE = (1200, 2400)


@dataclass(frozen=True)
class Question:
    """A question of a visitor, with the filters of that moment.

    Args:
        text: The sentence; of a question by picture, the one it came from.
        person: Id of the person to find more like, for a question by picture.
        name: What that person is called on the page.
        picture: Data URI of the picture to search by, alone or with the sentence.
        image_weight: Share of the picture where there is a sentence too.
        cameras: One of these.
        since: Earliest time.
        until: Latest time.
        track: Of this track.
        count: Number of people to show.
        must: Phrases that must hold, with commas between.
        weigh: Whether the phrases of the sentence are weighed.
        like: Ids of people marked right.
        unlike: Ids of people marked wrong.
    """

    text: str = ''
    person: str | None = None
    name: str = ''
    picture: str = field(default='', repr=False)
    image_weight: float = .5
    cameras: tuple[str, ...] = ()
    since: str = ''
    until: str = ''
    track: str = ''
    count: int = 20
    must: str = ''
    weigh: bool = False
    like: tuple[str, ...] = ()
    unlike: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.person:
            return f'like {self.name}'
        words = ' '.join(self.text.split())
        return words or ('like the one in the picture' if self.picture else '')

    @property
    def shares(self) -> str:
        """The weights of picture and sentence in words, empty if there are not both."""
        if not self.picture or not self.text.strip() or self.person:
            return ''
        return f'with a picture: {self.image_weight:.0%}, words: {1 - self.image_weight:.0%}'

    def marked(self, person: str, right: bool) -> 'Question':
        """Return the question with one more person marked right or wrong; marked anew, another."""
        others = {name: tuple(one for one in getattr(self, name) if one != person)
                  for name in ('like', 'unlike')}
        kind = 'like' if right else 'unlike'
        return replace(self, **{**others, kind: (*others[kind], person)})

    @property
    def filters(self) -> str:
        """The filters in words, empty if there are none."""
        said = [f'camera {", ".join(self.cameras)}' if self.cameras else '',
                f'from {self.since}' if self.since else '',
                f'to {self.until}' if self.until else '',
                f'track {self.track}' if self.track else '',
                *self._wishes]
        return ' · '.join(filter(None, said))

    @property
    def _wishes(self) -> list[str]:
        """The wishes in words; people like one of the gallery are found without them."""
        if self.person is not None:
            return []
        return [f'must: {self.must.strip()}' if self.must.strip() else '',
                'each phrase weighed' if self.weigh and self.text.strip() else '',
                f'{len(self.like)} marked right' if self.like else '',
                f'{len(self.unlike)} marked wrong' if self.unlike else '']


def greet(facets: Facets) -> str:
    """Draw the page before the first question."""
    if not facets.count:
        return html.draw_welcome(
            'The gallery is empty',
            'Add pictures on this page, or index a folder of pictures.')
    return html.draw_welcome(
        'Whom are you looking for?',
        'Describe clothes, colours, bags and build in a sentence. The people who fit best come '
        'first.')


def describe(facets: Facets) -> str:
    """Describe the gallery in a line."""
    pictures = 'one picture' if facets.count == 1 else f'{facets.count:,} pictures'
    cameras = {0: '', 1: ' from one camera'}.get(
        len(facets.cameras), f' from {len(facets.cameras):,} cameras')
    return f'{pictures}{cameras}'


def answer(service: SearchService, question: Question,
           asked: Sequence[Question]) -> tuple[str, list[Question], str]:
    """Answer a question: the grid, the visitor's new history, and that as HTML."""
    try:
        where = make_where(question.cameras, question.since, question.until, question.track)
        hits, presence = _ask(service, question, where)
        empty = not hits and not service.facets().count
    except Refused as refusal:
        return html.draw_notice(str(refusal)), list(asked), _history(asked)
    asked = [question, *(one for one in asked if one != question)][:MAX_HISTORY]
    if empty:
        return greet(Facets()), asked, _history(asked)
    if not hits:
        nobody = html.draw_welcome(
            'Nobody found', f'Nobody passes the filters ({question.filters or "none"}). Loosen '
            'them and ask again.')
        return nobody, asked, _history(asked)
    words = bool(question.text.strip()) and not question.person
    heading = f'“{question}”' if words else f'People {question}'
    best = f'the best {len(hits)}' if len(hits) > 1 else 'the only one'
    cut = service.describe_cut(question.text, question.weigh) if words else ''
    note = ' · '.join(filter(None, [presence, best, question.shares, question.filters, cut]))
    people = html.draw_people(heading, [_person(service, hit) for hit in hits], note)
    return people, asked, _history(asked)


def _ask(service: SearchService, question: Question,
         where: Mapping[str, Any] | None) -> tuple[Sequence[SearchHit], str]:
    """Return the hits, and in words whether the person is there, where that is known."""
    if question.person is not None:
        return service.similar(question.person, question.count, where), ''
    wishes = dict(must=question.must, like=question.like, unlike=question.unlike, mark=True,
                  weigh=question.weigh)
    if question.picture:
        return service.search_picture(question.picture, question.text, question.count, where,
                                      question.image_weight, **wishes), ''
    result = service.ask(question.text, question.count, where, **wishes)
    return result.hits, describe_presence(result.presence)


def show_person(service: SearchService, entry_id: Any,
                text: str) -> Iterator[tuple[str, str | None, str]]:
    """Yield one person up close, then the same with the places of the words.

    Yields:
        HTML, the id of the person (``None`` if there is no such person), and the person's name.
    """
    try:
        entry = service.entry(entry_id)
    except Refused as refusal:
        yield html.draw_notice(str(refusal)), None, ''
        return
    name = _name(entry)
    picture, lost = service.find_picture(entry)
    shown = None if picture is None else as_data_uri(picture, html.PERSON_SIZE)
    parts = dict(title=name, picture=shown, facts=in_words(entry), lost=lost)
    if not text.strip() or picture is None:
        yield html.draw_person(**parts), entry.id, name
        return
    yield html.draw_person(**parts, note='Looking for the words ...'), entry.id, name
    try:
        heat = as_data_uri(service.explain(text, entry.id), SHEET_SIZE)
        yield html.draw_person(**parts, heat=heat), entry.id, name
    except Refused as refusal:
        yield html.draw_person(**parts, note=str(refusal)), entry.id, name


def _name(entry: GalleryEntry) -> str:
    return entry.path.rpartition('/')[2]


def _history(asked: Sequence[Question]) -> str:
    return html.draw_history([' · '.join(filter(None, [str(one), one.shares, one.filters]))
                              for one in asked])


def _person(service: SearchService, hit: SearchHit) -> dict[str, Any]:
    facts = dict(in_words(hit.entry))
    picture, lost = service.find_picture(hit.entry)
    return dict(rank=hit.rank, id=hit.entry.id,
                score=in_figures(hit.score, hit.probability, hit.match, hit.estimate),
                lines=[_name(hit.entry),
                       *(facts[name] for name in ('camera', 'time') if name in facts),
                       *filter(None, [hit.describe_others()])],
                marks=hit.marks,
                picture=None if picture is None else html.as_card(picture), lost=lost)
