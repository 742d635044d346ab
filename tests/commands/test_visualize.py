"""The command line that shows what a model found, on drawn people and a tiny random model."""

import json
import pickle
import shutil
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image, ImageChops
from tiny_models import shrink

from mmtbps.commands import visualize
from mmtbps.commands.main import read_words, run_command
from mmtbps.search.encoders.explain import rollout_map, word_heat_map
from mmtbps.search.encoders.torch_encoder import TorchEncoder
from mmtbps.visualization import draw_heat_map, draw_word_heat_maps

main = partial(run_command, 'visualize')

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs/tbps/vit_bert_base_drawn.py'


@pytest.fixture(scope='module')
def model(micro_set, tmp_path_factory):
    """Paths of a config and a checkpoint, and the encoder of both."""
    folder = tmp_path_factory.mktemp('tiny')
    cfg = shrink(Config.fromfile(CONFIG), micro_set, folder)
    cfg.dump(folder / 'config.py')
    torch.manual_seed(0)
    encoder = TorchEncoder(cfg, weights='random', device='cpu')
    torch.save(dict(state_dict=encoder.model.state_dict()), folder / 'last.pth')
    return str(folder / 'config.py'), str(folder / 'last.pth'), encoder


@pytest.fixture(scope='module')
def crops(micro_set):
    """Every test crop: path, person, captions."""
    records = json.loads((micro_set / 'reid_raw.json').read_text())
    return [(str(micro_set / 'imgs' / r['file_path']), r['id'], r['captions'])
            for r in records if r['split'] == 'test']


@pytest.fixture(scope='module')
def truth(model, crops):
    """For each caption its first right image's rank and all images in order, one at a time."""
    encoder = model[2]
    gallery = [encoder.encode_images([Image.open(path)])[0].astype(float) for path, *_ in crops]

    def rank(own_counts):
        found = []
        for owner, (_, person, captions) in enumerate(crops):
            for caption in captions:
                query = encoder.encode_texts([caption])[0].astype(float)
                scores = [query @ feature for feature in gallery]
                order = sorted((i for i in range(len(crops)) if own_counts or i != owner),
                               key=lambda i: -scores[i])
                ranks = [place for place, i in enumerate(order, 1) if crops[i][1] == person]
                found.append((caption, crops[owner][0], ranks, [crops[i][0] for i in order]))
        return found
    return rank


def read(folder):
    return [json.loads(line) for line in (folder / 'failures.jsonl').read_text().splitlines()]


@pytest.mark.parametrize('own_counts', [True, False])
def test_failures_are_the_worst_ranks(model, truth, tmp_path, own_counts, capsys):
    options = [] if own_counts else ['test_evaluator.cross_image_only=True']
    main(['failures', *model[:2], '--out-dir', str(tmp_path), '--worst', '7', '--topk', '4',
          '--cfg-options', f'work_dir={tmp_path / "work"}', *options])
    expected = truth(own_counts)
    found = read(tmp_path)
    by_query = {(query, image): (ranks, order) for query, image, ranks, order in expected}
    assert len(by_query) == len(expected)
    worst = sorted((ranks[0] for _, _, ranks, _ in expected if ranks), reverse=True)[:7]
    assert [failure['rank'] for failure in found] == worst and worst[-1] > 1
    for failure in found:
        ranks, order = by_query[failure['query'], failure['query_image']]
        assert failure['rank'] == ranks[0] and failure['gallery'] == len(order)
        assert [hit['image'] for hit in failure['returned']] == order[:4]
        assert [hit['rank'] for hit in failure['right']] == ranks[:4]
        assert [hit['image'] for hit in failure['right']] == [order[r - 1] for r in ranks[:4]]
        assert not any(hit['right'] for hit in failure['returned'][:ranks[0] - 1])
    sheets = sorted(tmp_path.glob('failures_*.png'))
    assert len(sheets) == 4  # of seven, two a sheet
    assert str(sheets[0]) in capsys.readouterr().out
    heights = [Image.open(sheet).height for sheet in sheets]
    assert heights[0] > 1.8 * heights[-1]


def test_ranks_agree_with_the_evaluation(model, truth, tmp_path):
    """As many queries at rank 1 as R1 says, and on the split that is asked for."""
    data = visualize.encode_test_set(read_words('visualize', [
        'failures', *model[:2], '--out-dir', '', '--split', 'val', '--cfg-options',
        f'work_dir={tmp_path}', 'val_dataloader.dataset.split=test']))
    expected = truth(True)
    first = 100 * (1 - len(visualize.worst_queries(data, 10**6)) / len(expected))
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert f't2i/R1: {first:.4f}' in log
    assert first == pytest.approx(100 * np.mean([ranks[0] == 1 for _, _, ranks, _ in expected]))


