"""The commands of binding and of short sentences, with an encoder that sees colors."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from mmtbps.commands.main import run_command
from mmtbps.commands.options import benchmark_model
from mmtbps.search.answers.phrase_weights import weighed_scores

sys.path.append(str(Path(__file__).parents[1] / 'search'))

from fakes import ColorEncoder, paint_folder  # noqa: E402

ITEMS = [dict(image='red-blue.png', caption='red coat, blue jeans',
              negative='blue coat, red jeans', kind='permuted', group='permuted'),
         dict(image='red.png', caption='all in red', negative='all in blue', kind='replaced',
              group='replaced'),
         dict(image='blue.png', caption='all in red', negative='all in blue', kind='replaced',
              group='replaced')]
PAIRS = [dict(images=['red-blue.png', 'blue-red.png'],
              captions=['red coat, blue jeans', 'blue coat, red jeans'], kind='permuted')]


@pytest.fixture
def place(tmp_path, monkeypatch):
    paint_folder(tmp_path, 'red', 'blue', 'red-blue', 'blue-red')
    (tmp_path / 'binding.json').write_text(json.dumps(dict(
        format='mmtbps-binding', version=1, name='stripes', items=ITEMS, pairs=PAIRS)))
    (tmp_path / 'short.json').write_text(json.dumps(dict(
        format='mmtbps-short-sentences', version=1, name='stripes', people=[1, 2, 3, 4],
        images=['red.png', 'blue.png', 'red-blue.png', 'blue-red.png'], sentences=[
            dict(sentence='all in red', group='colors', attributes=['red'], true=[0],
                 unsure=[2])])))
    monkeypatch.setattr(benchmark_model, 'load_encoder', lambda model, *args, **options: (
        ColorEncoder()))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def answer_of(capsys, *words):
    run_command(words[0], [*words[1:], '--json'])
    return json.loads(capsys.readouterr().out)


def test_binding_prints_table_and_json(place, capsys):
    run_command('binding', ['colors', 'binding.json'])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == 'colors on stripes' and 'without the picture' not in lines[2]
    assert '| replaced | 50.0 (9.5 - 90.5) | 50.0 | 2 |' in lines
    found = answer_of(capsys, 'binding', 'colors', 'binding.json')
    assert found['model'] == 'colors' and found['blind'] is None
    assert {kind: one['share'] for kind, one in found['kinds'].items()} == dict(permuted=1.,
                                                                                replaced=.5)
    assert {name: one['share'] for name, one in found['pairs']['permuted'].items()} == dict(
        text=1., image=1., group=1.)


def test_a_scorer_without_the_picture_stands_beside(place, capsys):
    (place / 'captions.txt').write_text('all in red\nred coat, blue jeans\n')
    found = answer_of(capsys, 'binding', 'colors', 'binding.json', '--captions', 'captions.txt')
    assert {kind: one['share'] for kind, one in found['blind']['kinds'].items()} == dict(
        permuted=1., replaced=1.)
    assert found['blind']['pairs']['permuted']['text']['share'] == 0.
    # Captions that the file names count, if they are there.
    content = json.loads((place / 'binding.json').read_text())
    for name, known in (('captions.txt', True), ('gone.txt', False)):
        (place / 'binding.json').write_text(json.dumps({**content, 'captions': name}))
        blind = answer_of(capsys, 'binding', 'colors', 'binding.json')['blind']
        assert (blind is not None) == known


def test_short_sentences_print_table_and_json(place, capsys):
    run_command('short-sentences', ['colors', 'short.json'])
    assert capsys.readouterr().out.splitlines()[-1] == (
        '| colors | 100.0 | 100.0 | 33.3 | 100.0 | 100.0 | 1 |')
    found = answer_of(capsys, 'short-sentences', 'colors', 'short.json')
    assert found['sentences'] == [dict(
        sentence='all in red', group='colors', true=1, unsure=1, precision=1.,
        average_precision=1., base=pytest.approx(1 / 3), skill=1.)]
    assert not found['weigh_phrases']


def test_short_sentences_are_scored_as_a_search_that_weighs_phrases(place, capsys, monkeypatch):
    seen = []
    monkeypatch.setattr('mmtbps.commands.short_sentences.weighed_scores',
                        lambda *given: seen.append(given) or -weighed_scores(*given))
    content = json.loads((place / 'short.json').read_text())
    content['sentences'][0]['sentence'] = 'red coat'
    (place / 'short.json').write_text(json.dumps(content))
    found = answer_of(capsys, 'short-sentences', 'colors', 'short.json', '--weigh-phrases')
    (scores, images, phrases, checker, spread), = seen
    query, = checker.encoder.encode_texts(['red coat'])
    assert scores.tolist() == pytest.approx((images @ query).tolist())
    assert [str(one) for one in phrases] == ['red coat']
    assert spread == pytest.approx(float(np.std(images @ query)))
    # The scores turned round are those that were measured: the true picture is last.
    assert found['weigh_phrases'] and found['sentences'][0]['precision'] == 0.


@pytest.mark.parametrize('words, says', [
    (['binding', 'colors', 'none.json'], 'none.json'),
    (['binding', 'colors', 'binding.json', '--captions', 'none.txt'], 'none.txt'),
    (['binding', 'colors', 'short.json'], 'no binding benchmark'),
    (['short-sentences', 'colors', 'binding.json'], 'no benchmark of short sentences')])
def test_mistakes_are_one_line(words, says, place, capsys):
    with pytest.raises(SystemExit) as stop:
        run_command(words[0], words[1:])
    line, = capsys.readouterr().err.splitlines()
    assert stop.value.code == 1 and line.startswith('error: ') and says in line


def test_draw_writes_the_benchmarks(tmp_path, capsys):
    run_command('draw', [str(tmp_path / 'set'), '--people', '1', '1', '2', '--image-size', '32',
                         '16', '--workers', '1', '--benchmarks'])
    assert f'benchmarks in {tmp_path}/set/benchmarks' in capsys.readouterr().out
    assert (tmp_path / 'set/benchmarks/binding.json').is_file()
