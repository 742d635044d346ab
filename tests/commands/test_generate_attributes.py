"""Pictures of people in other clothes by the command line, with tiny random models."""

from functools import partial
from pathlib import Path

import pytest
from mmengine.config import Config
from tiny_editors import tiny_kontext, without_weight
from tiny_vlm import save_vision, save_vlm

from mmtbps.commands.main import run_command
from mmtbps.datasets import DrawnPEDES
from mmtbps.generation.runs.manifest import read_records
from mmtbps.records import read_jsonl

main = partial(run_command, 'generate')

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture
def config(tmp_path, micro_set):
    tiny_kontext(tmp_path / 'tokenizer').save_pretrained(tmp_path / 'kontext')
    save_vision(tmp_path / 'vision')
    save_vlm(tmp_path / 'vlm')
    cfg = Config.fromfile(ROOT / 'configs/generation/attribute_edits.py')
    settings = cfg.generation
    settings.planner.update(max_edits=9)
    settings.upscaler = dict(type='mmtbps.ResizeUpscaler', size=(96, 32))
    settings.editor.update(pretrained=str(tmp_path / 'kontext'), batch_size=3,
                           weights=dict(dtype='fp32', device='cpu'),
                           sampling=dict(size=(96, 32), steps=2, guidance=3.))
    for gate in settings.gates:
        if 'scorer' in gate:
            gate.update(low=-9.)
            gate.scorer.update(pretrained=str(
                tmp_path / ('vision' if 'Feature' in str(gate.scorer.type) else 'vlm')))
    # A random model paints all of the picture.
    settings.gates = [gate for gate in settings.gates if gate.type.__name__ not in (
        'LocalityGate', 'KeepColorsGate', 'MaskGate', 'SanityGate')]
    settings.runner.update(out_dir=str(tmp_path / 'out'), batch_size=3)
    cfg.dataset = dict(type='mmtbps.DrawnPEDES', data_root=str(micro_set))
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