def toy_set(scores, people=(0, 0, 1, 1), own_counts=True):
    """One query that belongs to the first image, with given scores of four images."""
    return visualize.Encoded(
        name='toy', paths=list('abcd'), people=torch.tensor(people),
        images=torch.tensor(scores, dtype=torch.float)[:, None], captions=['a man'],
        texts=torch.ones(1, 1), owners=torch.tensor([0]), own_counts=own_counts)


@pytest.mark.parametrize('scores, people, own_counts, rank', [
    ([.1, .2, .3, .4], (0, 0, 1, 1), True, 3),
    ([.4, .2, .3, .1], (0, 0, 1, 1), False, 2),
    ([.3, .3, .3, .3], (1, 1, 0, 0), True, None),  # equal scores keep their order
    ([.3, .3, .3, .4], (0, 1, 1, 1), True, 2),
    ([.1, .2, .3, .4], (0, 1, 1, 1), False, None),  # no right image to be found
])
def test_ties_and_own_images(scores, people, own_counts, rank):
    data = toy_set(scores, people, own_counts)
    assert visualize.worst_queries(data, 5) == ([] if rank is None else [0])
    if rank:
        failure = visualize.describe_failure(data, 0, topk=9)
        assert failure['rank'] == rank and failure['gallery'] == 4 - (not own_counts)
        assert len(failure['returned']) == failure['gallery']


def test_no_failures_are_said_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(visualize, 'encode_test_set', lambda args: toy_set([4, 3, 2, 1]))
    main(['failures', 'config', 'checkpoint', '--out-dir', str(tmp_path / 'none')])
    assert 'no failures' in capsys.readouterr().out and not (tmp_path / 'none').exists()


def same(path, picture):
    return ImageChops.difference(Image.open(path), picture).getbbox() is None


def test_heat_map_and_rollout_draw_what_the_searcher_finds(model, crops, tmp_path, capsys):
    config, checkpoint, encoder = model
    path = crops[0][0]
    image = Image.open(path).convert('RGB')
    out = tmp_path / 'new' / 'heat.png'
    main(['heatmap', config, checkpoint, path, 'a man in red', '--out', str(out),
          '--device', 'cpu'])
    found = word_heat_map(encoder, image, 'a man in red')
    assert same(out, draw_word_heat_maps(image, [found.total, *found.heat],
                                         ['the whole sentence', 'a', 'man', 'in', 'red']))
    main(['rollout', config, checkpoint, path, '--out', str(out), '--device', 'cpu'])
    assert same(out, draw_heat_map(image, rollout_map(encoder, image), 'attention roll-out'))
    assert capsys.readouterr().out.splitlines() == [str(out)] * 2


def test_embedding_map_shows_images_and_captions_of_some_people(model, crops, tmp_path,
                                                                monkeypatch):
    pytest.importorskip('sklearn')
    given = {}
    draw, project = visualize.draw_embedding_map, visualize.project_embeddings
    monkeypatch.setattr(visualize, 'project_embeddings', lambda features, **options: given.update(
        features=features) or project(features, **options))
    monkeypatch.setattr(visualize, 'draw_embedding_map', lambda *parts: given.update(
        parts=parts) or draw(*parts))
    main(['embedding', *model[:2], '--out', str(tmp_path / 'map.png'), '--people', '3',
          '--cfg-options', f'work_dir={tmp_path / "work"}'])
    assert Image.open(tmp_path / 'map.png').size == (900, 800)
    _, people, kinds, title = given['parts']
    chosen = [crop for crop in crops if crop[1] in set(people)]
    captions = [(caption, person) for _, person, texts in chosen for caption in texts]
    assert len(set(people)) == 3 and 'of 3 people' in title and 'DrawnPEDES test' in title
    assert people == [person for _, person, _ in chosen] + [person for _, person in captions]
    assert kinds == ['image'] * len(chosen) + ['caption'] * len(captions)
    encoder = model[2]
    expected = [encoder.encode_images([Image.open(path) for path, *_ in chosen]),
                encoder.encode_texts([caption for caption, _ in captions])]
    np.testing.assert_allclose(given['features'], np.concatenate(expected), atol=1e-5)


