"""Resumable, sharded runs of a plan: manifest, summary, report, merged annotation files."""

from .manifest import ManifestPart, OtherRun, Record, load_done, read_records, read_run
from .merge import Merged, merge_run
from .plan import Job, read_plan, write_plan
from .progress import RunProgress
from .report import write_report
from .resumable import ResumableRunner
from .retell_runner import RETOLD_FILE, RetellRunner, merge_retold
from .run_summary import InvalidRun, RunSummary, summarise
from .runner import Controls, Gate, ShardedRunner
from .set_aside import BrokenLine, count_set_aside, set_aside_broken

__all__ = ['BrokenLine', 'Controls', 'Gate', 'InvalidRun', 'Job', 'ManifestPart', 'Merged',
           'OtherRun', 'RETOLD_FILE', 'Record', 'ResumableRunner', 'RetellRunner', 'RunProgress',
           'RunSummary', 'ShardedRunner', 'count_set_aside', 'load_done', 'merge_retold',
           'merge_run', 'read_plan', 'read_records', 'read_run', 'set_aside_broken', 'summarise',
           'write_plan', 'write_report']
