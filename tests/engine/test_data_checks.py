"""Data sets of a config against each other: shared people, captions a tokenizer does not know."""

import json
import logging
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmtbps.commands.wording.user_errors import word_notice
from mmtbps.datasets.transforms import CLIP_TOKENIZER
from mmtbps.engine import launch
from mmtbps.engine.data_checks import UnfitData, check_data_sets, stop_if_unfit
from mmtbps.engine.preflight import MissingFiles
from mmtbps.engine.readiness import NotReady, log_lines, stop_if_unready
from mmtbps.engine.run_folder import FolderTaken
from mmtbps.errors import BadValue, MissingFile, Notice

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Twelve people of train, four of test, no picture; a generated pair of each of train."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'data/imgs').mkdir(parents=True)
    records = [dict(file_path=f'{person}.jpg', id=person, captions=['A man in a red coat.'],
                    split='train' if person < 12 else 'test') for person in range(16)]
    (tmp_path / 'data/ICFG-PEDES.json').write_text(json.dumps(records))
    (tmp_path / 'data/pairs.jsonl').write_text(''.join(json.dumps(dict(
        image=f'g{person}.png', person_id=100 + person, captions=['A man in a blue coat.'],
        split='train', source=f'{person}.jpg')) + '\n' for person in range(12)))
    return tmp_path


def config(train=None, val=None, test=None, **tokenize):
    def loader(split, changes):
        return dict(dataset=dict({
            'type': 'ICFGPEDES', 'data_root': 'data', 'split': split, 'test_mode': split != 'train',
            'pipeline': [dict(type='TokenizeCaption', tokenizer=CLIP_TOKENIZER, **tokenize)],
            **(changes or {})}))

    return Config(dict(
        train_dataloader=loader('train', train), val_dataloader=loader('val', val),
        test_dataloader=loader('test', test)))


def problems(cfg):
    return [str(problem) for problem in check_data_sets(cfg).problems]


def test_generated_pairs_are_told_once_and_refused_before_the_training(root):
    train = dict(pairs_root='pdg')
    line = 'ICFG-PEDES train: no generated pairs at pdg: originals only, 11 pairs'
    assert [str(one) for one in check_data_sets(config(train)).lines if 'pairs' in one] == [line]
    (root / 'pdg').mkdir()
    pairs = (root / 'data/pairs.jsonl').read_text()
    (root / 'pdg/pdg_pairs.jsonl').write_text(pairs)
    fault, = problems(config(train))
    assert fault.startswith('pdg/pdg_pairs.jsonl: 12 of 12 generated images are missing')
    for name in range(12):
        (root / f'pdg/g{name}.png').touch()
    checked = check_data_sets(config(train))
    assert checked.problems == [] and (
        'ICFG-PEDES train: 11 original pairs and 11 generated, of 11 images, from pdg, an unknown '
        'run') in checked.lines
    (root / 'pdg/pdg_pairs.jsonl').write_text(pairs.replace('"3.jpg"', '"strange.jpg"'))
    fault, = problems(config(train))
    assert '1 of 12 images that pairs were made from, first strange.jpg, are not in' in fault


WITH_PAIRS = dict(ann_file=['ICFG-PEDES.json', 'pairs.jsonl'], data_prefix=dict(img_path='imgs'))


@pytest.mark.parametrize('train', [None, dict(holdout=0.1), WITH_PAIRS])
def test_data_sets_that_belong_together_pass(root, train):
    assert problems(config(train)) == []


def test_people_held_out_on_one_side_only_are_found(root):
    found, = problems(config(dict(holdout=0), dict(holdout=3)))
    assert found.startswith('val_dataloader: 3 people (ICFG-PEDES.json id ')
    assert 'of 3 are in train_dataloader, too' in found and 'allow_train_people=True' in found


def test_another_seed_on_one_side_is_found(root):
    found, = problems(config(dict(holdout=4), dict(holdout=4, holdout_seed=1)))
    assert found.startswith('val_dataloader: ') and ' of 4 are in train_dataloader' in found


def test_originals_of_generated_pairs_are_people_of_train(root):
    """Pairs of train that are made from people of val."""
    (root / 'data/ICFG-PEDES.json').write_text(json.dumps([
        dict(record, split='val' if record['id'] < 2 else record['split'])
        for record in json.loads((root / 'data/ICFG-PEDES.json').read_text())]))
    found, = problems(config(dict(WITH_PAIRS, holdout=0), dict(holdout=0)))
    assert found.startswith('val_dataloader: 2 people (ICFG-PEDES.json id 0, ICFG-PEDES.json id 1)')


def test_a_test_set_of_people_of_train_is_found(root):
    cfg = config()
    cfg.test_dataloader.dataset.split = 'train'
    found, = problems(cfg)
    assert found.startswith('test_dataloader: 11 people') and 'of 11 are in train' in found


def test_other_ways_to_the_same_file_are_the_same_people(root):
    (root / 'link').symlink_to(root / 'data')
    for data_root in (str(root / 'data'), './data/', 'link'):
        found, = problems(config(dict(holdout=0), dict(data_root=data_root)))
        assert found.startswith('val_dataloader: 1 person')


def test_those_who_mean_it_say_so(root):
    assert problems(config(dict(holdout=0), dict(allow_train_people=True))) == []


def test_wrapped_data_sets_are_looked_into(root):
    cfg = config(dict(holdout=0))
    cfg.train_dataloader.dataset = dict(type='RepeatDataset', times=2,
                                        dataset=cfg.train_dataloader.dataset)
    assert len(problems(cfg)) == 1


def test_a_broken_file_is_named_once(root):
    (root / 'data/ICFG-PEDES.json').write_text('[{"split": "Train", "file_path": "1.jpg", "id": 1, '
                                               '"captions": []}]')
    found, = problems(config())
    assert "record 1: split 'Train' is not known, write 'train'" in found


