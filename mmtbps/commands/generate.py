"""Generate proximity data: pairs whose garment has another colour, in picture and caption.

Examples:
    mmtbps generate plan configs/generation/pdg_recolor.py --check
    mmtbps generate run configs/generation/pdg_recolor.py
    mmtbps generate merge configs/generation/pdg_recolor.py
    mmtbps generate report configs/generation/pdg_recolor.py --samples 40
    mmtbps generate all configs/generation/pdg_recolor.py    # these four in one go

See how many are right, and bound the gates by that:
    mmtbps generate audit data/DrawnPEDES-pdg
    mmtbps generate calibrate CONFIG data/DrawnPEDES-pdg/audit.jsonl --precision 0.95

Many processes, each of which may be killed and started again:
    torchrun --nproc-per-node 4 -m mmtbps generate run CONFIG
    sbatch --array=0-15 --wrap 'mmtbps generate run CONFIG'
    mmtbps generate run CONFIG --shard 3/8
    mmtbps generate run CONFIG --ray

Captions told anew, of the same images:
    mmtbps generate all configs/generation/retell_rules.py

Diffusion model of your own images:
    mmtbps generate finetune CONFIG
"""

import argparse
import os
from collections.abc import Callable, Sequence
from functools import partial
from inspect import signature
from pathlib import Path

from mmengine.config import Config

from mmtbps.datasets import TBPSDataset
from mmtbps.engine.launch import (
    add_common_options,
    build_runner,
    leave_group,
    load_config,
)
from mmtbps.errors import BadValue
from mmtbps.fileio import check_writable
from mmtbps.generation import (
    BaseGate,
    ShardedRunner,
    merge_retold,
    merge_run,
    try_controls,
    write_plan,
    write_report,
)
from mmtbps.generation.diffusion import DTYPES
from mmtbps.generation.quality.bounds import apply_bounds
from mmtbps.generation.runs.manifest import Record, load_done, read_run
from mmtbps.generation.runs.merge import CUHK_FILE, PAIRS_FILE
from mmtbps.generation.runs.pair_weights import DEFAULT_FLOOR
from mmtbps.generation.runs.resumable import Task
from mmtbps.generation.runs.retell_runner import RETOLD_FILE
from mmtbps.generation.runs.set_aside import set_aside_broken
from mmtbps.records import PairRecord
from mmtbps.register_modules import register_all_modules
from mmtbps.registry import DATASETS, TASK_UTILS

from .edits.judged_edits import add_audit_options, add_calibrate_options, audit, bound_gates
from .options.cluster import add_cluster_options, check_cluster, open_pool
from .process.exit_codes import ExitCode
from .wording.command_names import CommandParser, add_verb
from .wording.json_answers import add_json, answer
from .wording.user_errors import fail

__all__ = ['add_arguments', 'parse', 'run', 'set_dtype']

INTERRUPTED = 'interrupted; the same command goes on'

def add_arguments(parser: CommandParser) -> None:
    """Add the steps of a run, each a verb."""
    verbs = parser.add_subparsers(dest='command', required=True)

    def add(name: str, action: object, text: str) -> argparse.ArgumentParser:
        command = add_verb(verbs, name, text, __doc__)
        command.set_defaults(action=action)
        command.add_argument('config', help='a config of configs/generation')
        add_common_options(command)
        if action is not finetune:
            add_json(command)
        return command

    command = add('plan', plan, 'choose which garment of which image takes which colour')
    command.add_argument('--check', action='store_true',
                         help='say how much can be edited and what is not understood')
    command = add('run', edit, 'edit the images of the plan; start again to go on')
    command.add_argument('--shard', help='i/n, if neither torchrun nor a SLURM array says it')
    command.add_argument('--retry-failed', action='store_true', help='try failed jobs again')
    add_cluster_options(command)
    add_dtype(command)
    command = add('merge', merge_parts, 'write the accepted pairs as annotation files')
    command.add_argument('--set-aside', action='store_true',
                         help='move lines of the manifest that are broken, or repeat a job, to a '
                              'file beside it, and merge the rest')
    add_weight_floor(command)
    command = add('report', report, 'write one HTML page about the run')
    command.add_argument('--samples', type=int, default=24, help='pictures of each kind')
    command = add('all', everything, 'plan, run, report and merge')
    add_weight_floor(command)
    add_dtype(command)
    add_cluster_options(command)
    command.set_defaults(check=False, shard=None, retry_failed=False, samples=24, set_aside=False)
    command = add('calibrate', calibrate_gates, 'bound the gates by edits whose truth is known')
    add_calibrate_options(command)
    command = add_verb(verbs, 'audit', 'judge a sample of edits by eye, one key an edit', __doc__)
    command.set_defaults(action=audit)
    add_audit_options(command)
    add('finetune', finetune, 'adapt a diffusion model to the images of a data set')


