"""Ids of the items of a data set of people: persons, images and families, item by item."""

import numpy as np

from .annotations import Identity


class ItemIds:
    """Ids that samplers, wrappers and losses go by; they are there once ``full_init`` has run."""

    _people: dict[int, Identity]  # of each person_id
    _person_ids: np.ndarray
    _image_ids: np.ndarray
    _family_ids: np.ndarray

    @property
    def person_ids(self) -> np.ndarray:
        """Person of each item, int64, ``(len(self),)``, from 0; survives MMEngine's serialising."""
        self.full_init()
        return self._person_ids

    @property
    def image_ids(self) -> np.ndarray:
        """Image of each item, int64, ``(len(self),)``, numbered from 0 in order of appearance."""
        self.full_init()
        return self._image_ids

    @property
    def family_ids(self) -> np.ndarray:
        """Ids as ``person_ids``, but a generated pair has the person of its source image."""
        self.full_init()
        return self._family_ids

    @property
    def people(self) -> dict[int, Identity]:
        """The person that each ``person_id`` stands for: annotation file, and id there."""
        self.full_init()
        return self._people

    def get_cat_ids(self, index: int) -> list[int]:
        """Return the person of an item, which MMEngine's balancing takes for its category."""
        return [int(self.person_ids[index])]
