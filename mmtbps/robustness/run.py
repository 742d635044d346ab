"""Run that tests models under conditions, each of which is kept as soon as it is measured."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np
from PIL import Image

from mmtbps.errors import BadValue, RecordError
from mmtbps.evaluation import evaluate_ranking
from mmtbps.fileio import JsonlWriter, iter_json_lines

from .conditions import Condition
from .subjects import Subjects, change_captions, generator_of

__all__ = ['CLEAN', 'Encoder', 'Outcome', 'RobustnessRun', 'read_outcomes']

MEASURES = ('R1', 'R5', 'R10', 'mAP', 'mINP')
CLEAN = 'as it is'
_BATCH = 64


class Encoder(Protocol):
    """Encoder of pictures and sentences, as those of `mmtbps.search`."""

    fingerprint: dict[str, Any]

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray: ...

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray: ...


@dataclass(frozen=True)
class Outcome:
    """Measures of one model on one test set under one condition, in percent.

    Args:
        model: its name.
        data: name of the test set.
        condition: name of the condition.
        measures: ``R1 R5 R10 mAP mINP``.
        changed: share of captions or pictures that the condition changed.
        told_apart: share of the changed captions that fit their own picture less than before; of a
            wrong colour it is what a model should tell.
        distractors: strangers in the gallery.
    """

    model: str
    data: str
    condition: str
    measures: dict[str, float]
    changed: float = 0.
    told_apart: float | None = None
    distractors: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return a dict of JSON types."""
        return asdict(self)


def read_outcomes(path: str | os.PathLike) -> list[tuple[int, Outcome]]:
    """Read the outcomes of a log, each with the seed of its changes.

    Args:
        path: of the log.

    Raises:
        RecordError: a line is no outcome.
    """
    return [(key['seed'], outcome) for key, outcome in _iter_outcomes(path)]


def _iter_outcomes(path: str | os.PathLike) -> Iterator[tuple[dict[str, Any], Outcome]]:
    """Yield the outcomes of a log, each with what it depends on."""
    for number, line in iter_json_lines(path):
        try:
            key, outcome = dict(line['key']), Outcome(**line['outcome'])
            if not {'seed', 'data', 'fingerprint'} <= key.keys() or (
                    not {*MEASURES} <= outcome.measures.keys()):
                raise KeyError('measures')
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RecordError(f'{path}:{number}: no outcome of a robustness run; take a new '
                              'folder, or remove the line') from error
        yield key, outcome


