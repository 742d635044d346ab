"""Every family of pretrained models through every command, as processes, on crops of 48 x 128.

Each process is compared with the model itself in this one, whose features other tests compare with
the library's. The whole table is slow, of processes that start from nothing; its diagonal has every
family and every command, in processes that find the libraries loaded.
"""

import itertools
import json
import os
import re
import subprocess
import sys
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from doc_blocks import ROOT
from forked_processes import Tool
from PIL import Image
from pretrained_models import KINDS, read_crops

from mmtbps.models.dual_encoders import load_dual_encoder
from mmtbps.search import TextToPersonInferencer, load_encoder, open_gallery

pytest_plugins = 'named_model_fixtures'  # `folders` and `crops`

CONFIG = ROOT / 'configs/tbps/vit_bert_base_drawn.py'
TEXT = 'a man in a red coat'


def from_nothing(words, **process):
    """Start a tool as a user does, who has nothing loaded."""
    return subprocess.Popen([sys.executable, *words], text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, **process)


def start(kind, *words, folder):
    """Start a tool by a kind of process from another working directory, without network."""
    environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'HF_HUB_OFFLINE': '1'}
    return kind([str(ROOT / 'tools' / words[0]), *map(str, words[1:])], cwd=folder,
                env=environment)


@pytest.fixture
def case(folders, crops, micro_set, tmp_path):
    """A function that gives what a check needs of a family: name, model, folders, processes."""
    def of(kind, process):
        def run(*words, code=0):
            process = started(*words)
            out, err = process.communicate(timeout=500)
            assert process.returncode == code, err[-2000:]
            return out if code == 0 else err

        started = partial(start, process, folder=tmp_path)
        name = f'hf:{folders(kind)}'
        model = load_dual_encoder(name)
        with torch.no_grad():
            scores = model.encode_images(read_crops(crops)) @ model.encode_texts([TEXT])[0]
        scores = {path.name: float(score) for path, score in zip(
            sorted(crops.iterdir()), scores, strict=True)}
        return SimpleNamespace(kind=kind, name=name, model=model, crops=crops, run=run,
                               start=started, folder=tmp_path, scores=scores, drawn=micro_set)

    return of


def indexed(case):
    """Make the gallery of a case in this process."""
    TextToPersonInferencer(case.name, gallery=str(case.folder / 'people')).index(
        case.crops, progress=False)


def on_drawn_people(case):
    """Words that name the test set of a config and the model to test."""
    return (CONFIG, '--model', case.name, '--work-dir', 'work', '--cfg-options',
            'test_dataloader.num_workers=0', f'test_dataloader.dataset.data_root={case.drawn}')


def first_right_ranks(case):
    """Rank of the first right image of every caption of the drawn test set, one by one."""
    records = [record for record in json.loads((case.drawn / 'reid_raw.json').read_text())
               if record['split'] == 'test']
    with torch.no_grad():
        gallery = torch.cat([case.model.encode_images([Image.open(
            case.drawn / 'imgs' / record['file_path'])]) for record in records])
        ranks = []
        for record in records:
            for caption in record['captions']:
                order = (gallery @ case.model.encode_texts([caption])[0]).argsort(descending=True)
                people = [records[place]['id'] for place in order]
                ranks.append(people.index(record['id']) + 1)
    return np.array(ranks)


# ------------------------------------------------------------------ one check a command
def index(case):
    assert '8 indexed' in case.run('search.py', 'index', 'people', case.crops, '--model', case.name)
    searcher = TextToPersonInferencer(case.name, gallery=open_gallery(case.folder / 'people'))
    found = {hit.entry.path: hit.score for hit in searcher(TEXT, topk=8)[0].hits}
    assert found == pytest.approx(case.scores, abs=1e-5)


def query(case):
    indexed(case)
    hits = json.loads(case.run('search.py', 'query', 'people', TEXT, '--json'))[0]['hits']
    assert {hit['path']: hit['score'] for hit in hits} == pytest.approx(case.scores, abs=1e-5)
    assert [hit['rank'] for hit in hits] == list(range(1, 9))


def serve(case):
    from gradio_client import Client
    from webui_rig import free_port
    indexed(case)
    process = case.start('search.py', 'serve', 'people', '--port', free_port())
    try:
        line = process.stdout.readline()
        assert 'The page is at' in line, line + process.stderr.read()
        page = Client(re.search(r'http://\S+?(?=;)', line)[0], verbose=False)
        hits = page.predict(text=TEXT, topk=8, api_name='/search')
    finally:
        process.terminate()
        process.communicate()
    assert {hit['file']: hit['score'] for hit in hits} == pytest.approx(case.scores, abs=1e-4)


def extract_features(case):
    assert '8 of 8' in case.run('extract_features.py', '--model', case.name, case.crops, 'features',
                                '--dtype', 'float32')
    with torch.no_grad():
        expected = case.model.encode_images(read_crops(case.crops))
    np.testing.assert_allclose(np.load(case.folder / 'features/part_000000000.npy'), expected,
                               atol=1e-5)


def export(case):
    words = 'export.py', '--model', case.name, 'exported'
    case.run(*words)
    exported = load_encoder(case.folder / 'exported')
    scores = exported.encode_images(read_crops(case.crops)) @ exported.encode_texts([TEXT])[0]
    np.testing.assert_allclose(scores, [*case.scores.values()], atol=1e-3)


def visualize(case):
    case.run('visualize.py', 'failures', *on_drawn_people(case), '--out-dir', 'failures',
             '--worst', '1', '--topk', '2')
    worst = json.loads((case.folder / 'failures/failures.jsonl').read_text().splitlines()[0])
    assert worst['rank'] == first_right_ranks(case).max() and worst['rank'] > 1


def evaluate(case):
    case.run('test.py', *on_drawn_people(case), '--out', 'metrics.json')
    metrics = json.loads((case.folder / 'metrics.json').read_text())
    ranks = first_right_ranks(case)
    for k in (1, 5, 10):
        assert metrics[f't2i/R{k}'] == pytest.approx(100 * (ranks <= k).mean(), abs=1e-3)
    log = next((case.folder / 'work').glob('*/*.log')).read_text()
    assert f'| model {case.name}, weights sha256 {case.model.weights_hash[:12]}, aspect ' in log


CHECKS = (index, query, serve, extract_features, export, visualize, evaluate)
DIAGONAL = tuple(zip(KINDS, itertools.cycle(CHECKS), strict=False))


@pytest.mark.parametrize('kind, check', [
    pytest.param(kind, check, id=f'{kind}-{check.__name__}')
    for kind, check in DIAGONAL])
def test_a_family_in_a_process_of_a_command(kind, check, case, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / 'tests/search')  # webui_rig
    check(case(kind, Tool))


@pytest.mark.slow
@pytest.mark.parametrize('check', CHECKS)
@pytest.mark.parametrize('kind', KINDS)
def test_a_family_in_a_process_that_starts_from_nothing(kind, check, case, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / 'tests/search')  # webui_rig
    check(case(kind, from_nothing))


def test_the_diagonal_has_every_family_and_every_command():
    assert {kind for kind, _ in DIAGONAL} == set(KINDS)
    assert {check for _, check in DIAGONAL} == set(CHECKS)
