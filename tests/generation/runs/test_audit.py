"""Audit of a run: the sample, answers that a kill leaves whole, and weighted shares."""

import json
from collections import Counter

import pytest
from fake_parts import make_plan, run, seed_gate

from mmtbps.errors import BadValue, MissingFile
from mmtbps.fileio import LockTaken
from mmtbps.generation.quality.base import GateVerdict
from mmtbps.generation.quality.labels import EditLabel, read_labels
from mmtbps.generation.runs.audit import Audit, audit_table, choose_sample, stratum_of
from mmtbps.generation.runs.manifest import Record, read_images
from mmtbps.proportions import wilson_interval


def record(i, noun='coat', refused_by=None):
    gates = {name: dict(value=.5, ok=name != refused_by) for name in ('mask', 'place')}
    return Record(f'{i:04x}', 'rejected' if refused_by else 'accepted', {}, dict(noun=noun),
                  dict(file=f'images/{i}.png'), {}, gates)


def many():
    """Ninety coats and ten skirts accepted, forty and four refused by two gates."""
    return [*(record(i) for i in range(90)), *(record(i, 'skirt') for i in range(90, 100)),
            *(record(i, refused_by='place') for i in range(100, 140)),
            *(record(i, 'skirt', 'mask') for i in range(140, 144))]


def test_the_sample_has_all_strata_alike():
    counts = Counter(stratum_of(one) for one in choose_sample(many(), 16))
    assert counts == {('accepted', 'coat'): 4, ('accepted', 'skirt'): 4, ('place', 'coat'): 4,
                      ('mask', 'skirt'): 4}
    assert len(choose_sample(many(), 1000)) == 144


def test_the_sample_is_random_repeats_itself_and_grows_at_its_end():
    first = [one.job_id for one in choose_sample(many(), 20)]
    assert first == [one.job_id for one in choose_sample(reversed(many()), 50)][:20]
    assert first != [one.job_id for one in choose_sample(many(), 20, seed=1)]
    coats = [int(key, 16) for key in first if int(key, 16) < 90]
    assert coats != sorted(coats)


def test_jobs_without_an_image_are_not_shown():
    failed = Record('ff', 'failed', {}, dict(noun='coat'), {}, {}, reason='broken image: x')
    assert choose_sample([failed, record(1)], 9) == [record(1)]


def answers(right):
    """Labels of all jobs of ``many`` with small ids of each stratum; true for right ones."""
    return [EditLabel(f'{i:04x}', 'right' if ok else 'wrong') for i, ok in right.items()]


def test_shares_are_those_of_the_run_and_not_of_the_sample():
    """Of the coats half are right, of the skirts all; there are nine times as many coats."""
    table = dict(audit_table(many(), answers({0: True, 1: False, 90: True, 91: True, 100: False,
                                              101: True, 140: False})))
    assert table['accepted'].share == pytest.approx((90 * .5 + 10 * 1) / 100)
    effective = 100 ** 2 / (45 ** 2 + 45 ** 2 + 5 ** 2 + 5 ** 2)
    assert table['accepted'].interval == pytest.approx(wilson_interval(.55, effective))
    assert (table['accepted, coat'].right, table['accepted, coat'].total) == (1, 2)
    assert table['accepted, skirt'].share == 1
    assert table['passed by mask'].share == pytest.approx((45 + 10 + 20) / 140)
    assert table['refused by place'].share == .5 and table['refused by mask'].share == 0
    assert list(table)[:3] == ['accepted', 'accepted, coat', 'accepted, skirt']
    assert 'refused by seam' not in table
    assert audit_table(many(), [EditLabel('ffff', 'right')]) == []


@pytest.fixture
def done(tmp_path):
    make_plan(tmp_path)

    def place(request, result):
        return GateVerdict('place', float('nan'), True, judged=False)

    run(tmp_path, tmp_path / 'out', gates=[seed_gate, place])
    return tmp_path / 'out'


def test_answers_are_on_disk_at_once_and_go_on(done):
    with Audit(done, 8) as audit:
        first, second, third, *_ = audit.todo
        audit.answer(first, 'right')
        audit.answer(second, 'wrong')
        audit.answer(second, 'wrong')  # a second click on a slow machine
        assert len((done / 'audit.jsonl').read_text().splitlines()) == 2
        with pytest.raises(LockTaken, match='audited already'):
            Audit(done)
    with (done / 'audit.jsonl').open('a') as file:
        file.write('{"job_id": "' + third)  # a kill in the middle of a line
    with Audit(done, 8) as audit:
        assert len(audit.todo) == 6 and audit.todo[0] == third
        audit.answer(third, 'partial')
        audit.answer(second, 'right')  # thought better of
    labels = read_labels(done / 'audit.jsonl')
    assert {key: label.label for key, label in labels.items()} == {
        first: 'right', second: 'right', third: 'partial'}
    label = labels[first]
    assert label.garment and label.status in ('accepted', 'rejected') and label.time
    assert label.gates['place'] == dict(value=None, min=None, max=None, ok=True, judged=False)


def test_what_cannot_be_audited_is_refused(done, tmp_path):
    with Audit(done, 3) as audit:
        for job, label in ((audit.todo[0], 'good'), ('../x', 'right')):
            with pytest.raises(BadValue, match='no answer'):
                audit.answer(job, label)
    with pytest.raises(BadValue, match='at least 1 edit, got -1'):
        Audit(done, -1)
    with pytest.raises(MissingFile, match='no generation has run'):
        Audit(tmp_path)
    for image in (done / 'images').rglob('*.png'):
        image.unlink()
    with pytest.raises(BadValue, match='no edit of this run has an image'):
        Audit(done)


def test_a_run_notes_where_its_source_images_are(done, tmp_path):
    assert read_images(done) == str(tmp_path / 'imgs')
    (done / 'images.json').unlink()
    assert read_images(done) is None
    run_settings = json.loads((done / 'run.json').read_text())
    assert 'images' not in run_settings  # another folder is no other run
