"""Merging: new people get the same numbers whatever the parts look like, and data sets read it."""

import json

import numpy as np
import pytest
from fake_parts import make_plan, make_records, run, unmarked_controls

from mmtbps.datasets import CUHKPEDES
from mmtbps.generation.quality.gates import GateVerdict
from mmtbps.generation.runs.manifest import load_done
from mmtbps.generation.runs.merge import CUHK_FILE, PAIRS_FILE, merge_run
from mmtbps.generation.runs.run_summary import InvalidRun
from mmtbps.records import PairRecord, read_jsonl


@pytest.fixture
def planned(tmp_path):
    make_plan(tmp_path, people=6, images=3, edits=4)
    return tmp_path


@pytest.fixture
def existing(planned):
    return [*make_records(planned / 'imgs', 6, 3), PairRecord('t.png', ('A man.',), 90, 'test')]


def graded_gate(request, result):
    """A gate whose values differ."""
    return GateVerdict('graded', float(request.seed % 5), request.seed % 5 > 0, low=1.)


def files(folder):
    return [(folder / name).read_bytes() for name in (PAIRS_FILE, CUHK_FILE)]


def test_numbers_do_not_depend_on_parts_and_order(planned, existing):
    run(planned, planned / 'one')
    merge_run(planned / 'one', existing)
    for rank in (2, 0, 1):
        run(planned, planned / 'many', f'{rank}/3', batch_size=1)
    merge_run(planned / 'many', existing[::-1])
    assert files(planned / 'many') == files(planned / 'one')
    rng = np.random.default_rng(0)
    part = planned / 'one' / 'part-00000-of-00001.jsonl'
    for _ in range(5):
        lines = part.read_bytes().splitlines(keepends=True)
        part.write_bytes(b''.join(lines[i] for i in rng.permutation(len(lines))))
        merge_run(planned / 'one', existing)
        assert files(planned / 'many') == files(planned / 'one')


def test_one_number_for_each_person_garment_and_color(planned, existing):
    run(planned, planned / 'out')
    merged = merge_run(planned / 'out', existing)
    accepted = {r.job_id: r for r in load_done(planned / 'out').values() if r.status == 'accepted'}
    pairs = read_jsonl(planned / 'out' / PAIRS_FILE)
    assert {pair.edit['job_id'] for pair in pairs} == accepted.keys() and merged.pairs == len(pairs)
    look = {}
    for pair in pairs:
        record = accepted[pair.edit['job_id']]
        key = (record.source['person_id'], record.edit['region'], record.edit['noun'],
               record.edit['new']['bases'][0])
        assert look.setdefault(key, pair.person_id) == pair.person_id
        assert pair.source == record.source['image'] and pair.split == 'train'
        assert pair.captions == tuple(record.output['captions'])
        assert pair.scores == {'seed': record.gates['seed']['value']}
    assert sorted(look.values()) == list(range(91, 91 + len(look)))
    assert [look[key] for key in sorted(look)] == sorted(look.values())
    assert len(pairs) > len(look) == merged.people  # images share a person
    assert (merged.first_id, merged.done, merged.planned) == (91, 72, 72)


def test_both_files_load_beside_cuhk_pedes(planned, existing):
    run(planned, planned / 'pdg', output_size='source', gates=[graded_gate])
    merged = merge_run(planned / 'pdg', existing)
    entries = [dict(split=r.split, captions=list(r.captions), file_path=r.image, id=r.person_id,
                    processed_tokens=[]) for r in existing[:-1]]
    (planned / 'reid_raw.json').write_text(json.dumps(entries))
    loaded = []
    for name in (PAIRS_FILE, CUHK_FILE):
        data = CUHKPEDES(data_root=str(planned), ann_file=['reid_raw.json', f'pdg/{name}'],
                         data_prefix=dict(img_path=['imgs', 'pdg']), verify_images=True)
        assert data.skipped == [] and len(set(data.person_ids)) == 6 + merged.people
        loaded.append([(info['img_path'], info['caption'], info['person_id'],
                        info.get('pair_weight')) for info in map(data.get_data_info,
                                                                 range(len(data)))])
    assert loaded[0] == loaded[1]
    weights = {f'pdg/{pair.image}': pair.pair_weight
               for pair in read_jsonl(planned / 'pdg' / PAIRS_FILE)}
    assert min(weights.values()) == 0.5 and max(weights.values()) == 1 and len(
        set(weights.values())) > 2
    for path, _, _, weight in loaded[0]:
        assert weight == weights.get(path.rpartition(f'{planned}/')[2]), path
    assert sum('pdg/images' in path for path, *_ in loaded[0]) == sum(
        len(pair.captions) for pair in read_jsonl(planned / 'pdg' / PAIRS_FILE))


def test_people_held_out_take_their_generated_pairs_along(planned, existing):
    run(planned, planned / 'pdg')
    merge_run(planned / 'pdg', existing)
    entries = [dict(split=r.split, captions=list(r.captions), file_path=r.image, id=r.person_id)
               for r in existing[:-1]]
    (planned / 'reid_raw.json').write_text(json.dumps(entries))
    data = CUHKPEDES(data_root=str(planned), ann_file=['reid_raw.json', f'pdg/{PAIRS_FILE}'],
                     data_prefix=dict(img_path=['imgs', 'pdg']), holdout=3)
    real = {int(info['img_path'].rpartition('/')[2].partition('_')[0])
            for info in map(data.get_data_info, range(len(data))) if '/imgs/' in info['img_path']}
    sources = {pair.image: pair.edit['source_person_id']
               for pair in read_jsonl(planned / 'pdg' / PAIRS_FILE)}
    used = {sources[info['img_path'].partition('pdg/')[2]]
            for info in map(data.get_data_info, range(len(data))) if '/pdg/' in info['img_path']}
    assert len(real) == 3 and used <= real


@pytest.mark.parametrize('change', ['test', 'other person', 'gone'])
def test_sources_outside_train_are_refused(planned, existing, change):
    run(planned, planned / 'out')
    image = next(r for r in load_done(planned / 'out').values()
                 if r.status == 'accepted').source['image']
    wrong = [r for r in existing if r.image != image]
    if change == 'test':
        wrong = [*existing, PairRecord(image, ('A man.',), 91, 'test')]
    if change == 'other person':
        wrong.append(PairRecord(image, ('A man.',), 99, 'train'))
    with pytest.raises(ValueError, match=f'{image} of person . is not in the train split'):
        merge_run(planned / 'out', wrong)
    assert not (planned / 'out' / PAIRS_FILE).exists()


def test_an_invalid_run_is_not_merged(planned, existing):
    with pytest.raises(InvalidRun):
        run(planned, planned / 'out', controls=unmarked_controls)
    with pytest.raises(InvalidRun):
        merge_run(planned / 'out', existing)
    merge_run(planned / 'out', existing, max_control_rate=1.)


def test_an_unfinished_run_says_so(planned, existing):
    run(planned, planned / 'out', '0/2')
    merged = merge_run(planned / 'out', existing)
    assert 0 < merged.done < merged.planned == 72
    with pytest.raises(FileNotFoundError, match='no generation has run'):
        merge_run(planned / 'nowhere', existing)
