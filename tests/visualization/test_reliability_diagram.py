"""The reliability diagram: the points that it shows are those of the bins."""

from typing import NamedTuple

import pytest

from mmtbps.visualization.reliability import draw_reliability

matplotlib = pytest.importorskip('matplotlib')


class Bin(NamedTuple):
    count: int
    said: float
    found: float


def test_points_are_those_of_the_bins(tmp_path, monkeypatch):
    from matplotlib.figure import Figure
    figures, save = [], Figure.savefig
    monkeypatch.setattr(Figure, 'savefig', lambda self, *args, **options: (
        figures.append(self), save(self, *args, **options))[1])
    draw_reliability({'few': [Bin(1, .1, .2), Bin(3, .8, .7)], 'many': [Bin(5, .5, .4)]},
                     tmp_path / 'diagram.svg', 'a title')
    above, below = figures[0].axes
    assert above.get_title() == 'a title'
    lines = {line.get_label(): line.get_xydata().tolist() for line in above.lines[1:]}
    assert lines == {'few': [[.1, .2], [.8, .7]], 'many': [[.5, .4]]}
    assert above.lines[0].get_xydata().tolist() == [[0, 0], [1, 1]]
    assert [line.get_xydata().tolist() for line in below.lines] == [
        [[.1, .25], [.8, .75]], [[.5, 1.]]]
    assert (tmp_path / 'diagram.svg').read_text().startswith('<?xml')
