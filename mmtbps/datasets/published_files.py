"""Facts on a data set as it is published: names and forms of its files, sizes, where it is from."""

from typing import ClassVar

from mmtbps.fileio import as_path, is_remote

__all__ = ['READING_ARGUMENTS', 'PublishedFiles']

#: Arguments of a reader that decide what its files mean, before a split is chosen.
READING_ARGUMENTS = ('data_root', 'data_prefix', 'shared_ids', 'allow_outside', 'strip_prefix',
                     'people', 'flat', 'ids_of_parts', 'prompt_captions', 'back_translations')


class PublishedFiles:
    """Base of a reader, which says what its data set is like."""

    dataset_name: ClassVar[str] = 'pairs'
    #: Published names of the annotation file; any stands for the others.
    ann_files: ClassVar[tuple[str, ...]] = ()
    image_folder: ClassVar[str] = ''
    how_to_get: ClassVar[str] = 'docs/guides/prepare_data.md#your-own-data shows how to write one.'
    #: Name of the command that makes the data set in its ``data_root``, if there is one.
    remedy: ClassVar[str | None] = None
    #: People, images and captions that each split is published with.
    published_sizes: ClassVar[dict[str, tuple[int, int, int]]] = {}
    #: The same of all splits together, where only that is known.
    published_total: ClassVar[tuple[int, int, int] | None] = None
    #: Taken where the files have no split val of their own.
    default_holdout: ClassVar[float] = 0
    default_shared_ids: ClassVar[bool] = False
    #: Files of each split, where each has its own; those that are missing are passed over.
    split_files: ClassVar[dict[str, tuple[str, ...]]] = {}
    #: Of `split_files`, read those of the data set's split alone; nothing is shared by two splits.
    reads_own_split: ClassVar[bool] = False
    #: Forms of the annotation file, see `mmtbps.datasets.entries.read_entries`.
    forms: ClassVar[tuple[str, ...]] = ('list',)
    #: Most entries that `parse` gets at a time, in large files; ``None`` for all of a file.
    parse_size: ClassVar[int | None] = None
    #: Whether no image has two records, but by mistake.
    image_a_record: ClassVar[bool] = True
    #: Whether `parse` reads ``.jsonl`` files too.
    parses_lines: ClassVar[bool] = False
    #: Splits that a record may be in.
    splits: ClassVar[tuple[str, ...]] = ('train', 'val', 'test')

    @classmethod
    def default_files(cls, data_root: str = '', split: str | None = None) -> tuple[str, ...]:
        """Name the published annotation files, those of a split if only these are read.

        Args:
            data_root: Folder of the data set, which decides where a file of a split may be missing.
            split: ``None`` for the files of all splits.
        """
        if not cls.split_files:
            return cls.ann_files[:1]
        held_out_of = 'train' if split == 'val' else split
        own = split if split in cls.split_files else held_out_of
        wanted = [own] if cls.reads_own_split and own in cls.split_files else cls.split_files
        names = [name for one in wanted for name in cls.split_files[one]]
        root = as_path(data_root)
        there = ((lambda name: (root / name).is_file()) if is_remote(data_root) else
                 (lambda name: any(root.glob(name))))
        return tuple(filter(there, names)) or tuple(names[:1])
