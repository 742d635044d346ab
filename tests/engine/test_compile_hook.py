"""Compiled layers: the same training, whole graphs, few of them, nothing else changed."""

import copy
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.multiprocessing as processes
from compilation import compiles
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.model import MMDistributedDataParallel
from mmengine.runner import Runner
from stopped_runs import train_until
from tiny_models import TINY_BERT, TINY_VIT
from torch._dynamo.utils import counters

from mmtbps.engine import CompileHook
from mmtbps.engine.launch import use_compilation
from mmtbps.fileio import load_checkpoint_file

ROOT = Path(__file__).resolve().parents[2]
AOT = dict(type='CompileHook', backend='aot_eager')
EMA = dict(type='mmengine.EMAHook', momentum=0.1)


@pytest.fixture(autouse=True)
def fresh_compiler():
    """Nothing compiled before counts here, and nothing compiled here later."""
    torch._dynamo.reset()
    counters.clear()
    yield
    torch._dynamo.reset()


def compile_layers(model, **settings):
    hook = CompileHook(**{'backend': 'aot_eager', **settings})
    hook.before_train(SimpleNamespace(model=model, logger=MMLogger.get_instance('compile')))
    counters.clear()  # of the hook's own trial
    return model


def batch_of(length, pairs=4):
    """Images and captions of which one is ``length`` tokens long."""
    generator = torch.Generator().manual_seed(length)
    lengths = torch.randint(3, length + 1, (pairs, ), generator=generator)
    lengths[0] = length
    return dict(images=torch.randn(pairs, 3, 32, 16, generator=generator),
                input_ids=torch.randint(5, 50, (pairs, length), generator=generator),
                attention_mask=torch.arange(length) < lengths[:, None],
                data_samples=[SimpleNamespace(person_id=person) for person in range(pairs)])


def gradients(model, length):
    model.zero_grad()
    model(**batch_of(length), mode='loss')['loss_contrastive'].backward()
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


@compiles
@pytest.mark.parametrize('with_cp, chunk_size', [
    pytest.param(False, None, marks=pytest.mark.slow), (True, None),
    pytest.param(False, 2, marks=pytest.mark.slow)],
                         ids=['plain', 'checkpointed', 'in chunks'])
def test_a_tower_is_one_graph_whatever_its_depth_and_the_length_of_captions(
        tiny_retriever, with_cp, chunk_size):
    from mmtbps.models.backbones.vit import OverlapViT
    parts = dict(
        image_backbone=dict(type=OverlapViT, arch=dict(TINY_VIT, num_layers=4), img_size=(32, 16),
                            patch_size=8, stride=6, with_cp=with_cp),
        text_backbone=dict(type='BERTBackbone', config=dict(TINY_BERT, num_hidden_layers=4),
                           with_cp=with_cp),
        chunk_size=chunk_size)
    plain, compiled = tiny_retriever(**parts), compile_layers(tiny_retriever(**parts))
    for length in (9, 12, 17, 11, 24):
        torch.testing.assert_close(gradients(compiled, length), gradients(plain, length),
                                   atol=1e-6, rtol=1e-5)
    # One of the image tower, two of the text tower: for the first length and for any other.
    assert counters['stats']['unique_graphs'] == 3
    assert not counters['graph_break'] and not counters['recompile_limit']


@compiles
def test_evaluation_too_compiles_a_few_times_only(tiny_retriever):
    plain, compiled = tiny_retriever().eval(), compile_layers(tiny_retriever()).eval()
    for pairs, length in ((4, 9), (4, 12), (4, 20), (3, 7), (4, 9)):
        batch = batch_of(length, pairs)
        del batch['data_samples']
        with torch.no_grad():
            ours, theirs = compiled(**batch), plain(**batch)
        for kind in ('image_feat', 'text_feat'):
            torch.testing.assert_close(ours[kind], theirs[kind], atol=1e-6, rtol=1e-5)
    assert counters['stats']['unique_graphs'] <= 5
    assert not counters['graph_break']


