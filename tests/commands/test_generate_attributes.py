"""Pictures of people in other clothes by the command line, with tiny random models."""

from functools import partial

import pytest
from tiny_editors import without_weight
from tiny_generation import tiny_preset

from mmtbps.commands.main import run_command
from mmtbps.datasets import DrawnPEDES
from mmtbps.generation.runs.manifest import read_records
from mmtbps.records import read_jsonl

main = partial(run_command, 'generate')

pytestmark = pytest.mark.slow


@pytest.fixture
def config(tmp_path, micro_set):
    cfg = tiny_preset('attribute_edits', tmp_path, micro_set, 'out', max_edits=9, batches=(3, 3))
    # A random model paints all of the picture.
    cfg.generation.gates = [gate for gate in cfg.generation.gates if gate.type.__name__ not in (
        'LocalityGate', 'KeepColorsGate', 'MaskGate', 'SanityGate')]
    cfg.dump(str(tmp_path / 'config.py'))
    return str(tmp_path / 'config.py')


def test_people_in_other_clothes_are_new_people(config, micro_set, tmp_path, capsys):
    with without_weight():
        for command in ('plan', 'run', 'report', 'merge'):
            main([command, config, *(['--check'] if command == 'plan' else [])])
    said = capsys.readouterr().out
    assert 'allow an edit of kind garment' in said and '0 failed' in said
    records = list(read_records(tmp_path / 'out'))
    assert len(records) == 9
    assert {record.edit['kind'] for record in records} == {'garment', 'pattern', 'accessory'}
    for record in records:
        assert record.gates['caption']['value'] == 0 and record.status == 'accepted'
    plain = DrawnPEDES(str(micro_set), split='train')
    known = {record.source['person_id'] for record in records}
    pairs = read_jsonl(tmp_path / 'out/pdg_pairs.jsonl')
    assert len(pairs) == 9 and not {pair.person_id for pair in pairs} & known
    with_them = DrawnPEDES(str(micro_set), split='train', pairs_root=str(tmp_path / 'out'))
    assert with_them.metainfo['num_persons'] > plain.metainfo['num_persons']
