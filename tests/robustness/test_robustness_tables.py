"""Tables and curves of robustness runs."""

from mmtbps.robustness import Outcome, condition_table, cross_domain_table
from mmtbps.robustness.picture import curves_of, draw_conditions, panels_of, ticks_of


def outcome(model, data, condition, r1, **more):
    return Outcome(model, data, condition, dict(R1=r1, mAP=r1 / 2), **more)


def test_tables_and_curves():
    found = [outcome('a', 'x', 'as it is', 50.), outcome('a', 'y', 'as it is', 30.),
             outcome('b', 'y', 'as it is', 20.), outcome('a', 'x', 'blur 0.02', 40., changed=100.),
             outcome('a', 'x', 'color contradiction', 10., changed=90., told_apart=80.),
             outcome('a', 'x', '7 strangers', 45., distractors=7)]
    assert cross_domain_table(found).splitlines()[2:] == [
        '| a | 50.0 / 25.0 | 30.0 / 15.0 |', '| b |  | 20.0 / 10.0 |']
    table = condition_table([one for one in found if (one.model, one.data) == ('a', 'x')])
    assert '| color contradiction | 90 % | 10.0 (-40.0) | 5.0 (-20.0) | 80 % |' in table
    curves = curves_of(found)
    assert curves['blur'] == {'a, x': (['as it is', '0.02'], [50., 40.])}
    assert curves['strangers in the gallery'] == {'a, x': (['as it is', '7'], [50., 45.])}
    assert curves['wording']['a, x'][0] == ['as it is', 'color contradiction']


def test_each_curve_has_a_panel_and_no_panel_is_empty():
    found = [outcome('a', 'x', 'as it is', 50.), *(
        outcome('a', 'x', f'{kind} 1', 40.) for kind in ('one', 'two', 'three', 'four', 'five'))]
    panels = panels_of(curves_of(found), ticks_of(found))
    assert [bool(axes.lines) for axes in panels.axes] == [True] * 5 + [False] * 3
    assert [axes.axison for axes in panels.axes] == [True] * 5 + [False] * 3


def test_models_of_other_conditions_share_one_scale():
    found = [outcome('a', 'x', 'as it is', 50.), outcome('b', 'x', 'as it is', 40.),
             outcome('b', 'x', 'blur 0.02', 35.), outcome('b', 'x', 'blur 0.04', 30.),
             outcome('a', 'x', 'blur 0.08', 20.), outcome('b', 'x', 'blur 0.08', 10.)]
    axes, = panels_of(curves_of(found), ticks_of(found)).axes
    assert [label.get_text() for label in axes.get_xticklabels()] == [
        'as it is', '0.02', '0.04', '0.08']
    lines = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
    assert lines == {'a, x': [[0, 50], [3, 20]], 'b, x': [[0, 40], [1, 35], [2, 30], [3, 10]]}


def test_names_of_signs_are_drawn_and_stay_in_their_cells(tmp_path):
    odd = 'a$\\frac$|b'
    found = [outcome(name, '_x', condition, 50.) for name in (odd, '_c')
             for condition in ('as it is', 'blur 0.02')]
    assert draw_conditions(found, tmp_path / 'picture.png')
    assert (tmp_path / 'picture.png').stat().st_size > 1000
    axes, = panels_of(curves_of(found), ticks_of(found)).axes
    assert len(axes.get_legend().get_texts()) == 2
    assert cross_domain_table(found).splitlines()[2].startswith('| a$\\frac$\\|b | 50.0 / 25.0 |')


def test_a_condition_that_could_change_nothing_says_so():
    found = [outcome('a', 'x', 'as it is', 50.), outcome('a', 'x', 'paraphrase', 50.),
             outcome('a', 'x', '7 strangers', 40., distractors=7)]
    rows = condition_table(found).splitlines()[2:]
    assert [row.split('|')[2].strip() for row in rows] == ['', '0 %', '']