def test_faults_are_one_clear_line(model, crops, tmp_path, monkeypatch, capsys):
    config, checkpoint, _ = model
    crop, out = crops[0][0], str(tmp_path / 'out.png')
    with open(tmp_path / 'code.pth', 'wb') as file:
        pickle.dump(print, file)
    torch.save(dict(state_dict={}), tmp_path / 'none.pth')

    def options(name: str) -> list[str]:  # two runs of one second would have one name
        return ['--out-dir', out, '--cfg-options', f'work_dir={tmp_path / "work"}',
                f'experiment_name={name}']

    for arguments, message in (
            (['heatmap', config, checkpoint, 'nowhere.jpg', 'red', '--out', out], 'nowhere.jpg'),
            (['heatmap', config, 'nowhere.pth', crop, 'red', '--out', out], 'nowhere.pth'),
            (['heatmap', config, str(tmp_path / 'code.pth'), crop, 'red', '--out', out], 'code'),
            (['heatmap', config, checkpoint, crop, '...', '--out', out], 'no word'),
            (['heatmap', config, checkpoint, crop, 'red', '--out', 'out.xyz'], 'end it in .png'),
            (['rollout', config, checkpoint, crop, '--out', 'out'], 'end it in .png'),
            (['embedding', config, checkpoint, '--out', 'out.xyz'], 'end it in .png'),
            (['heatmap', 'nowhere.py', checkpoint, crop, 'red', '--out', out], 'nowhere.py'),
            (['heatmap', config, checkpoint, crop, 'red', '--out', out, '--device', 'gpu'], 'gpu'),
            (['failures', config, checkpoint, '--out-dir', out, '--worst', '0'], 'at least 1'),
            (['failures', 'nowhere.py', checkpoint, '--out-dir', out], 'nowhere.py'),
            (['failures', config, 'nowhere.pth', *options('nowhere')], 'nowhere.pth'),
            (['failures', config, str(tmp_path / 'code.pth'), *options('code')], 'code'),
            (['failures', config, str(tmp_path / 'none.pth'), *options('none')], 'does not fit'),
            (['embedding', config, checkpoint, '--out', out, '--people', '0'], 'at least 1')):
        assert message in refusal(arguments, capsys)
    assert not Path(out).exists()
    monkeypatch.setitem(sys.modules, 'sklearn.manifold', None)
    assert 'scikit-learn' in refusal(['embedding', config, checkpoint, '--out', out], capsys)


def refusal(arguments, capsys):
    """The one line of the tool, which must fail."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    line, = capsys.readouterr().err.splitlines()[-1:]
    assert stop.value.code == 1 and line.startswith('error: ')
    return line


def test_any_other_error_keeps_its_traceback(model, crops, tmp_path, monkeypatch,
                                             at_fault):
    monkeypatch.setattr(visualize, 'word_heat_map', lambda *_: 1 / 0)
    with at_fault(ZeroDivisionError):
        main(['heatmap', *model[:2], crops[0][0], 'red', '--out', str(tmp_path / 'out.png')])


@pytest.mark.parametrize('command', ['heatmap', 'rollout', 'failures', 'embedding'])
def test_help_shows_an_example(command, capsys):
    with pytest.raises(SystemExit):
        main([command, '--help'])
    assert f'mmtbps visualize {command} CONFIG CHECKPOINT' in capsys.readouterr().out


@pytest.fixture
def gaps(model, micro_set, tmp_path):
    """The data set with three test images less: a config of it."""
    shutil.copytree(micro_set, tmp_path / 'data')
    records = json.loads((tmp_path / 'data/reid_raw.json').read_text())
    crops = [record['file_path'] for record in records if record['split'] == 'test']
    for name in crops[:3]:
        (tmp_path / 'data/imgs' / name).unlink()
    cfg = Config.fromfile(model[0])
    cfg.test_dataloader.dataset.data_root = str(tmp_path / 'data')
    cfg.dump(tmp_path / 'config.py')
    return str(tmp_path / 'config.py'), f'3 of {len(crops)} images left out (missing)', crops[3:]


@pytest.mark.parametrize('command, out', [('failures', '--out-dir'), ('embedding', '--out')])
def test_missing_test_images_are_refused_or_said(model, gaps, tmp_path, capsys, command, out):
    config, words, there = gaps
    line = [command, config, model[1], out, str(tmp_path / 'out.png'), '--work-dir',
            str(tmp_path / 'work')]
    if command == 'embedding':
        pytest.importorskip('sklearn')
    with pytest.raises(SystemExit) as done:
        main(line)
    said = capsys.readouterr().err
    assert done.value.code == 1 and words in said and '--allow-missing' in said
    main([*line, '--allow-missing', '--cfg-options', f'experiment_name={tmp_path.name}'])
    assert f'{words}\n' in capsys.readouterr().out
    if command == 'failures':
        named = {hit['image'] for failure in read(tmp_path / 'out.png')
                 for hit in failure['returned']}
        assert named <= {str(tmp_path / 'data/imgs' / name) for name in there}
