"""Evidence in a run: looked for once a picture, attached before the edit and after it."""

import json

import pytest
from fake_parts import NoiseEditor, outcome, run, seed_gate

from mmtbps.errors import UserError
from mmtbps.generation.evidence.base import BaseEvidenceProvider, EditEvidence
from mmtbps.generation.quality.gates import GateVerdict
from mmtbps.generation.runs.manifest import read_records


class CountingProvider(BaseEvidenceProvider):
    provides, digest_fields = ('box',), {}

    def __init__(self, setting=1):
        self.digest_fields = dict(type='CountingProvider', setting=setting)
        self.seen = []

    def look(self, images):
        self.seen += [image.size for image in images]
        return [EditEvidence(box=(0, 0, *image.size)) for image in images]


class WatchingGate:
    """Passes what has evidence on both sides, and lists it."""

    def __init__(self, needs_edited_evidence):
        self.needs_edited_evidence = needs_edited_evidence
        self._pairs = []

    def __call__(self, request, result):
        self._pairs.append((request.evidence, result.evidence))
        return GateVerdict('watching', 0., True)


class WatchingEditor(NoiseEditor):
    def edit(self, requests):
        assert all(r.evidence.box == (0, 0, *r.image.size) for r in requests)
        return super().edit(requests)


def test_the_source_is_looked_at_before_the_edit_and_the_edit_on_request(planned, tmp_path):
    provider, gate = CountingProvider(), WatchingGate(False)
    run(planned, tmp_path / 'plain', editor=WatchingEditor(), gates=[gate], evidence=[provider])
    assert len(provider.seen) == 10  # 20 jobs of 10 pictures
    assert all(before.box and after is None for before, after in gate._pairs)
    provider, gate = CountingProvider(), WatchingGate(True)
    run(planned, tmp_path / 'edited', editor=WatchingEditor(), gates=[gate], evidence=[provider],
        evidence_cache=str(tmp_path / 'plain/evidence'))
    assert len(provider.seen) == 20  # what was kept of the sources is shared
    assert all(before.box and after.box for before, after in gate._pairs)


def test_a_gate_that_needs_evidence_runs_without_a_provider(planned, tmp_path):
    gate = WatchingGate(True)
    assert run(planned, tmp_path, gates=[gate]).statuses['accepted'] == 20
    assert gate._pairs == [(None, None)] * 20 and not (tmp_path / 'evidence').exists()


def test_runs_without_evidence_are_those_of_earlier_versions(planned, quiet, tmp_path):
    run(planned, tmp_path, '0/2', evidence=[])
    assert 'evidence' not in json.loads((tmp_path / 'run.json').read_text())['settings']
    run(planned, tmp_path, '1/2')
    assert outcome(tmp_path) == quiet


def test_other_evidence_is_another_run(planned, tmp_path):
    run(planned, tmp_path, evidence=[CountingProvider()])
    settings = json.loads((tmp_path / 'run.json').read_text())['settings']
    assert settings['evidence'] == [dict(type='CountingProvider', setting=1)]
    for other in ([], [CountingProvider(2)]):
        with pytest.raises(UserError, match='settings.evidence was'):
            run(planned, tmp_path, evidence=other)


def test_a_run_that_goes_on_looks_at_nothing_again(planned, tmp_path):
    run(planned, tmp_path, '0/2', gates=[seed_gate], evidence=[CountingProvider()])
    provider = CountingProvider()
    run(planned, tmp_path, '0/2', gates=[seed_gate], evidence=[provider])
    assert provider.seen == []
    run(planned, tmp_path, '1/2', gates=[seed_gate], evidence=[provider])
    assert len(provider.seen) < 10 and len(list(read_records(tmp_path))) == 20
