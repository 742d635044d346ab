"""The ablation: every arm is a config that trains, and the table says what was measured."""

import itertools
import json
from functools import partial
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from tiny_models import set_batch_size, shrink

from mmtbps.commands import ablation
from mmtbps.commands.main import read_words, run_command
from mmtbps.commands.trials import runs, tables
from mmtbps.datasets import stack_pairs
from mmtbps.drawing.edited_pairs import draw_edited_pairs
from mmtbps.engine import FeatureMixupHook
from mmtbps.errors import BadValue
from mmtbps.fileio import write_durably
from mmtbps.models import FeatureMixup, HardnessAwareContrastiveHead, TextImageRetriever

main = partial(run_command, 'ablation')

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs/tbps/ablation_drawn.py'
MIXUPS = CONFIG.with_name('ablation_mixup_drawn.py')
LOSSES = ROOT / 'configs/clip/ablation_losses_drawn.py'
ARMS = [(path, arm) for path in (CONFIG, MIXUPS) for arm in Config.fromfile(path).arms]
LOSS_ARMS = Config.fromfile(LOSSES).arms
NOISE = ROOT / 'configs/rde/ablation_noise_drawn.py'


@pytest.fixture(scope='module')
def pairs(micro_set, tmp_path_factory):
    return draw_edited_pairs(micro_set, tmp_path_factory.mktemp('ablation_pairs'))


@pytest.mark.parametrize('number', range(len(ARMS)), ids=[
    f'{path.stem}: {arm["name"]}' for path, arm in ARMS])
def test_every_arm_trains_for_the_same_number_of_steps(number, micro_set, pairs,
                                                       tmp_path, monkeypatch):
    monkeypatch.setattr(runs, 'generated_pairs', lambda kind, root: pairs)
    path, arm = ARMS[number]
    cfg = runs.arm_config(str(path), arm, 7, micro_set)
    assert cfg.train_cfg.max_iters == 450 and cfg.randomness.seed == 7
    cfg = shrink(cfg, micro_set, tmp_path)
    if arm.get('pairs'):
        cfg.train_dataloader.dataset.data_prefix = dict(
            img_path=['imgs', str(pairs.parent / 'imgs')])
    cfg.train_cfg.update(max_iters=3, val_interval=3)
    cfg.param_scheduler = None
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == 3
    mixup = runner.model.mixup
    assert mixup is None or mixup.prob == dict(add=1, replace=0 if 'off' in arm['name'] else 0.5)[
        mixup.mode]
    people = runner.train_dataloader.dataset.metainfo['num_persons']
    assert people == (48 if arm.get('pairs') else 24)


def as_read(arm, data_root, folder, ablated=LOSSES):
    """Return the config of a run as the other tools read it, from a file."""
    path = folder / 'arm.py'
    path.write_text(runs.arm_config(str(ablated), arm, 7, data_root).pretty_text, 'utf-8')
    return Config.fromfile(path)


def settings(cfg):
    """Return the settings of a config by their first two keys."""
    return {(key, inner): value for key, part in cfg.to_dict().items()
            for inner, value in (part.items() if isinstance(part, dict) else [('', part)])}


HEADS, LOADER = ('model', 'heads'), 'train_dataloader'
LOSSES_OF = {
    'InfoNCE at 0.005': ({'contrastive'}, {(LOADER, 'batch_sampler')}),
    'ITC, learned temperature': ({'contrastive'}, {(LOADER, 'batch_sampler')}),
    'SDM': ({'sdm'}, set()),
    'SDM + ID + MLM': ({'sdm', 'id', 'mlm'}, {(LOADER, 'dataset')}),
    'TAL + TSE': ({'tal', 'tal_tse'}, {('model', 'image_neck'), ('model', 'text_neck')}),
    'N-ITC + R-ITC': ({'nitc', 'ritc'}, {('model', 'text_backbone')}),
}


@pytest.mark.parametrize('arm', LOSS_ARMS, ids=[arm['name'] for arm in LOSS_ARMS])
def test_every_loss_trains_on_the_same_towers(arm, micro_set, tmp_path):
    losses, changes = LOSSES_OF[arm['name']]
    plain = settings(as_read({}, micro_set, tmp_path))
    cfg = as_read(arm, micro_set, tmp_path)
    own = settings(cfg)
    assert {key for key in {*own, *plain} if own.get(key) != plain.get(key)} == {HEADS, *changes}
    set_batch_size(shrink(cfg, micro_set, tmp_path).train_dataloader, 24)
    cfg.train_cfg.max_epochs = 1
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == 4 and runner.seed == 7
    logged = {key.rpartition('/')[2] for key in runner.message_hub.log_scalars}
    assert {key for key in logged if key.startswith('loss_')} == {f'loss_{key}' for key in losses}