def test_missing_files_are_the_matter_of_another_check(root):
    (root / 'data/ICFG-PEDES.json').unlink()
    assert check_data_sets(config()) == ([], [])


def test_captions_are_measured_for_each_data_set(root):
    lines = stop_if_unfit(config(max_length=77))
    assert lines == [f'ICFG-PEDES {split}: {count} captions: 0.0 % unknown tokens, 1.2 pieces a '
                     'word, 0.0 % cut at 77 tokens'
                     for split, count in (('train', 11), ('val', 1), ('test', 4))]


def speak_german(root):
    records = json.loads((root / 'data/ICFG-PEDES.json').read_text())
    for record in records:
        record['captions'] = ['Ein Mann mit roter Jacke und blauer Hose.']
    (root / 'data/ICFG-PEDES.json').write_text(json.dumps(records))


def warnings(lines):
    return [line for line in lines if isinstance(line, Notice) and line.warning]


def test_words_that_a_tokenizer_splits_are_a_warning_of_the_training_set(root):
    assert warnings(stop_if_unfit(config(max_length=77))) == []
    speak_german(root)
    warning, = warnings(stop_if_unfit(config(max_length=77)))
    assert warning.startswith('ICFG-PEDES train: 0.0 % of the words unknown, 37.5 % split: '
                              'roter, jacke, blauer. A text tower that was trained with')
    assert warnings(stop_if_unfit(config(max_length=77, allow_unfit=True))) == []


def test_a_test_alone_warns_of_its_own_captions(root):
    speak_german(root)
    cfg = config(max_length=77)
    cfg.train_dataloader = cfg.val_dataloader = None
    warning, = warnings(stop_if_unfit(cfg))
    assert warning.startswith('ICFG-PEDES test: ')


def test_warnings_are_logged_as_warnings(caplog):
    logger = logging.getLogger('of a run')
    with caplog.at_level('INFO', logger.name):
        log_lines(logger, ['a', Notice('b'), Notice('c', warning=True)], str.upper)
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ('INFO', 'A'), ('INFO', 'B'), ('WARNING', 'C')]


@pytest.mark.parametrize('name', ['tbps/vit_bert_pdg_drawn', 'clip/clip_b16_itc_drawn',
                                  'tbps_clip/tbps_clip_simplified_drawn', 'irra/irra_drawn'])
def test_shipped_configs_pass_on_drawn_people(name, micro_set):
    cfg = Config.fromfile(ROOT / f'configs/{name}.py')
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        cfg[loader].dataset.data_root = str(micro_set)
        cfg[loader].dataset.pop('pairs_root', None)  # of the full data set
        for step in cfg[loader].dataset.pipeline:
            if step.get('tokenizer', '').startswith('./data'):
                step.tokenizer = str(micro_set / 'tokenizer')
    lines = stop_if_unfit(cfg)
    assert [line.split(':')[0] for line in lines if 'tokens' in line] == [
        f'DrawnPEDES {split}' for split in ('train', 'val', 'test')]
    assert all(': 0.0 % unknown' in line and ' 1.' in line and ', 0.0 % cut' in line
               for line in lines)


def test_captions_that_are_cut_are_refused_with_all_else(root):
    cfg = config(dict(holdout=0), max_length=5)
    with pytest.raises(UnfitData) as error:
        stop_if_unfit(cfg)
    texts = [str(problem) for problem in error.value.problems]
    assert len(texts) == 4 and texts[0].startswith('val_dataloader: 1 person')
    assert '100.0 % cut at 5 tokens. The tokenizer' in texts[1]
    assert problems(config(max_length=5, allow_unfit=True)) == []


def test_faults_of_several_kinds_are_said_together(root):
    def taken():
        raise FolderTaken(Path('runs'), 2)

    cfg, whole = config(dict(holdout=0)), config()
    cfg.model = whole.model = {}
    assert stop_if_unready(whole, lambda: None)
    with pytest.raises(FolderTaken):
        stop_if_unready(whole, taken)
    with pytest.raises(UnfitData):
        stop_if_unready(cfg)
    cfg.load_from = 'gone.pth'
    with pytest.raises(NotReady) as error:
        stop_if_unready(cfg, taken)
    assert [type(problem) for problem in error.value.problems] == [FolderTaken, MissingFile,
                                                                   BadValue]
    whole.load_from = 'gone.pth'
    with pytest.raises(MissingFiles):
        stop_if_unready(whole)


def test_the_check_draws_no_random_number(root):
    def states():
        return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()

    before = states()
    check_data_sets(config())
    assert states() == before


def test_the_runner_begins_with_the_check(root, monkeypatch):
    lines = []

    class Logged:
        hooks = ()

        class logger:  # noqa: N801
            info = lines.append

    monkeypatch.setattr(Runner, 'from_cfg', lambda cfg: Logged)
    cfg = config(max_length=77)
    cfg.update(launcher='none', model={}, train_cfg=dict(max_epochs=1), optim_wrapper={})
    launch.build_runner(cfg)
    assert len(lines) == 3 and lines[0].startswith('ICFG-PEDES train: 11 captions')
    cfg.train_dataloader.dataset.pairs_root = 'pdg'
    launch.build_runner(cfg, word=word_notice)
    assert lines[3] == (
        'ICFG-PEDES train: no generated pairs at pdg: originals only, 11 pairs; make them by: '
        'mmtbps generate all CONFIG --cfg-options generation.runner.out_dir=pdg')
    cfg.train_dataloader.dataset.holdout = 0
    with pytest.raises(UnfitData):
        launch.build_runner(cfg)
