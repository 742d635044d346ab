"""Edits: how many the gates accept, and how many of those are right, by the renderer's truth.

People are drawn anew, none of the data set's, and edited as the presets plan it. The renderer draws
what a perfect editor would have made; the gates know nothing of it. An edit is right if more than
half of the garment has the new colour in its light, and other pixels that changed are at most a
tenth as many as the garment has; it is clean if three quarters have it. People whose caption does
not tell which garment is meant are left out.

With ``--evidence`` editor and gates are told what the renderer knows of the picture before the
edit: the person's mask, or all parts, as a perfect human parsing would. That shows what evidence is
worth, not how good any model of it is.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from PIL import Image

from mmtbps.drawing.captions import caption
from mmtbps.drawing.edits import colors_for
from mmtbps.drawing.person import Person
from mmtbps.drawing.versions import Shot, plan_person
from mmtbps.fileio import write_durably
from mmtbps.generation import BaseEditor, BaseGate, EditRequest, Job, try_controls
from mmtbps.generation.quality import GateVerdict, PlaceGate, PreserveGate, run_gates
from mmtbps.generation.quality.labels import EditLabel
from mmtbps.lexicon import find_color_mentions
from mmtbps.proportions import Proportion
from mmtbps.records import PairRecord
from mmtbps.registry import TASK_UTILS

from .edit_truth import Truth, coverage_and_spill, drawn_evidence, tell_truth

PRESETS = Path(__file__).parents[2] / 'configs' / 'generation'
_SEED = 2026            # of the people
_CONTROLS = 100         # edits on which the negative controls are tried
_RIGHT, _CLEAN, _SPILL = .5, .75, .1
_KNOWN = ('none', 'person', 'parts')


class Case(NamedTuple):
    """Edit to be made, and its truth."""

    request: EditRequest
    before: np.ndarray
    truth: Truth


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options beside ``--threads`` and ``--out``."""
    parser.add_argument('--presets', nargs='+', default=['pdg_recolor', 'pdg_drawn'],
                        help='configs of configs/generation (default: %(default)s)')
    parser.add_argument('--people', type=int, default=300,
                        help='drawn people, one edit each (default: %(default)s)')
    parser.add_argument('--place-gates', action='store_true',
                        help='let PlaceGate and PreserveGate judge too, by that evidence')
    parser.add_argument('--labels', type=Path, metavar='FOLDER',
                        help='write the truth of each edit beside the values of the gates, '
                             'PRESET-EVIDENCE.jsonl, which calibrate reads')
    parser.add_argument('--evidence', nargs='+', choices=_KNOWN, default=['none'],
                        help='true masks that are known of a picture, a row each')


