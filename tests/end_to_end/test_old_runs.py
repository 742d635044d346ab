"""Trainings and generations that version 0.1.0 began go on and end as they would have."""

import json

import pytest
import torch
from forked_processes import run_tool
from mmengine.config import Config
from safetensors.torch import load_file
from written_by_0_1 import FIXTURES, ROOT, call, copy_of, is_key_bias

# Weights that are called otherwise today: the old name -> the one that checkpoints have now.
RENAMED = {
    'head.log_temperature': 'heads.contrastive.log_temperature',
    'head.image_projection.weight': 'image_neck.projection.weight',
    'head.text_projection.weight': 'text_neck.projection.weight',
}


def assert_same_weights(found, expected):
    """Up to rounding; on the kind of CPU that wrote them they are the same bit for bit."""
    expected = {RENAMED.get(name, name): value for name, value in expected.items()}
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        keep = ~is_key_bias(name, value)
        torch.testing.assert_close(found[name][keep], value[keep], rtol=1e-6, atol=1e-7,
                                   msg=lambda text, name=name: f'{name}: {text}')


@pytest.mark.parametrize('name', ['plain', 'pdg'])
def test_a_training_goes_on_from_an_old_checkpoint(tmp_path, monkeypatch, name):
    """``pdg`` has feature mixup, a learnable temperature and projections.

    In a process of its own: the fused optimizer dies of a state that belongs to other weights.
    """
    copy_of(tmp_path, 'drawn', f'runs/{name}')
    monkeypatch.chdir(tmp_path)
    config, folder = f'runs/{name}/{name}.py', tmp_path / 'runs' / name
    done = run_tool([ROOT / 'tools/train.py', config, '--resume', folder / 'epoch_1.pth'])
    assert done.returncode == 0, (done.returncode, done.stderr[-3000:])
    log = next(folder.glob('*/*.log')).read_text()
    assert 'resumed epoch: 1, iter: 5' in log
    end = torch.load(folder / 'epoch_2.pth', weights_only=False)
    assert (end['meta']['epoch'], end['meta']['iter']) == (2, 10)
    assert_same_weights(end['state_dict'], load_file(FIXTURES / f'runs/{name}/epoch_2.safetensors'))
    # The weights moved in between, or this would prove nothing.
    begin = torch.load(FIXTURES / f'runs/{name}/epoch_1.pth', weights_only=False)['state_dict']
    with pytest.raises(AssertionError):
        assert_same_weights({RENAMED.get(key, key): value for key, value in begin.items()},
                            load_file(FIXTURES / f'runs/{name}/epoch_2.safetensors'))


@pytest.mark.parametrize('name', ['plain', 'pdg'])
def test_an_old_checkpoint_is_evaluated_as_it_was(tmp_path, monkeypatch, name):
    copy_of(tmp_path, 'drawn', f'runs/{name}')
    monkeypatch.chdir(tmp_path)
    weights = load_file(f'runs/{name}/epoch_2.safetensors')
    torch.save(dict(state_dict=weights, meta={}), 'old.pth')
    call('test', f'runs/{name}/{name}.py', 'old.pth', '--work-dir', 'tested', '--out', 'now.json')
    expected = json.loads((FIXTURES / f'runs/{name}/metrics.json').read_text())
    assert json.loads((tmp_path / 'now.json').read_text()) == pytest.approx(expected)


# ------------------------------------------------------------------ generation
def rows(folder):
    """Outcome of each job: all but when and where it was done, and how Pillow packed it."""
    found = {}
    for path in folder.glob('part-*.jsonl'):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            row = {key: value for key, value in row.items() if key not in ('shard', 'time', 'cost')}
            row['output'].pop('sha256', None)
            assert row['job_id'] not in found, 'a job was done twice'
            found[row['job_id']] = row
    return found


def unweighted(pairs):
    """Pairs without their weight in the loss, which 0.1 did not write."""
    for pair in pairs:
        assert .5 <= pair.pop('pair_weight', 1.) <= 1
    return pairs


def pairs(file, scores):
    """Lines of annotations; what the gates measured goes to ``scores``."""
    found = unweighted([json.loads(line) for line in file.read_text().splitlines()])
    scores += [value for pair in found for value in pair.pop('scores').values()]
    return found


@pytest.fixture
def stopped(tmp_path, monkeypatch):
    """A generation with 13 of 20 jobs done."""
    copy_of(tmp_path, 'drawn', 'generation/recolor.py', 'generation/stopped')
    monkeypatch.chdir(tmp_path)
    return tmp_path / 'generation/stopped'


def test_a_generation_goes_on_and_ends_as_the_whole_one(stopped, capsys):
    before = {path: path.read_bytes() for path in (stopped / 'images').rglob('*.png')}
    old = (stopped / 'part-00000-of-00002.jsonl').read_bytes()
    call('generate', 'run', 'generation/recolor.py')
    assert '20 jobs: 15 accepted, 5 rejected, 0 failed' in capsys.readouterr().out
    assert all(path.read_bytes() == content for path, content in before.items())
    assert (stopped / 'part-00000-of-00002.jsonl').read_bytes() == old
    found, expected = rows(stopped), rows(FIXTURES / 'generation/whole')
    assert found.keys() == expected.keys() and len(found) == 20
    for key, row in expected.items():
        for name, verdict in row.pop('gates').items():
            assert found[key]['gates'][name] == pytest.approx(verdict, abs=1e-6), (key, name)
        assert {part: value for part, value in found[key].items() if part != 'gates'} == row
    call('generate', 'merge', 'generation/recolor.py')
    assert '15 images of 15 new people, ids from 17' in capsys.readouterr().out
    ours, theirs = [], []
    assert pairs(stopped / 'pdg_pairs.jsonl', ours) == pairs(
        FIXTURES / 'generation/whole/pdg_pairs.jsonl', theirs)
    assert ours == pytest.approx(theirs, abs=1e-6)
    assert unweighted(json.loads((stopped / 'pdg_cuhk.json').read_text())) == json.loads(
        (FIXTURES / 'generation/whole/pdg_cuhk.json').read_text())


def test_a_stopped_generation_is_reported_and_merged_as_it_is(stopped, capsys):
    call('generate', 'report', 'generation/recolor.py')
    assert (stopped / 'report.html').stat().st_size > 20_000
    call('generate', 'merge', 'generation/recolor.py')
    out = capsys.readouterr().out
    assert '13 of 20 jobs are done' in out and '11 images of' in out


def test_the_same_data_set_gives_the_same_plan(stopped):
    call('generate', 'plan', 'generation/recolor.py', '--cfg-options',
         'generation.runner.out_dir=generation/new')
    assert (stopped.parent / 'new/plan.jsonl').read_bytes() == (stopped / 'plan.jsonl').read_bytes()


def test_a_training_takes_old_pairs(stopped):
    """Beside the originals, as a second annotation file."""
    from mmtbps.registry import DATASETS
    call('generate', 'merge', 'generation/recolor.py')
    source = Config.fromfile('generation/recolor.py').dataset
    data = DATASETS.build(dict(source, ann_file=['reid_raw.json', str(stopped / 'pdg_pairs.jsonl')],
                               data_prefix=dict(img_path=['imgs', str(stopped)])))
    seen = [data.get_data_info(index)['img_path'] for index in range(len(data))]
    assert sum(str(stopped) in path for path in seen) >= 11