def parse(parser: CommandParser, words: Sequence[str]) -> argparse.Namespace:
    """Read the command line; one of version 0.1.0 is told what is in its place."""
    if list(words[:1]) == ['toy']:
        fail('the toy diffusion model is now trained by: '
             'python projects/toy_diffusion/train.py DATA_ROOT OUT_DIR', ExitCode.USAGE)
    return parser.parse_args(words)


def run(args: argparse.Namespace) -> None:
    """Run the step that was asked for."""
    if args.action is audit:
        return audit(args)
    cfg = load_config(args, 'model' if args.action is finetune else 'generation')
    if args.action is not finetune:
        check_writable(cfg.generation.runner.out_dir, folder=True)
    if getattr(args, 'dtype', None):
        set_dtype(cfg, args.dtype)
    answer(args.action(cfg, args))


def add_weight_floor(parser: argparse.ArgumentParser) -> None:
    """Add the option of commands that merge."""
    parser.add_argument('--weight-floor', type=float, default=DEFAULT_FLOOR, metavar='WEIGHT',
                        help='weight in the loss of a pair that its gates only just accept '
                             '(default %(default)s); 1 for equal weights')


def add_dtype(parser: argparse.ArgumentParser) -> None:
    """Add the option of commands that edit."""
    parser.add_argument('--dtype', choices=DTYPES,
                        help='type of the weights of editor and upscaler, in place of that of the '
                             'config; fp32 where a model gives black images in fp16')


def source_of(cfg: Config) -> tuple[list[PairRecord], Path, str]:
    """Read all pairs of the data set to edit, its image folder and its name."""
    if 'dataset' not in cfg:
        raise BadValue(f'{cfg.filename} names no data set to edit: add dataset='
                       "dict(type=CUHKPEDES, data_root='data/CUHK-PEDES') to a config of your "
                       'own that inherits it, or pass --cfg-options '
                       'dataset.type=mmtbps.CUHKPEDES '
                       'dataset.data_root=data/CUHK-PEDES')
    dataset: TBPSDataset = DATASETS.build(dict(cfg.dataset, lazy_init=True))
    sources = dataset.sources()
    if len(sources) != 1:
        raise BadValue('edit one annotation file at a time; `dataset` of the config names '
                       f'{len(sources)}')
    records = [located.record for located in dataset.read_records()]
    return records, sources[0].images, dataset.dataset_name


def build_part(cfg: Config, name: str) -> object:
    """Build the planner or runner, which take what the data set says of images outside."""
    outside = dict(allow_outside=True) if may_leave(cfg) else {}
    return TASK_UTILS.build(dict(cfg.generation[name], **outside))


def may_leave(cfg: Config) -> bool:
    """Tell whether the data set allows images outside its folder."""
    return bool(cfg.dataset.get('allow_outside')) if cfg.get('dataset') else False


def retells(cfg: Config) -> bool:
    """Tell whether captions are told anew, and no image is edited."""
    return 'rewriter' in cfg.generation


def set_dtype(cfg: Config, dtype: str) -> None:
    """Name the type of the weights for the parts of a config that have weights.

    Raises:
        BadValue: If none has.
    """
    parts = [] if retells(cfg) else [cfg.generation[name] for name in ('editor', 'upscaler')]
    with_weights = [part for part in parts if {'weights', 'dtype'} & signature(
        TASK_UTILS.get(part.type) if isinstance(part.type, str) else part.type).parameters.keys()]
    if not with_weights:
        raise BadValue(f'{cfg.filename}: --dtype is of diffusion models, and neither editor nor '
                       'upscaler of this config is one')
    for part in with_weights:
        part.dtype = dtype  # beside a group `weights` this is what counts


def runner_of(cfg: Config) -> ShardedRunner:
    """Build the runner."""
    return build_part(cfg, 'runner')


def gates_of(cfg: Config) -> list[BaseGate]:
    """Build the gates, with the bounds of a file where the config names one.

    Raises:
        BadValue: If the config has none, as those have none that tell captions anew.
    """
    if 'gates' not in cfg.generation:
        raise BadValue(f"{cfg.filename}: generation has no 'gates', by which edits of images are "
                       'judged')
    gates = [TASK_UTILS.build(gate) for gate in cfg.generation.gates]
    if bounds := cfg.generation.get('bounds'):
        apply_bounds(gates, bounds)
    return gates


def plan_file(cfg: Config) -> Path:
    """Return the file of the plan."""
    return Path(cfg.generation.runner.out_dir, 'plan.jsonl')


def plan(cfg: Config, args: argparse.Namespace) -> dict:
    """Plan the run and write the plan."""
    records, _, name = source_of(cfg)
    planner = build_part(cfg, 'planner')
    generated = getattr(planner, 'takes_generated', False)
    train = [record for record in records
             if record.split == 'train' and (generated or record.source is None)]
    if args.check:
        print(planner.check(train))
    jobs = planner.plan(train, name)
    write_plan(plan_file(cfg), jobs)
    images = len({job.source['image'] for job in jobs})
    what = 'retellings' if retells(cfg) else 'edits'
    print(f'{plan_file(cfg)}: {len(jobs)} {what} of {images} images, {len(train)} in train')
    return dict(file=str(plan_file(cfg)), jobs=len(jobs), images=images, train=len(train))


