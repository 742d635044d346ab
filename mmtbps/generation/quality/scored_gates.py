"""Gates on the opinion of a model: captions, colours, the person, and questions with answers."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from mmtbps.errors import BadValue
from mmtbps.registry import TASK_UTILS

from ..color.change import grow
from ..color.colorspace import palette
from ..editing.base import EditRequest, EditResult
from ..editing.edit_kinds import find_kind, kinds_that
from ..evidence.base import EditEvidence
from ..templates import check_template
from .base import BaseGate
from .place_gates import edge_reach

__all__ = ['CLIPGate', 'CONTENT_GATES', 'IdentityGate', 'RankingGate', 'Scorer', 'VLMJudgeGate']

#: Scores images by queries, (images, queries); see `.scorers`.
Scorer = Callable[[list[Any], list[Any]], Any]
_FIELDS = ('noun', 'region', 'old_color', 'new_color', 'instruction')
#: Questions to which yes, and no, are right: about an edit of colour, and about any other.
_ASKED = ('Is the {noun} of the person in this picture {new_color}?',
          'A picture was edited by this instruction: {instruction} Does this picture show what the '
          'instruction asks for?')
_KEPT = ('The second picture was made from the first by an editor. Did anything change but the '
         'colour of the {noun}?',
         'The second picture was made from the first by this instruction: {instruction} Did '
         'anything change that the instruction does not ask for?')
#: Names of the gates that can tell whether a picture shows what was asked.
CONTENT_GATES = ('ranking', 'clip', 'vlm_judge')
_HIDDEN = 128      # gray in the place of the garment, which is to change


class ScoredGate(BaseGate):
    """Gate on the numbers of a scorer.

    Args:
        scorer: ``scorer(images, queries) -> (len(images), len(queries))``, or a config of one in
            ``TASK_UTILS``.
        low: Smallest value that passes, in the units of the scorer.
    """

    def __init__(self, scorer: Scorer | dict, low: float) -> None:
        super().__init__(low=low)
        self.scorer: Scorer = TASK_UTILS.build(scorer) if isinstance(scorer, dict) else scorer

    @property
    def digest_fields(self) -> dict[str, Any]:
        """Settings that determine the verdict, for the manifest's digest."""
        name = getattr(self.scorer, '__qualname__', type(self.scorer).__qualname__)
        return dict({key: value for key, value in vars(self).items() if key != 'high'},
                    type=type(self).__name__, scorer=getattr(self.scorer, 'digest_fields', name))

    def score(self, images: Sequence[Any], queries: Sequence[Any]) -> np.ndarray:
        """Ask the scorer, (images, queries).

        Raises:
            ValueError: If it gives other than a number for each image and query.
            BadValue: If one of them is no number, which would pass as not judged.
        """
        scores = np.asarray(self.scorer(list(images), list(queries)), float)
        if scores.shape != (len(images), len(queries)):
            raise ValueError(f'the scorer gave {scores.shape} scores for {len(images)} images and '
                             f'{len(queries)} captions')
        if not np.isfinite(scores).all():
            name = getattr(self.scorer, '__qualname__', type(self.scorer).__qualname__)
            raise BadValue(f'{self.name}: {name} gave a score that is no finite number: its '
                           'model is damaged, or needs a wider type of numbers')
        return scores


@TASK_UTILS.register_module()
class RankingGate(ScoredGate):
    """Gate on a scorer: the result fits the new caption better, the source the old one.

    The value is the smaller of the two margins.

    Args:
        scorer: ``scorer(images, captions) -> (len(images), len(captions))`` similarities, or a
            config of one in ``TASK_UTILS``.
        low: Least margin, in the units of the scorer.
    """

    name = 'ranking'
    kinds = kinds_that(changes_person=True)

    def __init__(self, scorer: Scorer | dict, low: float = 0.) -> None:
        super().__init__(scorer, low)

    def measure(self, request: EditRequest, result: EditResult) -> float:
        scores = self.score([request.image, result.image],
                            [request.source_caption, request.target_caption])
        return min(scores[0, 0] - scores[0, 1], scores[1, 1] - scores[1, 0])


@TASK_UTILS.register_module()
class CLIPGate(ScoredGate):
    """Gate on the colour by a model of images and texts: is the coat green, or any other colour?

    The value is the score of the phrase with the new colour less that of the best other one.

    Args:
        scorer: Of images by texts, such as ``dict(type='CLIPScorer', pretrained=...)``.
        low: Least margin, in the units of the scorer.
        phrase: May use ``{color}`` and ``{noun}``.

    Raises:
        BadValue: If the phrase asks for another value.
    """

    name = 'clip'
    kinds = frozenset({'color'})

    def __init__(self, scorer: Scorer | dict, low: float = 0.,
                 phrase: str = 'a person in a {color} {noun}') -> None:
        super().__init__(scorer, low)
        check_template(phrase, ['color', 'noun'], what='a phrase')
        self.phrase = phrase

    def measure(self, request: EditRequest, result: EditResult) -> float:
        return self.measure_with_reason(request, result)[0]

    def measure_with_reason(self, request: EditRequest, result: EditResult) -> tuple[float, str]:
        names = palette()[0]
        scores = self.score([result.image], [self.phrase.format(color=name, noun=request.noun)
                                             for name in names])[0]
        new = names.index(request.new_color)
        rival = int(np.where(np.arange(len(names)) == new, -np.inf, scores).argmax())
        return scores[new] - scores[rival], f'next is {names[rival]}'