@dataclass
class RobustnessRun:
    """Measurement of one model on one test set; what is in the log is not measured again.

    Args:
        model: name for the table.
        encoder: of the model.
        subjects: the test set.
        read: reads a picture.
        log: outcomes, of this and other models.
        seed: of the random changes.
        track: shows progress over batches of pictures.

    Raises:
        BadValue: the log has outcomes of another model or test set under these names.
    """

    model: str
    encoder: Encoder
    subjects: Subjects
    read: Callable[[str], Image.Image]
    log: JsonlWriter
    seed: int = 0
    track: Callable[[Sequence, str], Iterator] = lambda items, words: iter(items)
    _clean: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._key = json.loads(json.dumps(dict(
            fingerprint=dict(self.encoder.fingerprint), data=dict(self.subjects.digest),
            seed=self.seed)))
        self._known, self._strangers = {}, {}
        for key, outcome in _iter_outcomes(self.log.path):
            if (outcome.model, outcome.data) != (self.model, self.subjects.name):
                continue
            strangers = key.pop('strangers', None)
            if key != self._key:
                raise BadValue(f'{self.log.path} was begun with another model, data set or seed '
                               f'under the names {self.model} and {self.subjects.name}; take a '
                               'new folder')
            self._known[outcome.condition] = outcome
            self._strangers[outcome.condition] = strangers

    def lacks(self, count: int) -> bool:
        """Tell whether so many strangers have not been measured yet."""
        return _word_strangers(count) not in self._known

    def clean(self) -> Outcome:
        """Measure the test set as it is."""
        return self._measure(CLEAN, lambda: (self._pictures(), self._texts(), {}))

    def under(self, condition: Condition) -> Outcome:
        """Measure under a condition."""
        side = self._under_captions if condition.caption else self._under_pictures
        return self._measure(condition.name, lambda: side(condition))

    def among(self, strangers: np.ndarray, count: int, digest: str = '') -> Outcome:
        """Measure with the first ``count`` strangers in the gallery.

        Args:
            strangers: ``(M, D)`` features of pictures of nobody who is asked for; of those that
                are known, see `lacks`, none is needed.
            count: strangers that are there.
            digest: says who they are.

        Raises:
            BadValue: the log has as many of another digest.
        """
        name = _word_strangers(count)
        if name in self._known and self._strangers[name] not in (None, digest):
            raise BadValue(f'{self.log.path} has {name} of another folder, or of one that has '
                           'changed since; take a new folder for the outcomes')
        return self._measure(name, lambda: (
            np.concatenate([self._pictures(), strangers[:count]]), self._texts(),
            dict(distractors=count)), dict(strangers=digest))

    def _measure(self, name: str, features: Callable[[], tuple],
                 more_key: Mapping[str, str] | None = None) -> Outcome:
        if name in self._known:
            return self._known[name]
        images, texts, more = features()
        people = self.subjects.people
        nobody = np.full(len(images) - len(people), people.min() - 1)
        try:
            found = evaluate_ranking(texts, people[self.subjects.owners], images,
                                     np.concatenate([people, nobody]))
        except BadValue as error:  # of several models and conditions it names none
            raise BadValue(f'{self.model} on {self.subjects.name}, {name}: {error}') from error
        outcome = Outcome(self.model, self.subjects.name, name,
                          {measure: found[measure] for measure in MEASURES}, **more)
        self.log.append(dict(key={**self._key, **(more_key or {})}, outcome=outcome.to_json()))
        self._known[name] = outcome
        self._strangers[name] = (more_key or {}).get('strangers')
        return outcome

    def _under_captions(self, condition: Condition) -> tuple:
        changed = list(change_captions(self.subjects, condition, self.seed))
        is_new = np.array([new for _, new in changed])
        texts = self._texts().copy()
        told = None
        if is_new.any():
            texts[is_new] = self._encode_texts([text for text, new in changed if new])
            own = self._pictures()[self.subjects.owners[is_new]]
            before, after = ((side[is_new] * own).sum(1) for side in (self._texts(), texts))
            told = 100 * float((after < before).mean())
        return self._pictures(), texts, dict(changed=100 * float(is_new.mean()), told_apart=told)

    def _under_pictures(self, condition: Condition) -> tuple:
        count = len(self.subjects.paths)
        order = np.random.default_rng([self.seed, count]).permutation(count)
        places = np.sort(order[:round(condition.share * count)])
        if len(places) == count:
            images = self._encode_pictures(places, condition)
        else:
            images = self._pictures().copy()
            if len(places):  # of one picture half is none
                images[places] = self._encode_pictures(places, condition)
        return images, self._texts(), dict(changed=100 * len(places) / count)

    def _pictures(self) -> np.ndarray:
        if 'images' not in self._clean:
            self._clean['images'] = self._encode_pictures(np.arange(len(self.subjects.paths)), None)
        return self._clean['images']

    def _texts(self) -> np.ndarray:
        if 'texts' not in self._clean:
            self._clean['texts'] = self._encode_texts(self.subjects.captions)
        return self._clean['texts']

    def _encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        return np.concatenate([self.encoder.encode_texts(texts[start:start + 16 * _BATCH])
                               for start in range(0, len(texts), 16 * _BATCH)])

    def _encode_pictures(self, places: np.ndarray, condition: Condition | None) -> np.ndarray:
        words = CLEAN if condition is None else condition.name
        batches = [places[start:start + _BATCH] for start in range(0, len(places), _BATCH)]
        return np.concatenate([
            self.encoder.encode_images([self._open(place, condition) for place in batch.tolist()])
            for batch in self.track(batches, f'{self.model}, {self.subjects.name}: {words}')])

    def _open(self, place: int, condition: Condition | None) -> Image.Image:
        image = self.read(self.subjects.paths[place])
        if condition is None:
            return image
        return condition.picture(image, generator_of(self.seed, condition, place))


def _word_strangers(count: int) -> str:
    return f'{count} strangers'
