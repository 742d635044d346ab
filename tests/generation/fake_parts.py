"""Parts of a generation run that compute nothing but are deterministic in image and seed."""

import hashlib

import numpy as np
from PIL import Image

from mmtbps.generation.editing.base import BaseEditor, BaseUpscaler, EditResult
from mmtbps.generation.planning.planner import ColorSwitchPlanner
from mmtbps.generation.quality.gates import GateVerdict
from mmtbps.generation.runs.manifest import read_records
from mmtbps.generation.runs.plan import write_plan
from mmtbps.generation.runs.runner import ShardedRunner
from mmtbps.records import PairRecord


class DoubleUpscaler(BaseUpscaler):
    evals_per_image = 2
    digest_fields = dict(type='DoubleUpscaler')

    def upscale(self, images, seeds):
        assert len(images) == len(seeds)
        return [image.resize((2 * image.width, 2 * image.height)) for image in images]


class NoiseEditor(BaseEditor):
    """Adds noise that depends on the seed alone."""

    def __init__(self, strength=9):
        self.strength = strength
        self.batches = []

    @property
    def digest_fields(self):
        return dict(type='NoiseEditor', strength=self.strength)

    def edit(self, requests):
        self.batches.append([request.job_id for request in requests])
        results = []
        for request in requests:
            pixels = np.asarray(request.image).astype(int)
            noise = np.random.default_rng(request.seed).integers(0, self.strength, pixels.shape)
            image = Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8))
            results.append(EditResult(request.job_id, image, unet_evals=5))
        return results


def seed_gate(request, result):
    """Refuses about every third job, and every result marked as a control."""
    value = request.seed % 3
    return GateVerdict('seed', float(value), value != 0 and not result.extras, low=1.)


def infinite_gate(request, result):
    return GateVerdict('infinite', float('inf'), True, low=3.)


def marked_controls(gates, request, result, stranger):
    """One control that `seed_gate` always refuses."""
    control = EditResult(request.job_id, stranger.resize(result.image.size), extras=dict(bad=1))
    return dict(marked=all(gate(request, control).ok for gate in gates))


def unmarked_controls(gates, request, result, stranger):
    """A control that the gates treat like an edit: it passes too often."""
    return dict(unmarked=all(gate(request, result).ok for gate in gates))


def make_records(folder, people=4, images=2):
    """Records and their pictures; every second person has two captions an image."""
    records = []
    for person in range(1, people + 1):
        for number in range(images):
            name = f'cam_a/{person}_{number}.png'
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            color = (40 * person % 256, 90 * number, 120)
            Image.new('RGB', (8, 24), color).save(path)
            captions = ('A man in a red shirt & blue jeans.', 'His shirt is red.')[:1 + person % 2]
            records.append(PairRecord(name, captions, person, 'train'))
    return records


def make_plan(folder, people=4, images=2, edits=2):
    """A plan and its pictures in ``folder``; returns the plan's path."""
    records = make_records(folder / 'imgs', people, images)
    plan = folder / 'plan.jsonl'
    write_plan(plan, ColorSwitchPlanner(edits_per_image=edits).plan(records, 'fake'))
    return plan


def run(folder, out, shard='0/1', editor=None, gates=(seed_gate,), controls=None, evidence=(),
        images=None, **kwargs):
    """A run of the plan of `make_plan`."""
    runner = ShardedRunner(str(out), shard=shard, **{'batch_size': 3, **kwargs})
    return runner.run(folder / 'plan.jsonl', images or folder / 'imgs', DoubleUpscaler(),
                      editor or NoiseEditor(), list(gates), controls, evidence)


def outcome(out):
    """All that must not depend on processes, kills and order; each job exactly once."""
    records = list(read_records(out))
    assert len({record.job_id for record in records}) == len(records), 'a job was done twice'
    files = {path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
             for path in out.rglob('*') if path.is_file() and path.parent != out}
    rows = {}
    for record in records:
        raw = record.to_json()
        rows[record.job_id] = {key: raw[key] for key in raw.keys() - {'shard', 'time', 'cost'}}
        assert files[record.output['file']] == record.output['sha256']
    return rows, files
