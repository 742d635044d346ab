"""Pretrained models by name through every command, family by family, on crops of 48 x 128."""

import itertools
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from photographs import save_photographs
from PIL import Image
from pretrained_models import COMMITS, KINDS, read_crops, save_tiny

from mmtbps.commands.main import run_command
from mmtbps.models.dual_encoders import load_dual_encoder
from mmtbps.search import TextToPersonInferencer

ROOT = Path(__file__).resolve().parents[2]
CONFIG = str(ROOT / 'configs/tbps/vit_bert_base_drawn.py')
TEXT, LONG = 'a man in a red coat', 'a woman in white shoes with a black bag and a red hat ' * 6
RUNS = itertools.count()

pytest_plugins = 'named_model_fixtures'  # `folders`, `crops` and `hub`


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Another working directory."""
    monkeypatch.chdir(tmp_path)


def data_of(micro_set, split='test'):
    loader = f'{split}_dataloader'
    # MMEngine names what is global by the second; two runs may be in one.
    return ['--work-dir', 'work', '--cfg-options', f'experiment_name=named_models_{next(RUNS)}',
            f'{loader}.num_workers=0',
            f'{loader}.dataset.data_root={micro_set}']


@pytest.mark.parametrize('kind', KINDS)
def test_every_command_takes_a_model_by_name(kind, folders, crops, micro_set, monkeypatch,
                                             capsys):
    name = f'hf:{folders(kind)}'
    model = load_dual_encoder(name)
    with torch.no_grad():
        images, text = model.encode_images(read_crops(crops)), model.encode_texts([TEXT])
    expected = (images @ text[0]).sort(descending=True, stable=True)

    run_command('index', ['people', str(crops), '--model', name, '--quiet'])
    capsys.readouterr()
    run_command('query', ['people', TEXT, LONG, '--json', '--topk', '8'])
    printed = capsys.readouterr()
    hits = json.loads(printed.out)[0]['hits']
    assert [hit['path'] for hit in hits] == [f'{i}.png' for i in expected.indices.tolist()]
    np.testing.assert_allclose([hit['score'] for hit in hits], expected.values, atol=1e-5)
    assert printed.err.count('up to "') == 1  # the long one
    served = []
    monkeypatch.setattr('mmtbps.search.webui.serve', lambda *words: served.append(words))
    run_command('serve', ['people'])
    assert served[0][0](TEXT, topk=1)[0].hits[0].entry.path == hits[0]['path']

    run_command('extract-features', ['--model', name, str(crops), 'features', '--dtype', 'float32'])
    np.testing.assert_allclose(np.load('features/part_000000000.npy'), images, atol=1e-5)

    run_command('test', [CONFIG, '--model', name, '--out', 'metrics.json', *data_of(micro_set)])
    log = next(Path('work').glob('*/*.log')).read_text()
    assert f'| model {name}, weights sha256 {model.weights_hash[:12]}, aspect ' in log
    run_command('visualize', ['failures', CONFIG, '--model', name, '--out-dir', 'failures',
                              '--worst', '1', '--topk', '2', *data_of(micro_set)])
    failure = json.loads(Path('failures/failures.jsonl').read_text().splitlines()[0])
    assert json.loads(Path('metrics.json').read_text())['t2i/R1'] == pytest.approx(
        rank_one(model, micro_set)) and failure['rank'] > 1


def rank_one(model, micro_set):
    """R@1 of text to image on the drawn test set, query by query."""
    records = [record for record in json.loads((micro_set / 'reid_raw.json').read_text())
               if record['split'] == 'test']
    with torch.no_grad():
        gallery = torch.cat([model.encode_images([Image.open(
            micro_set / 'imgs' / record['file_path'])]) for record in records])
        right = []
        for record in records:
            for caption in record['captions']:
                best = int((gallery @ model.encode_texts([caption])[0]).argmax())
                right.append(records[best]['id'] == record['id'])
    return 100 * sum(right) / len(right)


def test_a_folder_of_ours_is_taken_by_model_too(crops, micro_set, tmp_path, refused,
                                                monkeypatch):
    from mmengine.config import Config
    from tiny_models import shrink

    from mmtbps.search.encoders import TorchEncoder
    cfg = shrink(Config.fromfile(CONFIG), micro_set, tmp_path / 'tiny')
    torch.manual_seed(0)
    TorchEncoder(cfg, weights='random', device='cpu').save_pretrained(tmp_path / 'ours')
    run_command('index', ['people', str(crops), '--model', 'ours', '--quiet'])
    run_command('query', ['people', TEXT])
    run_command('test', [CONFIG, '--model', 'ours', *data_of(micro_set)])
    run_command('visualize', ['rollout', '--model', 'ours', str(crops / '0.png'), '--out', 'r.png'])
    commit = tmp_path / 'cache/models--owner--ours/snapshots' / COMMITS[0]
    shutil.copytree('ours', commit)
    (commit.parents[1] / 'refs').mkdir()
    (commit.parents[1] / 'refs/main').write_text(COMMITS[0])
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', True)
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_CACHE', str(tmp_path / 'cache'))
    run_command('query', ['people', TEXT, '--model', 'owner/ours'])
    run_command('test', [CONFIG, '--model', f'owner/ours@{COMMITS[0]}', *data_of(micro_set)])
    with refused('nobody/here: no such folder here, and not loaded from the Hugging Face hub'):
        run_command('query', ['people', TEXT, '--model', 'nobody/here'])
    exported = ROOT / 'tests/fixtures/written_by_0_1/models/exported'
    run_command('extract-features', ['--model', str(exported), str(crops), 'features'])
    assert Path('r.png').exists() and np.load('features/part_000000000.npy').shape[0] == 8


def test_what_a_command_cannot_do_is_one_line(folders, crops, micro_set, refused, tmp_path):
    name = f'hf:{folders("clip")}'
    (tmp_path / 'export.json').write_text('{}')
    for command, words, reason in (
            ('visualize', ['rollout', '--model', name, str(crops / '0.png'), '--out', 'r.png'],
             'cannot be explained'),
            ('test', [CONFIG, '--model', str(tmp_path), *data_of(micro_set)], 'exported model'),
            ('test', [CONFIG, 'last.pth', '--aspect', 'stretch', *data_of(micro_set)],
             'for pretrained models of other libraries'),
            ('export', ['--model', name, 'out', '--evaluate'], 'need a CONFIG'),
            ('index', ['people', str(crops), '--model', name, '--weights', 'x'],
             'leave --config and --weights out'),
            ('index', ['people', str(crops), '--config', 'x.py', '--prompt', '{}'],
             'for pretrained models of other libraries'),
            ('index', ['people', str(crops)], 'name it with --model'),
            ('index', ['people', str(crops), '--model', 'hf:/not/there'],
             '/not/there: no such folder'),
            ('index', ['people', str(crops), '--model', 'person-modell'],
             'person-modell: no such folder of a model, and no config of this name'),
            ('index', ['people', str(crops), '--model', '/not/there'],
             '/not/there: no such folder of a model')):
        with refused(reason):
            run_command(command, words)


def test_the_page_says_what_the_model_does_not_read(folders, crops):
    from mmtbps.search.webui.service import SearchService
    from mmtbps.search.webui.views import Question, answer
    searcher = TextToPersonInferencer(f'hf:{folders("siglip")}', gallery='people')
    searcher.index(crops, progress=False)
    service = SearchService(searcher, crops)
    page = answer(service, Question(LONG), [])[0]
    assert 'reads a part of the sentence, up to' in page and ' %)</i>' in page
    assert 'reads a part' not in answer(service, Question(TEXT), [])[0]


def test_photographs_from_folder_to_answer(folders, tmp_path, monkeypatch, capsys):
    """Index, query and picture of the answer, with a tiny random CLIP, from three folders."""
    save_photographs(tmp_path / 'photographs')
    save_tiny(tmp_path, 'clip')
    monkeypatch.chdir(tmp_path.parent)
    run_command('index', [str(tmp_path / 'people'), str(tmp_path / 'photographs'),
                          '--model', f'hf:{os.path.relpath(tmp_path)}', '--quiet'])
    monkeypatch.chdir(tmp_path / 'photographs')
    run_command('query', ['../people', TEXT, '--out', 'answer.html', '--topk', '3'])
    capsys.readouterr()
    run_command('query', ['../people', TEXT, '--json'])
    found = [hit['path'] for hit in json.loads(capsys.readouterr().out)[0]['hits']]
    page = Path('answer.html').read_text()
    assert sorted(found) == ['flower.jpg', 'portrait.jpg', 'temple.jpg']
    assert page.count('<img') == 3 and [page.index(name) for name in found] == sorted(
        page.index(name) for name in found)


def test_people_in_photographs_are_found_by_a_detector_named_hf(folders, crops,
                                                                monkeypatch):
    from mmtbps.search.media import detector
    asked = []

    def load(name):
        asked.append(name)
        raise detector.DetectorNotLoaded('not here')

    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', True)  # it is asked first
    monkeypatch.setattr('transformers.AutoModelForObjectDetection.from_pretrained',
                        lambda name, **options: load(name))
    with pytest.raises(SystemExit):
        run_command('index', ['people', str(crops), '--model', f'hf:{folders("clip")}',
                              '--detector', 'hf:PekingU/rtdetr_r18vd'])
    assert asked == ['PekingU/rtdetr_r18vd']
