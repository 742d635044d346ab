"""Training on captions that were moved or told anew, from a config to the end."""

import json
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from tiny_models import set_batch_size, shrink

from mmtbps.datasets import DrawnPEDES
from mmtbps.engine import ConsensusDivisionHook
from mmtbps.fileio import load_checkpoint_file

ROOT = Path(__file__).resolve().parents[2]
TOOL = 'tools/generate.py'


def test_half_of_the_captions_move_and_their_pairs_get_weights(micro_set, tmp_path):
    cfg = shrink(Config.fromfile(ROOT / 'configs/rde/rde_noisy_drawn.py'), micro_set, tmp_path)
    cfg.train_cfg.update(max_epochs=2, val_interval=2)
    set_batch_size(cfg.train_dataloader, 24)
    runner = Runner.from_cfg(cfg)
    runner.train()
    noisy, clean = runner.train_dataloader.dataset, DrawnPEDES(data_root=str(micro_set))
    assert len(noisy) == len(clean)
    moved = [noisy.get_data_info(i)['caption'] != clean.get_data_info(i)['caption']
             for i in range(len(noisy))]
    # A caption may keep its place by chance, or meet one of the same words.
    assert 0.3 * len(noisy) < sum(moved) <= 0.5 * len(noisy)
    assert (noisy.person_ids == clean.person_ids).all()
    hook = next(hook for hook in runner.hooks if isinstance(hook, ConsensusDivisionHook))
    assert hook.mixture == dict(max_iterations=100, tolerance=1e-4, floor=1e-6)
    stored = load_checkpoint_file(tmp_path / 'epoch_2.pth')['consensus_division']
    assert set(stored.tolist()) == {0.0, 1.0} and len(stored) == len(noisy)
    for head in runner.model.heads.values():
        assert head.pair_weights.tolist() == stored.tolist()
    assert runner.message_hub.get_scalar('train/clean_share').current() == pytest.approx(
        stored.mean().item())


def test_captions_told_anew_train_beside_the_old_ones(tool, micro_set, tmp_path):
    data = tmp_path / 'DrawnPEDES'
    data.mkdir()
    for file in micro_set.iterdir():
        (data / file.name).symlink_to(file)
    tool.main(['all', 'configs/generation/retell_rules.py', '--cfg-options',
               f'dataset.data_root={data}', f'generation.runner.out_dir={data}-retold'])
    plain = Config.fromfile(ROOT / 'configs/tbps/vit_bert_retold_drawn.py')
    source = {key: plain.train_dataloader.dataset[key] for key in ('ann_file', 'data_prefix')}
    cfg = shrink(plain, data, tmp_path / 'run')
    cfg.train_dataloader.dataset.update(source)
    cfg.train_cfg.max_epochs = 1
    set_batch_size(cfg.train_dataloader, 24)
    runner = Runner.from_cfg(cfg)
    runner.train()
    trained, originals = runner.train_dataloader.dataset, DrawnPEDES(data_root=str(data))
    lines = Path(f'{data}-retold/retold_pairs.jsonl').read_text('utf-8').splitlines()
    told = sum(len(json.loads(line)['captions']) for line in lines)
    assert told > 20 and len(trained) == len(originals) + told
    assert set(trained.person_ids) == set(originals.person_ids)
    assert runner.iter > len(originals) // 24
