"""``--json``: every command that has it prints one document, whose keys stay, and nothing else."""

import argparse
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from presence_worlds import world
from written_by_0_1 import copy_of

from mmtbps.commands import ablation, benchmark, calibrate, export, multi_seed
from mmtbps.commands.completion import build_whole_parser
from mmtbps.commands.main import main, run_command
from mmtbps.commands.wording.command_names import COMMANDS
from mmtbps.generation import load_done

CONFIG, WEIGHTS = 'runs/plain/plain.py', 'runs/plain/epoch_1.pth'
MODEL = ['--config', CONFIG, '--weights', WEIGHTS]
PDG = ['pdg_recolor', '--cfg-options', 'dataset.data_root=drawn', 'generation.runner.out_dir=pdg',
       'generation.upscaler.size=(96,32)', 'generation.runner.num_controls=(0,0.)',
       'generation.planner.max_edits=24']
PLAN = {'file', 'jobs', 'images', 'train'}
RUN = {'folder', 'shard', 'jobs', 'accepted', 'rejected', 'failed'}
MERGE = {'file', 'images', 'people', 'done', 'planned'}

#: By command and verb: its words, and the keys of its answer, or of the first part of a list.
CASES = {
    'index': (['new', 'crops', *MODEL], {
        'gallery', 'entries', 'indexed', 'unchanged', 'replaced', 'updated', 'cleared', 'forgotten',
        'removed', 'skipped', 'passed_over', 'unused', 'wide', 'nobody', 'videos', 'unknown',
        'similar', 'notes'}),
    'query': (['people', 'a man in red'], {'query', 'hits'}),
    'watch': (['people', '--rules', 'rules.yaml', '--try-last', '5'], {'entries', 'alarms'}),
    'info': (['people'], {'kind', 'uri', 'entries', 'dim', 'fingerprint', 'images', 'model',
                          'weights'}),
    'delete': (['copied', '--path', 'cam_a/00001_01.jpg', '--yes'],
               {'gallery', 'removed', 'left', 'missing'}),
    'compact': (['copied'], {'gallery', 'entries', 'index'}),
    'models': (['person'], {'title', 'family', 'licence', 'commercial'}),
    'convert': (['mmtbps', WEIGHTS, 'converted.pth', '--config', CONFIG], {
        'kind', 'source', 'target', 'licence', 'used', 'dropped', 'missing', 'misshapen',
        'unexpected'}),
    'convert-data': (['drawn', 'lines', '--to', 'jsonl'], {
        'source', 'target', 'source_form', 'target_form', 'records', 'images', 'left_out',
        'exact'}),
    'export': ([CONFIG, WEIGHTS, 'exported'], {'folder', 'format', 'files', 'check', 'ranking'}),
    'extract-features': ([CONFIG, WEIGHTS, 'crops', 'features'],
                         {'folder', 'encoded', 'left_out', 'before', 'files'}),
    'test': ([CONFIG, WEIGHTS], {'t2i/R1', 't2i/R5', 't2i/R10', 't2i/mAP', 't2i/gallery',
                                 'i2t/R1', 'i2t/mAP'}),
    'check-data': ([CONFIG], {'data_sets', 'together'}),
    'calibrate': ([CONFIG, WEIGHTS, '--out', 'presence.json', '--check', 'test', '--sizes', '20'],
                  {'files', 'protocol', 'measured', 'phrases'}),
    'binding': ([CONFIG, 'binding.csv', '--checkpoint', WEIGHTS],
                {'model', 'benchmark', 'kinds', 'pairs', 'blind'}),
    'short-sentences': ([CONFIG, 'short.json', '--checkpoint', WEIGHTS],
                        {'model', 'benchmark', 'groups', 'sentences'}),
    'pack': (['crops', 'crops.tars'], {'folder', 'packed', 'before', 'left_out'}),
    'generate plan': (PDG, PLAN),
    'generate run': (PDG, RUN),
    'generate merge': (PDG, MERGE),
    'generate report': (PDG, {'file'}),
    'generate all': (PDG, {'plan', 'run', 'report', 'merge'}),
    'generate calibrate': ([PDG[0], 'labels.jsonl', *PDG[1:]],
                           {'file', 'bounds', 'edits', 'right'}),
    'print-config': ([CONFIG], {'model', 'train_cfg', 'test_dataloader'}),
    'ablation': (['configs/tbps/ablation_drawn.py', '--arms', 'baseline', '--seeds', '2'],
                 {'arms', 'chance'}),
    'multi-seed': (['vit_bert_base_drawn', '--seeds', '1'], {'name', 'runs'}),
    'robustness': (['robust', '--model', 'plain', CONFIG, WEIGHTS, '--data', CONFIG,
                    '--conditions', 'paraphrase'],
                   {'model', 'data', 'condition', 'measures', 'changed', 'told_apart',
                    'distractors'}),
    'benchmark': (['evaluation'], {'command', 'environment', 'rows'}),
    'analyze-logs cal_train_time': (['scalars.json'], {'log', 'mean', 'std', 'least', 'most'}),
    'get-flops': ([CONFIG], {'image', 'text', 'heads', 'total'}),
    'publish-model': ([WEIGHTS, 'published'], {'file'}),
}
#: Commands whose answer no script reads.
WITHOUT = {
    'serve': 'a page', 'visualize': 'pictures', 'browse-dataset': 'pictures',
    'vis-scheduler': 'a picture', 'completion': 'text for a shell', 'draw': 'a data set',
    'draw-balanced': 'a data set', 'train': 'a log, and scalars.json in the work folder',
    'demo': 'a log, and metrics.json in the work folder',
    'generate audit': 'a page, and audit.jsonl', 'generate finetune': 'a log',
    'analyze-logs plot_curve': 'a picture'}


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    """A folder with a data set, a training, crops, a gallery of them and a run of generation."""
    root = copy_of(tmp_path_factory.mktemp('json'), 'drawn', 'runs/plain', 'crops')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        run_command('index', ['people', 'crops', *MODEL, '--quiet'])
        for verb in ('plan', 'run'):
            run_command('generate', [verb, *PDG])
        edits = sorted((record.gates['edit_strength']['value'], key)
                       for key, record in load_done('pdg').items())
    labels = [json.dumps(dict(job_id=key, label='right' if place > 8 else 'wrong'))
              for place, (_, key) in enumerate(edits)]
    (root / 'labels.jsonl').write_text('\n'.join(labels) + '\n')
    (root / 'scalars.json').write_text(
        ''.join(json.dumps(dict(time=.1, loss=1., iter=step, step=step)) + '\n'
                for step in (1, 2, 3)))
    write_benchmarks(root)
    shutil.copytree(Path(ablation.__file__).parents[2] / 'configs', root / 'configs')
    return root


