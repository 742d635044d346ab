"""The extra ``open-clip`` beside a torch for CPUs: a plan of pip, never carried out."""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from project_file import EXTRAS

ROOT = Path(__file__).resolve().parent.parent
GUIDE = ROOT / 'docs/guides/pretrained_models.md'
COMMAND = re.compile(r'^pip install (torchvision\S+ open-clip-torch\S+) ', re.MULTILINE)


def planned(*requirements):
    """Name and version of every package that pip would install here."""
    done = subprocess.run(
        [sys.executable, '-m', 'pip', 'install', '--dry-run', '--quiet', '--report', '-',
         '--no-input', '--disable-pip-version-check', *requirements],
        capture_output=True, text=True, timeout=300, env={**os.environ, 'PIP_RETRIES': '1'})
    if done.returncode:
        reason = next((line for line in done.stderr.splitlines() if line.startswith('ERROR')), '')
        if re.search(r'from versions: none|No matching distribution|[Cc]onnection|Max retries',
                     done.stderr):
            pytest.skip(f'no package index is reached ({reason[:200]})')
        raise AssertionError(done.stderr[-2000:])
    return {part['metadata']['name'].lower().replace('_', '-'): part['metadata']['version']
            for part in json.loads(done.stdout)['install']}


def documented():
    """The requirements of the command in the guide."""
    return COMMAND.search(GUIDE.read_text(encoding='utf-8'))[1].split()


def extra():
    """The requirements of the extra."""
    return EXTRAS['open-clip']


def test_the_command_of_the_guide_serves_the_extra():
    torchvision, library = documented()
    name, version = library.split('==')
    requirement, = extra()
    assert requirement.startswith(f'{name.replace("-", "_")}>=')
    least, below = re.findall(r'[\d.]+', requirement.removeprefix(name.replace('-', '_')))
    assert least.split('.') <= version.split('.') < below.split('.')
    assert torchvision == 'torchvision==0.28.0', 'that of torch 2.13.0, which is tested here'


@pytest.mark.slow
def test_torch_stays():
    if not torch.__version__.startswith('2.13.0'):
        pytest.skip(f'the command of the guide is for torch 2.13.0, here is {torch.__version__}')
    plan = planned(*documented(), *extra())
    installed = {part.metadata['Name'].lower() for part in importlib.metadata.distributions()}
    assert 'open-clip-torch' in plan or 'open-clip-torch' in installed | {
        name.replace('_', '-') for name in installed}
    assert 'torch' not in plan and not any(name.startswith(('nvidia-', 'triton')) for name in plan)
    assert plan.get('torchvision', '0.28.0').startswith('0.28.0')
