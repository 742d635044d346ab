"""A run of edits that are not of colour: from its plan to the people of its pairs."""

import numpy as np
import pytest
from fake_parts import DoubleUpscaler, make_records
from PIL import Image

from mmtbps.errors import BadValue
from mmtbps.generation.editing import EDIT_KINDS, RecolorEditor
from mmtbps.generation.editing.base import BaseEditor, EditResult
from mmtbps.generation.quality import CaptionGate, ChangeGate, RankingGate, try_controls
from mmtbps.generation.runs.manifest import load_done
from mmtbps.generation.runs.merge import merge_run
from mmtbps.generation.runs.plan import Job, write_plan
from mmtbps.generation.runs.report import write_report
from mmtbps.generation.runs.run_summary import InvalidRun
from mmtbps.generation.runs.runner import ShardedRunner
from mmtbps.merged_pairs import PAIRS_FILE
from mmtbps.records import read_jsonl


class Painter(BaseEditor):
    """Paints the upper half in a colour of the instruction's length, and keeps what it was told."""

    kinds = frozenset(EDIT_KINDS)
    digest_fields = dict(type='Painter')

    def __init__(self):
        self.told = []

    def edit(self, requests):
        results = []
        for request in requests:
            self.told.append((request.kind, request.instruction))
            pixels = np.array(request.image)
            pixels[:len(pixels) // 2] = 255 - pixels[:len(pixels) // 2]
            results.append(EditResult(request.job_id, Image.fromarray(pixels)))
        return results


def job(record, kind, instruction, captions=None, **words):
    source = dict(dataset='toy', split='train', image=record.image, person_id=record.person_id,
                  captions=list(record.captions))
    edit = dict(kind=kind, instruction=instruction, kept=list(range(len(record.captions))), **words)
    return Job(source, edit, dict(captions=list(captions or record.captions), group='g'))


@pytest.fixture
def planned(tmp_path):
    records = make_records(tmp_path / 'imgs', 3, 2)
    jobs = []
    for record in records:
        jobs.append(job(record, 'background', 'Put the person on a beach.', new=dict(text='beach')))
        for new in ('hoodie', 'sweater'):
            told = [caption.replace('shirt', new).replace('coat', new)
                    for caption in record.captions]
            jobs.append(job(record, 'garment', f'Make it a {new}.', told, region='upper',
                            noun='shirt', old=dict(text='shirt'), new=dict(text=new)))
    write_plan(tmp_path / 'plan.jsonl', jobs)
    return tmp_path, records


def run(folder, editor, gates, **settings):
    return ShardedRunner(str(folder / 'out'), log_interval=0, **settings).run(
        folder / 'plan.jsonl', folder / 'imgs', DoubleUpscaler(), editor, gates, try_controls)


def test_a_scene_shows_the_person_again_and_other_clothes_somebody_new(planned):
    folder, records = planned
    editor = Painter()
    summary = run(folder, editor, [ChangeGate()], max_control_rate=1.)
    assert set(editor.told) == {
        ('background', 'Put the person on a beach.'), ('garment', 'Make it a hoodie.'),
        ('garment', 'Make it a sweater.')}
    assert summary.controls['unedited'][True] == 0
    assert summary.controls['other_person'][True] > 0  # no gate of this run looks at the person
    assert set(summary.controls) == {'unedited', 'other_person'}
    merge_run(folder / 'out', records, max_control_rate=1.)
    pairs = read_jsonl(folder / 'out' / PAIRS_FILE)
    real = {record.person_id for record in records}
    by_image = {record.image: record for record in records}
    new = {}
    for pair in pairs:
        if pair.edit['kind'] == 'background':
            assert pair.person_id == by_image[pair.source].person_id
            assert pair.captions == by_image[pair.source].captions
        else:
            key = pair.edit['source_person_id'], pair.edit['new']['text']
            assert new.setdefault(key, pair.person_id) == pair.person_id not in real
        assert pair.edit['instruction'] in {told for _, told in editor.told}
    assert len(pairs) == 18 and len(set(new.values())) == len(new) == 6
    assert sorted(new.values()) == list(range(max(real) + 1, max(real) + 7))


def test_a_run_that_a_stranger_passes_is_invalid(planned):
    folder, _ = planned
    with pytest.raises(InvalidRun, match="accept .* 'other_person' controls"):
        run(folder, Painter(), [CaptionGate(), ChangeGate()], min_controls=3)


def test_what_no_model_has_seen_is_unproven(planned):
    folder, _ = planned
    summary = run(folder, Painter(), [ChangeGate()], max_control_rate=1.)
    assert (summary.unproven_content, summary.unproven_place) == (18, 12)
    assert 'unproven place in 12; unproven content in 18' in str(summary)
    page = write_report(folder / 'out', folder / 'imgs', max_control_rate=1.).read_text()
    assert 'Unproven content: of 18 of 18 edits' in page and 'Put the person on a beach.' in page


def test_what_a_model_has_seen_is_proven(planned):
    folder, _ = planned

    def scorer(images, captions):
        return np.eye(2)

    summary = run(folder, Painter(), [ChangeGate(), RankingGate(scorer)], max_control_rate=1.)
    assert summary.unproven_content == 6  # a scene has no other caption to compare with


def test_an_editor_of_colours_is_refused_before_anything_is_written(planned):
    folder, _ = planned
    with pytest.raises(BadValue, match='plan.jsonl plans edits of kind background, garment; '
                                       'RecolorEditor makes those of kind color'):
        run(folder, RecolorEditor(), [ChangeGate()])
    assert not (folder / 'out').exists()


def test_a_killed_run_of_scenes_goes_on(planned):
    folder, records = planned
    run(folder, Painter(), [ChangeGate()], max_control_rate=1.)
    whole = {key: record.output for key, record in load_done(folder / 'out').items()}
    part, = (folder / 'out').glob('part-*.jsonl')
    lines = part.read_bytes().splitlines(keepends=True)
    part.write_bytes(b''.join(lines[:7]) + lines[7][:20])
    editor = Painter()
    run(folder, editor, [ChangeGate()], max_control_rate=1.)
    assert len(editor.told) == len(lines) - 7
    assert {key: record.output for key, record in load_done(folder / 'out').items()} == whole