def edit(cfg: Config, args: argparse.Namespace) -> dict:
    """Edit the images of the plan, or tell their captions anew."""
    use_own_device()
    cfg.generation.runner.update(retry_failed=args.retry_failed)
    if args.shard:
        cfg.generation.runner.shard = args.shard
    runner = runner_of(cfg)
    check_cluster(args, runner.shard)
    with open_pool(args) as pool:
        summary = runner.run(*parts_of(cfg), spread=pool and partial(
            pool.run, partial(open_work, cfg)))
    print(f'{runner.out_dir}, shard {runner.shard}: {summary}')
    return dict(folder=str(runner.out_dir), shard=str(runner.shard), jobs=summary.total, **{
        status: summary.statuses[status] for status in ('accepted', 'rejected', 'failed')})


def parts_of(cfg: Config) -> tuple:
    """Build what a runner is given: plan, folder of the images, and the models."""
    _, images, _ = source_of(cfg)
    if retells(cfg):
        return plan_file(cfg), images, TASK_UTILS.build(cfg.generation.rewriter)
    upscaler, editor = (TASK_UTILS.build(cfg.generation[part]) for part in ('upscaler', 'editor'))
    evidence = [TASK_UTILS.build(part) for part in cfg.generation.get('evidence', ())]
    return plan_file(cfg), images, upscaler, editor, gates_of(cfg), try_controls, evidence


def open_work(cfg: Config) -> Callable[[Sequence[Task]], list[Record]]:
    """Build, in an actor of a cluster, what does a batch of jobs."""
    register_all_modules()
    work = runner_of(cfg).prepare(*parts_of(cfg))
    return lambda batch: list(work.process(batch))


def use_own_device() -> None:
    """Choose the GPU of this process, one of several on its machine."""
    import torch
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get('LOCAL_RANK', 0)) % torch.cuda.device_count())


def merge_parts(cfg: Config, args: argparse.Namespace) -> dict:
    """Merge what the run made into annotation files."""
    runner = runner_of(cfg)
    records, _, _ = source_of(cfg)
    if args.set_aside:
        moved = set_aside_broken(runner.out_dir)
        for line in moved:
            print(f'set aside: {line}')
        print(f'lines set aside: {len(moved)}; their jobs are not done, and run makes them again')
    if retells(cfg):
        count = merge_retold(runner.out_dir, cfg.generation.get('keep_captions', False), records)
        done, planned = len(load_done(runner.out_dir)), read_run(runner.out_dir)['plan']['jobs']
        say_progress(done, planned)
        print(f'{runner.out_dir / RETOLD_FILE}: new captions of {count} images')
        return dict(file=str(runner.out_dir / RETOLD_FILE), images=count, done=done,
                    planned=planned)
    merged = merge_run(runner.out_dir, records, runner.max_control_rate, runner.min_controls,
                       args.weight_floor)
    say_progress(merged.done, merged.planned)
    people = (f'{merged.people} new people, ids from {merged.first_id}' if merged.people
              else 'people that the data set has')
    print(f'{runner.out_dir / PAIRS_FILE} and {CUHK_FILE}: {merged.pairs} images of {people}')
    return dict(file=str(runner.out_dir / PAIRS_FILE), images=merged.pairs, people=merged.people,
                done=merged.done, planned=merged.planned)


def say_progress(done: int, planned: int) -> None:
    """Print that a run which was merged is not complete, if it is not."""
    if done < planned:
        print(f'The run is not complete: {done} of {planned} jobs are done.')


def report(cfg: Config, args: argparse.Namespace) -> dict:
    """Write the page about the run."""
    if retells(cfg):
        raise BadValue('a run that tells captions anew has no page of pictures: merge it and read '
                       f'{RETOLD_FILE}')
    _, images, _ = source_of(cfg)
    runner = runner_of(cfg)
    page = write_report(runner.out_dir, images, samples=args.samples,
                        max_control_rate=runner.max_control_rate,
                        min_controls=runner.min_controls, allow_outside=may_leave(cfg))
    print(page)
    return dict(file=str(page))


def everything(cfg: Config, args: argparse.Namespace) -> dict:
    """Plan, run, report and merge."""
    parts = dict(plan=plan, run=edit, report=report, merge=merge_parts)
    if retells(cfg):
        del parts['report']
    return {name: part(cfg, args) for name, part in parts.items()}


def calibrate_gates(cfg: Config, args: argparse.Namespace) -> dict:
    """Bound the gates by judged edits."""
    cfg.generation.pop('bounds', None)  # those of the file are chosen anew
    return bound_gates(args, gates_of(cfg), runner_of(cfg).out_dir)


def finetune(cfg: Config, args: argparse.Namespace) -> None:
    """Fine-tune a diffusion model."""
    build_runner(cfg).train()
    leave_group()