@pytest.mark.parametrize('name', ['RDE, 50% moved', 'InfoNCE at 0.005, 50% moved'])
def test_noise_moves_captions_of_the_training_split_alone(name, micro_set, tmp_path):
    arm, = [arm for arm in Config.fromfile(NOISE).arms if arm['name'] == name]
    cfg = as_read(arm, micro_set, tmp_path, NOISE)
    set_batch_size(shrink(cfg, micro_set, tmp_path).train_dataloader, 24)
    cfg.train_cfg.max_epochs = 1
    runner = Runner.from_cfg(cfg)
    runner.train()
    loaders = [cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader]
    assert [loader.dataset.get('noise_rate', 0) for loader in loaders] == [.5, 0, 0]
    losses = {key.rpartition('/')[2] for key in runner.message_hub.log_scalars if 'loss_' in key}
    assert losses == ({'loss_tal', 'loss_tal_tse'} if name[0] == 'R' else {'loss_contrastive'})


@pytest.mark.parametrize('arm', LOSS_ARMS, ids=[arm['name'] for arm in LOSS_ARMS])
def test_an_arm_is_the_same_with_every_seed(arm, micro_set):
    first, again = (runs.arm_config(str(LOSSES), arm, 7, micro_set).pretty_text
                    for _ in range(2))
    assert first == again and '<class' not in first


class InProcess:
    """The commands that an ablation runs, in this process; the power fails in a step of one."""

    runs = itertools.count()  # of all ablations: two of one second must not share a name

    def __init__(self, fails_in=None):
        self.trained, self.fails_in = [], fails_in

    def __call__(self, name, config, *arguments):
        cfg = Config.fromfile(config)
        cfg.work_dir = str(arguments[arguments.index('--work-dir') + 1])
        cfg.experiment_name = f'{cfg.work_dir}-{next(self.runs)}'
        cfg.resume = '--resume' in arguments
        if name == 'test':
            cfg.load_from = str(arguments[0])
            if arguments[arguments.index('--split') + 1] == 'val':
                cfg.test_dataloader, cfg.test_evaluator = cfg.val_dataloader, cfg.val_evaluator
            write_durably(arguments[-1], json.dumps(Runner.from_cfg(cfg).test()))
            return
        self.trained.append('/'.join(config.with_suffix('').parts[-2:]))
        runner = Runner.from_cfg(cfg)
        if self.trained[-1:] == self.fails_in:
            runner.register_hook(PowerCut())
        runner.train()


