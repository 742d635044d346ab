"""Runs of a plan: manifest, runner, report, merge."""

from .manifest import ManifestPart, Record, load_done, read_run
from .plan import Job, read_plan, write_plan
from .run_summary import InvalidRun, RunSummary
from .runner import ShardedRunner

__all__ = ['InvalidRun', 'Job', 'ManifestPart', 'Record', 'RunSummary', 'ShardedRunner',
           'load_done', 'read_plan', 'read_run', 'write_plan']
