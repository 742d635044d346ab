"""Pictures of other scenes, and their captions, by the command line with tiny random models."""

from functools import partial
from pathlib import Path

import pytest
from mmengine.config import Config
from tiny_editors import without_weight
from tiny_generation import tiny_preset

from mmtbps.commands.main import run_command
from mmtbps.datasets import DrawnPEDES
from mmtbps.generation.runs.manifest import read_records
from mmtbps.records import read_jsonl

main = partial(run_command, 'generate')

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture
def config(tmp_path, micro_set):
    cfg = tiny_preset('syntbpr_edits', tmp_path, micro_set, 'scenes', max_edits=8, batches=(2, 4))
    cfg.dump(str(tmp_path / 'config.py'))
    return str(tmp_path / 'config.py')


def test_people_in_other_scenes_are_described_and_trained_with(config, micro_set, tmp_path,
                                                               capsys):
    with without_weight():
        for command in ('plan', 'run', 'report', 'merge'):
            main([command, config])
    said = capsys.readouterr().out
    assert '0 failed' in said and 'images of people that the data set has' in said
    records = list(read_records(tmp_path / 'scenes'))
    assert len(records) == 8 and len({record.edit['kind'] for record in records}) > 1
    assert 'unproven' not in said
    for record in records:
        assert record.edit['instruction'].startswith(record.edit['new']['text'])
        assert record.gates['change']['value'] > .02 and record.gates['identity']['value'] > -1
        assert record.status == 'accepted'

    plain = DrawnPEDES(str(micro_set), split='train')
    with_them = DrawnPEDES(str(micro_set), split='train', pairs_root=str(tmp_path / 'scenes'))
    assert len(with_them) > len(plain)
    assert with_them.metainfo['num_persons'] == plain.metainfo['num_persons']

    retell = Config.fromfile(ROOT / 'configs/generation/syntbpr_captions.py')
    retell.dataset = dict(type='mmtbps.DrawnPEDES', data_root=str(tmp_path / 'scenes'),
                          ann_file='pdg_pairs.jsonl', data_prefix=dict(img_path=''))
    retell.generation.rewriter.update(pretrained=str(tmp_path / 'vlm'), dtype='float32',
                                      max_new_tokens=8)
    retell.generation.runner.update(out_dir=str(tmp_path / 'described'))
    retell.dump(str(tmp_path / 'retell.py'))
    for command in ('plan', 'run', 'merge'):
        main([command, str(tmp_path / 'retell.py')])
    pairs = {pair.image: pair for pair in read_jsonl(tmp_path / 'scenes/pdg_pairs.jsonl')}
    told = read_jsonl(tmp_path / 'described/retold_pairs.jsonl')
    for pair in told:
        assert pair.person_id == pairs[pair.image].person_id
        assert pair.source == pairs[pair.image].source