class PowerCut(Hook):
    """Hook that stops a training in its second epoch, between two checkpoints."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.epoch == 1:
            raise KeyboardInterrupt


@pytest.fixture
def tiny_ablation(micro_set, monkeypatch):
    """Start an ablation of two arms and two tiny epochs; return the table and what was trained."""
    arm_config = runs.arm_config

    def tiny(*arguments):
        cfg = arm_config(*arguments)
        set_batch_size(shrink(cfg, micro_set, micro_set).train_dataloader, 24)
        cfg.train_cfg.update(max_epochs=2, val_interval=1)
        return cfg

    def start(work_dir, fails_in=None):
        tools = InProcess(fails_in)
        monkeypatch.setattr(runs, 'run_process', tools)
        try:
            ablation.run(read_words('ablation', [
                str(LOSSES), '--arms', 'InfoNCE', 'N-ITC', '--seeds', '1', '--work-dir',
                str(work_dir), '--out', str(work_dir / 'table.md')]))
        except KeyboardInterrupt:
            return None, tools.trained
        return (work_dir / 'table.md').read_text('utf-8'), tools.trained

    monkeypatch.setattr(runs, 'arm_config', tiny)
    monkeypatch.setattr(ablation, 'draw_dataset', lambda root, **options: micro_set)
    return start


def test_an_ablation_that_was_cut_off_ends_in_the_same_table(tiny_ablation, tmp_path):
    both = ['InfoNCE_at_0_005/seed0', 'N_ITC_R_ITC/seed0']
    whole, trained = tiny_ablation(tmp_path / 'whole')
    assert trained == both and whole.count(' | 1 |') == 4
    assert '| val R1 | val mAP | n |' in whole and "Differences from 'InfoNCE at 0.005'" in whole
    assert tiny_ablation(tmp_path / 'cut', fails_in=both[1:]) == (None, both)
    assert [*(tmp_path / 'cut' / both[1]).glob('best_*.pth')]  # of its first epoch
    assert tiny_ablation(tmp_path / 'cut') == (whole, both[1:])
    logs = [file.read_text() for file in (tmp_path / 'cut' / both[1]).glob('*/*.log')]
    assert sum('resumed epoch: 1, iter: 4' in log for log in logs) == 1
    assert tiny_ablation(tmp_path / 'cut') == (whole, [])


def test_an_ablation_of_version_2_is_found_by_its_name(micro_set, monkeypatch, tmp_path, capsys):
    drawn, made = [], []

    def draw(root, **options):
        drawn.append(options)
        return micro_set

    def run_arm(path, arm, seed, *more):
        made.append((arm['name'], seed, Config.fromfile(path).drawn_version))
        return {f't2i/{m}': 10. + seed + 2 * len(made) for m in tables.MEASURES}

    monkeypatch.chdir(tmp_path)  # a folder without configs
    monkeypatch.setattr(ablation, 'draw_dataset', draw)
    monkeypatch.setattr(ablation, 'run_arm', run_arm)
    monkeypatch.setattr(ablation, 'check_trials', lambda trials, root, steps: None)
    main(['ablation_captions_drawn', '--arms', 'one', 'all', '--seeds', '2'])
    assert drawn == [dict(size='default', version=2)]
    assert made == [(name, seed, 2) for seed in (0, 1) for name in ('one thing', 'all things')]
    printed = capsys.readouterr().out
    assert '| all things | +2.0 ± 0.0 (2) |' in printed and '| all things | 0.5 | 0.5 |' in printed


def test_runs_of_other_settings_are_not_mixed(micro_set, tmp_path):
    run = tmp_path / 'SDM' / 'seed0'
    run.mkdir(parents=True)
    (run / 'metrics.json').write_text('{"t2i/R1": 12.5}')
    arm = dict(name='SDM')
    former = runs.arm_config(str(LOSSES), arm, 0, micro_set).pretty_text
    run.with_suffix('.py').write_text(former, 'utf-8')
    assert runs.run_arm(str(LOSSES), arm, 0, tmp_path, micro_set) == {'t2i/R1': 12.5}
    (run / 'metrics_val.json').write_text('{"t2i/R1": 13.5}')
    assert runs.run_arm(str(LOSSES), arm, 0, tmp_path, micro_set)['val'] == {'t2i/R1': 13.5}
    arm['options'] = {'train_cfg.max_epochs': 3}
    with pytest.raises(BadValue, match='seed0: this run had other settings .* --work-dir'):
        runs.run_arm(str(LOSSES), arm, 0, tmp_path, micro_set)
    (run / 'metrics.json').rename(run / 'epoch_1.pth')  # one that was cut off is no other
    with pytest.raises(BadValue, match='seed0: this run had other settings .* --work-dir'):
        runs.run_arm(str(LOSSES), arm, 0, tmp_path, micro_set)


def test_the_table_has_mean_spread_and_chance():
    runs = [{f't2i/{m}': value for m in tables.MEASURES} for value in (10.0, 12.0, 14.0)]
    lines = tables.table({'baseline': runs, 'once': runs[:1]}, dict(R1=0.5)).splitlines()
    assert lines[2] == '| baseline | 12.0 ± 2.0 | 12.0 ± 2.0 | 12.0 ± 2.0 | 12.0 ± 2.0 | 3 |'
    assert lines[3] == '| once | 10.0 | 10.0 | 10.0 | 10.0 | 1 |'
    assert lines[4].startswith('| chance | 0.5 |')


def test_differences_are_of_runs_with_one_seed():
    def runs(test, val):
        return [{**{f't2i/{m}': one for m in tables.MEASURES},
                 'val': {f't2i/{m}': other for m in tables.FEW_MEASURES}}
                for one, other in zip(test, val, strict=True)]

    results = {'base': runs([10.0, 14.0, 12.0], [20.0, 20.0, 20.0]),
               'arm': runs([12.0, 15.0, 15.0], [19.0, 21.0, 18.0])}
    lines = tables.difference_table(results).splitlines()
    assert lines[0].startswith("Differences from 'base'")
    assert lines[2] == '| arm | test R1 | val R1 | test mAP | val mAP | n |'
    cells = '+2.0 ± 1.0 (3) | -0.7 ± 1.5 (1)'
    assert lines[4:] == [f'| arm | {cells} | {cells} | 3 |']
    lines = tables.table(results, {}).splitlines()
    assert lines[0].endswith('| mAP | val R1 | val mAP | n |')
    assert lines[2].endswith('| 20.0 ± 0.0 | 20.0 ± 0.0 | 3 |')


def test_the_tokenizer_is_that_of_the_drawn_set_wherever_it_lies(micro_set, monkeypatch):
    def tokenizers(root):
        cfg = runs.arm_config(str(CONFIG), dict(name='a'), 0, root)
        return {step['tokenizer'] for loader in (cfg.train_dataloader, cfg.val_dataloader)
                for step in loader.dataset.pipeline if 'tokenizer' in step}

    monkeypatch.chdir(micro_set.parent)
    assert tokenizers(Path(micro_set.name)) == {f'./{micro_set.name}/tokenizer'}
    assert tokenizers(micro_set) == {f'{micro_set}/tokenizer'}


@pytest.mark.parametrize('words, seeds', [('3', [0, 1, 2]), ('1-2', [1, 2]), ('2-2', [2])])
def test_seeds_may_be_a_part(words, seeds):
    assert list(runs.chosen_seeds(words)) == seeds


def test_another_length_has_as_many_validations(micro_set, tmp_path):
    cfg = runs.arm_config(str(MIXUPS), {}, 0, micro_set, steps=1350)
    assert (cfg.train_cfg.max_iters, cfg.train_cfg.val_interval) == (1350, 450)
    assert cfg.default_hooks.checkpoint.interval == 450
    with pytest.raises(BadValue, match='no train_cfg.max_iters'):
        runs.arm_config(str(LOSSES), {}, 0, micro_set, steps=9)
    run = tmp_path / '9_steps/arm/seed0'
    run.mkdir(parents=True)
    (run / 'metrics.json').write_text('{}')
    run.with_suffix('.py').write_text(
        runs.arm_config(str(MIXUPS), {}, 0, micro_set, 9).pretty_text, 'utf-8')
    assert runs.run_arm(str(MIXUPS), dict(name='arm'), 0, tmp_path, micro_set, 9) == {}


class OtherRetriever(TextImageRetriever):
    """A class that an arm may name."""


@pytest.mark.parametrize('options, place, kind', [
    ({'model.type': OtherRetriever}, 'model.type', OtherRetriever),
    ({'model.mixup.type': FeatureMixup}, 'model.mixup.type', FeatureMixup),
    ({'model.heads.contrastive': dict(type=HardnessAwareContrastiveHead)},
     'model.heads.contrastive.type', HardnessAwareContrastiveHead),
    ({'train_dataloader.collate_fn.type': stack_pairs}, 'train_dataloader.collate_fn.type',
     stack_pairs),
    ({'custom_hooks': [dict(type=FeatureMixupHook, milestones={0: 0.5, 2 / 3: 0.0})]},
     'custom_hooks.0.type', FeatureMixupHook)])
def test_an_arm_may_name_classes(options, place, kind, micro_set, tmp_path):
    cfg = runs.arm_config(str(MIXUPS), dict(name='a', options=options), 0, micro_set)
    (tmp_path / 'arm.py').write_text(cfg.pretty_text, 'utf-8')
    read = Config.fromfile(tmp_path / 'arm.py')
    for word in place.split('.'):
        read = read[int(word) if word.isdigit() else word]
    assert read == f'{kind.__module__}.{kind.__name__}'


def test_an_arm_that_is_not_there_is_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main([str(CONFIG), '--arms', 'nothing', '--work-dir', str(tmp_path / 'work')])
    line = capsys.readouterr().err
    assert stop.value.code == 1 and line.count('\n') == 1
    assert line.startswith("error: no arm has a name with ['nothing']; there are: baseline ")


@pytest.mark.parametrize('config, options, says', [
    (CONFIG, ['--seeds', '0'], '--seeds must be at least 1'),
    (CONFIG, ['--seeds', '2-1'], '--seeds must be at least 1, or a range'),
    (CONFIG, ['--seeds', '41'], '--seeds must be at most 40'),
    (CONFIG, ['--seeds', 'two'], "--seeds must be a number, or two as in 1-2, got 'two'"),
    (CONFIG, ['--steps', '0'], '--steps must be at least 1'),
    (CONFIG.with_name('vit_bert_base_drawn.py'), [], "no key 'arms'")])
def test_mistakes_are_one_line(config, options, says, capsys):
    with pytest.raises(SystemExit) as stop:
        main([str(config), *options])
    line, = capsys.readouterr().err.splitlines()
    assert stop.value.code == 1 and line.startswith('error: ') and says in line
