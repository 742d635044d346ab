"""Several seeds of configs: tables, paired tests by hand, runs that are kept."""

import itertools
import json
from fractions import Fraction

import numpy as np
import pytest

from mmtbps.commands import multi_seed
from mmtbps.commands.main import run_command
from mmtbps.commands.trials.tables import sign_flip_probability, sign_flip_table, table
from mmtbps.errors import BadValue

MEASURES = ('R1', 'R5', 'R10', 'mAP')


@pytest.mark.parametrize('differences', [
    [2., 1., 3.], [2., -1., .5], [0., 0.], [1.] * 5, [.1, -.3, .7, -.2, .4, .05], [0.], [-3.], [],
    *np.random.default_rng(0).normal(size=(4, 7)).round(2).tolist(),
    *np.random.default_rng(1).integers(-2, 3, (4, 8)).astype(float).tolist()])  # with ties
def test_the_probability_is_the_share_of_all_signs(differences):
    exact = [Fraction(value).limit_denominator(1000) for value in differences]
    sums = [abs(sum(sign * value for sign, value in zip(signs, exact, strict=True)))
            for signs in itertools.product([1, -1], repeat=len(exact))]
    expected = sum(value >= abs(sum(exact)) for value in sums) / len(sums)
    assert sign_flip_probability(differences) == pytest.approx(expected)


def test_many_seeds_are_counted_in_no_time_and_more_are_refused():
    assert sign_flip_probability([.5] * 30) == 2 / 2 ** 30
    with pytest.raises(BadValue, match='40 differences at most, got 41'):
        sign_flip_probability([.5] * 41)


def test_a_run_without_a_number_proves_nothing():
    assert np.isnan(sign_flip_probability([float('nan'), 1., 2.]))
    results = {'a': [run_of(float('nan')), run_of(1.)], 'b | c': [run_of(2.), run_of(3.)]}
    assert sign_flip_table(results).endswith('| b \\| c | nan | nan |')
    assert '| nan ± nan |' in table(results, None) and '| b \\| c | 2.5 ± 0.7 |' in table(
        results, None)


def run_of(value):
    return {**{f't2i/{m}': value for m in MEASURES}, 'val': {f't2i/{m}': value for m in MEASURES}}


def test_the_table_pairs_seeds():
    results = {'a': [run_of(10.), run_of(20.), run_of(30.)],
               'b': [run_of(11.), run_of(21.), run_of(31.)],   # a point ahead with every seed
               'c': [run_of(30.), run_of(20.), run_of(10.)]}   # the same runs in another order
    lines = sign_flip_table(results).splitlines()
    assert 'over 3 seeds, never below 0.25' in lines[0]
    assert lines[-2:] == ['| b | 0.25 | 0.25 |', '| c | 1 | 1 |']


@pytest.fixture
def made(monkeypatch):
    """Runs that are made, in the place of trainings."""
    asked = []

    def run_arm(path, arm, seed, work_dir, data_root, steps):
        asked.append((arm['name'], seed, steps))
        return run_of(10. + seed + 2 * (arm['name'] == 'irra_drawn'))

    monkeypatch.setattr(multi_seed, 'run_arm', run_arm)
    return asked


def test_configs_are_compared_with_the_first(made, tmp_path, capsys):
    words = ['vit_bert_base_drawn', 'irra_drawn', '--seeds', '3', '--work-dir',
             str(tmp_path / 'runs'), '--out', str(tmp_path / 'table.md')]
    run_command('multi-seed', words)
    printed = capsys.readouterr().out
    assert made == [(name, seed, None) for seed in range(3)
                    for name in ('vit_bert_base_drawn', 'irra_drawn')]
    assert '| vit_bert_base_drawn | 11.0 ± 1.0 |' in printed
    assert '| irra_drawn | +2.0 ± 0.0 (3)' in printed and '| irra_drawn | 0.25 | 0.25 |' in printed
    assert (tmp_path / 'table.md').read_text('utf-8') == printed
    run_command('multi-seed', [*words, '--json'])
    found = json.loads(capsys.readouterr().out)
    assert [one['name'] for one in found] == ['vit_bert_base_drawn', 'irra_drawn']
    assert [run['seed'] for run in found[1]['runs']] == [0, 1, 2]


def test_all_configs_are_looked_at_before_the_first_trains(made, tmp_path, refused):
    with refused('no train_cfg.max_iters'):
        run_command('multi-seed', ['irra_drawn', '--steps', '9', '--work-dir', str(tmp_path)])
    assert not made


def test_one_config_has_a_mean_alone(made, tmp_path, capsys):
    run_command('multi-seed', ['irra_drawn', '--seeds', '1-2', '--work-dir', str(tmp_path)])
    printed = capsys.readouterr().out
    assert made == [('irra_drawn', 1, None), ('irra_drawn', 2, None)]
    assert '| irra_drawn | 13.5 ± 0.7 |' in printed and 'Probability' not in printed


@pytest.mark.parametrize('words, said', [
    (['irra_drawn', 'irra_drawn'], 'two configs have one name: irra_drawn, irra_drawn'),
    (['irra_drawn', '--seeds', 'few'], '--seeds must be a number'),
    (['irra_drawn', '--steps', '0'], '--steps must be at least 1'), (['nothing'], 'nothing')])
def test_what_cannot_be_is_refused(words, said, made, tmp_path, refused):
    with refused(said):
        run_command('multi-seed', [*words, '--work-dir', str(tmp_path)])
    assert not made
