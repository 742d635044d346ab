"""A run with a parsing of every picture: its place is proved, controls of place are tried."""

import numpy as np
from fake_parts import make_plan, run
from PIL import Image

from mmtbps.generation.color import lab_to_rgb, rgb_to_lab
from mmtbps.generation.editing.base import BaseEditor, EditResult
from mmtbps.generation.editing.recolor import shift_color
from mmtbps.generation.evidence import PARTS, BaseEvidenceProvider, EditEvidence
from mmtbps.generation.quality import PLACE_CONTROLS, PlaceGate, PreserveGate, try_controls
from mmtbps.generation.runs.manifest import read_records


def garment_of(image, region):
    mask = np.zeros(image.size[::-1], bool)
    middle = image.height // 2
    rows = slice(4, middle) if region == 'upper' else slice(middle, image.height - 4)
    mask[rows, 4:-4] = True
    return mask


class Parser(BaseEvidenceProvider):
    provides, digest_fields = ('parts', ), dict(type='Parser')

    def look(self, images):
        found = []
        for image in images:
            parts = np.zeros(image.size[::-1], np.uint8)
            for region in ('upper', 'lower'):
                parts[garment_of(image, region)] = PARTS.index(region)
            found.append(EditEvidence(parts=parts))
        return found


class Dyer(BaseEditor):
    """Dyes the garment that is asked for, or every second time the whole picture."""

    digest_fields = dict(type='Dyer')

    def edit(self, requests):
        return [self._dye(request) for request in requests]

    def _dye(self, request):
        mask = garment_of(request.image, request.region)
        if request.seed % 2:
            mask[:] = True
        lab = shift_color(rgb_to_lab(np.asarray(request.image)), mask, request.new_color)
        return EditResult(request.job_id, Image.fromarray(lab_to_rgb(lab)), mask)


def test_the_place_of_every_edit_is_judged(tmp_path):
    make_plan(tmp_path, people=3)
    summary = run(tmp_path, tmp_path / 'out', editor=Dyer(), gates=[PlaceGate(), PreserveGate()],
                  controls=try_controls, evidence=[Parser()],
                  min_controls=100)  # gates of place see no colour
    assert summary.unproven_place == 0 and 'unproven' not in str(summary)
    assert set(PLACE_CONTROLS) < set(summary.controls)
    for name in PLACE_CONTROLS:  # a picture may have nearly the new colour already
        assert summary.controls[name][True] <= 1 and summary.controls[name].total() > 10
    for record in read_records(tmp_path / 'out'):
        assert record.status == ('rejected' if record.engine['seed'] % 2 else 'accepted')
        assert 'of the garment changed' in record.gates['place']['reason']
    assert 0 < summary.statuses['accepted'] < summary.total
