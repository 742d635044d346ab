"""Generation on a cluster, with parts that compute nothing; called by name in processes."""

import os
import signal
import threading
import time
from functools import partial
from pathlib import Path

from fake_parts import DoubleUpscaler, NoiseEditor, seed_gate
from ray_rig import small_pool

from mmtbps.generation.runs.runner import ShardedRunner


class LethalEditor(NoiseEditor):
    """Notes its process, is slow, and ends at a picture of the person ``poison``."""

    def __init__(self, notes, poison=''):
        super().__init__()
        self.notes, self.poison = Path(notes), poison

    def edit(self, requests):
        (self.notes / f'{os.getpid()}').touch()
        time.sleep(.1)
        if self.poison in [request.job_id for request in requests]:
            os._exit(9)
        return super().edit(requests)


class Opened:
    """Opener of the work of an actor."""

    def __init__(self, folder, out, notes, poison):
        self.given = folder, out, notes, poison

    def __call__(self):
        folder, out, notes, poison = self.given
        work = ShardedRunner(out, batch_size=3, shard='0/1').prepare(
            Path(folder, 'plan.jsonl'), Path(folder, 'imgs'), DoubleUpscaler(),
            LethalEditor(notes, poison), [seed_gate])
        return lambda batch: list(work.process(batch))


def kill_one(notes):
    while not (found := list(Path(notes).iterdir())):
        time.sleep(.02)
    time.sleep(.15)
    os.kill(int(found[0].name), signal.SIGKILL)


def generate_on_ray(folder, out, notes, kill='', poison=''):
    if kill:
        threading.Thread(target=kill_one, args=(notes, ), daemon=True).start()
    with small_pool() as pool:
        summary = ShardedRunner(out, batch_size=3, shard='0/1').run(
            Path(folder, 'plan.jsonl'), Path(folder, 'imgs'), DoubleUpscaler(),
            NoiseEditor(), [seed_gate],
            spread=partial(pool.run, Opened(folder, out, notes, poison)))
    return dict(summary.statuses)
