"""Runs that edit the images of a plan."""

import hashlib
import io
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from mmengine.logging import print_log
from PIL import Image

from mmtbps.errors import BadValue, MissingFile
from mmtbps.fileio import AnyPath, as_path, write_durably
from mmtbps.registry import TASK_UTILS

from ..editing.base import BaseEditor, BaseUpscaler, EditRequest, EditResult
from ..editing.options import check_size
from ..evidence.base import BaseEvidenceProvider
from ..evidence.collector import EvidenceCollector
from ..quality.base import GateVerdict, run_gates
from .manifest import ENGINE_VERSION, Record, note_images
from .plan import Job, read_plan
from .resumable import ResumableRunner, Spread, Task, Work
from .run_summary import RunSummary
from .source_images import SourceImage, read_source

__all__ = ['Controls', 'Gate', 'ShardedRunner']

#: Judges one edited image.
Gate = Callable[[EditRequest, EditResult], GateVerdict]
#: Tells of each control of an edit, wrong by construction, whether the gates let it pass; see
#: `~quality.negative_controls.try_controls`. The image is of another person, if the plan has one.
Controls = Callable[[Sequence[Gate], EditRequest, EditResult, Image.Image | None],
                    Mapping[str, bool]]
_Picture = TypeVar('_Picture', EditRequest, EditResult)


