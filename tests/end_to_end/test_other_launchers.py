"""Processes that Slurm or Open MPI starts, shown on a CPU with stand-ins for their commands."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config
from tiny_models import shrink

from mmtbps.engine.launch import build_runner

ROOT = Path(__file__).resolve().parents[2]
#: Starts what follows the options once for each task, as ``srun`` does on one node.
SRUN = r'''#!/usr/bin/env bash
while [[ $1 == -* ]]; do
  case $1 in --ntasks=*) tasks=${1#*=} ;; -p) shift ;; esac
  shift
done
export SLURM_NTASKS=$tasks SLURM_NODELIST=node[1-2]
for ((task = 0; task < tasks; task++)); do
  SLURM_PROCID=$task SLURM_LOCALID=$task "$@" &
  processes+=($!)
done
for process in "${processes[@]}"; do wait "$process" || exit; done
'''
MPIRUN = SRUN.replace('SLURM_NTASKS', 'OMPI_COMM_WORLD_SIZE').replace(
    'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK').replace('SLURM_LOCALID', 'OMPI_COMM_WORLD_LOCAL_RANK')
SCONTROL = r'''#!/usr/bin/env bash
[[ $* == "show hostnames node[1-2]" ]] && printf "localhost\nx\n"
'''


@pytest.mark.slow
@pytest.mark.parametrize('launcher', ['slurm', 'mpi'])
def test_two_tasks_train_one_model(launcher, micro_set, tmp_path):
    cfg = shrink(Config.fromfile(ROOT / 'configs/tbps/vit_bert_base_drawn.py'), micro_set, tmp_path)
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    cfg.dump(tmp_path / 'config.py')
    programs = tmp_path / 'bin'
    programs.mkdir()
    for name, text in dict(srun=SRUN, mpirun=MPIRUN, scontrol=SCONTROL).items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = str(probe.getsockname()[1])
    words = {
        'slurm': ['bash', ROOT / 'tools/slurm_train.sh', 'part', 'job', tmp_path / 'config.py'],
        'mpi': ['mpirun', '--ntasks=2', sys.executable, ROOT / 'tools/train.py',
                tmp_path / 'config.py', '--launcher', 'mpi']}[launcher]
    place = dict(MASTER_ADDR='localhost') if launcher == 'mpi' else {}
    done = subprocess.run(
        list(map(str, [*words, '--work-dir', tmp_path / 'run'])), capture_output=True, text=True,
        timeout=300, env=dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1', GPUS='2',
                              GPUS_PER_NODE='2', PYTHON=sys.executable, MASTER_PORT=port,
                              PATH=f'{programs}:{os.environ["PATH"]}', **place))
    assert done.returncode == 0, done.stderr[-3000:]
    log, = (tmp_path / 'run').glob('*/*.log')  # of the first task
    text = log.read_text()
    assert 'GPU number: 2' in text and 'MMDistributedDataParallel' in text
    assert (tmp_path / 'run/epoch_1.pth').is_file()


@pytest.mark.parametrize('launcher, said', [
    ('slurm', 'SLURM_PROCID is not set, so that no srun has started this process'),
    ('mpi', 'OMPI_COMM_WORLD_RANK is not set, so that no mpirun has started')])
def test_a_process_that_nobody_started_says_so(launcher, said, micro_set, tmp_path, monkeypatch):
    for name in list(os.environ):
        if name.startswith(('SLURM_', 'OMPI_')):
            monkeypatch.delenv(name)
    cfg = shrink(Config.fromfile(ROOT / 'configs/tbps/vit_bert_base_drawn.py'), micro_set, tmp_path)
    cfg.launcher = launcher
    with pytest.raises(ValueError, match=f'--launcher {launcher}: {said}'):
        build_runner(cfg)
