"""Testing: test images that are missing are refused, or said beside the numbers."""

import itertools
import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from written_by_0_1 import copy_of

from mmtbps.commands.main import run_command
from mmtbps.fileio import load_checkpoint_file

RUNS = itertools.count()


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """A training of a drawn set with 12 test images, in the working directory."""
    copy_of(tmp_path, 'drawn', 'runs/plain')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def evaluate(*options):
    """Run the command; return its JSON and the end of its protocol line."""
    run_command('test', ['runs/plain/plain.py', 'runs/plain/epoch_1.pth', '--work-dir', 'work',
                         '--out', 'out.json', *options,
                         # MMEngine names what is global by the second; two runs may be in one.
                         '--cfg-options', f'experiment_name=tests_{next(RUNS)}'])
    with open('out.json') as file:
        metrics = json.load(file)
    log = next(Path('work').rglob('*.log')).read_text()
    return metrics, next(line for line in log.splitlines() if 'protocol:' in line)


def gallery_of(trained, split='test'):
    records = json.loads((trained / 'drawn/reid_raw.json').read_text())
    return [record for record in records if record['split'] == split]


def test_missing_images_are_refused_or_said(trained, refused):
    gallery = gallery_of(trained)
    for record in gallery[::3]:
        (trained / 'drawn/imgs' / record['file_path']).unlink()
    count = len(gallery[::3])
    text = f'{count} of {len(gallery)} images left out (missing)'
    with refused(f'{re.escape(text)}.*--allow-missing'):
        evaluate()
    shutil.rmtree('work')
    metrics, protocol = evaluate('--allow-missing')
    assert metrics['left_out'] == text and f'| {text} |' in protocol
    assert metrics['t2i/gallery'] == len(gallery) - count
    assert protocol.endswith('checkpoint: unknown')  # epoch 1 of 2: why this one?


def test_weights_that_do_not_fit_are_said_beside_the_result(trained, capsys, refused):
    """In the protocol line, in the JSON and on the screen."""
    run = load_checkpoint_file('runs/plain/epoch_1.pth')
    state = run['state_dict']
    del state['image_backbone.ln1.bias'], state['image_backbone.cls_token']
    state['text_backbone.further'] = state['image_backbone.ln1.weight']
    state['image_backbone.ln1.weight'] = torch.ones(3)
    torch.save(dict(state_dict=state), 'runs/plain/epoch_1.pth')
    with refused('does not fit .*cls_token is missing'):
        evaluate()
    shutil.rmtree('work', ignore_errors=True)
    metrics, protocol = evaluate('--partial')
    total = len([key for key in state if not key.startswith('heads.')]) - 1 + 2
    words = f'PARTIAL: 2 of {total} weights missing, 1 of another shape, 1 left over'
    assert metrics['partial'] == words and protocol.endswith(f'checkpoint: unknown | {words}')
    assert f'{words}\n' in capsys.readouterr().out


def test_weights_that_fit_say_nothing_of_it(trained):
    metrics, protocol = evaluate('--partial')
    assert 'partial' not in metrics and 'PARTIAL' not in protocol


def test_an_image_without_captions_stays_in_the_gallery(trained):
    gallery = gallery_of(trained)
    records = json.loads((trained / 'drawn/reid_raw.json').read_text())
    named = {record['file_path'] for record in gallery[::2]}
    for record in records:
        if record['file_path'] in named:
            record['captions'] = []
    (trained / 'drawn/reid_raw.json').write_text(json.dumps(records))
    metrics, _ = evaluate()
    assert metrics['t2i/gallery'] == len(gallery) and 'left_out' not in metrics
    assert metrics['t2i/queries'] == sum(
        len(record['captions']) for record in records if record['split'] == 'test')


def test_a_test_leaves_the_config_of_the_training_as_it_was(trained):
    """Both have one work folder by default, and MMEngine writes the config there."""
    before = Path('runs/plain/plain.py').read_bytes()
    run_command('test', ['runs/plain/plain.py', 'runs/plain/epoch_1.pth', '--work-dir',
                         'runs/plain', '--cfg-options', f'experiment_name=tests_{next(RUNS)}'])
    assert Path('runs/plain/plain.py').read_bytes() == before
    assert 'optim_wrapper=None' in Path('runs/plain/plain.test.py').read_text()
