"""Plans that put a person in another scene; what is worn stays, and so does the person."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from mmtbps.errors import BadValue
from mmtbps.lexicon.scenes import scene_word
from mmtbps.records import PairRecord
from mmtbps.registry import TASK_UTILS

from ..editing.edit_kinds import kinds_that
from ..runs.plan import Job
from ..turns import in_turn
from .base import BaseEditPlanner

__all__ = ['SceneEditPlanner']

_SCENES = kinds_that(changes_person=False)


@TASK_UTILS.register_module()
class SceneEditPlanner(BaseEditPlanner):
    """Planner that changes background, weather, style of the picture or posture of a person.

    The intra-class augmentation of An Empirical Study of Validating Synthetic Data for Text-Based
    Person Retrieval (SynTBPR, https://arxiv.org/abs/2503.22171): further pictures of the same
    person, made by an editor that is told in a sentence what to change.

    A caption that tells something of what changes may be false afterwards and is left out, by its
    words (`mmtbps.lexicon.scenes`); an image that has no other is not edited in that way. The
    edited pictures can then be described anew, see `Captioner`.

    Args:
        instructions: Name of a kind (``'background'``, ``'weather'``, ``'style'``, ``'posture'``)
            -> sentences, one of which is chosen at random. All kinds are as likely.
        keep: Sentence that follows each of them, on what must stay.
        edits_per_image: Most edits of one image, as far as possible of different kinds.
        images_per_person: See `BaseEditPlanner`.
        max_edits: See `BaseEditPlanner`.
        seed: See `BaseEditPlanner`.
        allow_outside: See `BaseEditPlanner`.

    Raises:
        BadValue: If a kind is none of these, has no sentence or one twice, or a number is below 1.

    Example:
        >>> record = PairRecord('a/1.jpg', ('A man in a red coat.', 'He stands on the grass.'),
        ...                     person_id=7, split='train')
        >>> planner = SceneEditPlanner(dict(background=['Put the person on a beach.']))
        >>> job, = planner.plan([record], 'mine')
        >>> job.edit['instruction'], job.output
        ('Put the person on a beach.', {'captions': ['A man in a red coat.'], 'group': '7'})
    """

    def __init__(self, instructions: Mapping[str, Sequence[str]], keep: str = '',
                 edits_per_image: int = 1, images_per_person: int | None = None,
                 max_edits: int | None = None, seed: int = 0, allow_outside: bool = False) -> None:
        super().__init__(edits_per_image, images_per_person, max_edits, seed, allow_outside)
        if not instructions or (unknown := sorted(set(instructions) - _SCENES)):
            raise BadValue(f'instructions must be of kinds out of {", ".join(sorted(_SCENES))}, '
                           f'got {", ".join(unknown) if instructions else "none"}')
        for kind, sentences in instructions.items():
            if isinstance(sentences, str) or not sentences or not all(
                    isinstance(text, str) and text.strip() for text in sentences):
                raise BadValue(f'instructions of kind {kind} must be a list of sentences, got '
                               f'{sentences!r}')
            if len(set(sentences)) < len(sentences):
                raise BadValue(f'instructions of kind {kind} have a sentence twice')
        self.instructions = {kind: tuple(texts) for kind, texts in instructions.items()}
        self.keep = keep

    def edits_of(self, source: dict[str, Any], rng: np.random.Generator) -> list[Job]:
        return list(islice(self._options(source, rng), self.edits_per_image))

    def _options(self, source: dict[str, Any], rng: np.random.Generator) -> Iterator[Job]:
        """Yield all edits of an image at random, one of each kind before the second of any."""
        kinds = [kind for kind in self.instructions if _true_after(kind, source['captions'])]
        queues = [[(kinds[k], self.instructions[kinds[k]][i])
                   for i in rng.permutation(len(self.instructions[kinds[k]]))]
                  for k in rng.permutation(len(kinds))]
        for option in in_turn(queues):
            yield self._job(source, *option)

    def _job(self, source: dict[str, Any], kind: str, sentence: str) -> Job:
        kept = _true_after(kind, source['captions'])
        edit = dict(kind=kind, instruction=f'{sentence} {self.keep}'.strip(),
                    new=dict(text=sentence), kept=kept)
        return Job(source, edit, dict(captions=[source['captions'][i] for i in kept],
                                      group=str(source['person_id'])))

    def check(self, records: Iterable[PairRecord], top: int = 15) -> str:
        """Report how many images have a caption that an edit of each kind leaves true.

        Raises:
            BadValue: As :meth:`BaseEditPlanner.plan`.
        """
        images = self.images_of(records)
        lines = []
        for kind in self.instructions:
            count = sum(bool(_true_after(kind, captions)) for captions in images.values())
            lines.append(f'{count} of {len(images)} images have a caption that says nothing of '
                         f'the {kind}')
        return '\n'.join(lines)


def _true_after(kind: str, captions: Sequence[str]) -> list[int]:
    """List the places of the captions that an edit of this kind leaves true."""
    return [i for i, caption in enumerate(captions) if scene_word(kind, caption) is None]
