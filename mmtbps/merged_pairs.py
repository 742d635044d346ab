"""Files of a generation run that training reads, and the note that binds them to a data set."""

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from .errors import BadValue, Remedy
from .fileio import write_durably

__all__ = ['CUHK_FILE', 'NOTE_FILE', 'PAIRS_FILE', 'RUN_FILE', 'MergeNote', 'digest_of_run',
           'file_sha256', 'fingerprint_sources', 'part_files']

PAIRS_FILE = 'pdg_pairs.jsonl'
CUHK_FILE = 'pdg_cuhk.json'
NOTE_FILE = 'pdg_merged.json'
RUN_FILE = 'run.json'

SCHEMA = 'mmtbps.pdg.merged/1'


@dataclass(frozen=True)
class MergeNote:
    """Origin of the merged files of a folder; lies beside them.

    Args:
        dataset: Name of the data set that the plan was made from.
        digest: Of the run's engine.
        accepted: Images that the gates accepted.
        pairs: SHA-256 of the file of pairs.
        sources: Fingerprint of the original pairs that they were made from, see
            `fingerprint_sources`.
        parts: SHA-256 of each part of the manifest that was merged, by its name.
    """

    dataset: str
    digest: str
    accepted: int
    pairs: str
    sources: str
    parts: dict[str, str]

    def write(self, folder: str | os.PathLike) -> None:
        """Write the note, last of the merged files."""
        content = json.dumps(dict(schema=SCHEMA, **asdict(self)), indent=1, sort_keys=True)
        write_durably(Path(folder, NOTE_FILE), content)

    @classmethod
    def read(cls, folder: str | os.PathLike) -> 'MergeNote | None':
        """Read the note of a folder; ``None`` if there is none, as beside pairs of version 0.1.

        Raises:
            BadValue: If it cannot be read.
        """
        path = Path(folder, NOTE_FILE)
        if not path.is_file():
            return None
        try:
            raw = json.loads(path.read_text(encoding='utf-8'))
            if (schema := raw['schema']) != SCHEMA:
                raise ValueError(f'schema {schema!r}, but this version reads {SCHEMA!r}')
            note = cls(**{f.name: raw[f.name] for f in fields(cls)})
            if not isinstance(note.accepted, int) or not isinstance(note.parts, dict):
                raise ValueError("'accepted' must be a number and 'parts' an object")
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise BadValue(f'{path}: broken note of merged pairs ({error}); merge again',
                           Remedy('generate_merge')) from error
        return note

    def check_files(self, folder: str | os.PathLike) -> None:
        """Refuse merged pairs that are not those that this note was written for.

        Files of the run that are gone, as in a folder that was copied without them, are passed
        over.

        Raises:
            BadValue: If the pairs have changed since, or the run has.
        """
        folder = Path(folder)
        pairs, again = folder / PAIRS_FILE, Remedy('generate_merge')
        if file_sha256(pairs) != self.pairs:
            raise BadValue(f'{pairs} is not as merging wrote it: cut off, changed, or of another '
                           'merge than its note; merge again', again)
        if (run := digest_of_run(folder)) not in (None, self.digest):
            raise BadValue(f'{pairs} was merged from run {self.digest}, but the folder now has run '
                           f'{run}; merge again', again)
        for part in part_files(folder):
            if self.parts.get(part.name) != file_sha256(part):
                raise BadValue(f'{pairs} is older than {part.name}: the run went on after it was '
                               'merged; merge again', again)


def part_files(folder: str | os.PathLike) -> list[Path]:
    """Find the manifest of a run: the part files of all processes, by name."""
    return sorted(Path(folder).glob('part-*-of-*.jsonl'))


def fingerprint_sources(pairs: Iterable[tuple[str, int, Sequence]]) -> str:
    """Compute a short name of original pairs, whatever their order.

    Args:
        pairs: Image, person id and captions of each.

    >>> fingerprint_sources([('a.jpg', 1, ['A man.']), ('b.jpg', 2, [])]) == fingerprint_sources(
    ...     [('b.jpg', 2, ()), ('a.jpg', 1, ('A man.',))])
    True
    """
    lines = sorted(json.dumps([image, person, list(captions)]) for image, person, captions in pairs)
    return hashlib.sha256('\n'.join(lines).encode()).hexdigest()[:16]


def file_sha256(path: str | os.PathLike) -> str:
    """Compute the SHA-256 of a file, in hex digits."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def digest_of_run(folder: str | os.PathLike) -> str | None:
    """Read the digest of the run of a folder; ``None`` if none is noted there."""
    try:
        digest = json.loads(Path(folder, RUN_FILE).read_text(encoding='utf-8')).get('digest')
    except (OSError, ValueError, AttributeError):
        return None
    return digest if isinstance(digest, str) else None
