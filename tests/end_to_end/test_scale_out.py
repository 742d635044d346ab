"""Several processes and nodes do what one process does, and fall together."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import pytest
import torch
from forked_processes import start_ranks
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from tiny_models import shrink

from mmtbps.engine.launch import build_runner, leave_group
from mmtbps.fileio import load_checkpoint_file

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs/tbps/vit_bert_pdg_drawn.py'
GLOBAL_BATCH = 16
RUNS = {'one': (1, None), 'two': (2, None), 'four in chunks': (4, 3)}  # processes, chunk_size
SEVERAL = pytest.mark.parametrize('run', [
    pytest.param('two', marks=pytest.mark.slow), 'four in chunks'])
ENVIRONMENT = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1', PYTHON=sys.executable)


class BatchRecorder(Hook):
    """Keeps what the model was given."""

    def __init__(self):
        self.batches = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        batch = model.data_preprocessor(data_batch)
        self.batches.append([
            (sample.person_id, image, ids[mask]) for sample, image, ids, mask in zip(
                batch['data_samples'], batch['images'], batch['input_ids'],
                batch['attention_mask'], strict=True)])


def train(rank, world, chunk_size, data_root, folder):
    """Two epochs of the stock Runner as one of ``world`` processes."""
    os.environ['LOCAL_RANK'] = str(rank)
    if world > 1:
        torch.distributed.init_process_group(
            'gloo', init_method=f'file://{folder}/meet', rank=rank, world_size=world)
    cfg = shrink(Config.fromfile(CONFIG), data_root, folder)
    cfg.launcher = 'pytorch' if world > 1 else 'none'
    cfg.model.update(mixup=None,  # partners are drawn by each process
                     chunk_size=chunk_size)
    cfg.train_dataloader.batch_size = GLOBAL_BATCH // world
    cfg.train_cfg.max_epochs = 2
    # Where a gradient is nothing but rounding, AdamW would make whole steps of it.
    cfg.optim_wrapper.optimizer.eps = 1e-5
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook')
    cfg.default_hooks.logger.interval = 1
    runner = build_runner(cfg)
    runner.register_hook(recorder := BatchRecorder())
    runner.train()
    torch.save(recorder.batches, folder / f'batches_{rank}.pt')
    leave_group()


class Trained:
    """The remains of a run: the joined batches, the log, the weights."""

    def __init__(self, folder, world):
        shares = [torch.load(folder / f'batches_{rank}.pt') for rank in range(world)]
        self.batches = [sum(parts, []) for parts in zip(*shares, strict=True)]
        log = next(folder.glob('*/vis_data/scalars.json')).read_text().splitlines()
        self.log = [{key: line[key] for key in ('loss', 'grad_norm', 'lr')}
                    for line in map(json.loads, log)]
        self.weights = load_checkpoint_file(folder / 'epoch_2.pth')['state_dict']


@pytest.fixture(scope='module')
def trained(micro_set, tmp_path_factory):
    """A function: the run of a name, trained when it is first asked for."""
    @cache
    def run(name):
        world, chunk_size = RUNS[name]
        folder = tmp_path_factory.mktemp(f'world{world}')
        start_ranks(train, (world, chunk_size, micro_set, folder), world)
        return Trained(folder, world)

    return run


@SEVERAL
def test_the_joined_batches_are_those_of_one_process(trained, run):
    one, joined = trained('one').batches, trained(run).batches
    assert len(one) == len(joined) == 2 * (96 // GLOBAL_BATCH)
    for batch, other in zip(one, joined, strict=True):
        assert [item[0] for item in batch] == [item[0] for item in other]
        assert len({item[0] for item in batch}) == GLOBAL_BATCH
        for (_, image, ids), (_, image2, ids2) in zip(batch, other, strict=True):
            assert torch.equal(image, image2) and torch.equal(ids, ids2)


@SEVERAL
def test_the_losses_in_the_log_are_those_of_one_process(trained, run):
    one, several = trained('one').log, trained(run).log
    assert len(one) == len(several) == len(trained('one').batches)
    assert [line['lr'] for line in one] == [line['lr'] for line in several]
    for key in ('loss', 'grad_norm'):
        assert [line[key] for line in several] == pytest.approx(
            [line[key] for line in one], rel=1e-5)


@SEVERAL
def test_the_weights_are_those_of_one_process(trained, run):
    one, several = map(without_key_biases, (trained('one').weights, trained(run).weights))
    assert one.keys() == several.keys()
    for name in one:
        torch.testing.assert_close(several[name], one[name], atol=2e-6, rtol=0, msg=name)


def without_key_biases(weights):
    """A bias of the keys adds the same to all scores of a query, which softmax does not see.

    Its gradient is nothing but rounding, and AdamW makes whole steps of it.
    """
    kept = {name: value for name, value in weights.items() if not name.endswith('key.bias')}
    for name in [name for name in kept if name.endswith('qkv.bias')]:
        query, _, value = kept[name].chunk(3)
        kept[name] = torch.cat([query, value])
    assert len(kept) < len(weights)
    return kept


def wait_or_abort(nodes, seconds=240):
    """Wait for processes; after that time all of their family end with their stacks in print."""
    end = time.monotonic() + seconds
    try:
        for node in nodes:
            node.wait(max(0, end - time.monotonic()))
    except subprocess.TimeoutExpired:
        members = [pid for node in nodes for pid in reversed([*family(node.pid)])]
        for pid in members:
            os.kill(pid, signal.SIGABRT)
        end = time.monotonic() + 60
        while any(map(is_running, members)) and time.monotonic() < end:
            time.sleep(.05)  # each prints its stack before it ends, those of others' children too
        for node in nodes:
            node.wait(60)


def is_running(pid):
    """Tell, as Linux does, whether a process is neither gone nor waits to be cleared away."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] not in 'ZX'
    except (FileNotFoundError, ProcessLookupError):
        return False


