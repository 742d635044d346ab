"""Metric of MMEngine's loops: does the model know who is not there?"""

import os
from collections.abc import Sequence

from mmengine.logging import MessageHub, print_log

from mmtbps.errors import BadValue
from mmtbps.registry import METRICS

from ..rank_metric import RankKMetric
from .calibration import PresenceCalibration
from .calibration_file import describe_fit, read_calibration
from .measures import measure_trials, rate_trials
from .open_set import OpenSet, deal_trials

__all__ = ['OpenSetMetric']


@METRICS.register_module()
class OpenSetMetric(RankKMetric):
    """Metric of presence: each caption is asked of galleries that have its person, or have not.

    Who is absent depends on ``seed`` alone, see `deal_trials`. Largest score, margin and running
    z-score stand beside the label-free estimate and, with ``calibration``, the calibrated one. A
    calibration is told the share of people who are there; a user knows it or takes a half.

    Metric keys: ``presence/{people}/{percent}/{way}/{measure}``, such as
    ``presence/200/50/calibrated/ECE``; the ways and measures are those of `WAYS` and
    `measure_trials`.

    Args:
        sizes: People of the galleries, each below the people of the data set; others are passed
            over, and named in the log.
        shares: Of the people who are there.
        seed: Of who is absent.
        calibration: File of ``mmtbps calibrate``, or what `read_calibration` gives.
        **options: Of `RankKMetric`: ``device``, ``selection``, ``model``, ``partial``, ``prefix``.

    Raises:
        BadValue: A share is not between 0 and 1, or no size fits the data set.

    Example:
        >>> OpenSetMetric(sizes=(50,)).sizes
        (50,)
    """

    def __init__(self, sizes: Sequence[int] = (50, 200, 1000),
                 shares: Sequence[float] = (.1, .5, .9), seed: int = 0,
                 calibration: str | os.PathLike | PresenceCalibration | None = None,
                 **options) -> None:
        super().__init__(directions=('t2i', ), **options)
        if not sizes or min(sizes) < 1:
            raise BadValue(f'sizes of galleries are numbers of people from 1, got {sizes!r}')
        if not shares or not all(0 < share < 1 for share in shares):
            raise BadValue(f'shares of people who are there are between 0 and 1, got {shares!r}')
        self.sizes, self.shares, self.seed = tuple(sizes), tuple(shares), seed
        self.calibration = calibration if isinstance(
            calibration, PresenceCalibration | None) else read_calibration(calibration)

    def compute_metrics(self, results: list[dict]) -> dict[str, float | int]:
        """Deal and measure the trials; called on the main process with one result per image."""
        images, texts = self._sides(results)
        known = self.calibration
        data = OpenSet(
            texts['features'].numpy(), texts['person_ids'].numpy(), images['features'].numpy(),
            images['person_ids'].numpy(), *(() if known is None else (known.bank, known.scale)))
        people = len(set(data.gallery_ids.tolist()) & set(data.query_ids.tolist()))
        sizes = [size for size in self.sizes if size < people]
        if not sizes:
            raise BadValue(f'OpenSetMetric got {people} people, and sizes {self.sizes}: a gallery '
                           'needs one person more in the data set than it has')
        metrics = {}
        for size in sizes:
            for share in self.shares:
                trials = deal_trials(data, size, share, self.seed)
                measured = measure_trials(trials, rate_trials(trials, known, share))
                metrics.update({f'presence/{size}/{100 * share:g}/{name}': value
                                for name, value in measured.items()})
        protocol = self._open_set_protocol(people, sizes)
        print_log(protocol, logger='current')
        MessageHub.get_current_instance().update_info('presence_protocol', protocol)
        return metrics

    def _open_set_protocol(self, people: int, sizes: Sequence[int]) -> str:
        """Word the protocol line that the log keeps beside the numbers."""
        meta = self.dataset_meta or {}
        left_out = [str(size) for size in self.sizes if size not in sizes]
        return ' | '.join([
            f'open-set protocol: {meta.get("dataset_name", "unnamed data set")}, '
            f'split {meta.get("split", "unknown")}, {people:,} people',
            f'galleries of {", ".join(map(str, sizes))} people'
            + (f' (too few people for {", ".join(left_out)})' if left_out else ''),
            f'{", ".join(f"{100 * share:g}" for share in self.shares)} % of the people there',
            f'absent by seed {self.seed}',
            'not calibrated' if self.calibration is None else describe_fit(self.calibration),
            self.model or f'checkpoint: {self.selection or "unknown"}'])
