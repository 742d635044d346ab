"""Training, killed at 20 moments and resumed: all that it leaves is that of an uninterrupted run.

Compared to the last bit: weights, optimizer, schedule and scores of every checkpoint, the name and
weights of the best one, and the names of all files. Logs and times may differ.
"""

import time

import pytest
from campaigns import content, differences, kill_again_and_again, read_run_file, report
from killed_processes import ROOT
from mmengine.config import Config
from tiny_models import shrink

pytestmark = pytest.mark.slow
EPOCHS = 4
CALLS = [f'mmengine.runner.loops:{loop}.run_iter' for loop in ('ValLoop', 'EpochBasedTrainLoop')]
#: Logs; and the config of the last start, which says whether it was a resumed one.
LOGS = r'^\d{8}_\d{6}|^config\.py$'


@pytest.fixture(scope='module')
def configs(micro_set, tmp_path_factory):
    """Config files by the number of workers: everything random, validation after each epoch."""
    files = {}
    for workers in (0, 2):
        folder = tmp_path_factory.mktemp(f'workers_{workers}')
        cfg = shrink(Config.fromfile(ROOT / 'configs/tbps/vit_bert_pdg_drawn.py'), micro_set,
                     folder)
        cfg.model.text_backbone.config.update(hidden_dropout_prob=0.1)
        cfg.train_cfg.update(max_epochs=EPOCHS, val_interval=1)
        cfg.train_dataloader.update(batch_size=24, num_workers=workers,
                                    persistent_workers=workers > 0)
        cfg.default_hooks.logger.interval = 1
        cfg.dump(files.setdefault(workers, folder / 'config.py'))
    return files


@pytest.fixture
def train(tools, configs):
    """A function: starts a training, or goes on with it, in a folder."""
    def run(folder, kill, again, workers=0):
        folder.mkdir(exist_ok=True)
        return tools.run('tools/train.py', configs[workers], '--work-dir', folder,
                         *(['--resume'] if again else []), watch=folder, kill=kill, calls=CALLS,
                         only_first=True)
    return run


def outcome(folder):
    """All that a finished run leaves, but for logs and times."""
    return content(folder, LOGS, lambda path: read_run_file(path, folder))


def test_killed_while_it_trains_saves_and_validates(train, tmp_path):
    """Every third run has two workers that persist, which changes nothing in the end."""
    def job(folder, kill, turn, again):
        return train(folder, kill, again, workers=0 if turn % 3 else 2)

    kill_again_and_again('train', job, outcome, tmp_path,
                         validating=(r'call ValLoop', 4))


def test_one_run_that_is_killed_over_and_over(train, tmp_path):
    assert train(tmp_path / 'whole', None, False).code == 0
    moments = [pattern for epoch in range(1, EPOCHS + 1) for pattern in (
        rf'write epoch_{epoch}\.', r'call ValLoop', rf'rename (best|epoch_({epoch}|{epoch + 1}))',
        r'open last_checkpoint')]
    died, folder, begin = [], tmp_path / 'killed', time.monotonic()
    for number, moment in enumerate(moments):
        ended = train(folder, moment, again=number > 0, workers=number % 2 * 2)
        if ended.killed:
            died.append(ended.steps[-1])
    assert train(folder, None, again=True).code == 0
    assert not differences(outcome(tmp_path / 'whole'), outcome(folder))
    assert len(died) >= 13, died
    report(f'train, one run: {len(died)} kills, all {time.monotonic() - begin:.0f} s; before '
           f'{", ".join(died)}')
