"""The demo, killed at 20 moments of all its steps: data, pairs, model, numbers and answers agree.

It runs as a whole, with the commands that it starts; drawn set, towers and generator are small.
"""

import shutil
from pathlib import Path

import pytest
from campaigns import content, kill_again_and_again, read_manifest, read_run_file
from killed_processes import ROOT
from mmengine.config import Config
from tiny_models import shrink

from mmtbps.search.galleries.factory import open_gallery

pytestmark = pytest.mark.slow
#: Logs and the config of the last start; what a gallery is made of, which is read as a gallery.
LEFT_OUT = (r'\d{8}_\d{6}/|work_dirs/demo/conv_base_drawn\.py|work_dirs/demo/gallery/|\.lock$|'
            r'/run\.json\.\w+\.partial$|__pycache__')
LOOPS = [f'mmengine.runner.loops:{loop}.run_iter' for loop in ('ValLoop', 'EpochBasedTrainLoop')]
DATA, PAIRS = Path('data/DrawnPEDES'), Path('data/DrawnPEDES-pdg-toy')


@pytest.fixture(scope='module')
def small_tree(tmp_path_factory):
    """A tree of the demo's file and small configs."""
    root = tmp_path_factory.mktemp('tree')
    (root / 'tools').mkdir()
    shutil.copy(ROOT / 'tools/demo.py', root / 'tools')
    cfg = shrink(Config.fromfile(ROOT / 'configs/tbps/conv_base_drawn.py'), DATA,
                 Path('work_dirs/demo'))
    cfg.train_cfg.update(max_epochs=2, val_interval=1)
    (root / 'configs/tbps').mkdir(parents=True)
    (root / 'configs/generation').mkdir()
    cfg.dump(root / 'configs/tbps/conv_base_drawn.py')
    cfg = Config.fromfile(ROOT / 'configs/generation/pdg_recolor.py')
    cfg.generation.upscaler.size = (96, 32)
    cfg.generation.runner.update(out_dir=str(PAIRS), num_controls=(12, 0.))
    cfg.dump(root / 'configs/generation/pdg_drawn.py')
    return root


def outcome(folder):
    """All that a finished demo leaves, but for logs and times."""
    gallery = open_gallery(folder / 'work_dirs/demo/gallery')
    entries = sorted(gallery.entries(), key=lambda entry: entry.id)
    features = gallery.get([entry.id for entry in entries])[1]
    return dict(
        files=content(folder, LEFT_OUT,
                      lambda path: read_manifest(path) or read_run_file(path, folder)),
        people=[(entry.id, entry.path.replace(str(folder), '')) for entry in entries],
        features=features.tobytes(), fingerprint=gallery.fingerprint)


def test_killed_demo(tools, small_tree, tmp_path):
    """Four times in a row, five times over."""
    def job(folder, kill, **_):
        shutil.copytree(small_tree, folder, dirs_exist_ok=True)
        return tools.run('tools/demo.py', '--size', 'micro', watch=folder, kill=kill, cwd=folder,
                         calls=LOOPS)

    kill_again_and_again(
        'demo', job, outcome, tmp_path, in_a_row=4,
        training=(r'call|(write|fsync|rename) work_dirs/demo/(epoch|best)', 5),
        searching=(r'\w+ work_dirs/demo/(gallery|answers)', 3))
