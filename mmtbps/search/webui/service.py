"""Search on behalf of visitors, all of whose input is checked first."""

import base64
import binascii
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import RLock
from typing import Any

from PIL import Image

from mmtbps.errors import BadValue, UserError, first_line
from mmtbps.fileio import AnyPath, is_remote
from mmtbps.markup import as_data_uri

from ..answers.phrase_weights import phrases_to_weigh
from ..encoders.queries import read_queries
from ..galleries.base import GalleryEntry
from ..galleries.facets import Facets
from ..media.crops import read_entry
from ..media.images import decode_image
from ..presentation import describe_marking, describe_reading, describe_weighing
from ..results import SearchHit, SearchResult
from .joined_calls import JoinedCalls

__all__ = ['SearchService', 'Refused', 'make_where', 'read_line', 'read_picture',
           'refusing']

MAX_TEXT = 1000
MAX_COUNT = 100
MAX_WORDS = 14
#: A picture to search by is kept at most so many pixels wide and high.
_PICTURE = (512, 1024)
#: Words that point at nothing in a picture.
_SMALL_WORDS = frozenset(
    'a an and are as at has have he her his in is it its of on or she that the their they this to '
    'wear wearing wears who with'.split())


class Refused(BadValue):
    """A request that cannot be answered; the message is for the visitor."""


@contextmanager
def refusing() -> Iterator[None]:
    """Turn what a user can mend, bad input and lost files into `Refused`; other faults pass.

    Raises:
        Refused: The filter is bad, the person unknown, the picture unreadable, or the gallery
            gone or damaged.
    """
    try:
        yield
    except Refused:
        raise
    except KeyError as error:
        raise Refused(str(error.args[0] if error.args else error)) from error
    except (UserError, ValueError, OSError) as error:
        raise Refused(str(error)) from error


def make_where(cameras: Sequence[str] | None = None, since: str = '', until: str = '',
               track: str = '') -> dict[str, Any] | None:
    """Build the filter of the fields of the page; empty fields are left out.

    Example:
        >>> make_where(['c1', 'c2'], since='2024-01-01')
        {'camera': ['c1', 'c2'], 'time': ('2024-01-01', None)}
        >>> make_where() is None
        True
    """
    where: dict[str, Any] = {}
    if cameras:
        if not isinstance(cameras, (list, tuple)):
            raise Refused('The cameras must be a list.')
        for camera in cameras:
            read_line(camera, 'camera')
        where['camera'] = list(cameras)
    times = read_line(since, 'time') or None, read_line(until, 'time') or None
    if any(times):
        where['time'] = times
    if read_line(track, 'track'):
        where['track'] = read_line(track, 'track')
    return where or None


@dataclass
class SearchService:
    """Search on behalf of visitors.

    Args:
        inferencer: A `TextToPersonInferencer` with a gallery.
        images: Folder that the paths of the gallery's entries are relative to.

    Attributes:
        alone: Held by whoever uses the model or the gallery, where others may do so.
    """

    inferencer: Any
    images: AnyPath
    _facets: tuple[Any, Facets] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.alone = RLock()
        self._ask_joined: JoinedCalls[str, SearchResult] = JoinedCalls(self._ask, self.alone)

    def facets(self) -> Facets:
        """Return the present facets; looks through a gallery whose files have changed.

        Raises:
            Refused: The gallery is gone, damaged, or of another model by now.
        """
        gallery = self.inferencer.gallery
        with refusing():
            state = gallery.count(), _stamp(gallery.uri)
            if self._facets is None or None in state or self._facets[0] != state:
                self._facets = state, gallery.facets()
            return self._facets[1]

    def ask(self, text: str, count: int = 20, where: Mapping[str, Any] | None = None,
            **wishes: Any) -> SearchResult:
        """Find the people a sentence describes, and say whether the person is there at all.

        Wishes are those of `mmtbps.search.answers.Wishes`. Sentences of several threads that ask
        for the same number by the same filter and wishes are encoded together.

        Raises:
            Refused: the sentence is empty or too long, or the filter or a wish bad.
        """
        with refusing():
            return self._ask_joined(_sentence(text), _number(count), where, _wishes(**wishes))

    def _ask(self, texts: list[str], count: int, where: Mapping[str, Any] | None,
             wishes: dict[str, Any]) -> list[SearchResult]:
        return self.inferencer(texts, topk=count, where=where, **wishes)

    def search(self, text: str, count: int = 20, where: Mapping[str, Any] | None = None,
               **wishes: Any) -> Sequence[SearchHit]:
        """Find the people a sentence describes, best first; see `ask`."""
        return self.ask(text, count, where, **wishes).hits

    def search_picture(self, picture: str, text: str = '', count: int = 20,
                       where: Mapping[str, Any] | None = None, image_weight: float = .5,
                       **wishes: Any) -> Sequence[SearchHit]:
        """Find the people who look like the one in a picture, and fit words if there are any.

        Args:
            picture: As `read_picture` returns it.
            text: A sentence, or nothing.
            count: At most so many.
            where: Which entries count.
            image_weight: Share of the picture where there are words too, 0 to 1.
            **wishes: As for a sentence.

        Raises:
            Refused: The picture is none, the sentence too long, or the filter or weight bad.
        """
        with refusing():
            words = read_line(text, 'sentence', MAX_TEXT)
            asked = dict(texts=[words], image_weight=_share(image_weight)) if words else {}
            return self.inferencer.search_image(_decode(picture), topk=_number(count), where=where,
                                                **asked, **_wishes(**wishes))[0].hits

    def describe_cut(self, text: str, weigh: bool = False) -> str:
        """Word what the model does not read of a sentence, no mark checks, or was weighed."""
        query, = read_queries(self.inferencer.encoder, [text])
        checker = self.inferencer.checker
        return '; '.join([*describe_reading(query.unknown, query.read, query.unread),
                          *describe_marking(checker.unchecked(text), checker.describe_bounds(
                              checker.phrases(text))),
                          *describe_weighing([*map(str, phrases_to_weigh(text))] if weigh
                                             else None)])

    def similar(self, entry_id: str, count: int = 20,
                where: Mapping[str, Any] | None = None) -> Sequence[SearchHit]:
        """Find the people who look most like one of the gallery, without that one.

        Raises:
            Refused: there is no such person, or the filter is bad.
        """
        with refusing():
            found = self.inferencer.similar_to(self.entry(entry_id).id, topk=_number(count),
                                               where=where)
            return found[0].hits

    def entry(self, entry_id: str) -> GalleryEntry:
        """Return the entry of one person.

        Raises:
            Refused: there is none of this id.
        """
        with refusing():
            if not isinstance(entry_id, str) or not 0 < len(entry_id) <= 200:
                raise Refused('Choose a person of the gallery first.')
            return self.inferencer.gallery.get([entry_id])[0][0]

    def explain(self, text: str, entry_id: str) -> Image.Image:
        """Draw the crop, and beside it the places of each telling word of a sentence.

        Raises:
            Refused: The model cannot say, the picture is lost, or the input is bad.
        """
        from mmtbps.visualization.heat_map import draw_heat_map, draw_word_heat_maps
        entry = self.entry(entry_id)
        picture, lost = self.find_picture(entry)
        if picture is None:
            raise Refused(f'Nothing can be shown in this picture: {lost}.')
        with refusing():
            try:
                found = self.inferencer.explain(_sentence(text), entry)
            except (TypeError, ImportError) as error:
                raise Refused(f'This model cannot show where the words are: {error}') from error
            telling = [place for place, word in enumerate(found.words)
                       if word.lower() not in _SMALL_WORDS][:MAX_WORDS]
            if not telling:
                return draw_heat_map(picture, found.total, 'all words')
            return draw_word_heat_maps(picture, [found.heat[place] for place in telling],
                                       [found.words[place] for place in telling], columns=4)

    def picture(self, entry: GalleryEntry) -> Image.Image | None:
        """Read the crop of an entry from the images' folder; ``None`` if it is lost."""
        return self.find_picture(entry)[0]

    def find_picture(self, entry: GalleryEntry) -> tuple[Image.Image | None, str]:
        """Read the crop of an entry; word the reason where there is none to show."""
        try:
            return read_entry(self.images, entry), ''
        except (UserError, ValueError, OSError) as error:
            if not is_remote(self.images) and not os.path.exists(self.images / entry.path):
                return None, 'picture not found'
            return None, getattr(error, 'reason', first_line(error))


