"""Kinds of edits: colours of garments, other changes of the clothes, and changes of the scene."""

from dataclasses import dataclass

from mmtbps.errors import BadValue

__all__ = ['EDIT_KINDS', 'EditKind', 'find_kind', 'kinds_that']


@dataclass(frozen=True, slots=True)
class EditKind:
    """Kind of an edit: the properties that captions, gates and merging go by.

    Args:
        name: As a plan calls it.
        changes_person: It changes what is worn. The captions change with it, and the picture shows
            somebody new, since the appearance is the identity in this task. Otherwise both stay.
        on_garment: It changes one garment and nothing else of the picture.
        keeps_person: All pixels of the person stay.
        keeps_posture: The joints stay where they are.
    """

    name: str
    changes_person: bool = True
    on_garment: bool = False
    keeps_person: bool = False
    keeps_posture: bool = True


#: Name of a kind -> the kind. The last four are those of SynTBPR, https://arxiv.org/abs/2503.22171.
EDIT_KINDS = {kind.name: kind for kind in (
    EditKind('color', on_garment=True),
    EditKind('garment', on_garment=True),
    EditKind('pattern', on_garment=True),
    EditKind('accessory'),
    EditKind('background', changes_person=False, keeps_person=True),
    EditKind('weather', changes_person=False),
    EditKind('style', changes_person=False),
    EditKind('posture', changes_person=False, keeps_posture=False),
)}


def find_kind(name: str) -> EditKind:
    """Return the kind of a name.

    Raises:
        BadValue: If there is none.

    >>> find_kind('background').changes_person
    False
    """
    if name not in EDIT_KINDS:
        raise BadValue(f'no edits of kind {name!r}; there are {", ".join(EDIT_KINDS)}')
    return EDIT_KINDS[name]


def kinds_that(**properties: bool) -> frozenset[str]:
    """Collect the names of the kinds with all of these properties.

    >>> sorted(kinds_that(on_garment=True))
    ['color', 'garment', 'pattern']
    """
    return frozenset(name for name, kind in EDIT_KINDS.items()
                     if all(getattr(kind, key) == value for key, value in properties.items()))