@TASK_UTILS.register_module()
class IdentityGate(ScoredGate):
    """Gate on the person: similarity of source and result by features of people or faces.

    Args:
        scorer: Of images by images, such as ``dict(type='FeatureScorer', pretrained=...)``.
        low: Least similarity; that of a model is its own, so calibrate it.
        of: ``'person'`` compares the pictures, with the garment hidden in both where evidence knows
            it; ``'face'`` the face. Where nothing is left to compare it does not judge.

    Raises:
        BadValue: If ``of`` is neither.
    """

    name = 'identity'

    def __init__(self, scorer: Scorer | dict, low: float = .5, of: str = 'person') -> None:
        super().__init__(scorer, low)
        if of not in ('person', 'face'):
            raise BadValue(f"of must be 'person' or 'face', got {of!r}")
        self.of = of

    def measure(self, request: EditRequest, result: EditResult) -> float:
        evidence, images = request.evidence or EditEvidence(), [request.image, result.image]
        if self.of == 'face':
            box = _box(evidence.part('face'))
            if box is None:
                return float('nan')
            before, after = (image.crop(box) for image in images)
        else:
            garment = (evidence.garment(request.region)
                       if find_kind(request.kind).on_garment else None)
            hidden = None if garment is None else grow(garment, edge_reach(len(garment)))
            if hidden is not None and hidden.all():
                return float('nan')
            before, after = (_without(image, hidden) for image in images)
        return self.score([after], [before])[0, 0]


@TASK_UTILS.register_module()
class VLMJudgeGate(ScoredGate):
    """Gate on two questions to a model that talks about pictures.

    Has the garment the new colour now (or was the instruction followed), and did anything else
    change? The value is the smaller probability of the right answer; its question, answer and
    reason are kept in the record.

    Args:
        scorer: Of images by questions, such as ``dict(type='VLMScorer', pretrained=...)``; an image
            may be a list of two, before and after. If it has ``reason(image, question)``, that is
            asked too.
        low: Least probability.
        asked: Question about the result, to which yes is right; may use ``{noun}``, ``{region}``,
            ``{old_color}``, ``{new_color}`` and ``{instruction}``. By default one for the kind of
            the edit.
        kept: Question about both pictures, to which no is right.

    Raises:
        BadValue: If a question asks for another value.
    """

    name = 'vlm_judge'

    def __init__(self, scorer: Scorer | dict, low: float = .5,
                 asked: str | None = None, kept: str | None = None) -> None:
        super().__init__(scorer, low)
        for question in filter(None, (asked, kept)):
            check_template(question, _FIELDS, what='a question')
        self.asked, self.kept = asked, kept

    def measure(self, request: EditRequest, result: EditResult) -> float:
        return self.measure_with_reason(request, result)[0]

    def measure_with_reason(self, request: EditRequest, result: EditResult) -> tuple[float, str]:
        values = {key: getattr(request, key) for key in _FIELDS}
        asked, kept = (own or questions[request.kind != 'color'] for own, questions
                       in ((self.asked, _ASKED), (self.kept, _KEPT)))
        tries = []
        for image, question, yes_is_right in ((result.image, asked, True),
                                              ([request.image, result.image], kept, False)):
            question = question.format(**values)
            yes = float(self.score([image], [question])[0, 0])
            tries.append((yes if yes_is_right else 1 - yes, yes, image, question))
        value, yes, image, question = min(tries, key=lambda attempt: attempt[0])
        explain = getattr(self.scorer, 'reason', None)
        why = explain(image, question) if explain else ''
        return value, f'{question} {"yes" if yes > .5 else "no"} ({yes:.2f} yes) {why}'.strip()


def _box(mask: np.ndarray | None) -> tuple[int, int, int, int] | None:
    """Return left, top, right and bottom of a mask; ``None`` if there is nothing of it."""
    if mask is None or not mask.any():
        return None
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _without(image: Image.Image, hidden: np.ndarray | None) -> Image.Image:
    if hidden is None:
        return image
    pixels = np.array(image.convert('RGB'))
    pixels[hidden] = _HIDDEN
    return Image.fromarray(pixels)