def family(pid):
    """A process and all that it started, as Linux tells."""
    yield pid
    for child in Path(f'/proc/{pid}/task/{pid}/children').read_text().split():
        yield from family(int(child))


@pytest.mark.skipif(not Path('/proc/self/task').is_dir(), reason='needs /proc of Linux')
def test_a_process_that_hangs_shows_where(tmp_path):
    path = tmp_path / 'output.txt'
    with open(path, 'wb') as output:
        node = subprocess.Popen(
            ['bash', '-c', '"$0" -c "$1"; true', sys.executable,
             'import time\nprint("at work", flush=True)\ntime.sleep(600)'],
            env=dict(ENVIRONMENT, PYTHONFAULTHANDLER='1'), stdout=output, stderr=output)
    while 'at work' not in path.read_text('utf-8'):
        time.sleep(.05)
    wait_or_abort([node], seconds=0)
    assert 'File "<string>", line 3 in <module>' in path.read_text('utf-8')


def test_two_nodes_train_at_the_scaled_rate(micro_set, tmp_path):
    """dist_train.sh twice, a process each: one checkpoint, of mixed precision."""
    cfg = shrink(Config.fromfile(ROOT / 'configs/tbps/vit_bert_base_drawn.py'), micro_set, tmp_path)
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    cfg.param_scheduler = None
    cfg.default_hooks.logger.interval = 1
    cfg.dump(tmp_path / 'config.py')
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = str(probe.getsockname()[1])
    nodes = []
    for rank in range(2):
        with open(tmp_path / f'output{rank}.txt', 'wb') as output:
            nodes.append(subprocess.Popen(
                ['bash', 'tools/dist_train.sh', tmp_path / 'config.py', '1', '--work-dir',
                 tmp_path / f'node{rank}', '--amp', '--auto-scale-lr'], cwd=ROOT,
                env=dict(ENVIRONMENT, NNODES='2', NODE_RANK=str(rank), MASTER_ADDR='127.0.0.1',
                         PORT=port, PYTHONFAULTHANDLER='1'),
                stdout=output, stderr=subprocess.STDOUT))
    wait_or_abort(nodes)
    outputs = [path.read_text('utf-8')[-6000:] for path in sorted(tmp_path.glob('output*'))]
    assert [node.returncode for node in nodes] == [0, 0], '\n\n'.join(outputs)
    assert [path.parent.name for path in tmp_path.rglob('epoch_1.pth')] == ['node0']
    assert 'MixedPrecisionOptimWrapper' in next(tmp_path.glob('node0/*/*.log')).read_text()
    log = next(tmp_path.glob('node0/*/vis_data/scalars.json')).read_text().splitlines()
    assert json.loads(log[0])['lr'] == pytest.approx(1e-3 * 2 * 8 / 64)  # the config: 1e-3 for 64


# The scripts -----------------------------------------------------------------------------------

def run_script(name, *arguments, **environment):
    return subprocess.run(['bash', ROOT / 'tools' / name, *arguments], capture_output=True,
                          text=True, env=dict(ENVIRONMENT, **environment), timeout=300)


