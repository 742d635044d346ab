"""The metric of MMEngine's validation and test loops."""

from collections.abc import Sequence

import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmtbps.registry import METRICS

from .ranking import evaluate_ranking

__all__ = ['RankKMetric']

_NEEDED = ('image_feature', 'text_features', 'person_id', 'image_id')
_COUNTS = dict(num_queries='queries', num_gallery='gallery', num_unmatched='unmatched')
_SHORT_HASH = 12


@METRICS.register_module()
class RankKMetric(BaseMetric):
    """R@k, mAP (standard and trapezoid) and mINP of text-based person search, in percent.

    The gallery is every image once; the queries are all captions; positives are found by person
    id. One result is kept per *image*, so the samples that a multi-process loader repeats to
    fill its last batch are dropped by the length of the data set and never counted. What was
    measured is logged as one protocol line, made of the sample counts and of ``dataset_name``,
    ``split`` and ``ann_files`` (file name -> sha256) in the data set's ``metainfo``.

    Metric keys: ``t2i/R1``, ``t2i/R5``, ``t2i/R10``, ``t2i/mAP``, ``t2i/mAP_trapz``,
    ``t2i/mINP``, ``t2i/queries``, ``t2i/gallery``, ``t2i/unmatched``; the same with ``i2t``.

    Args:
        topk: the k of ``R{k}``.
        directions: ``'t2i'`` ranks images for each caption, ``'i2t'`` captions for each image.
        cross_image_only: leave the query's own image (or its own captions) out of its ranking.
        chunk_size: queries scored at once.
        device: where to compute; default where the model left the features.
        selection: the split on which checkpoints are chosen, for the protocol line.
        collect_device: ``'cpu'`` or ``'gpu'``, how processes exchange results.
        prefix: put before every metric key, with a slash.

    Raises:
        ValueError: a direction is unknown; or, while evaluating, an image arrives twice.

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
                 selection: str = 'val',
                 collect_device: str = 'cpu',
                 prefix: str | None = None):
        super().__init__(collect_device=collect_device, prefix=prefix)
        if not directions or not set(directions) <= {'t2i', 'i2t'}:
            raise ValueError(f"directions must be of 't2i' and 'i2t', got {directions!r}")
        self.topk, self.directions = tuple(topk), tuple(directions)
        self.cross_image_only, self.chunk_size = cross_image_only, chunk_size
        self.device, self.selection = device, selection
        self._features_device = None

    def process(self, data_batch, data_samples: Sequence[dict]) -> None:
        """Keep the features and ids of each image.

        Args:
            data_batch: not used.
            data_samples: dicts with ``image_feature`` ``(D,)``, ``text_features`` ``(k, D)``,
                ``person_id`` and ``image_id``.

        Raises:
            KeyError: a sample lacks one of them.
        """
        for sample in data_samples:
            missing = [key for key in _NEEDED if key not in sample]
            if missing:
                raise KeyError(f'{sample.get("img_path", "a sample")} came to RankKMetric without '
                               f'{missing}; features are set by the model in predict mode, ids by '
                               'the packing transform')
            self._features_device = sample['image_feature'].device
            self.results.append(dict(
                image_feature=sample['image_feature'].detach().cpu(),
                text_features=sample['text_features'].detach().cpu(),
                person_id=int(sample['person_id']), image_id=int(sample['image_id'])))

    def compute_metrics(self, results: list[dict]) -> dict[str, float | int]:
        """Rank in each direction; called on the main process with one result per image."""
        images, texts = self._gather(results)
        metrics = {}
        for direction in self.directions:
            queries, gallery = (texts, images) if direction == 't2i' else (images, texts)
            measured = evaluate_ranking(
                queries['features'], queries['person_ids'],
                gallery['features'], gallery['person_ids'],
                topk=self.topk, chunk_size=self.chunk_size,
                device=self.device or self._features_device,
                query_images=queries['image_ids'], gallery_images=gallery['image_ids'],
                cross_image_only=self.cross_image_only)
            metrics.update({f'{direction}/{_COUNTS.get(name, name)}': value
                            for name, value in measured.items()})
        print_log(self._protocol(metrics), logger='current')
        return metrics

    @staticmethod
    def _gather(results: list[dict]) -> tuple[dict, dict]:
        """Join the results to the two sides of the search, images and captions."""
        if not results:
            raise ValueError('RankKMetric got no sample; is the data set empty?')
        person_ids = torch.tensor([result['person_id'] for result in results])
        image_ids = torch.tensor([result['image_id'] for result in results])
        values, counts = image_ids.unique(return_counts=True)
        if len(values) < len(image_ids):
            raise ValueError(
                f'image_id {int(values[counts > 1][0])} came more than once, which would change '
                'the gallery; the data set must yield each image once, with all its captions '
                '(test_mode=True)')
        captions = torch.tensor([len(result['text_features']) for result in results])
        images = dict(features=torch.stack([result['image_feature'] for result in results]),
                      person_ids=person_ids, image_ids=image_ids)
        texts = dict(features=torch.cat([result['text_features'] for result in results]),
                     person_ids=person_ids.repeat_interleave(captions),
                     image_ids=image_ids.repeat_interleave(captions))
        return images, texts

    def _protocol(self, metrics: dict) -> str:
        """One line that says what the numbers mean."""
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
            f'positives: same person, own image {own}',
            f'checkpoints selected on {self.selection}'])
