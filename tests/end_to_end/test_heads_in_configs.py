"""Every head through a config: transforms, loader, Runner, checkpoint; the test has none."""

from pathlib import Path

import pytest
from mmengine.config import Config
from stopped_runs import train_until
from tiny_models import shrink

from mmtbps.engine.launch import build_runner, check_weights, prepare_test
from mmtbps.fileio import load_checkpoint_file

CONFIG = Path(__file__).resolve().parents[2] / 'configs/tbps/vit_bert_identity_drawn.py'
VIEWS = ('image_2', 'image_3', 'image_4')
HEADS = dict(
    sdm=dict(type='SDMHead'), identity=dict(type='IdentityHead', num_classes=24, in_dims=12),
    cmpm=dict(type='CMPMHead'), bge=dict(type='TALHead'), tse=dict(type='TALHead', part='tse'),
    mlm=dict(type='MLMHead', vocab_size=2048, dims=12, num_layers=1, num_heads=2),
    tbps_clip=dict(type='TBPSCLIPHead', citc_weight=0.1, second_view='image_4'),
    simclr=dict(type='SimCLRHead', in_dims=12, loss_weight=0.4),
    triplet=dict(type='HardestTripletHead'), qc_align=dict(type='QCAlignHead'),
    sigmoid=dict(type='SigmoidHead', same_person='positive'))


def config_of(data_root, folder, **changes):
    cfg = shrink(Config.fromfile(CONFIG), data_root, folder)
    neck = dict(type='TokenSelectionNeck', out_dims=12, selection_dims=8)
    cfg.model.update(image_neck=dict(neck, side='image'), text_neck=dict(neck, side='text'),
                     heads=HEADS)
    pipeline = cfg.train_dataloader.dataset.pipeline
    tokenize = next(step for step in pipeline if 'tokenizer' in step)
    resize = next(place for place, step in enumerate(pipeline) if 'scale' in step)
    pipeline.insert(-1, dict(type='MaskCaption', tokenizer=tokenize.tokenizer))
    for view in VIEWS:
        pipeline.insert(resize + 1, dict(type='ImageView', key=view, transforms=[
            dict(type='RandomFlip', prob=0.5),
            dict(type='RandomGrayscale', prob=0.2, keep_channels=True)]))
    pipeline[-1].input_keys = [*VIEWS, 'mlm_input_ids', 'mlm_labels']
    cfg.custom_hooks.append(dict(type='ConsensusDivisionHook'))
    cfg.train_cfg.update(max_epochs=2, val_interval=2)
    cfg.launcher = 'none'
    cfg.merge_from_dict(changes)
    return cfg


def test_it_trains_resumes_and_is_tested(micro_set, tmp_path):
    whole, parts = tmp_path / 'whole', tmp_path / 'parts'
    whole.mkdir(), parts.mkdir()
    build_runner(config_of(micro_set, whole)).train()
    train_until(build_runner(config_of(micro_set, parts)), 1)
    cfg = config_of(micro_set, parts, resume=True)
    cfg.experiment_name += '_resumed'
    build_runner(cfg).train()
    one, other = (load_checkpoint_file(folder / 'epoch_2.pth') for folder in (whole, parts))
    history = one['message_hub']['log_scalars']
    losses = {key for key in history if key.startswith('train/loss_')}
    assert len(losses) == 14 and 'train/clean_share' in history
    assert other['consensus_division'].shape == one['consensus_division'].shape == (96,)
    tested = config_of(micro_set, tmp_path)
    tested.experiment_name += '_tested'
    prepare_test(tested, str(whole / 'epoch_2.pth'))
    runner = build_runner(tested)
    check_weights(runner, str(whole / 'epoch_2.pth'))
    metrics = runner.test()
    assert 0 <= metrics['t2i/R1'] <= 100 and not runner.model.heads


def test_a_person_beyond_the_classes_is_named(micro_set, tmp_path):
    heads = dict(HEADS, identity=dict(type='IdentityHead', num_classes=3, in_dims=12))
    cfg = config_of(micro_set, tmp_path)
    cfg.model.heads = heads
    with pytest.raises(ValueError, match=r'person \d+ is none of the 3 classes'):
        build_runner(cfg).train()