def launched(*arguments, **environment):
    """Return the environment and the command that dist_launch.sh would start, in words."""
    done = run_script('dist_launch.sh', *arguments, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.fixture
def echo(tmp_path):
    """Stands in for Python and only prints what it was asked."""
    path = tmp_path / 'echo.sh'
    path.write_text('#!/usr/bin/env bash\necho "OMP=$OMP_NUM_THREADS" "$@"\n')
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize('script, arguments', [
    ('dist_launch.sh', []), ('dist_launch.sh', ['2']), ('dist_launch.sh', ['two', 'tool.py']),
    ('dist_train.sh', []), ('dist_train.sh', ['config.py']),
    ('dist_train.sh', ['config.py', '--resume']), ('dist_test.sh', ['config.py', 'last.pth']),
    ('dist_test.sh', ['config.py', '2', '--amp']), ('slurm_train.sh', ['partition', 'job'])])
def test_a_wrong_call_is_told_the_right_one(script, arguments):
    done = run_script(script, *arguments)
    assert done.returncode == 2 and done.stdout == ''
    assert re.fullmatch(rf'usage: tools/{script} [A-Z].*\n', done.stderr)


def test_one_node_takes_a_free_port_and_shares_its_cores(echo):
    words = launched('1000', 'tool.py', '--x', 'a b', PYTHON=echo, OMP_NUM_THREADS='')
    assert words[0] == 'OMP=1' and '--standalone' in words
    assert words[-5:] == ['--nproc_per_node=1000', 'tool.py', '--x', 'a', 'b']
    cores = len(os.sched_getaffinity(0))
    assert launched('1', 'tool.py', PYTHON=echo, OMP_NUM_THREADS='')[0] == f'OMP={cores}'
    assert launched('1', 'tool.py', PYTHON=echo, OMP_NUM_THREADS='7')[0] == 'OMP=7'


def test_nodes_that_do_not_know_each_other_are_refused(echo):
    known = dict(NODE_RANK='1', MASTER_ADDR='10.0.0.1')
    for missing in known:
        done = run_script('dist_launch.sh', '2', 'tool.py', PYTHON=echo, NNODES='3',
                          **{**known, missing: ''})
        assert done.returncode == 2
        assert 'NODE_RANK, from 0 to 2' in done.stderr and 'MASTER_ADDR' in done.stderr
    words = launched('2', 'tool.py', PYTHON=echo, NNODES='3', **known)
    assert {'--nnodes=3', '--node_rank=1', '--master_addr=10.0.0.1'} <= set(words)


def test_a_port_in_use_is_named(echo):
    with socket.create_server(('127.0.0.1', 0)) as server:
        port = server.getsockname()[1]
        done = run_script('dist_launch.sh', '2', 'tool.py', PYTHON=echo, PORT=str(port))
    assert done.returncode == 1
    assert f'127.0.0.1:{port} is in use' in done.stderr and 'set PORT' in done.stderr
    assert f'--master_port={port}' in launched('2', 'tool.py', PYTHON=echo, PORT=str(port))


@pytest.mark.slow
def test_several_processes_draw_the_failures_once(inputs, tmp_path):
    done = run_script(
        'dist_launch.sh', '2', str(ROOT / 'tools/visualize.py'), 'failures', str(inputs.config),
        str(inputs.checkpoint), '--out-dir', str(tmp_path / 'failures'), '--launcher', 'pytorch',
        '--work-dir', str(tmp_path / 'run'), '--worst', '2')
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / 'failures/failures.jsonl').read_text().splitlines()) == 2


DYING_TOOL = """
import os, signal, sys, time
from pathlib import Path
folder, rank = Path(sys.argv[1]), os.environ['RANK']
(folder / rank).write_text(str(os.getpid()))
while len([path for path in folder.glob('[01]') if path.read_text()]) < 2:
    time.sleep(.01)
if rank == '1':
    os.kill(os.getpid(), signal.SIGKILL)
time.sleep(250)
"""


def test_a_process_that_dies_takes_the_others_down(tmp_path):
    (tmp_path / 'tool.py').write_text(DYING_TOOL)
    done = run_script('dist_launch.sh', '2', str(tmp_path / 'tool.py'), str(tmp_path))
    assert done.returncode == 128 + signal.SIGKILL
    cause = done.stderr.partition('Root Cause')[2]
    assert re.search(r'rank +: 1 ', cause) and 'SIGKILL' in cause
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / '0').read_text()), 0)