def write_benchmarks(root):
    """Write a benchmark of binding and one of short sentences, both of two crops."""
    red, blue = sorted(path.relative_to(root).as_posix() for path in root.glob('crops/*/*.jpg'))[:2]
    (root / 'binding.csv').write_text(
        'image,caption,negative\n'
        f'{red},a red coat and blue jeans,a blue coat and red jeans\n')
    (root / 'rules.yaml').write_text('- {name: red, sentence: a man in red, min_score: -1}\n')
    (root / 'short.json').write_text(json.dumps(dict(
        format='mmtbps-short-sentences', version=1, name='two crops', images=[red, blue],
        people=[1, 2], sentences=[dict(sentence='a red coat', group='colors', attributes=['red'],
                                       true=[0], unsure=[])])))


@pytest.fixture
def stand_ins(place, monkeypatch):
    """Stand-ins of slow parts and other processes, which print as these do."""
    def run_arm(path, arm, seed, work_dir, *others):
        print('a line of a training')
        return {'t2i/R1': seed, 't2i/R5': 2., 't2i/R10': 3., 't2i/mAP': 4.,
                'val': {'t2i/R1': 5., 't2i/mAP': 6.}}

    monkeypatch.chdir(place)
    monkeypatch.setattr(ablation, 'run_arm', run_arm)
    monkeypatch.setattr(multi_seed, 'run_arm', run_arm)
    monkeypatch.setattr(ablation, 'draw_dataset', lambda root, **options: Path('drawn'))
    monkeypatch.setattr(calibrate, 'encode', lambda *args: world(60, seed=1))
    monkeypatch.setattr(calibrate, 'fitting_sizes', lambda sizes, people: sizes)  # of that world
    monkeypatch.setattr(export, 'export_encoder', lambda *args: print('a graph') or dict(
        files={'text.onnx': dict(bytes=9)}, check=dict(fp32=dict(images=1., captions=1.))))
    monkeypatch.setattr(benchmark, 'load_benchmark', lambda name: SimpleNamespace(
        __doc__='A stand-in.', add_options=lambda parser: None, run=lambda args: [dict(ms=1.)]))
    shutil.rmtree('copied', ignore_errors=True)
    shutil.copytree('people', 'copied')


