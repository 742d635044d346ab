"""Merged pairs as a training set takes them: counted, weighed, and refused where they are stale."""

import json
import shutil

import pytest
from fake_parts import make_records, run

from mmtbps.datasets import CUHKPEDES
from mmtbps.datasets.transforms import PDGTransform
from mmtbps.errors import Remedy, UserError
from mmtbps.generation import ColorSwitchPlanner
from mmtbps.generation.quality.gates import GateVerdict
from mmtbps.generation.runs.merge import merge_run
from mmtbps.generation.runs.plan import write_plan
from mmtbps.merged_pairs import NOTE_FILE, PAIRS_FILE
from mmtbps.records import read_jsonl


def graded_gate(request, result):
    """A gate whose values differ; it refuses a fifth."""
    return GateVerdict('graded', float(request.seed % 5), request.seed % 5 > 0, low=1.)


def write_annotations(folder, records):
    entries = [dict(split=r.split, captions=list(r.captions), file_path=r.image, id=r.person_id)
               for r in records]
    (folder / 'reid_raw.json').write_text(json.dumps(entries))


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """A data set of 5 people with 2 images each, and a merged run of one edit an image."""
    folder = tmp_path_factory.mktemp('finished')
    records = make_records(folder / 'imgs', 5, 2)
    write_annotations(folder, records)
    write_plan(folder / 'plan.jsonl', ColorSwitchPlanner(edits_per_image=2).plan(
        records, 'CUHK-PEDES'))
    run(folder, folder / 'pdg', gates=[graded_gate])
    merge_run(folder / 'pdg', records)
    return folder


@pytest.fixture
def root(finished, tmp_path):
    shutil.copytree(finished, tmp_path / 'data')
    return tmp_path / 'data'


def load(root, **changes):
    return CUHKPEDES(**{**dict(data_root=str(root), pairs_root=str(root / 'pdg')), **changes})


def line_of(root, **changes):
    data = load(root, lazy_init=True, **changes)
    return data.describe_pairs(data.select_records())


def test_pairs_train_beside_the_originals_with_their_weights(root):
    data, pairs = load(root), read_jsonl(root / 'pdg' / PAIRS_FILE)
    weights = {str(root / 'pdg' / pair.image): pair.pair_weight for pair in pairs}
    items = [data.get_data_info(index) for index in range(len(data))]
    assert {info['img_path']: info['pair_weight'] for info in items
            if 'pair_weight' in info} == weights
    originals = [info for info in items if 'pair_weight' not in info]
    assert {info['img_path'].partition('imgs/')[2] for info in originals} == {
        f'cam_a/{person}_{number}.png' for person in range(1, 6) for number in range(2)}
    assert len(set(data.person_ids)) == 5 + len({pair.person_id for pair in pairs})
    assert set(data.metainfo['ann_files']) == {'reid_raw.json', PAIRS_FILE}


def test_the_line_says_what_is_trained_on(root):
    pairs = read_jsonl(root / 'pdg' / PAIRS_FILE)
    digest = json.loads((root / 'pdg/run.json').read_text())['digest']
    captions = sum(len(pair.captions) for pair in pairs)
    weights = [pair.pair_weight for pair in pairs]
    assert line_of(root) == (
        f'CUHK-PEDES train: 16 original pairs and {captions} generated, of {len(pairs)} images of '
        f'{len(pairs)} accepted, from {root}/pdg, run {digest}, weights 0.5 to 1, '
        f'{sum(weights) / len(weights):.2f} on average')
    held = line_of(root, holdout=2)
    few = sum(pair.edit['source_person_id'] in held_in(root, 2) for pair in pairs)
    assert f', of {few} images of {len(pairs)} accepted' in held and 0 < few < len(pairs)


def held_in(root, holdout):
    data = load(root, lazy_init=True, holdout=holdout)
    return {item.record.person_id for item in data.select_records() if not item.record.source}


def test_without_pairs_the_line_names_the_way_to_them(root):
    shutil.move(root / 'pdg', root / 'away')
    line = line_of(root)
    assert line == f'CUHK-PEDES train: no generated pairs at {root}/pdg: originals only, 16 pairs'
    assert line.remedy == Remedy('generate_pairs', dict(folder=str(root / 'pdg')))
    assert len(load(root)) == 16 and line_of(root, pairs_root=None) is None
    shutil.move(root / 'away', root / 'pdg')
    for name in (PAIRS_FILE, NOTE_FILE):
        (root / 'pdg' / name).unlink()
        assert 'a run is there that is not merged' in line_of(root)
        assert line_of(root).remedy == Remedy('generate_merge') and len(load(root)) == 16


def test_a_run_that_accepted_nothing_leaves_the_originals(finished, tmp_path):
    records = make_records(tmp_path / 'imgs', 5, 2)
    write_annotations(tmp_path, records)
    shutil.copy(finished / 'plan.jsonl', tmp_path)
    run(tmp_path, tmp_path / 'pdg', gates=[lambda *_: GateVerdict('no', 0., False, low=1.)])
    merge_run(tmp_path / 'pdg', records)
    assert '/pdg (the gates accepted none): originals only' in line_of(tmp_path)
    assert len(load(tmp_path)) == 16