def run(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure one row a preset and kind of evidence."""
    torch.set_num_threads(args.threads)
    return [measure(preset, args.people, known, args.place_gates, args.labels)
            for preset in args.presets for known in args.evidence]


def measure(preset: str, people: int, known: str = 'none', place_gates: bool = False,
            folder: Path | None = None) -> dict[str, Any]:
    """Measure the row of one preset where so much is known of a picture.

    Args:
        preset: Config of configs/generation.
        people: To draw.
        known: Kind of evidence.
        place_gates: Add the gates that judge by it to those of the preset.
        folder: Of the labels; ``None`` writes none.
    """
    cfg = Config.fromfile(PRESETS / f'{preset}.py').generation
    editor, *gates = (TASK_UTILS.build(part) for part in (cfg.editor, *cfg.gates))
    if place_gates:
        gates += [PlaceGate(), PreserveGate()]
    cases = draw_cases(TASK_UTILS.build(cfg.planner), people, tuple(cfg.upscaler['size']), known)
    labels: list[EditLabel] = []
    row = dict(preset=preset, evidence=known, **judge(cases, editor, gates, labels))
    if folder is not None:
        write_durably(folder / f'{preset}-{known}.jsonl', ''.join(
            json.dumps(label.to_json(), allow_nan=False) + '\n' for label in labels))
    return row


def judge(cases: list[Case], editor: BaseEditor, gates: list[BaseGate],
          labels: list[EditLabel] | None = None) -> dict[str, Any]:
    """Edit, let the gates decide, and compare with the truth; ``labels`` takes one an edit."""
    requests = [case.request for case in cases]
    start = time.process_time()
    results = editor.edit(requests)
    verdicts = [run_gates(gates, *pair) for pair in zip(requests, results, strict=True)]
    accepted = np.array([all(verdict.ok for verdict in found.values()) for found in verdicts])
    seconds = (time.process_time() - start) / len(cases)
    coverage, spill = np.transpose([
        coverage_and_spill(case.before, np.asarray(result.image), case.truth)
        for case, result in zip(cases, results, strict=True)])
    right, clean = ((coverage > least) & (spill <= _SPILL) for least in (_RIGHT, _CLEAN))
    if labels is not None:
        labels.extend(map(_label, requests, verdicts, right, coverage))
    passed = [ok for i in range(min(_CONTROLS, len(cases))) for ok in try_controls(
        gates, requests[i], results[i], requests[i - 1].image).values()]
    return {
        'edits': len(cases), 'right': _percent(right), 'accepted': _percent(accepted),
        'right of the accepted': _percent(right[accepted]),
        '95 % interval': str(Proportion.of(right[accepted])) if accepted.any() else '-',
        'clean of the accepted': _percent(clean[accepted]),
        'accepted of the right': _percent(accepted[right]),
        'controls passed': f'{sum(passed)} of {len(passed)}', 'CPU s an edit': f'{seconds:.2f}'}


def _label(request: EditRequest, verdicts: dict[str, GateVerdict], right: bool,
           coverage: float) -> EditLabel:
    """Tell the truth of an edit: partial is one that dyed some of the garment, and too little."""
    gates = {name: dict(verdict.to_json(),
                        value=verdict.value if np.isfinite(verdict.value) else None)
             for name, verdict in verdicts.items()}
    ok = all(verdict.ok for verdict in verdicts.values())
    kind = 'right' if right else 'partial' if coverage > _SPILL else 'wrong'
    return EditLabel(f'{request.job_id} {request.noun} {request.new_color}', kind, request.noun,
                     'accepted' if ok else 'rejected', gates)


def draw_cases(planner: Any, people: int, size: tuple[int, int], known: str = 'none'
               ) -> list[Case]:
    """Draw edits that the planner chooses, of people whose garment is known beyond doubt."""
    cases = []
    for number in range(1, people + 1):
        person, (shot,) = plan_person(_SEED, number, 1)
        captions = tuple(caption(person, shot.scene, seed) for seed in shot.caption_seeds)
        record = PairRecord(shot.file_path, captions, number, 'train')
        for job in planner.plan([record], 'drawn'):
            garment = _garment(person, job)
            if garment is not None:
                cases.append(_case(person, shot, garment, job, size, known))
    return cases


def _case(person: Person, shot: Shot, garment: str, job: Job, size: tuple[int, int],
          known: str) -> Case:
    color = job.edit['new']['bases'][0]
    before, truth = tell_truth(person, shot.scene, garment, color, size)
    request = job.request(job.source['image'], Image.fromarray(before), job.source['person_id'])
    if known != 'none':
        evidence = drawn_evidence(person, shot.scene, size)
        request = replace(request, evidence=evidence if known == 'parts'
                          else replace(evidence, parts=None))
    return Case(request, before, truth)


def _garment(person: Person, job: Job) -> str | None:
    """Find the one garment of the region that has the old colour and can take the new one."""
    old, new = (job.edit[side]['bases'][0] for side in ('old', 'new'))
    region = ('lower',) if job.edit['region'] == 'lower' else ('upper', 'inner')
    fitting = [garment for garment in region if person.wears(garment)
               and old in _basic(person.colors[garment])]
    free = len(fitting) == 1 and new in colors_for(person, fitting[0])
    return fitting[0] if free else None


def _basic(color: str) -> tuple[str, ...]:
    return find_color_mentions(f'a {color} shirt')[0].bases


def _percent(share: np.ndarray) -> str:
    return f'{100 * share.mean():.1f} %' if share.size else '-'