def verbs_with_json(parser, path=''):
    """Commands and verbs of a parser, each with whether it takes ``--json``."""
    inner = [action for action in parser._actions if isinstance(
        action, argparse._SubParsersAction)]
    if not inner or path == 'benchmark':
        options = {option for one in [parser, *(inner[0].choices.values() if inner else ())]
                   for option in one._option_string_actions}
        return {path: '--json' in options}
    return {name: has for verb, one in inner[0].choices.items()
            for name, has in verbs_with_json(one, f'{path} {verb}'.strip()).items()}


def test_every_command_was_decided_on():
    found = verbs_with_json(build_whole_parser())
    assert {name.split()[0] for name in found} == set(COMMANDS)
    assert {name for name, has in found.items() if has} == set(CASES)
    assert {name if name in WITHOUT else name.split()[0]
            for name, has in found.items() if not has} == set(WITHOUT)


@pytest.mark.parametrize('name', CASES)
def test_standard_output_is_one_document(name, stand_ins, capfd):
    words, keys = CASES[name]
    capfd.readouterr()
    assert not main([*name.split(), *words, '--json'])
    found = json.loads(capfd.readouterr().out)
    if isinstance(found, list):
        found = found[0]
    assert keys <= set(found), set(found)


def test_without_it_the_words_are_there_and_no_document(stand_ins, capfd):
    run_command('compact', ['copied'])
    assert capfd.readouterr().out.startswith('copied: ')


def test_all_else_goes_to_standard_error(stand_ins, capfd):
    run_command('ablation', [*CASES['ablation'][0], '--json'])
    printed = capfd.readouterr()
    assert printed.err.count('a line of a training\n') == 2 and '| chance |' in printed.err
    runs = json.loads(printed.out)['arms'][0]['runs']
    assert [(run['seed'], run['test']['t2i/R1'], run['val']) for run in runs] == [
        (seed, seed, {'t2i/R1': 5., 't2i/mAP': 6.}) for seed in (0, 1)]


def test_the_document_is_there_where_a_part_failed(stand_ins, capfd):
    """The error is a line beside it, and the exit code says so."""
    Path('broken').mkdir()
    Path('broken/a.jpg').write_bytes(b'no picture')
    with pytest.raises(SystemExit) as stop:
        main(['index', 'of_broken', 'broken', *MODEL, '--json'])
    printed = capfd.readouterr()
    assert stop.value.code == 1 and 'error: 1 of the files were skipped' in printed.err
    [(path, reason)] = json.loads(printed.out)['skipped']
    assert path == 'a.jpg' and reason
    with pytest.raises(SystemExit):
        main(['info', 'nowhere', '--json'])
    assert capfd.readouterr().out == ''


def test_what_a_command_starts_prints_where_it_prints(stand_ins, capfd):
    from mmtbps.commands.process import run_process
    from mmtbps.commands.wording import json_alone
    with json_alone():
        run_process('models', 'person')
    run_process('models', 'general')
    printed = capfd.readouterr()
    assert 'Person models' in printed.err and 'General' in printed.out