def test_pairs_of_version_0_1_have_no_note(root):
    (root / 'pdg' / NOTE_FILE).unlink()
    assert 'an unknown run' in line_of(root) and len(load(root)) > 16


def test_a_folder_without_its_run_will_do(root):
    for path in [*(root / 'pdg').glob('part-*'), root / 'pdg/run.json']:
        path.unlink()
    assert len(load(root)) > 16


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


STALE = {
    'cut': (lambda root: (root / 'pdg' / PAIRS_FILE).write_bytes(
        (root / 'pdg' / PAIRS_FILE).read_bytes()[:-40]), 'not as merging wrote it'),
    'changed': (lambda root: edit(root / 'pdg' / PAIRS_FILE, 'shirt', 'skirt'),
                'not as merging wrote it'),
    'broken in the middle': (lambda root: edit(root / 'pdg' / PAIRS_FILE, '"captions"', 'captions'),
                             'not as merging wrote it'),
    'the run went on': (lambda root: (root / 'pdg/part-00001-of-00002.jsonl').touch(),
                        'is older than part-00001-of-00002.jsonl'),
    'another run': (lambda root: edit(root / 'pdg/run.json', '"digest": "', '"digest": "0'),
                    'the folder now has run 0'),
    'broken note': (lambda root: (root / 'pdg' / NOTE_FILE).write_text('{'),
                    'broken note of merged pairs'),
    'note of a later version': (lambda root: edit(root / 'pdg' / NOTE_FILE, 'merged/1', 'merged/2'),
                                "schema 'mmtbps.pdg.merged/2'"),
    'an image is gone': (lambda root: next((root / 'pdg/images').rglob('*.png')).unlink(),
                         '1 of [0-9]+ generated images are missing, first .*png'),
    'images are gone': (lambda root: shutil.rmtree(root / 'pdg/images'),
                        'generated images are missing'),
    'other captions': (lambda root: edit(root / 'reid_raw.json', 'A man in', 'A woman in'),
                       'show other people, or have other captions'),
    'other people': (lambda root: edit(root / 'reid_raw.json', '"id": 1}', '"id": 77}'),
                     'show other people, or have other captions'),
    'an image of test': (lambda root: edit(root / 'reid_raw.json', '"train"', '"test"'),
                         '1 of 10 images that pairs were made from, first cam_a/1_0.png'),
    'a file': (lambda root: (shutil.rmtree(root / 'pdg'), (root / 'pdg').touch()),
               'must be the folder that has pdg_pairs.jsonl'),
    'a folder of that name': (lambda root: ((root / 'pdg' / PAIRS_FILE).unlink(),
                                            (root / 'pdg' / PAIRS_FILE).mkdir()),
                              'pdg_pairs.jsonl: ')}


@pytest.mark.parametrize('name', STALE)
def test_what_is_stale_or_broken_is_refused(name, root):
    change, says = STALE[name]
    change(root)
    with pytest.raises(UserError, match=says) as error:
        load(root)
    assert '\n' not in str(error.value)


def test_pairs_of_another_data_set_are_refused(root):
    class Other(CUHKPEDES):
        dataset_name = 'Other'

    with pytest.raises(UserError, match='was made from CUHK-PEDES, not from Other: .*pairs_root'):
        Other(data_root=str(root), pairs_root=str(root / 'pdg'))


def test_one_image_in_two_records_is_refused(root):
    (root / 'pdg' / NOTE_FILE).unlink()
    pairs = root / 'pdg' / PAIRS_FILE
    first = pairs.read_text().splitlines()[0]
    pairs.write_text(pairs.read_text() + first.replace('red', 'blue') + '\n')
    with pytest.raises(UserError, match=r'record [0-9]+: images/.*stands in record 1 already'):
        load(root)


@pytest.mark.parametrize('changes', [dict(split='val'), dict(test_mode=True)])
def test_pairs_are_for_training_alone(root, changes):
    with pytest.raises(UserError, match='pairs_root is for training on split train'):
        load(root, **changes)


def test_images_of_pairs_may_be_packed(root):
    from mmtbps.datasets.write_packed import pack_images
    pack_images(root / 'pdg', root / 'pdg.tars')
    shutil.rmtree(root / 'pdg/images')
    data = load(root, verify_images=True)
    weighted = [info for info in map(data.get_data_info, range(len(data)))
                if 'pair_weight' in info]
    assert weighted and all(info['img_path'].startswith(f'packed://{root}/pdg.tars/images/')
                            for info in weighted)


@pytest.mark.parametrize('name', ['changed', 'the run went on', 'an image is gone'])
def test_the_transform_refuses_stale_pairs_too(name, root):
    def build():
        return PDGTransform(str(root / 'pdg' / PAIRS_FILE), source_root=str(root / 'imgs'))

    assert list(build().ann_files) == [PAIRS_FILE]
    change, says = STALE[name]
    change(root)
    with pytest.raises(UserError, match=says):
        build()
