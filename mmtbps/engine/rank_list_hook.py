"""Hook that draws a few ranked lists after validation and test."""

from pathlib import Path

import torch
import torch.nn.functional as F
from mmengine.dist import collect_results, is_main_process
from mmengine.hooks import Hook
from PIL import Image

from mmtbps.evaluation import RankKMetric
from mmtbps.fileio import write_durably
from mmtbps.registry import HOOKS
from mmtbps.visualization import draw_rank_list, draw_rank_sheet


@HOOKS.register_module()
class RankListHook(Hook):
    """Hook that writes PNG sheets of ranked lists: the query, its top crops, green and red frames.

    The order is that of the evaluation, with its refinements; the scores are cosines in any case.

    Args:
        num_queries: queries drawn, spread evenly over the data set.
        topk: crops of each list.
        rows_per_sheet: lists on one PNG.
        out_dir: folder; default ``ranked_lists`` in the run's log folder.
        stages: ``'val'``, ``'test'`` or both.

    Example:
        >>> RankListHook(num_queries=2).topk
        10
    """

    def __init__(self, num_queries: int = 8, topk: int = 10, rows_per_sheet: int = 4,
                 out_dir: str | None = None, stages: tuple[str, ...] = ('test',)):
        self.num_queries, self.topk, self.rows_per_sheet = num_queries, topk, rows_per_sheet
        self.out_dir, self.stages = out_dir, stages
        self._entries = []

    def before_val_epoch(self, runner) -> None:
        """Forget the results of the last round."""
        self._entries = []

    before_test_epoch = before_val_epoch

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Keep the features and captions that the lists need."""
        if 'val' in self.stages:
            self._keep(outputs)

    def after_test_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Keep the features and captions that the lists need."""
        if 'test' in self.stages:
            self._keep(outputs)

    def after_val_epoch(self, runner, metrics=None) -> None:
        """Draw the lists of the validation set."""
        if 'val' in self.stages:
            self._draw(runner, 'val', runner.val_dataloader)

    def after_test_epoch(self, runner, metrics=None) -> None:
        """Draw the lists of the test set."""
        if 'test' in self.stages:
            self._draw(runner, 'test', runner.test_dataloader)

    def _keep(self, outputs) -> None:
        for sample in outputs or []:
            self._entries.append(dict(
                image=sample.image_feature.cpu(), text=sample.text_features[:1].cpu(),
                query=sample.captions[:1], path=sample.img_path, person=sample.person_id))

    def _draw(self, runner, stage: str, dataloader) -> None:
        # 'gpu' is by messages, on a CPU, too; 'cpu' would be by files in the current folder.
        entries = collect_results(self._entries, len(dataloader.dataset), device='gpu')
        self._entries = []
        if not is_main_process() or not entries:
            return
        folder = Path(self.out_dir or Path(runner.log_dir) / 'ranked_lists')
        folder.mkdir(parents=True, exist_ok=True)
        rows = self._rank(entries, _find_metric(runner, stage))
        for start in range(0, len(rows), self.rows_per_sheet):
            sheet = draw_rank_sheet(rows[start:start + self.rows_per_sheet])
            path = folder / f'{stage}_{start // self.rows_per_sheet}.png'
            write_durably(path, lambda to, sheet=sheet: sheet.save(to, 'PNG'))
            runner.logger.info(f'ranked lists: {path}')

    def _rank(self, entries: list[dict], metric: RankKMetric) -> list[Image.Image]:
        """Draw the lists of some queries, in the order that was measured, with their cosines."""
        gallery = F.normalize(torch.stack([entry['image'] for entry in entries]).float(), dim=1)
        asked = [place for place, entry in enumerate(entries) if entry['query']]
        asked = asked[::max(1, len(asked) // self.num_queries)][:self.num_queries]
        if not asked:
            return []
        queries = F.normalize(torch.cat([entries[place]['text'] for place in asked]).float(), dim=1)
        texts = [entries[place]['query'][0] for place in asked]
        orders = metric.score_sentences(
            queries, gallery, texts, [entry['path'] for entry in entries],
            torch.tensor(asked)).sort(dim=1, descending=True, stable=True)
        lists = []
        for place, query, text, scores, order in zip(asked, queries, texts, *orders, strict=True):
            best = [i for i, score in zip(order.tolist(), scores, strict=True)
                    if score > -torch.inf][:self.topk]
            cosines = gallery[best] @ query
            lists.append(draw_rank_list(
                text, [entries[i]['path'] for i in best], scores=cosines.tolist(),
                correct=[entries[i]['person'] == entries[place]['person'] for i in best]))
        return lists


def _find_metric(runner, stage: str) -> RankKMetric:
    """Return the metric of a loop; a plain one where it has none, as with another project's."""
    metrics = runner.val_loop.evaluator.metrics if stage == 'val' else (
        runner.test_loop.evaluator.metrics)
    return next((metric for metric in metrics if isinstance(metric, RankKMetric)), RankKMetric())
