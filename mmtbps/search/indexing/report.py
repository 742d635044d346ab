"""Account of an index run."""

from dataclasses import dataclass, field, fields

__all__ = ['IndexReport']


@dataclass
class IndexReport:
    """Account of the files of a run; prints as one line.

    Args:
        indexed: Crops that were encoded and stored, new ones and those of changed files.
        unchanged: Files that were in the gallery already.
        replaced: Crops of the gallery in whose place one of other content was stored.
        updated: Unchanged files whose metadata is another now.
        cleared: Facts of unchanged files that their metadata says to be empty.
        forgotten: Files of new content whose former metadata was dropped, all but the camera.
        removed: Crops that are no longer in the gallery.
        skipped: Path and reason of each file that was refused or could not be read, and of each
            folder that could not be listed.
        passed_over: System folders, what was excluded, and answers that were written into the
            folder.
        unused: Patterns of what to exclude that fit nothing.
        wide: New crops that have not the shape of a person, or the size of a photograph.
        nobody: Files in which the detector found no person.
        videos: Of the folder, that were passed over because there is no detector.
        packed: Shards and parquet files that were passed over, as images lie beside them.
        unknown: Rows of the metadata that name no file.
        similar: Of these, the file that may have been meant.
        captioned: Crops whose caption is in their feature, of those that were indexed.
        uncaptioned: Path and reason of each crop that was indexed without a caption.
        cut_captions: Captions of which the model reads a part.
        notes: Path and what is odd about each file that was taken nevertheless.
    """

    indexed: int = 0
    unchanged: int = 0
    replaced: int = 0
    updated: int = 0
    cleared: int = 0
    forgotten: int = 0
    removed: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    wide: list[str] = field(default_factory=list)
    nobody: list[str] = field(default_factory=list)
    videos: list[str] = field(default_factory=list)
    packed: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    similar: dict[str, str] = field(default_factory=dict)
    notes: list[tuple[str, str]] = field(default_factory=list)
    captioned: int = 0
    uncaptioned: list[tuple[str, str]] = field(default_factory=list)
    cut_captions: int = 0

    def add(self, other: 'IndexReport') -> None:
        """Add the account of other files.

        Example:
            >>> report = IndexReport(indexed=2, nobody=['a.jpg'])
            >>> report.add(IndexReport(indexed=1, nobody=['b.jpg']))
            >>> report.indexed, report.nobody
            (3, ['a.jpg', 'b.jpg'])
        """
        for one in fields(self):
            mine, theirs = getattr(self, one.name), getattr(other, one.name)
            if isinstance(mine, dict):
                mine.update(theirs)
            else:
                setattr(self, one.name, mine + theirs)

    def so_far(self) -> str:
        """Word the numbers that are told while a run goes on."""
        return (f'{self.indexed} stored, {self.unchanged} unchanged, '
                f'{len(self.skipped)} skipped')

    def __str__(self) -> str:
        numbers = [f'{self.indexed} indexed', f'{self.unchanged} unchanged']
        for number, name in ((self.replaced, 'replaced'), (self.updated, 'with new metadata'),
                             (self.cleared, 'values removed'),
                             (self.forgotten, 'without their former metadata'),
                             (self.removed, 'removed'), (len(self.skipped), 'skipped'),
                             (len(self.passed_over), 'passed over'),
                             (len(self.nobody), 'without a person'),
                             (self.captioned, 'with a caption'),
                             (len(self.uncaptioned), 'without a caption'),
                             (len(self.notes), 'with a note')):
            numbers += [f'{number} {name}'] if number else []
        return ', '.join(numbers)
