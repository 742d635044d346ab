"""Metric of MMEngine's validation and test loops."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.dist import all_gather, all_gather_object, get_rank
from mmengine.evaluator import BaseMetric
from mmengine.logging import MessageHub, print_log
from torch import Tensor

from mmtbps.errors import BadValue, MissingKey
from mmtbps.registry import METRICS

from .copies import alike_rows, describe_copies, find_copies
from .refinement import Refinement, Reranker
from .streaming import PART_SIZE, GalleryPart, evaluate_streamed, open_features

__all__ = ['RankKMetric']

_NEEDED = ('image_feature', 'text_features', 'person_id', 'image_id')
_COUNTS = dict(num_queries='queries', num_gallery='gallery', num_unmatched='unmatched')
_SHORT_HASH = 12


@METRICS.register_module()
class RankKMetric(BaseMetric):
    """Metric of R@k, mAP (standard and trapezoid) and mINP of text-based person search, in percent.

    The gallery is every image once; the queries are all captions; positives are found by person
    id. One result is kept per *image*, so the samples that a multi-process loader repeats to
    fill its last batch are dropped by the length of the data set and never counted. What was
    measured is logged as one protocol line, made of the sample counts and of ``dataset_name``,
    ``split``, ``ann_files`` (file name -> sha256), ``other_size`` (words on the published size),
    ``left_out`` (on images that are not in the gallery), ``queries`` (where they are more than
    their captions) and ``positives`` (where they are no persons) in the data set's ``metainfo``.
    Exact copies among the pictures are named there, with the queries that they touch.

    Metric keys: ``t2i/R1``, ``t2i/R5``, ``t2i/R10``, ``t2i/mAP``, ``t2i/mAP_trapz``,
    ``t2i/mINP``, ``t2i/queries``, ``t2i/gallery``, ``t2i/unmatched``; the same with ``i2t``.

    Args:
        topk: The k of ``R{k}``.
        directions: ``'t2i'`` ranks images for each caption, ``'i2t'`` captions for each image.
        cross_image_only: Leave the query's own image (or its own captions) out of its ranking.
        chunk_size: Queries scored at once.
        device: Where to compute; default where the model left the features.
        distractors: Folder of image features of strangers, for
            :func:`~mmtbps.evaluation.open_features`; they join the gallery of ``'t2i'``.
        selection: Words on how the checkpoint was chosen, for the protocol line; by default it
            says ``unknown``.
        model: Description of a model that was not trained by this config, for the protocol line;
            it stands in place of ``selection``.
        refinements: Settings of :class:`~mmtbps.evaluation.Refinement`: they change the scores, one
            after the other, in both directions (a `Reranker` in ``'t2i'`` alone), and stand in the
            protocol line.
        partial: Words on weights of the checkpoint that did not fit the model, for the protocol
            line.
        prefix: Put before every metric key, with a slash.

    Raises:
        BadValue: A direction is unknown, or a refinement none; or, while evaluating, an image
            arrives twice or never.

    Example:
        >>> metric = RankKMetric(topk=(1,))
        >>> sample = dict(image_feature=torch.ones(4), text_features=torch.ones(2, 4),
        ...               person_id=7, image_id=0)  # an image with two captions
        >>> metric.process(None, [sample])
        >>> len(metric.results)
        1
    """

    default_prefix = ''  # the keys already say what they are; no prefix needs no warning

    def __init__(self,
                 topk: Sequence[int] = (1, 5, 10),
                 directions: Sequence[str] = ('t2i', 'i2t'),
                 cross_image_only: bool = False,
                 chunk_size: int = 1024,
                 device: str | None = None,
                 distractors: str | None = None,
                 selection: str | None = None,
                 model: str | None = None,
                 partial: str = '',
                 refinements: Sequence[dict | Refinement] = (),
                 prefix: str | None = None):
        super().__init__(collect_device='gpu', prefix=prefix)  # no files, on a CPU neither
        if not directions or not set(directions) <= {'t2i', 'i2t'}:
            raise BadValue(f"directions must be of 't2i' and 'i2t', got {directions!r}")
        self.topk, self.directions = tuple(topk), tuple(directions)
        self.cross_image_only, self.chunk_size = cross_image_only, chunk_size
        self.device, self.distractors, self.selection = device, distractors, selection
        self.model, self.partial = model, partial
        self.refinements = [METRICS.build(settings) if isinstance(settings, dict) else settings
                            for settings in refinements]
        for part in self.refinements:
            if not isinstance(part, Refinement):
                raise BadValue('refinements must be a list of settings such as '
                               f"dict(type='KReciprocal', k1=20), got {part!r}")
        if self.refinements and distractors:
            raise BadValue(f'{self.refinements[0]} needs the whole gallery at once, and '
                           'distractors are read part by part: leave one of the two out')
        self._features_device, self._features, self._size = None, [], None

    def process(self, data_batch, data_samples: Sequence[dict]) -> None:
        """Keep the features and ids of each image.

        Args:
            data_batch: Not used.
            data_samples: Dicts with ``image_feature`` ``(D,)``, ``text_features`` ``(k, D)``,
                ``person_id`` and ``image_id``.

        Raises:
            MissingKey: A sample lacks one of them.
        """
        for sample in data_samples:
            missing = [key for key in _NEEDED if key not in sample]
            if missing:
                raise MissingKey(f'{sample.get("img_path", "a sample")} came to RankKMetric '
                                 f'without {missing}; features are set by the model in predict '
                                 'mode, ids by the packing transform')
        blocks = [block for sample in data_samples
                  for block in (sample['image_feature'][None], sample['text_features'])]
        features = torch.cat(blocks).detach()
        self._features_device = features.device
        # Once for the batch: each copy from a device waits until all before it is computed.
        features = features.cpu().split([1 + len(sample['text_features'])
                                         for sample in data_samples])
        self.results += [
            dict(features=rows, person_id=int(sample['person_id']),
                 image_id=int(sample['image_id']), **self._shown(sample))
            for sample, rows in zip(data_samples, features, strict=True)]

    def evaluate(self, size: int) -> dict[str, float | int]:
        """Gather the results of all processes and measure them.

        Features travel as one tensor and are not pickled.

        Args:
            size: Images of the data set; what a loader repeats beyond is dropped.
        """
        features = [result.pop('features') for result in self.results]
        first = 0
        for result, rows in zip(self.results, features, strict=True):
            result.update(process=get_rank(), first=first, length=len(rows))
            first += len(rows)
        self._features = _gather_rows(torch.cat(features) if features else torch.empty(0, 0))
        self._size = size
        try:
            return super().evaluate(size)
        finally:
            self._features = []

    def compute_metrics(self, results: list[dict]) -> dict[str, float | int]:
        """Rank in each direction; called on the main process with one result per image."""
        images, texts = self._sides(results)
        metrics = {}
        self._ask_in_words(results)
        for direction in self.directions:
            queries, gallery = (texts, images) if direction == 't2i' else (images, texts)
            parts = [GalleryPart(*gallery.values())]
            if self.distractors and direction == 't2i':
                parts += open_features(self.distractors)
            measured = evaluate_streamed(
                queries['features'], queries['person_ids'], parts,
                # In parts, what lies in memory would be scored twice.
                part_size=max(PART_SIZE, len(gallery['features'])),
                topk=self.topk, chunk_size=self.chunk_size,
                device=self.device or self._features_device,
                query_images=queries['image_ids'], cross_image_only=self.cross_image_only,
                refinements=self._refinements_of(direction))
            metrics.update({f'{direction}/{_COUNTS.get(name, name)}': value
                            for name, value in measured.items()})
        protocol = self._protocol(metrics, self._copies(results, images, texts))
        print_log(protocol, logger='current')
        # A best checkpoint then knows by what it was chosen.
        MessageHub.get_current_instance().update_info('protocol', protocol)
        return metrics

    def score_sentences(self, queries: Tensor, gallery: Tensor, texts: Sequence[str],
                        images: Sequence[str], own: Tensor) -> Tensor:
        """Score some sentences as the last evaluation did, for lists that show what it counted.

        Args:
            queries: ``(Q, D)`` float32, of length 1.
            gallery: ``(N, D)``, likewise: all images, in their order.
            texts: Q sentences.
            images: N paths.
            own: ``(Q,)`` place of the image that each sentence is of.

        Returns:
            ``(Q, N)``, higher is better; ``-inf`` is out of the ranking.
        """
        scores = queries @ gallery.T
        if self.cross_image_only:
            scores[torch.arange(len(scores)), own] = -torch.inf
        for part in self._refinements_of('t2i'):
            if isinstance(part, Reranker):
                part.ask(texts, images)  # and not prepared: its share is that of all queries
            else:
                part.prepare(queries, gallery)
            scores = part(queries, gallery, scores, slice(0, len(queries)))
        return scores

    def _shown(self, sample: dict) -> dict:
        """Keep the path of a picture, and its sentences where a second stage is to see them."""
        rerankers = [part for part in self.refinements if isinstance(part, Reranker)]
        keys = ('captions', 'img_path') if rerankers else ('img_path',)
        return {key: sample[key] for key in keys if key in sample}

    @staticmethod
    def _copies(results: list[dict], images: dict, texts: dict) -> str:
        """Word the exact copies in the gallery; those whose features differ can be none."""
        if not all('img_path' in result for result in results):
            return ''
        paths = [result['img_path'] for result in results]
        copies = find_copies(paths, alike_rows(images['features'].numpy(force=True)))
        return describe_copies(copies, paths, images['person_ids'].tolist(),
                               texts['person_ids'].tolist())

    def _ask_in_words(self, results: list[dict]) -> None:
        texts = [text for result in results for text in result.get('captions', ())]
        images = [result['img_path'] for result in results if 'img_path' in result]
        for part in self.refinements:
            if isinstance(part, Reranker):
                part.ask(texts, images)

    def _refinements_of(self, direction: str) -> list[Refinement]:
        """Return the refinements of a direction; pictures cannot be asked in words."""
        return [part for part in self.refinements
                if direction == 't2i' or not isinstance(part, Reranker)]

    def _sides(self, results: list[dict]) -> tuple[dict, dict]:
        """Return the two sides of the search, images and captions, in the order of the data set."""
        if not results:
            raise BadValue('RankKMetric got no sample; is the data set empty?')
        person_ids = torch.tensor([result['person_id'] for result in results])
        image_ids = torch.tensor([result['image_id'] for result in results])
        if self._size is not None and len(results) < self._size:
            raise BadValue(f'RankKMetric got {len(results)} of the {self._size} images of the '
                           'data set: a smaller gallery would give other numbers')
        values, counts = image_ids.unique(return_counts=True)
        if len(values) < len(image_ids):
            raise BadValue(
                f'image_id {int(values[counts > 1][0])} came more than once, which would change '
                'the gallery; the data set must yield each image once, with all its captions '
                '(test_mode=True)')
        rows = [self._features[result['process']][result['first']:][:result['length']]
                for result in results]
        captions = torch.tensor([len(features) - 1 for features in rows])
        images = dict(features=torch.stack([features[0] for features in rows]),
                      person_ids=person_ids, image_ids=image_ids)
        texts = dict(features=torch.cat([features[1:] for features in rows]),
                     person_ids=person_ids.repeat_interleave(captions),
                     image_ids=image_ids.repeat_interleave(captions))
        return images, texts

    def _protocol(self, metrics: dict, copies: str) -> str:
        """Word the protocol line that the log keeps beside the numbers."""
        meta = self.dataset_meta or {}
        files = [f'{name} (sha256 {sha256[:_SHORT_HASH]})'
                 for name, sha256 in meta.get('ann_files', {}).items()]
        counts = [f'{direction} {metrics[f"{direction}/queries"]:,} queries x '
                  f'{metrics[f"{direction}/gallery"]:,} gallery, '
                  f'{metrics[f"{direction}/unmatched"]:,} unmatched'
                  for direction in self.directions]
        own = 'left out' if self.cross_image_only else 'included'
        return ' | '.join([
            f'protocol: {meta.get("dataset_name", "unnamed data set")}, '
            f'split {meta.get("split", "unknown")}',
            f'annotations {", ".join(files) or "unknown"}',
            *counts,
            *([f'gallery with distractors of {self.distractors}'] if self.distractors else []),
            *(meta[key] for key in ('other_size', 'left_out', 'queries') if key in meta),
            *filter(None, [copies]),
            f'positives: {meta.get("positives", "same person")}, own image {own}',
            *(f'refined by {refinement}' for refinement in self.refinements),
            self.model or f'checkpoint: {self.selection or "unknown"}',
            *filter(None, [self.partial])])


def _gather_rows(rows: Tensor) -> list[Tensor]:
    """Gather the ``(n, D)`` float32 rows of every process, where n is its own."""
    shapes = all_gather_object(tuple(rows.shape))
    height, width = (max(sizes) for sizes in zip(*shapes, strict=True))
    padded = F.pad(rows.float(), (0, width - rows.shape[1], 0, height - rows.shape[0]))
    return [gathered[:length] for gathered, (length, _)
            in zip(all_gather(padded), shapes, strict=True)]