def _stamp(folder: str) -> tuple[int, int] | None:
    """Return number and latest change of a gallery's files; ``None`` if it is no folder here."""
    try:
        changes = [os.stat(os.path.join(parent, name)).st_mtime_ns
                   for parent, _, names in os.walk(folder) for name in names]
    except FileNotFoundError:  # it is written to at this moment
        return None
    return (len(changes), max(changes)) if changes else None


def _sentence(text: Any) -> str:
    text = read_line(text, 'sentence', MAX_TEXT)
    if not text:
        raise Refused('Describe the person in a sentence, such as: a woman in a red coat with a '
                      'black backpack.')
    return text


def read_picture(uri: Any) -> str:
    """Check a picture that a visitor's browser sends, and return it as a small JPEG.

    Args:
        uri: Data URI of a JPEG.

    Raises:
        Refused: It is none.
    """
    with refusing():
        return as_data_uri(_decode(uri), _PICTURE)


def _decode(uri: Any) -> Image.Image:
    start = 'data:image/jpeg;base64,'
    if not isinstance(uri, str) or not uri.startswith(start):
        raise Refused('This is no picture that your browser can read.')
    try:
        data = base64.b64decode(uri.removeprefix(start), validate=True)
        return decode_image(data, 'the picture')
    except binascii.Error as error:
        raise Refused('The picture has not arrived whole.') from error


def read_line(value: Any, name: str, longest: int = 200) -> str:
    """Read the text of a field: of sane length, on one line; nothing is empty.

    Raises:
        Refused: It is no text or too long.
    """
    if value is None:
        return ''
    if not isinstance(value, str):
        raise Refused(f'The {name} must be text.')
    if len(value) > longest:
        raise Refused(f'The {name} has {len(value):,} characters; at most {longest:,} are read.')
    if '\0' in value or any('\ud800' <= sign <= '\udfff' for sign in value):
        raise Refused(f'The {name} has signs that are no text.')
    return ' '.join(value.split())


def _wishes(must: str = '', like: Sequence[str] = (),
            unlike: Sequence[str] = (), mark: bool = False,
            weigh: bool = False) -> dict[str, Any]:
    """Check the wishes of a visitor; what must hold are phrases with commas between."""
    wanted = [part.strip() for part in read_line(must, 'phrase that must hold').split(',')]
    return dict(must=[part for part in wanted if part], like=like, unlike=unlike, mark=mark,
                weigh=bool(weigh))


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise Refused('The weight of the picture must be from 0 to 1.')
    return float(value)


def _number(count: Any) -> int:
    whole = isinstance(count, int) or isinstance(count, float) and count.is_integer()
    if not whole or isinstance(count, bool):
        raise Refused('The number of people must be a whole number.')
    if not 1 <= count <= MAX_COUNT:
        raise Refused(f'The number of people must be from 1 to {MAX_COUNT}.')
    return int(count)
