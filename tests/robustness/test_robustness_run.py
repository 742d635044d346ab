"""Robustness runs: measured as by hand, kept, resumed, refused where they do not belong."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmtbps.commands.main import run_command
from mmtbps.drawing import draw_dataset
from mmtbps.drawing.build import Size
from mmtbps.errors import BadValue, RecordError
from mmtbps.evaluation import evaluate_ranking
from mmtbps.fileio import JsonlWriter
from mmtbps.registry import DATASETS
from mmtbps.robustness import (
    CONDITIONS,
    RobustnessRun,
    choose_conditions,
    read_subjects,
)
from mmtbps.robustness.pictures import shrink

sys.path.append(str(Path(__file__).parents[1] / 'search'))

from fakes import ColorEncoder  # noqa: E402


class CountingEncoder(ColorEncoder):
    def __init__(self):
        self.pictures = self.sentences = 0

    def encode_images(self, images):
        self.pictures += len(images)
        return super().encode_images(images)

    def encode_texts(self, texts):
        self.sentences += len(texts)
        return super().encode_texts(texts)


@pytest.fixture
def subjects(micro_set):
    return read_subjects(dict(type='DrawnPEDES', data_root=str(micro_set),
                              ann_file='reid_raw.json', split='test', test_mode=True,
                              data_prefix=dict(img_path='imgs')))


open_logs = []


@pytest.fixture(autouse=True)
def close_logs():
    yield
    while open_logs:
        open_logs.pop().close()


def start(subjects, folder, **options):
    encoder = CountingEncoder()
    while open_logs:  # as of a process that has ended
        open_logs.pop().close()
    log = JsonlWriter(folder / 'outcomes.jsonl')
    open_logs.append(log)
    return RobustnessRun('colors', encoder, subjects, Image.open, log, **options), encoder


def test_the_test_set_is_read_as_the_evaluator_reads_it(subjects, micro_set):
    dataset = DATASETS.build(dict(type='DrawnPEDES', data_root=str(micro_set),
                                  ann_file='reid_raw.json', split='test', test_mode=True,
                                  data_prefix=dict(img_path='imgs'), pipeline=[]))
    assert len(subjects.paths) == len(dataset)
    for place, owner in enumerate(subjects.owners):
        item = dataset.get_data_info(int(owner))
        assert subjects.captions[place] in item['captions']
        assert item['img_path'] == subjects.paths[owner]


def test_clean_and_changed_are_measured_as_by_hand(subjects, tmp_path):
    run, _ = start(subjects, tmp_path)
    encoder = ColorEncoder()
    images = encoder.encode_images([Image.open(path) for path in subjects.paths])
    texts, people = encoder.encode_texts(subjects.captions), subjects.people
    expected = evaluate_ranking(texts, people[subjects.owners], images, people)
    assert run.clean().measures['mAP'] == pytest.approx(expected['mAP'])

    small = encoder.encode_images([shrink(Image.open(path), None, 16) for path in subjects.paths])
    expected = evaluate_ranking(texts, people[subjects.owners], small, people)
    assert run.under(CONDITIONS['resolution 16']).measures['mAP'] == pytest.approx(expected['mAP'])
    mixed = run.under(CONDITIONS['mixed resolution 16'])
    assert mixed.changed == pytest.approx(50, abs=100 / len(people))

    wrong = run.under(CONDITIONS['color contradiction'])
    assert wrong.changed > 50 and wrong.told_apart > 50  # it knows colours
    assert wrong.measures['mAP'] < run.clean().measures['mAP']


def test_strangers_join_the_gallery(subjects, tmp_path):
    run, encoder = start(subjects, tmp_path)
    strangers = np.random.default_rng(0).normal(size=(50, encoder.dim)).astype(np.float32)
    few, many = run.among(strangers, 5), run.among(strangers, 50)
    assert (few.distractors, many.distractors) == (5, 50)
    assert many.measures['mAP'] <= few.measures['mAP'] <= run.clean().measures['mAP']


def test_other_strangers_are_no_strangers_of_before(subjects, tmp_path):
    strangers = np.random.default_rng(0).normal(size=(9, 64)).astype(np.float32)
    run, encoder = start(subjects, tmp_path)
    strangers = strangers[:, :encoder.dim]
    before = run.among(strangers, 5, 'one folder')
    again, _ = start(subjects, tmp_path)
    assert again.among(-strangers, 5, 'one folder') == before  # not measured again
    with pytest.raises(BadValue, match='outcomes.jsonl has 5 strangers of another folder'):
        again.among(strangers, 5, 'other')


def test_what_is_known_is_not_measured_again(subjects, tmp_path):
    conditions = choose_conditions(['occlusion', 'paraphrase'])
    first, _ = start(subjects, tmp_path)
    before = [first.clean(), *map(first.under, conditions)]
    file = tmp_path / 'outcomes.jsonl'
    lines = file.read_text('utf-8').splitlines(keepends=True)
    file.write_text(''.join(lines[:-1]) + lines[-1][:40], 'utf-8')  # killed while writing
    again, encoder = start(subjects, tmp_path)
    kept = [again.clean(), *map(again.under, conditions[:-1])]
    assert kept == before[:-1] and encoder.pictures == encoder.sentences == 0
    assert again.under(conditions[-1]) == before[-1]
    last, encoder = start(subjects, tmp_path)
    assert [last.clean(), *map(last.under, conditions)] == before
    assert encoder.pictures == encoder.sentences == 0


def test_a_condition_is_the_same_whatever_else_is_asked(subjects, tmp_path):
    (tmp_path / 'a').mkdir()
    (tmp_path / 'b').mkdir()
    other = CONDITIONS['occlusion 0.5']
    expected = start(subjects, tmp_path / 'a')[0].under(other)
    beside, _ = start(subjects, tmp_path / 'b')
    beside.under(CONDITIONS['occlusion 0.1'])
    assert beside.under(other) == expected


def test_outcomes_of_something_else_are_refused(subjects, tmp_path):
    start(subjects, tmp_path)[0].clean()
    with pytest.raises(BadValue, match='outcomes.jsonl was begun with another model.*new folder'):
        start(subjects, tmp_path, seed=1)


def test_unknown_conditions_are_refused():
    with pytest.raises(BadValue, match="no condition is called 'fog'.*paraphrase, truncation"):
        choose_conditions(['blur', 'fog'])
    assert [one.name for one in choose_conditions(['blur', 'blur 0.02'])] == [
        'blur 0.02', 'blur 0.04', 'blur 0.08']
    assert choose_conditions(None) == list(CONDITIONS.values())


def test_half_of_one_picture_is_none(tmp_path):
    root = draw_dataset(tmp_path / 'one', Size(1, 1, 1, images=1, height=32, width=16), workers=1,
                        progress=False)
    alone = read_subjects(dict(type='DrawnPEDES', data_root=str(root), ann_file='reid_raw.json',
                               split='test', test_mode=True, data_prefix=dict(img_path='imgs')))
    run, _ = start(alone, tmp_path)
    outcomes = [run.clean(), *map(run.under, CONDITIONS.values())]
    assert {one.measures['R1'] for one in outcomes} == {100.}  # nobody else is there
    assert [one.changed for one in outcomes if 'mixed' in one.condition] == [0, 0, 0]


class DivergedEncoder(CountingEncoder):
    def encode_images(self, images):
        return super().encode_images(images) * np.float32('nan')


def test_features_that_are_no_numbers_name_their_model(subjects, tmp_path):
    run, _ = start(subjects, tmp_path)
    run.encoder = DivergedEncoder()
    with pytest.raises(BadValue, match='^colors on DrawnPEDES, as it is: gallery_features: .*NaN'):
        run.clean()
    assert (tmp_path / 'outcomes.jsonl').read_text('utf-8') == ''


@pytest.mark.parametrize('line', [
    '{"hello": 1}', '[1]', '"text"', '{"key": {"seed": 0}, "outcome": {"model": "a"}}',
    '{"key": {"seed": 0, "data": {}, "fingerprint": {}}, "outcome": {"model": "a", "data": "b", '
    '"condition": "as it is", "measures": {"R1": 3}}}'])
def test_a_line_of_something_else_is_named(line, subjects, tmp_path):
    start(subjects, tmp_path)[0].clean()
    with open(tmp_path / 'outcomes.jsonl', 'a') as file:
        file.write(line + '\n')
    with pytest.raises(RecordError, match='outcomes.jsonl:2: no outcome of a robustness run'):
        start(subjects, tmp_path)


def test_no_picture_is_encoded_for_nothing(subjects, tmp_path):
    run, _ = start(subjects, tmp_path)
    run.clean()
    again, encoder = start(subjects, tmp_path)
    again.clean(), again.under(CONDITIONS['blur 0.08'])
    assert encoder.pictures == len(subjects.paths)  # all blurred, none as it is


@pytest.fixture
def own_config(micro_set, tmp_path, monkeypatch):
    """A function that writes a config of the drawn set under a name."""
    from mmtbps.commands import robustness
    monkeypatch.setattr(robustness, 'load_encoder', lambda *args, **options: CountingEncoder())

    def write(name):
        (tmp_path / name).write_text(
            'test_dataloader = dict(dataset=dict(type="DrawnPEDES", '
            f'data_root={str(micro_set)!r}, ann_file="reid_raw.json", split="test", '
            'test_mode=True, data_prefix=dict(img_path="imgs")))\n', 'utf-8')
        return tmp_path / name
    return write


def test_further_models_and_conditions_join_the_table(own_config, tmp_path, capsys):
    config, out = own_config('own.py'), tmp_path / 'out'
    for words in (['a', 'm', '--conditions', 'blur 0.08'], ['b', 'm', '--conditions'],
                  ['a', 'm', '--conditions', 'paraphrase']):
        run_command('robustness', [*map(str, (out, '--data', config, '--model', *words))])
    table = (out / 'table.md').read_text('utf-8')
    rows = [line.split('|')[1].strip() for line in table.splitlines() if line.startswith('|')]
    assert rows == ['R1 / mAP', '---', 'a', 'b', 'condition', '---', 'as it is', 'paraphrase',
                    'blur 0.08', 'condition', '---', 'as it is']


def test_test_sets_of_one_name_are_told_apart_by_their_configs(own_config, tmp_path, refused):
    first, second = own_config('one.py'), own_config('two.py')
    words = [tmp_path / 'out', '--model', 'a', 'm', '--conditions', '--data', first]
    run_command('robustness', [*map(str, words), str(second)])
    table = (tmp_path / 'out/table.md').read_text('utf-8')
    assert table.splitlines()[0] == '| R1 / mAP | DrawnPEDES (one) | DrawnPEDES (two) |'
    with refused('two configs of --data have test sets of one name: DrawnPEDES'):
        run_command('robustness', [*map(str, words), str(first)])


@pytest.fixture(scope='module')
def strangers(tmp_path_factory):
    """Six pictures of people of another seed."""
    root = tmp_path_factory.mktemp('strangers') / 'set'
    return draw_dataset(root, Size(1, 1, 1, height=32, width=16), seed=9, workers=1,
                        progress=False) / 'imgs'


def test_known_strangers_are_not_encoded_again(own_config, strangers, tmp_path, monkeypatch):
    from mmtbps.commands import robustness
    made = []
    monkeypatch.setattr(robustness, 'load_encoder',
                        lambda *args, **options: made.append(CountingEncoder()) or made[-1])
    words = [str(tmp_path / 'out'), '--data', str(own_config('own.py')), '--model', 'a', 'm',
             '--conditions', '--distractors', str(strangers), '--strangers']
    for counts, pictures in ((['2', '4'], 16 + 4), (['4', '2'], 0), (['4', '3'], 16 + 3)):
        run_command('robustness', [*words, *counts])
        assert made[-1].pictures == pictures


def test_pictures_of_the_test_set_are_no_strangers(own_config, micro_set, tmp_path, refused):
    words = [str(tmp_path / 'out'), '--data', str(own_config('own.py')), '--model', 'a', 'm',
             '--conditions']
    with refused('16 of 80 images are pictures of a test set, whose people are no strangers'):
        run_command('robustness', [*words, '--distractors', str(micro_set / 'imgs')])
    with refused('--strangers says how many; it needs --distractors FOLDER'):
        run_command('robustness', [*words, '--strangers', '3'])
    with refused('--seed must not be negative, got -1'):
        run_command('robustness', [*words, '--seed', '-1'])


def test_the_command_goes_on_and_writes_its_tables(micro_set, strangers, tmp_path, monkeypatch,
                                                   capsys):
    from mmtbps.commands import robustness
    monkeypatch.setattr(robustness, 'load_encoder', lambda *args, **options: CountingEncoder())
    config = tmp_path / 'own.py'
    config.write_text(
        'test_dataloader = dict(dataset=dict(type="DrawnPEDES", '
        f'data_root={str(micro_set)!r}, ann_file="reid_raw.json", split="test", test_mode=True, '
        'data_prefix=dict(img_path="imgs")))\n', 'utf-8')
    words = [tmp_path / 'out', '--model', 'colors', 'anything', '--data', config, '--conditions',
             'paraphrase', '--distractors', strangers, '--strangers', '3']
    run_command('robustness', [*map(str, words), '--json'])
    found = json.loads(capsys.readouterr().out)
    run_command('robustness', [*map(str, words)])
    table = (tmp_path / 'out/table.md').read_text('utf-8')
    assert capsys.readouterr().out.endswith(table)  # a data set may log before it
    assert '| paraphrase |' in table and '| 3 strangers |' in table
    assert [one['condition'] for one in found] == ['as it is', 'paraphrase', '3 strangers']
    assert len((tmp_path / 'out/outcomes.jsonl').read_text('utf-8').splitlines()) == 3


@pytest.mark.parametrize('words, said', [
    (['--model', 'a'], '--model takes a name, a model'),
    (['--model', 'a', 'm', '--model', 'a', 'n'], 'two models have one name: a, a'),
    (['--model', 'a', 'm', '--conditions', 'fog'], "no condition is called 'fog'")])
def test_the_command_refuses(words, said, tmp_path, refused):
    with refused(said):
        run_command('robustness', [str(tmp_path / 'out'), '--data', 'config.py', *words])