@TASK_UTILS.register_module()
class ShardedRunner(ResumableRunner):
    """Runner that edits the images of a plan and lets the gates decide.

    It is stopped, split among processes and started again as `ResumableRunner` says; decisions do
    not depend on shards, batches or order either.

    Args:
        out_dir: Folder of images and manifest; it belongs to one plan and one engine.
        batch_size: Jobs handed to the editor at once.
        shard: ``'i/n'``; ``None`` asks the environment, see `JobShard.from_environment`.
        output_size: ``'edit'`` keeps the editor's size, ``'source'`` goes back to the original's,
            ``(height, width)`` is a size of your own.
        num_controls: Jobs of the plan on which the negative controls are tried too: this many or
            this fraction of the plan, whichever are more.
        max_control_rate: See `RunSummary`.
        min_controls: See `RunSummary`.
        retry_failed: Try again what failed in an earlier run.
        log_interval: Seconds between two lines of progress.
        allow_outside: Let the plan name images outside the image folder.
        evidence_cache: Folder in which evidence of images is kept, which runs may share;
            ``evidence`` in ``out_dir`` by default.

    Raises:
        BadValue: If shard, batch size or output size make no sense.
    """

    def __init__(self, out_dir: str, batch_size: int = 8, shard: str | None = None,
                 output_size: str | Sequence[int] = 'edit',
                 num_controls: tuple[int, float] = (50, 0.02), max_control_rate: float = 0.1,
                 min_controls: int = 10, retry_failed: bool = False,
                 log_interval: float = 10., allow_outside: bool = False,
                 evidence_cache: str | None = None) -> None:
        super().__init__(out_dir, batch_size, shard, retry_failed, log_interval, allow_outside)
        if output_size not in ('edit', 'source'):
            try:
                output_size = check_size(output_size)
            except BadValue as error:
                raise BadValue("output_size must be 'edit', 'source' or (height, width), got "
                               f'{output_size!r}') from error
        self.output_size = output_size
        self.num_controls = num_controls
        self.max_control_rate = max_control_rate
        self.min_controls = min_controls
        self.evidence_cache = evidence_cache or str(self.out_dir / 'evidence')

    def run(self, plan: str | Path, image_root: str | Path, upscaler: BaseUpscaler,
            editor: BaseEditor, gates: Sequence[Gate], controls: Controls | None = None,
            evidence: Sequence[BaseEvidenceProvider] = (),
            spread: Spread | None = None) -> RunSummary:
        """Do the jobs of this shard that are not done yet.

        Args:
            plan: File written by `mmtbps.generation.runs.plan.write_plan`.
            image_root: Folder the plan's image paths start from, or its address in an object store.
            upscaler: Brings a source image to the editor's size.
            editor: Edits it.
            gates: All must agree to an edit.
            controls: Tries edits that the gates must refuse.
            evidence: Look at what the editor is given, and at what it made where a gate has
                ``needs_edited_evidence``.
            spread: Has the batches done in other processes, each with the `Work` of `prepare`.

        Returns:
            The summary of the whole shard, earlier starts included.

        Raises:
            MissingFile: If the plan, the image folder or all images are missing.
            RecordError: If the plan cannot be read, or names an image outside the folder.
            OtherRun: If ``out_dir`` belongs to another engine or plan.
            BadValue: If the plan has edits of a kind that the editor does not make.
            InvalidRun: If the gates accept too many negative controls.
            DiskFull: If the disk is full.
        """
        work = self.prepare(plan, image_root, upscaler, editor, gates, controls, evidence)
        return self._work_off(work, RunSummary(self.max_control_rate, self.min_controls), spread)

    def prepare(self, plan: str | Path, image_root: str | Path, upscaler: BaseUpscaler,
                editor: BaseEditor, gates: Sequence[Gate], controls: Controls | None = None,
                evidence: Sequence[BaseEvidenceProvider] = ()) -> Work:
        """Claim the folder and return the work; arguments and errors are those of `run`."""
        collector = EvidenceCollector(evidence, self.evidence_cache, self.batch_size)
        jobs = read_plan(plan, self.allow_outside)
        _refuse_other_kinds(plan, jobs, editor)
        digest, tasks = self._claim(plan, jobs, self._settings(upscaler, editor, gates, collector))
        root = as_path(image_root)
        return Work(digest, tasks, root, partial(
            self._process, root=root, upscaler=upscaler, editor=editor, gates=gates,
            controls=controls, controlled=self._controlled(tasks), collector=collector,
            digest=digest))

    def _prepare(self, todo: Sequence[Task], images: Path) -> None:
        _look_for_images(todo, images)
        note_images(self.out_dir, images)

    def _settings(self, upscaler: BaseUpscaler, editor: BaseEditor,
                  gates: Sequence[Gate], collector: EvidenceCollector) -> dict[str, Any]:
        # No key without providers: runs of versions that knew none go on.
        looked = dict(evidence=collector.digest_fields['providers']) if collector.providers else {}
        return dict(upscaler=upscaler.digest_fields, editor=editor.digest_fields,
                    gates=[_describe(gate) for gate in gates], output_size=self.output_size,
                    version=ENGINE_VERSION, **looked)

    def _controlled(self, tasks: Mapping[str, Task]) -> dict[str, str | None]:
        """Choose jobs to try controls on -> a stranger's image; the same on any process."""
        ordered = sorted(tasks)
        least, fraction = self.num_controls
        strangers = {}
        for i, key in enumerate(ordered[:max(least, round(fraction * len(ordered)))]):
            person = tasks[key].job.source['person_id']
            others = (tasks[other].job.source for other in ordered[i + 1:] + ordered[:i])
            strangers[key] = next((s['image'] for s in others if s['person_id'] != person), None)
        return strangers

    def _process(self, batch: Sequence[Task], root: Path, upscaler: BaseUpscaler,
                 editor: BaseEditor, gates: Sequence[Gate], controls: Controls | None,
                 controlled: Mapping[str, str | None], collector: EvidenceCollector,
                 digest: str) -> Iterator[Record]:
        """Edit one batch; an image is on disk before its record is given out."""
        begin = time.monotonic()
        sources = [read_source(root / task.job.source['image']) for task in batch]
        usable = [(task, source) for task, source in zip(batch, sources, strict=True)
                  if source.image is not None]
        requests, results = self._edit(usable, upscaler, editor, collector)
        if any(getattr(gate, 'needs_edited_evidence', False) for gate in gates):
            results = _with_evidence(results, collector)
        verdicts = [list(run_gates(gates, *pair).values())
                    for pair in zip(requests, results, strict=True)]
        passed = {} if controls is None else {
            request.job_id: _try(controls, gates, request, result, root, controlled)
            for request, result in zip(requests, results, strict=True)
            if request.job_id in controlled}
        seconds = round((time.monotonic() - begin) / len(batch), 3)
        for task, source in zip(batch, sources, strict=True):
            if source.image is None:
                yield self._record(task, source, digest, 'failed', reason=_reason(
                    root / task.job.source['image'], source.error))
        for (task, source), result, judged in zip(usable, results, verdicts, strict=True):
            status = 'accepted' if all(verdict.ok for verdict in judged) else 'rejected'
            cost = dict(unet_evals=result.unet_evals, sr_evals=upscaler.evals_per_image,
                        seconds=seconds)
            yield self._record(
                task, source, digest, status, output=self._save(task, source.image, result),
                gates={verdict.name: verdict.to_json() for verdict in judged},
                controls=passed.get(task.id, {}), cost=cost)

    def _edit(self, usable: Sequence[tuple[Task, SourceImage]], upscaler: BaseUpscaler,
              editor: BaseEditor, collector: EvidenceCollector
              ) -> tuple[list[EditRequest], list[EditResult]]:
        if not usable:
            return [], []
        seeds = [task.seed for task, _ in usable]
        images = upscaler.upscale([source.image for _, source in usable], seeds)
        requests = _with_evidence([task.job.request(task.id, image, task.seed) for (task, _), image
                                   in zip(usable, images, strict=True)], collector)
        results = list(editor.edit(requests))
        if [r.job_id for r in results] != [r.job_id for r in requests]:
            raise RuntimeError(f'{type(editor).__name__} must give one result a request, in order')
        return requests, results

    def _save(self, task: Task, original: Image.Image, result: EditResult) -> dict[str, Any]:
        image = result.image
        size = {'edit': image.size, 'source': original.size}.get(
            self.output_size, tuple(self.output_size)[::-1])
        if image.size != size:
            image = image.resize(size, Image.Resampling.BICUBIC)
        buffer = io.BytesIO()
        image.save(buffer, 'PNG')
        name = f'images/{task.id[:2]}/{task.id}.png'
        write_durably(self.out_dir / name, buffer.getvalue())
        return dict(file=name, sha256=hashlib.sha256(buffer.getvalue()).hexdigest(),
                    size=[image.height, image.width])

    def _record(self, task: Task, source: SourceImage, digest: str, status: str,
                output: Mapping[str, Any] | None = None, **fields: Any) -> Record:
        job = task.job
        return Record(
            job_id=task.id, status=status, source={**job.source, 'sha256': source.sha256},
            edit=job.edit, output={**job.output, **(output or {})},
            engine=dict(digest=digest, seed=task.seed), shard=str(self.shard),
            # A job made again in the same second is told from a copied line by the rest.
            time=datetime.now(timezone.utc).isoformat(timespec='milliseconds'), **fields)


