"""Drawing of a data set, killed at 20 moments: the set is that of an uninterrupted drawing."""

import pytest
from campaigns import content, kill_again_and_again

pytestmark = pytest.mark.slow
#: Empty, and meant to stay; see `mmtbps.drawing.build`.
LOCK = r'^\.drawn\.lock$'


@pytest.mark.parametrize('workers, people, only_first', [
    (1, (20, 4, 4), False), (2, (90, 5, 5), False), (2, (90, 5, 5), True)],
    ids=['one process', 'a pool', 'a pool that is left alone'])
def test_killed_while_it_draws(tools, tmp_path, workers, people, only_first, request):
    def job(folder, kill, **_):
        folder.mkdir(exist_ok=True)
        return tools.run('tools/draw_dataset.py', folder / 'drawn', '--people', *people,
                         '--image-size', 96, 32, '--workers', workers, watch=folder, kill=kill,
                         only_first=only_first)

    kill_again_and_again(f'draw, {request.node.callspec.id}', job,
                         lambda folder: content(folder, LOCK), tmp_path,
                         unnamed=0 if only_first else 5)  # left alone, a worker ends its step


def test_killed_while_it_replaces_a_set(tools, tmp_path):
    """Every step from the marker of the new set to the end."""
    def job(folder, kill, seed, *options):
        folder.mkdir(exist_ok=True)
        return tools.run('tools/draw_dataset.py', folder / 'drawn', '--people', 3, 1, 1,
                         '--image-size', 96, 32, '--workers', 1, '--seed', seed, *options,
                         watch=folder, kill=kill)

    def outcome(folder):
        return content(folder, LOCK)

    assert job(tmp_path / 'whole', None, 1).code == 0
    assert job(tmp_path / 'first', None, 0).code == 0
    whole = job(tmp_path / 'first', None, 1, '--overwrite')
    assert outcome(tmp_path / 'first') == outcome(tmp_path / 'whole')
    begin = next(number for number, step in enumerate(whole.steps, 1) if 'drawn.json' in step)
    for moment in range(begin, len(whole.steps) + 1):
        folder = tmp_path / f'killed_{moment}'
        assert job(folder, None, 0).code == 0
        assert job(folder, moment, 1, '--overwrite').killed
        again = job(folder, None, 1, '--overwrite')
        assert again.code == 0, again.output
        assert outcome(folder) == outcome(tmp_path / 'whole'), whole.steps[moment - 1]
