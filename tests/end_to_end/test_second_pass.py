"""Further heads, inputs and parts of a feature through the stock Runner, galleries and export."""

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from forked_processes import start_ranks
from mmengine.config import Config
from PIL import Image
from stopped_runs import train_until
from tiny_models import shrink

from mmtbps.engine.launch import build_runner, leave_group
from mmtbps.fileio import load_checkpoint_file

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs/tbps/vit_bert_pdg_drawn.py'
GLOBAL_BATCH = 16
RUNS = {'one': (1, None), 'two': (2, None), 'two in chunks': (2, 3)}  # processes, chunk_size
HEADS = dict(
    contrastive=dict(type='HardnessAwareContrastiveHead', temperature=0.05),
    masked=dict(type='MaskedCaptionHead', dims=16))


def config_of(data_root, folder, heads=HEADS, **changes):
    """The drawn config with masked captions as further inputs, which a second head reads."""
    import further_parts  # noqa: F401  registers them, in every process
    cfg = shrink(Config.fromfile(CONFIG), data_root, folder)
    cfg.model.heads = heads
    pipeline = cfg.train_dataloader.dataset.pipeline
    pipeline.insert(len(pipeline) - 1, dict(type='MaskWords', prob=0.4))
    pipeline[-1].input_keys = ['masked_ids']
    cfg.train_dataloader.batch_size = GLOBAL_BATCH
    cfg.train_cfg.max_epochs = 2
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=1)
    cfg.launcher = 'none'
    cfg.merge_from_dict(changes)
    return cfg


def train(rank, world, chunk_size, data_root, folder):
    """Two epochs of the stock Runner as one of ``world`` processes."""
    os.environ['LOCAL_RANK'] = str(rank)
    if world > 1:
        torch.distributed.init_process_group(
            'gloo', init_method=f'file://{folder}/meet', rank=rank, world_size=world)
    cfg = config_of(data_root, folder)
    cfg.launcher = 'pytorch' if world > 1 else 'none'
    cfg.model.update(mixup=None, chunk_size=chunk_size)  # partners are drawn by each process
    cfg.train_dataloader.batch_size = GLOBAL_BATCH // world
    build_runner(cfg).train()
    leave_group()


def weights_of(folder):
    """Final weights; biases of keys, whose gradient is rounding alone, are left out."""
    kept = {}
    for name, value in load_checkpoint_file(folder / 'epoch_2.pth')['state_dict'].items():
        if name.endswith('qkv.bias'):
            query, _, value = value.chunk(3)
            value = torch.cat([query, value])
        if not name.endswith('key.bias'):
            kept[name] = value
    return kept


@pytest.fixture(scope='module')
def trained(micro_set, tmp_path_factory):
    """A function: final weights of the run of a name, trained when it is first asked for."""
    @cache
    def run(name):
        world, chunk_size = RUNS[name]
        folder = tmp_path_factory.mktemp(f'world{world}')
        start_ranks(train, (world, chunk_size, micro_set, folder), world)
        return weights_of(folder)

    return run


@pytest.mark.parametrize('run', [
    pytest.param('two', marks=pytest.mark.slow), 'two in chunks'])
def test_a_second_pass_trains_alike_in_two_processes_and_in_chunks(trained, run):
    one, other = trained('one'), trained(run)
    assert one.keys() == other.keys() and 'heads.masked.turn.weight' in one
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, atol=2e-6, rtol=0, msg=name)


def test_a_second_pass_is_resumed_with_mixup(micro_set, tmp_path):
    """Masks, partners and dropout of the second epoch are those of the uninterrupted run."""
    dropout = {'model.text_backbone.config.hidden_dropout_prob': 0.1, 'model.mixup.prob': 0.5,
               'model.mixup.mode': 'replace'}  # which pairs are mixed is drawn, too
    whole, parts = tmp_path / 'whole', tmp_path / 'parts'
    whole.mkdir(), parts.mkdir()
    cfg = config_of(micro_set, whole, **dropout)
    assert cfg.model.mixup.prob == 0.5
    build_runner(cfg).train()
    train_until(build_runner(config_of(micro_set, parts, **dropout)), 1)
    second = config_of(micro_set, parts, resume=True, **dropout)
    second.experiment_name += '_resumed'
    build_runner(second).train()
    resumed = weights_of(parts)
    for name, value in weights_of(whole).items():
        torch.testing.assert_close(resumed[name], value, atol=1e-6, rtol=0, msg=name)
    start = load_checkpoint_file(parts / 'epoch_1.pth')['state_dict']['heads.masked.turn.weight']
    assert not torch.equal(resumed['heads.masked.turn.weight'], start)


