"""Small jobs of the tools that write files, for tests that disturb them."""

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from tiny_models import shrink

from mmtbps.datasets.packed import PackedImages
from mmtbps.fileio import load_checkpoint_file
from mmtbps.search import open_gallery
from mmtbps.search.encoders.torch_encoder import TorchEncoder

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1', PYTHON=sys.executable)


class Inputs(NamedTuple):
    """Files that the jobs read: a drawn set, a config and checkpoint of it, a gallery."""

    data: Path
    config: Path
    checkpoint: Path
    gallery: Path

    @property
    def model(self):
        return '--config', self.config, '--weights', self.checkpoint


class Job(NamedTuple):
    """A command that writes below a folder.

    Args:
        words: of the command line, given the inputs and the folder.
        result: what counts of the files in the folder.
        begun: a file of this pattern tells that the work is under way.
        going_on: words to start it again with.
    """

    words: Callable[[Inputs, Path], tuple]
    result: Callable[[Path], Any]
    begun: str = '**/*'
    going_on: tuple = ()

    def command(self, inputs, folder, again=False):
        """Words of the process that does the job."""
        tool, *words = self.words(inputs, folder)
        return [sys.executable, str(ROOT / 'tools' / tool), *map(str, words),
                *(self.going_on if again else ())]


def make_inputs(data, folder):
    """A shrunken config with two workers a loader, a checkpoint and a gallery."""
    cfg = shrink(Config.fromfile(ROOT / 'configs/tbps/vit_bert_pdg_drawn.py'), data, folder)
    cfg.train_cfg.update(max_epochs=4, val_interval=2)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.update(num_workers=2, persistent_workers=True)
    cfg.dump(folder / 'config.py')
    torch.manual_seed(0)
    encoder = TorchEncoder(cfg, weights='random', device='cpu')
    torch.save(dict(state_dict=encoder.model.state_dict()), folder / 'model.pth')
    inputs = Inputs(data, folder / 'config.py', folder / 'model.pth', folder / 'gallery')
    done = run([sys.executable, ROOT / 'tools/search.py', 'index', inputs.gallery, data / 'imgs',
                '--quiet', *inputs.model])
    assert done.returncode == 0, done.stderr
    return inputs


def run(command, **process):
    return subprocess.run([str(word) for word in command], env=ENVIRONMENT, capture_output=True,
                          text=True, timeout=300, **process)


def files(folder):
    """SHA-256 of every file that is no lock, by name."""
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob('*')) if path.is_file() and path.name[0] != '.'}


def packed(folder):
    """SHA-256 of every packed image, by name; the shards may be cut elsewhere."""
    images = PackedImages(folder / 'imgs.tars')
    return {name: hashlib.sha256(images.read(name)).hexdigest() for name in sorted(images)}


def weights(folder):
    state = load_checkpoint_file(folder / 'run/epoch_4.pth')['state_dict']
    return {key: hashlib.sha256(value.numpy().tobytes()).hexdigest()
            for key, value in state.items()}


def entries(folder):
    """Path, content and feature of every entry of a gallery."""
    gallery = open_gallery(str(min(folder.glob('people*'))))  # its model lies beside it
    found = sorted(gallery.entries(), key=lambda entry: entry.path)
    stored, features = gallery.get([entry.id for entry in found])
    return [(entry.path, entry.sha256, feature.tobytes())
            for entry, feature in zip(stored, features, strict=True)]


def index(name):
    return Job(lambda at, to: ('search.py', 'index', to / name, at.data / 'imgs', '--quiet',
                               '--commit-every', 16, '--batch-size', 8, *at.model),
               entries, f'{name}/*')


def answers(name):
    return Job(lambda at, to: ('search.py', 'query', at.gallery, 'a man in red', '--out',
                               to / name), files)


JOBS = {
    'train': Job(lambda at, to: ('train.py', at.config, '--work-dir', to / 'run'), weights,
                 'run/epoch_1.pth', ('--resume', )),
    'pack': Job(lambda at, to: ('pack_images.py', at.data / 'imgs', to / 'imgs.tars',
                                '--shard-size', '20KB', '--quiet'), packed, 'imgs.tars/*.tar'),
    'extract': Job(lambda at, to: ('extract_features.py', at.config, at.checkpoint,
                                   at.data / 'imgs', to / 'features', '--part-size', 8,
                                   '--dtype', 'float32'), files),
    'generate': Job(lambda at, to: (
        'generate.py', 'all', ROOT / 'configs/generation/pdg_recolor.py', '--cfg-options',
        f'dataset.data_root={at.data}', f'generation.runner.out_dir={to / "pairs"}',
        'generation.upscaler.size=(96,32)', 'generation.runner.num_controls=(12,0.)'),
        lambda folder: (folder / 'pairs/pdg_pairs.jsonl').read_text('utf-8'), 'pairs/images/**/*'),
    'draw': Job(lambda at, to: ('draw_dataset.py', to / 'set', '--people', 60, 20, 20,
                                '--workers', 2), files, 'set.partial/imgs/**/*.jpg'),
    'index': index('people'),
    'index Lance': index('people.lance'),
    'export': Job(lambda at, to: ('export.py', at.config, at.checkpoint, to / 'model'),
                  lambda folder: sorted(files(folder))),
    'test --out': Job(lambda at, to: ('test.py', at.config, at.checkpoint, '--work-dir',
                                      to / 'run', '--out', to / 'metrics.json'),
                      lambda folder: (folder / 'metrics.json').read_text('utf-8'), 'run/**/*'),
    'heatmap': Job(lambda at, to: ('visualize.py', 'heatmap', at.config, at.checkpoint,
                                   next((at.data / 'imgs').rglob('*.jpg')), 'a man in red',
                                   '--out', to / 'heat.png'), files),
    'answers.html': answers('answers.html'),
    'answers.png': answers('answers.png'),
}


def lines_of_error(done):
    """Lines that a command printed as errors; there was no traceback."""
    said = done.stderr + done.stdout
    fault = re.search('Traceback|Exception ignored', said)
    assert not fault, said[fault.start():][:3000]
    return [line for line in done.stderr.splitlines() if line.startswith('error: ')]
