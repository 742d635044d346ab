"""Catalog of the pretrained models worth trying, and the notices of licences that restrict.

The facts are data, in ``catalog.json`` beside this module, and no torch is needed to read them.
What can be computed of a model (parameters, dimensions, tokens, input) is checked by the tests
against the built model; a fact that is not known is ``-``.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ['FAMILIES', 'CatalogModel', 'SpeedConditions', 'kind_notice', 'list_models',
           'model_notice', 'speed_conditions']

#: Families of models: made for people, by conversion; and for any picture, by name.
FAMILIES = ('person', 'general')

_FILE = Path(__file__).with_name('catalog.json')


@dataclass(frozen=True)
class CatalogModel:
    """A row of the catalog.

    Args:
        title: as people call it.
        name: ``SCHEME:NAME``; of a person model the kind and the source of its conversion, in
            capitals what is not known of the source.
        family: one of ``FAMILIES``.
        parameters: number of weights of both towers.
        dimensions: length of a feature.
        tokens: longest text that is read, special tokens included.
        image_size: (height, width) of the input; ``None`` for a tower that takes every shape.
        languages: of the texts; ``many`` for a model that was published as multilingual.
        aspect: ``'kept'``, ``'padded'`` to the input's shape unless told otherwise, or
            ``'stretched'`` to it, as the model was trained.
        licence: of the weights.
        commercial: whether it allows commercial use: ``'yes'``, ``'no'``, or ``'ask'`` the authors.
        fetch: the place of the weights; by a name with a scheme they are downloaded.
        cpu_ms: milliseconds of CPU time of one ``image`` and of one sentence (``text``) of the
            longest length, by `speed_conditions`; ``None`` where it was not measured.
        published: ``rank1`` by data set in percent, ``setting`` and ``by`` whom; ``None`` where
            nobody has published numbers on people.
    """

    title: str
    name: str
    family: str
    parameters: int
    dimensions: int
    tokens: int
    image_size: tuple[int, int] | None
    languages: str
    aspect: str
    licence: str
    commercial: str
    fetch: str
    cpu_ms: Mapping[str, float] | None
    published: Mapping[str, Any] | None

    def cells(self) -> dict[str, str]:
        """Word the row for a table, by column.

        Example:
            >>> list_models('general')[0].cells()['size']
            '375 M'
        """
        return dict(
            model=self.title, name=self.name, size=f'{self.parameters / 1e6:.0f} M',
            dims=str(self.dimensions), tokens=str(self.tokens),
            input='any' if self.image_size is None else '{}x{}'.format(*self.image_size),
            ms='{image:.0f} / {text:.0f}'.format_map(self.cpu_ms) if self.cpu_ms else '-',
            languages=self.languages, aspect=self.aspect, licence=self.licence,
            commercial=self.commercial, fetch=self.fetch, published=_word_numbers(self.published))

    def record(self) -> dict[str, Any]:
        """Return the row in JSON types."""
        return json.loads(json.dumps(asdict(self)))


@dataclass(frozen=True)
class SpeedConditions:
    """Conditions under which every ``cpu_ms`` was measured.

    Args:
        machine: the processor and its load.
        threads: of the CPU.
        runs: of which the fastest counts.
        software: with its version.
        date: in ISO format.
    """

    machine: str
    threads: int
    runs: int
    software: str
    date: str


def speed_conditions() -> SpeedConditions:
    """Return the conditions of the speeds.

    Example:
        >>> speed_conditions().threads
        1
    """
    return SpeedConditions(**_read()['speed'])


def list_models(family: str | None = None) -> tuple[CatalogModel, ...]:
    """List the models of a family, or of all.

    Example:
        >>> list_models('general')[0].name
        'hf:google/siglip2-base-patch16-naflex'
    """
    return tuple(
        CatalogModel(**row | dict(family=name, image_size=_pair(row['image_size'])))
        for name in FAMILIES if family in (None, name) for row in _read()[name])


def model_notice(name: str) -> str | None:
    """Return the notice of a dual encoder whose licence restricts its use, by its name.

    A name tells the family, so models that are not in the catalog have their notice, too. Of a path
    the last two parts count.

    Args:
        name: ``SCHEME:NAME[@REVISION]``.

    Returns:
        The notice; ``None`` if no restriction is known, which does not prove that there is none.

    Example:
        >>> model_notice('open_clip:MobileCLIP2-S0/dfndr2b')[:44]
        'open_clip:MobileCLIP2-S0/dfndr2b: its weight'
        >>> model_notice('hf:openai/clip-vit-base-patch16')
    """
    address = name.partition('@')[0]
    end = '/'.join(address.lower().split('/')[-2:])
    return next((f'{address}: {notice["text"]}' for notice in _read()['notices']
                 if any(fnmatchcase(end, pattern) for pattern in notice.get('names', ()))), None)


def kind_notice(kind: str) -> str | None:
    """Return the notice of the person models that are published in a layout.

    Args:
        kind: of checkpoints, such as ``'irra'``.

    Example:
        >>> kind_notice('rde')[:26]
        'models of this layout were'
        >>> kind_notice('openai_clip')
    """
    return next((notice['text'] for notice in _read()['notices']
                 if kind in notice.get('kinds', ())), None)


@cache
def _read() -> dict[str, Any]:
    return json.loads(_FILE.read_text(encoding='utf-8'))


def _pair(size: list[int] | None) -> tuple[int, int] | None:
    return None if size is None else (size[0], size[1])


def _word_numbers(published: Mapping[str, Any] | None) -> str:
    if published is None:
        return '-'
    numbers = ', '.join(f'{value:g} {data}' for data, value in published['rank1'].items())
    return f'R1 {numbers}; {published["setting"]}; {published["by"]}'
