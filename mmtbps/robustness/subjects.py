"""Test set that a robustness run changes: pictures, captions, people."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmtbps.registry import DATASETS

from .conditions import Condition

__all__ = ['Subjects', 'change_captions', 'generator_of', 'read_subjects']


@dataclass(frozen=True)
class Subjects:
    """Pictures and captions of a test set.

    Args:
        name: of the data set.
        paths: of the N pictures.
        people: their person ids.
        captions: Q captions.
        owners: places of their pictures.
        digest: of what was read, in JSON types.
    """

    name: str
    paths: Sequence[str]
    people: np.ndarray
    captions: Sequence[str]
    owners: np.ndarray
    digest: Mapping[str, Any]


def read_subjects(settings: Mapping[str, Any]) -> Subjects:
    """Read the test set of a config.

    Args:
        settings: of the data set, such as ``cfg.test_dataloader.dataset``.
    """
    dataset = DATASETS.build({**settings, 'pipeline': []})
    items = [dataset.get_data_info(place) for place in range(len(dataset))]
    captions = [caption for item in items for caption in item['captions']]
    name = dataset.metainfo.get('dataset_name', type(dataset).__name__)
    return Subjects(name, [item['img_path'] for item in items],
                    np.array([item['person_id'] for item in items]), captions,
                    np.repeat(np.arange(len(items)), [len(item['captions']) for item in items]),
                    dict(ann_files=dict(dataset.metainfo.get('ann_files', {})),
                         images=len(items), captions=len(captions)))


def generator_of(seed: int, condition: Condition, place: int) -> np.random.Generator:
    """Make the generator of one item under one condition, whatever else is asked for."""
    return np.random.default_rng([seed, *condition.name.encode(), place])


def change_captions(subjects: Subjects, condition: Condition,
                    seed: int) -> Iterator[tuple[str, bool]]:
    """Yield each caption under a condition, and whether it could be changed."""
    for place, caption in enumerate(subjects.captions):
        new = condition.caption(caption, generator_of(seed, condition, place))
        yield (caption, False) if new is None or new == caption else (new, True)