def _refuse_other_kinds(plan: str | Path, jobs: Sequence[Job], editor: BaseEditor) -> None:
    served = getattr(editor, 'kinds', BaseEditor.kinds)
    if others := sorted({job.kind for job in jobs} - served):
        raise BadValue(f'{plan} plans edits of kind {", ".join(others)}; {type(editor).__name__} '
                       f'makes those of kind {", ".join(sorted(served))}')


def _describe(gate: Gate) -> Any:
    """Collect what determines a gate's verdict, as JSON types."""
    if (fields := getattr(gate, 'digest_fields', None)) is not None:
        return fields
    name = getattr(gate, '__qualname__', type(gate).__qualname__)
    settings = {key: getattr(value, 'digest_fields', value)
                for key, value in getattr(gate, '__dict__', {}).items() if key[0] != '_'}
    for key, value in settings.items():
        if not isinstance(value, (str, int, float, bool, list, tuple, dict, type(None))):
            raise TypeError(f'{name}.{key} is a {type(value).__name__}, which cannot be compared '
                            'on resume: give it a property `digest_fields` of JSON types')
    return dict(type=name, **settings)


def _reason(path: Path, error: Exception) -> str:
    """Word the reason for which a job has no image."""
    if isinstance(error, FileNotFoundError):
        return f'missing image: {path}'
    return f'broken image: {path} ({type(error).__name__}: {error})'


def _with_evidence(pictures: Sequence[_Picture], collector: EvidenceCollector) -> list[_Picture]:
    """Attach to requests or results what their images show; without a provider nothing."""
    if not collector.providers:
        return list(pictures)
    pieces = collector.look([picture.image for picture in pictures])
    return [replace(picture, evidence=piece)
            for picture, piece in zip(pictures, pieces, strict=True)]


def _look_for_images(tasks: Sequence[Task], root: AnyPath) -> None:
    """Refuse a wrong folder, which would turn into thousands of failed jobs."""
    if not root.is_dir():
        raise MissingFile(f'image folder {root} not found')
    tried = [root / task.job.source['image'] for task in tasks[:100]]
    if tried and not any(path.is_file() for path in tried):
        raise MissingFile(f'none of the first {len(tried)} images of the plan is in {root}, '
                          f'for example {tried[0]}: is this the right folder?')


def _try(controls: Controls, gates: Sequence[Gate], request: EditRequest, result: EditResult,
         root: Path, strangers: Mapping[str, str | None]) -> dict[str, bool]:
    path = strangers[request.job_id]
    passed = dict(controls(gates, request, result, path and read_source(root / path).image))
    for name, ok in passed.items():
        if ok:
            print_log(f'{request.job_id}: the gates let the control {name!r} pass', 'current')
    return passed
