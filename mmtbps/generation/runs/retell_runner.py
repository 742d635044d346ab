"""Runs that have captions told anew, and their merging; pictures stay as they are."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

from mmtbps.errors import BadValue, MissingFile
from mmtbps.fileio import as_path, encode_json, write_durably
from mmtbps.records import PairRecord
from mmtbps.registry import TASK_UTILS

from ..rewriting.base import CaptionRewriter, RetellRequest
from ..rewriting.faithful import unfaithful
from .manifest import ENGINE_VERSION, Record, load_done
from .merge import check_sources
from .plan import read_plan
from .resumable import ResumableRunner, Spread, Task, Work
from .run_summary import RunSummary
from .source_images import SourceImage, read_source

__all__ = ['RETOLD_FILE', 'RetellRunner', 'merge_retold']

RETOLD_FILE = 'retold_pairs.jsonl'
_UNSEEN = SourceImage(None, None, None)


@TASK_UTILS.register_module()
class RetellRunner(ResumableRunner):
    """Runner that has the captions of a plan written and keeps those that are true of the old ones.

    Its arguments are those of `ResumableRunner`. The folder belongs to one plan and one rewriter;
    captions, too, do not depend on shards and order.
    """

    def run(self, plan: str | Path, image_root: str | Path,
            rewriter: CaptionRewriter, spread: Spread | None = None) -> RunSummary:
        """Do the jobs of this shard that are not done yet.

        Args:
            plan: File of `RetellPlanner`'s jobs.
            image_root: Folder the plan's image paths start from, or its address in an object store.
            rewriter: Writes the captions.
            spread: Has the batches done in other processes, each with the `Work` of `prepare`.

        Raises:
            MissingFile: If the plan, or the folder of pictures that the rewriter looks at, is
                missing.
            OtherRun: If ``out_dir`` belongs to another rewriter or plan.
            BadValue: If the plan is one of edits.
        """
        return self._work_off(self.prepare(plan, image_root, rewriter), RunSummary(), spread)

    def prepare(self, plan: str | Path, image_root: str | Path, rewriter: CaptionRewriter) -> Work:
        """Claim the folder and return the work; arguments and errors are those of `run`."""
        jobs = read_plan(plan, self.allow_outside)
        if any(job.edit.get('kind') != 'retell' for job in jobs):
            raise BadValue(f'{plan} plans edits of pictures: plan again with RetellPlanner')
        if rewriter.sees_pictures and not as_path(image_root).is_dir():
            raise MissingFile(f'image folder {image_root} not found')
        settings = dict(rewriter=rewriter.digest_fields, version=ENGINE_VERSION)
        digest, tasks = self._claim(plan, jobs, settings)
        root = as_path(image_root)
        return Work(digest, tasks, root,
                    partial(self._process, root=root, rewriter=rewriter, digest=digest))

    def _process(self, batch: Sequence[Task], root: Path, rewriter: CaptionRewriter,
                 digest: str) -> Iterator[Record]:
        """Have the captions of one batch written, and drop those that are not true."""
        begin = time.monotonic()
        requests, failed = [], {}
        for task in batch:
            source = task.job.source
            picture = read_source(root / source['image']) if rewriter.sees_pictures else _UNSEEN
            if picture.error is not None:
                failed[task.id] = f'broken image: {root / source["image"]} ({picture.error})'
                continue
            requests.append(RetellRequest(task.id, tuple(source['captions']), picture.image,
                                          task.seed, source['image']))
        written = dict(zip((request.job_id for request in requests),
                           rewriter.rewrite(requests) if requests else [], strict=True))
        seconds = round((time.monotonic() - begin) / len(batch), 3)
        for task in batch:
            old = task.job.source['captions']
            new = [text for text in dict.fromkeys(written.get(task.id, [])) if text not in old]
            verdicts = {text: unfaithful(old, text, rewriter.sees_pictures) for text in new}
            faults = Counter(filter(None, verdicts.values()))
            kept = [text for text, fault in verdicts.items() if not fault]
            value = len(kept) / len(new) if new else 0.
            failure = failed.get(task.id)
            yield Record(
                task.id, 'failed' if failure else 'accepted' if kept else 'rejected',
                task.job.source, {**task.job.edit, 'faults': dict(faults)}, dict(captions=kept),
                dict(digest=digest, seed=task.seed), gates={} if failure else dict(
                    faithful=dict(value=value, min=None, max=None, ok=bool(kept))),
                cost=dict(seconds=seconds), shard=str(self.shard), reason=failure,
                time=datetime.now(timezone.utc).isoformat(timespec='seconds'))


def merge_retold(folder: str | Path, keep_captions: bool = False,
                 existing: Iterable[PairRecord] | None = None) -> int:
    """Write the accepted captions of all processes as an annotation file, `RETOLD_FILE`.

    The pictures are those of the data set, under the same people and paths; so the file stands
    beside the annotation file it was made from, or, with its captions, in its place.

    Args:
        folder: Folder of the run.
        keep_captions: Write the old captions before the new ones.
        existing: All pairs of the data set the plan was made from, of all splits; ``None`` for
            no check that they still are.

    Returns:
        The number of images written.

    Raises:
        BadValue: If an image does not come from the train split of ``existing``.
    """
    records = sorted(load_done(folder).values(), key=lambda record: (
        record.source['image'], record.source['person_id']))
    accepted = [record for record in records if record.status == 'accepted']
    if existing is not None:
        check_sources(accepted, list(existing))
    pairs = [_pair(record, keep_captions) for record in accepted]
    lines = [encode_json(pair.to_json()) + '\n' for pair in pairs]
    write_durably(Path(folder, RETOLD_FILE), ''.join(lines).encode())
    return len(pairs)


def _pair(record: Record, keep_captions: bool) -> PairRecord:
    source = record.source
    old = source['captions'] if keep_captions else []
    return PairRecord(
        image=source['image'], captions=(*old, *record.output['captions']),
        person_id=source['person_id'], split='train', source=source.get(
            'made_from', source['image']), edit=dict(kind='retell', job_id=record.job_id),
        scores=dict(faithful=record.gates['faithful']['value']))