@compiles
def test_a_compiled_model_is_the_same_to_checkpoints_and_copies(tiny_retriever):
    plain, compiled = tiny_retriever(), compile_layers(tiny_retriever())
    assert list(compiled.state_dict()) == list(plain.state_dict())
    compiled.load_state_dict(plain.state_dict())
    copied = copy.deepcopy(compiled)
    torch.testing.assert_close(gradients(copied, 9), gradients(plain, 9))
    assert not counters['frames'], 'the copy is compiled'
    gradients(compiled, 9)
    assert counters['frames']['ok'] == 2


def final(work_dir, epoch):
    checkpoint = load_checkpoint_file(Path(work_dir) / f'epoch_{epoch}.pth')
    losses = checkpoint['message_hub']['log_scalars']['train/loss'].data[0]
    return dict(model=checkpoint['state_dict'], average=checkpoint['ema_state_dict'],
                history=dict(losses=torch.tensor(losses)))


def assert_same(one, other, tolerance):
    for part in one:
        assert one[part].keys() == other[part].keys()
        for key, value in one[part].items():
            torch.testing.assert_close(value, other[part][key], atol=tolerance, rtol=0, msg=key)


TWO_EPOCHS = {'train_cfg.max_epochs': 2, 'model.text_backbone.config.hidden_dropout_prob': 0.1}


@compiles
def test_a_run_learns_the_same_and_is_resumed(short_config, short_run):
    """Validation, moving average, mixup, dropout and clipping included."""
    plain = final(short_run([EMA], **TWO_EPOCHS), 2)
    compiled = final(short_run([EMA, AOT], **TWO_EPOCHS), 2)
    assert counters['stats']['unique_graphs'] >= 4 and not counters['graph_break']
    assert_same(compiled, plain, 1e-4)
    assert len(plain['history']['losses']) == 8
    assert any(not torch.equal(value, compiled['average']['module.' + key])
               for key, value in compiled['model'].items())

    cfg = short_config([EMA, AOT], **TWO_EPOCHS)
    train_until(Runner.from_cfg(cfg), 1)
    cfg.merge_from_dict({'resume': True, 'experiment_name': cfg.experiment_name + '_resumed'})
    Runner.from_cfg(cfg).train()
    assert_same(final(cfg.work_dir, 2), compiled, 1e-6)


@compiles
def test_mixed_precision_computes_the_same(tiny_retriever):
    plain, compiled = tiny_retriever(), compile_layers(tiny_retriever())
    with torch.autocast('cpu', torch.bfloat16):
        ours, theirs = gradients(compiled, 9), gradients(plain, 9)
        assert counters['frames']['ok'] == 2
    torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=0.02)


def distributed_training(rank, world, port, folder):
    """Three steps on a share of the pairs, plain and compiled, from the same weights."""
    from mmtbps.models import TextImageRetriever
    from mmtbps.models.backbones.vit import OverlapViT
    torch.set_num_threads(1)
    torch.distributed.init_process_group('gloo', init_method=f'tcp://127.0.0.1:{port}',
                                         rank=rank, world_size=world)
    weights = []
    for compiled in (False, True):
        torch.manual_seed(0)
        model = MMDistributedDataParallel(TextImageRetriever(
            image_backbone=dict(type=OverlapViT, arch=TINY_VIT, img_size=(32, 16), patch_size=8,
                                stride=6),
            text_backbone=dict(type='BERTBackbone', config=TINY_BERT),
            heads=dict(contrastive=dict(type='HardnessAwareContrastiveHead', temperature=0.05))),
            bucket_cap_mb=0.001)
        if compiled:
            compile_layers(model)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for length in (9, 12, 17):
            batch = {key: value[rank::world] for key, value in batch_of(length).items()}
            optimizer.zero_grad()
            model(**batch, mode='loss')['loss_contrastive'].backward()
            optimizer.step()
        weights.append(model.module.state_dict())
    torch.save(dict(weights=weights, graphs=counters['stats']['unique_graphs']),
               f'{folder}/{rank}.pth')
    torch.distributed.destroy_process_group()


