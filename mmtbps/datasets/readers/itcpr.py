"""Reader of ITCPR: composed queries, an image and a sentence."""

import re
from collections import defaultdict
from dataclasses import replace

from mmtbps.datasets.annotations import LocatedRecord
from mmtbps.records import Entry, PairRecord, RecordError
from mmtbps.registry import DATASETS

from ..tbps_dataset import TBPSDataset

_NUMBER = re.compile('-1|0|[1-9][0-9]{0,15}')
_LARGEST = 2**53


@DATASETS.register_module()
class ITCPR(TBPSDataset):
    """Reader of `ITCPR <https://arxiv.org/abs/2311.16515>`_: find this person in these clothes.

    ``query.json`` has ``{file_path, datasets, person_id, instance_id, caption}``, a picture and a
    caption of other clothes; ``gallery.json`` the same without a caption. The right answers to a
    query are the gallery images of its ``instance_id``, also in quotes; -1 is nobody's.
    ``person_id`` counts anew in each source data set and decides nothing here.

    The data set is for testing. An item is a gallery image: its captions are those of the queries
    that it answers (the first image, where several answer one), ``query_img_paths`` the pictures
    that these begin from. ``person_id`` of an item is its instance, below 0 for images that answer
    nothing. `RankKMetric` ranks the gallery by the captions alone, which its protocol line says
    (the authors' row "text"); a model that composes picture and caption reads ``query_img_paths``.
    The authors name 2,202 queries and a gallery of 20,510 images, 2,225 of which are answers.
    Arguments as in :class:`TBPSDataset`.
    """

    dataset_name = 'ITCPR'
    split_files = {'test': ('query.json', 'gallery.json')}
    default_shared_ids = True
    how_to_get = ('ITCPR is given out by the authors of Word4Per, see '
                  'https://github.com/Delong-liu-bupt/Word4Per; its images come from Celeb-reID, '
                  'PRCC and LAST. docs/guides/data_sets.md shows the folders.')

    def parse(self, annotation: list[Entry]) -> list[PairRecord]:
        return [self._read(entry) for entry in annotation]

    def read_records(self) -> list[LocatedRecord]:
        """Read gallery and queries; each query is then at the image that answers it."""
        queries, gallery, whole = defaultdict(list), [], []
        for item in super().read_records():
            if item.source.has_lines:  # of a cleaned or converted copy, with its queries
                whole.append(item)
            elif item.record.captions:
                queries[item.record.person_id].append(item)
            else:
                gallery.append(item)
        self._metainfo.update(positives='same instance', queries='composed queries by their '
                              'captions alone')
        if whole and not (queries or gallery):
            return whole
        if not queries or not gallery or whole:
            raise RecordError(f'{", ".join(map(str, self.ann_file))}: no '
                              f'{"image of the gallery" if queries else "query"} in it; both files '
                              'are needed, query.json and gallery.json, and nothing beside them')
        located = [self._with_queries(item, queries.pop(item.record.person_id, ()), -2 - number)
                   for number, item in enumerate(gallery)]
        for item in (item for items in queries.values() for item in items):
            self._skip(item, f'query without an answer: instance {item.record.person_id} is not in '
                             'the gallery')
        return located

    def _read(self, entry: Entry) -> PairRecord:
        image, instance = entry.take('file_path', str), _instance_of(entry)
        caption = entry.take_or_none('caption', str)
        if caption is None:
            return PairRecord(image, (), instance, 'test', query_images=())
        if instance < 0:
            raise RecordError(f'{entry.where}: a query (it has a caption) must have an instance_id '
                              'of at least 0')
        return PairRecord(image, (caption,), instance, 'test', query_images=(image,))

    def _with_queries(self, item: LocatedRecord, queries: list[LocatedRecord], nobody: int
                      ) -> LocatedRecord:
        """Give a gallery image its queries, or a person of its own if it answers none."""
        record = item.record
        if record.person_id < 0:
            identity = item.identity._replace(id=nobody)
            return item._replace(record=replace(record, person_id=nobody), identity=identity)
        return item._replace(record=replace(
            record, captions=tuple(query.record.captions[0] for query in queries),
            query_images=tuple(query.record.query_images[0] for query in queries)))


def _instance_of(entry: Entry) -> int:
    """Return the instance of a record, a number that may stand in quotes; -1 for nobody's."""
    text = entry.raw.get('instance_id')
    quoted = isinstance(text, str) and _NUMBER.fullmatch(text)
    instance = int(text) if quoted else entry.take('instance_id', int)
    if not -1 <= instance <= _LARGEST:
        raise RecordError(f"{entry.where}: key 'instance_id' must be at least -1, and no larger "
                          f'than all programs read, got {instance}')
    return instance