@pytest.fixture(scope='module')
def two_parts(micro_set, tmp_path_factory):
    """A trained model with a neck of two parts: its config and its checkpoint."""
    folder = tmp_path_factory.mktemp('parts')
    neck = dict(type='TwoPartNeck', out_dims=6)
    heads = dict(one=HEADS['contrastive'], two=dict(type='MaskedCaptionHead', dims=6))
    cfg = config_of(micro_set, folder, heads)
    cfg.model.update(image_neck=neck, text_neck=neck)
    cfg.train_cfg.max_epochs = 1
    build_runner(cfg).train()
    return cfg, folder / 'epoch_1.pth'


def test_two_parts_are_measured_as_one_feature(two_parts, micro_set):
    """The metric of the Runner against the mean of the parts' cosines, computed here."""
    from mmtbps.engine.launch import check_weights, prepare_test
    cfg, checkpoint = two_parts
    cfg = Config(cfg.to_dict())
    cfg.experiment_name += '_tested'
    prepare_test(cfg, str(checkpoint))
    runner = build_runner(cfg)
    check_weights(runner, str(checkpoint))
    metrics = runner.test()
    images, texts, people, owners = [], [], [], []
    with torch.no_grad():
        for batch in runner.test_dataloader:
            ready = runner.model.data_preprocessor(batch)
            features = runner.model(**ready)
            images.append(features['image_feat'])
            texts.append(features['text_feat'])
            people += [sample.person_id for sample in batch['data_samples']]
            owners += [sample.person_id for sample in batch['data_samples']
                       for _ in range(sample.num_captions)]
    images, texts = torch.cat(images), torch.cat(texts)
    unit = torch.nn.functional.normalize
    scores = (unit(texts[:, :6], dim=-1) @ unit(images[:, :6], dim=-1).T
              + unit(texts[:, 6:], dim=-1) @ unit(images[:, 6:], dim=-1).T) / 2
    best = torch.tensor(people)[scores.argmax(1)]
    rank_1 = 100 * (best == torch.tensor(owners)).float().mean().item()
    assert metrics['t2i/R1'] == pytest.approx(rank_1, abs=1e-4)
    assert not runner.model.heads


def test_two_parts_are_indexed_and_exported(two_parts, micro_set, tmp_path):
    pytest.importorskip('onnxscript')
    from mmtbps.search import TextToPersonInferencer
    from mmtbps.search.encoders.onnx_encoder import OnnxEncoder
    from mmtbps.search.encoders.onnx_export import export_encoder
    cfg, checkpoint = two_parts
    searcher = TextToPersonInferencer(cfg, str(checkpoint), gallery=str(tmp_path / 'gallery'),
                                      device='cpu')
    searcher.index(micro_set / 'imgs')
    texts = ['A woman in a red coat.', 'A man with a bag and grey trousers.']
    assert searcher.gallery.info()['dim'] == searcher.encoder.dim == 22
    hits = searcher(texts, topk=3)[0]['hits']
    with Image.open(micro_set / 'imgs' / hits[0]['path']) as picture:
        image = searcher.encoder.encode_images([picture])
    text = searcher.encoder.encode_texts(texts)[:1]
    assert hits[0]['score'] == pytest.approx((image @ text.T).item(), abs=1e-5)
    searcher.save_pretrained(tmp_path / 'saved')
    again = TextToPersonInferencer(str(tmp_path / 'saved'), gallery=str(tmp_path / 'gallery'),
                                   device='cpu')
    np.testing.assert_array_equal(again.encoder.encode_texts(texts),
                                  searcher.encoder.encode_texts(texts))
    export_encoder(searcher.encoder, tmp_path / 'exported')
    exported = OnnxEncoder(tmp_path / 'exported')
    np.testing.assert_allclose(exported.encode_texts(texts), searcher.encoder.encode_texts(texts),
                               atol=1e-5)
    red = [Image.new('RGB', (16, 40), (200, 30, 30))]
    np.testing.assert_allclose(exported.encode_images(red), searcher.encoder.encode_images(red),
                               atol=1e-5)
