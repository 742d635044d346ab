"""Base of runs of a plan, on any number of processes that may die at any moment."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from mmtbps.errors import BadValue
from mmtbps.fileio import AnyPath, JobShard

from .manifest import ManifestPart, Record, claim_run, job_id, load_done
from .plan import Job
from .progress import RunProgress
from .run_summary import RunSummary

__all__ = ['ResumableRunner', 'Spread', 'Task', 'Work']

_LOST = 'it ended its process each time it was tried, alone'


class Task(NamedTuple):
    """Job with its identity in a run."""

    id: str
    job: Job

    @property
    def seed(self) -> int:
        """Seed of every random draw of the job."""
        return int(self.id[:12], 16)


class Work(NamedTuple):
    """Tasks of a plan, and what does them; the same in each process of a run.

    Args:
        digest: Of the run.
        tasks: By id, of all shards.
        images: Folder the plan's image paths start from.
        process: Yields the outcomes of a batch; what a record names is on disk before it.
    """

    digest: str
    tasks: Mapping[str, Task]
    images: AnyPath
    process: Callable[[Sequence[Task]], Iterable[Record]]


#: Has batches done in other processes, such as those of `mmtbps.clusters.RayPool`, and yields each
#: with its records in any order; without records a task that ended its process.
Spread = Callable[[Sequence[Sequence[Task]]],
                  Iterable[tuple[Sequence[Task], Sequence[Record] | None]]]


class ResumableRunner:
    """Base of runners that do the jobs of a plan in batches.

    Each process does the jobs whose id falls to its shard and talks to no other; a killed process
    is started again with the same command, and the number of processes may change between starts.
    A subclass says what determines its outcomes, in the settings that claim the folder, and what
    one batch yields; ids and seeds do not depend on shards, batches or order.

    Args:
        out_dir: Folder of the manifest; it belongs to one plan and one engine.
        batch_size: Jobs done at once.
        shard: ``'i/n'``; ``None`` asks the environment, see `JobShard.from_environment`.
        retry_failed: Try again what failed in an earlier run.
        log_interval: Seconds between two lines of progress.
        allow_outside: Let the plan name images outside the image folder.

    Raises:
        BadValue: If shard or batch size make no sense.
    """

    def __init__(self, out_dir: str, batch_size: int = 8, shard: str | None = None,
                 retry_failed: bool = False, log_interval: float = 10.,
                 allow_outside: bool = False) -> None:
        if batch_size < 1:
            raise BadValue(f'batch_size must be at least 1, got {batch_size}')
        self.out_dir = Path(out_dir)
        self.batch_size = batch_size
        self.shard = JobShard.from_environment() if shard is None else JobShard.parse(shard)
        self.retry_failed = retry_failed
        self.log_interval = log_interval
        self.allow_outside = allow_outside

    def _claim(self, plan: str | Path, jobs: Sequence[Job],
               settings: dict[str, Any]) -> tuple[str, dict[str, Task]]:
        """Claim the folder for a plan; return the digest of the run and the tasks by their id.

        Args:
            plan: File of the plan.
            jobs: Those it holds.
            settings: All that determines the outcomes beside the plan; JSON types.

        Raises:
            OtherRun: If the folder belongs to other settings or another plan.
        """
        planned = dict(sha256=hashlib.sha256(Path(plan).read_bytes()).hexdigest(), jobs=len(jobs))
        digest = claim_run(self.out_dir, settings, planned)
        return digest, {id_: Task(id_, job) for job in jobs
                        for id_ in [job_id(job.source, job.edit, digest)]}

    def _work_off(self, work: Work, summary: RunSummary, spread: Spread | None = None
                  ) -> RunSummary:
        """Do the tasks of this shard that are not done yet.

        Args:
            work: That of `prepare`.
            summary: Counts the tasks of the shard, those of earlier starts included.
            spread: Has the batches done elsewhere; by default this process does them.

        Raises:
            InvalidRun: If the gates accept too many negative controls.
            DiskFull: If the disk is full.
        """
        mine = [task for task in work.tasks.values() if self.shard.owns_id(task.id)]
        with ManifestPart(self.out_dir, self.shard) as part:
            done = {key: record for key, record in load_done(self.out_dir).items()
                    if not (self.retry_failed and record.status == 'failed')}
            todo = [task for task in mine if task.id not in done]
            for task in mine:
                if task.id in done:
                    summary.add(done[task.id])
            summary.check()
            self._prepare(todo, work.images)
            progress = RunProgress(len(mine), summary, self.log_interval, f'shard {self.shard}')
            batches = [todo[start:start + self.batch_size]
                       for start in range(0, len(todo), self.batch_size)]
            for records in (map(work.process, batches) if spread is None
                            else self._shared(work, spread(batches))):
                for record in records:
                    part.append(record)
                    summary.add(record)
                progress.report()
                summary.check()
            progress.finish()
        return summary

    def _shared(self, work: Work, results: Iterable[tuple[Sequence[Task], Sequence[Record] | None]]
                ) -> Iterator[Sequence[Record]]:
        """Yield the records of batches done elsewhere; a task that ended its process has failed."""
        for batch, records in results:
            yield [self._lost(task, work.digest) for task in batch] if records is None else records

    def _lost(self, task: Task, digest: str) -> Record:
        job = task.job
        return Record(
            task.id, 'failed', job.source, job.edit, job.output,
            dict(digest=digest, seed=task.seed), shard=str(self.shard),
            reason=f'{_LOST}: {job.source["image"]}',
            time=datetime.now(timezone.utc).isoformat(timespec='milliseconds'))

    def _prepare(self, todo: Sequence[Task], images: Path) -> None:
        """Look at what the tasks need before the first of them is done; by default at nothing."""