@compiles
@pytest.mark.parametrize('world', [1, pytest.param(2, marks=pytest.mark.slow)])
def test_distributed_training_is_the_same(tmp_path, world):
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    if world == 1:
        distributed_training(0, world, port, tmp_path)
    else:
        processes.spawn(distributed_training, (world, port, tmp_path), nprocs=world)
    ranks = [torch.load(tmp_path / f'{rank}.pth') for rank in range(world)]
    for rank in ranks:
        assert rank['graphs'] == 3, 'DDP has cut layers'
        plain, compiled = rank['weights']
        assert plain.keys() == compiled.keys()
        for key, value in plain.items():
            torch.testing.assert_close(compiled[key], value, atol=1e-5, rtol=0, msg=key)
            assert torch.equal(compiled[key], ranks[0]['weights'][1][key])


def test_what_cannot_be_compiled_is_named(tiny_retriever):
    with pytest.raises(ValueError, match="TextImageRetriever has no layers in 'image_tower'"):
        compile_layers(tiny_retriever(), layers=('image_tower', ))
    with pytest.raises(ValueError, match='no layers in'):
        compile_layers(tiny_retriever(), layers=('image_backbone.ln1', ))


@compiles
def test_a_backend_that_does_not_work_is_named_before_training(tiny_retriever):
    with pytest.raises(RuntimeError, match=r"'nonsense'.* does not work on cpu here: Invalid"):
        compile_layers(tiny_retriever(), backend='nonsense')


def test_a_locale_in_which_torch_cannot_read_itself_is_named():
    code = ('import torch\nfrom mmtbps.engine import CompileHook\n'
            "CompileHook('aot_eager')._try(torch.device('cpu'))")
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, env=dict(
        os.environ, PYTHONPATH=str(ROOT), LC_ALL='C', PYTHONUTF8='0', PYTHONCOERCECLOCALE='0'))
    assert done.returncode
    assert 'reads text as ASCII; set LC_ALL=C.UTF-8' in done.stderr.splitlines()[-1]


@compiles
@pytest.mark.slow
def test_a_missing_compiler_is_named():
    code = ('import torch\nfrom mmtbps.engine import CompileHook\n'
            "CompileHook()._try(torch.device('cpu'))")
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, env=dict(
        os.environ, PYTHONPATH=str(ROOT), PATH='/nowhere', CXX='no-compiler'))
    assert done.returncode and 'No working C++ compiler' in done.stderr.splitlines()[-1]
    assert 'apt install g++' in done.stderr.splitlines()[-1]


def test_the_option_adds_the_hook_unless_the_config_has_one():
    cfg = Config(dict(default_scope='mmtbps'))
    use_compilation(cfg)
    assert cfg.custom_hooks == [dict(type='mmtbps.CompileHook')]
    for kind in ('mmtbps.CompileHook', CompileHook, 'CompileHook'):
        hooks = [dict(type='mmtbps.EpochSeedHook'), dict(type=kind, mode='max-autotune')]
        cfg = Config(dict(custom_hooks=copy.deepcopy(hooks)))
        use_compilation(cfg)
        assert cfg.custom_hooks == hooks


@compiles
@pytest.mark.slow
def test_inductor_learns_the_same(short_config):
    """By the tool, with real code generation; a resumed run ends like an uninterrupted one."""
    results = {}
    for name, options in (('plain', []), ('compiled', ['--compile'])):
        cfg = short_config([EMA], **{'model.text_backbone.config.hidden_dropout_prob': 0.0})
        cfg.dump(f'{cfg.work_dir}/config.py')
        for more in ([], ['--resume', '--cfg-options', 'train_cfg.max_epochs=2']):
            subprocess.run([sys.executable, ROOT / 'tools/train.py', f'{cfg.work_dir}/config.py',
                            *options, *more], check=True,
                           env=dict(os.environ, PYTHONPATH=str(ROOT)))
        results[name] = final(cfg.work_dir, 2)
    assert_same(results['compiled'], results['plain'], 1e-3)
