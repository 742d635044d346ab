"""Captions told anew through the commands: plan, run, merge, and training with them."""

import json
from dataclasses import replace

import pytest
from fake_parts import make_records

from mmtbps.datasets import DrawnPEDES
from mmtbps.generation.planning.retell_planner import RetellPlanner
from mmtbps.generation.rewriting import CaptionRewriter, RuleRewriter
from mmtbps.generation.runs.manifest import read_records
from mmtbps.generation.runs.plan import write_plan
from mmtbps.generation.runs.retell_runner import RetellRunner, merge_retold
from mmtbps.records import read_jsonl

TOOL = 'tools/generate.py'


class Watcher(CaptionRewriter):
    """Says the size of the picture, and a colour that is wrong for every third job."""

    sees_pictures = True
    digest_fields = dict(type='Watcher')

    def rewrite(self, requests):
        return [[f'A man {r.image.width} pixels wide.', 'A man in a red shirt.',
                 *(['A man in a green shirt.'] if r.seed % 3 == 0 else [])] for r in requests]


@pytest.fixture
def planned(tmp_path):
    records = make_records(tmp_path / 'imgs', people=6)
    write_plan(tmp_path / 'plan.jsonl', RetellPlanner().plan(records, 'fake'))
    return tmp_path


def run(folder, out, shard='0/1', rewriter=None, **kwargs):
    return RetellRunner(str(out), shard=shard, batch_size=3, **kwargs).run(
        folder / 'plan.jsonl', folder / 'imgs', rewriter or Watcher())


def rows(out):
    return {record.job_id: (record.status, record.output, record.edit)
            for record in read_records(out)}


def test_shards_and_restarts_give_the_same(planned, tmp_path):
    summary = run(planned, tmp_path / 'whole')
    # Nothing is edited, so nothing is said of edits that no model has seen.
    assert str(summary) == '12 jobs: 12 accepted, 0 rejected, 0 failed; acceptance 100.0 %'
    for shard in ('0/2', '1/2', '0/2'):
        run(planned, tmp_path / 'parts', shard)
    assert rows(tmp_path / 'parts') == rows(tmp_path / 'whole')
    assert merge_retold(tmp_path / 'parts') == merge_retold(tmp_path / 'whole') == 12
    assert (tmp_path / 'parts/retold_pairs.jsonl').read_bytes() == (
        tmp_path / 'whole/retold_pairs.jsonl').read_bytes()


def test_only_faithful_and_new_captions_are_kept(planned, tmp_path):
    run(planned, tmp_path / 'out')
    found = rows(tmp_path / 'out').values()
    assert all(output['captions'][0] == 'A man 8 pixels wide.' for _, output, _ in found)
    assert not any('A man in a green shirt.' in output['captions'] for _, output, _ in found)
    faults = [edit['faults'] for _, _, edit in found if edit['faults']]
    assert faults and all(fault == {'green shirt': 1} for fault in faults)
    merge_retold(tmp_path / 'out', keep_captions=True)
    first = read_jsonl(tmp_path / 'out/retold_pairs.jsonl')[0]
    assert first.captions[:2] == ('A man in a red shirt & blue jeans.', 'His shirt is red.')
    assert first.image == first.source == 'cam_a/1_0.png' and first.person_id == 1


def test_a_broken_picture_fails_alone_and_is_tried_again(planned, tmp_path):
    path = planned / 'imgs/cam_a/2_1.png'
    good, _ = path.read_bytes(), path.write_bytes(b'no picture')
    summary = run(planned, tmp_path / 'out')
    assert summary.statuses == {'accepted': 11, 'failed': 1} and summary.reasons == {
        'broken image': 1}
    path.write_bytes(good)
    assert run(planned, tmp_path / 'out').statuses['failed'] == 1
    assert run(planned, tmp_path / 'out', retry_failed=True).statuses == {'accepted': 12}


def test_a_picture_that_its_decoder_gives_up_does_not_end_the_run(planned, tmp_path):
    path = planned / 'imgs/cam_a/2_1.png'
    whole = path.read_bytes()
    path.write_bytes(whole[:36] + b'\0' + whole[37:])  # Pillow raises a SyntaxError
    assert run(planned, tmp_path / 'out').statuses == {'accepted': 11, 'failed': 1}
    failed, = (record for record in read_records(tmp_path / 'out') if record.reason)
    assert failed.reason.startswith(f'broken image: {path} (SyntaxError: broken PNG file')


def test_another_rewriter_or_plan_is_refused(planned, tmp_path):
    run(planned, tmp_path / 'out')
    with pytest.raises(ValueError, match='rewriter.type was'):
        run(planned, tmp_path / 'out', rewriter=RuleRewriter())
    (planned / 'plan.jsonl').write_text((planned / 'plan.jsonl').read_text().replace(
        '"kind": "retell"', '"kind": "color"'))
    with pytest.raises(ValueError, match='plans edits of pictures'):
        run(planned, tmp_path / 'out')


def test_a_retelling_whose_data_set_has_changed_is_not_merged(planned, tmp_path):
    run(planned, tmp_path / 'out')
    records = make_records(planned / 'imgs', people=6)
    assert merge_retold(tmp_path / 'out', existing=records) == 12
    renamed = [replace(record, person_id=record.person_id + 100) for record in records]
    tested = [replace(record, split='test') for record in records]
    for existing in (renamed, tested, records[2:]):
        with pytest.raises(ValueError, match='is not in the train split'):
            merge_retold(tmp_path / 'out', existing=existing)


def test_one_image_of_two_people_is_merged_alike_from_all_shards(tmp_path):
    records = make_records(tmp_path / 'imgs', people=2)
    both = [*records, *(replace(record, person_id=record.person_id + 7) for record in records)]
    write_plan(tmp_path / 'plan.jsonl', RetellPlanner().plan(both, 'fake'))
    for out, shards in (('a', ('0/2', '1/2')), ('b', ('1/3', '0/3', '2/3'))):
        for shard in shards:
            run(tmp_path, tmp_path / out, shard)
        merge_retold(tmp_path / out)
    first, second = ((tmp_path / out / 'retold_pairs.jsonl').read_bytes() for out in 'ab')
    assert first == second and len(first.splitlines()) == 8


def test_half_a_character_passes_through_plan_run_and_merge(tmp_path):
    record, = make_records(tmp_path / 'imgs', people=1, images=1)
    odd = replace(record, captions=('A man in a red shirt \ud83d.', ))
    write_plan(tmp_path / 'plan.jsonl', RetellPlanner().plan([odd], 'fake'))
    run(tmp_path, tmp_path / 'out')
    assert merge_retold(tmp_path / 'out', keep_captions=True) == 1
    assert read_jsonl(tmp_path / 'out/retold_pairs.jsonl')[0].captions[0] == odd.captions[0]


def test_a_broken_line_is_set_aside_and_an_unfinished_run_is_said(tool, micro_set, tmp_path,
                                                                  refused, capsys):
    options = ['configs/generation/retell_rules.py', '--cfg-options',
               f'dataset.data_root={micro_set}', f'generation.runner.out_dir={tmp_path}/told']
    tool.main(['plan', *options])
    tool.main(['run', *options])
    part, = (tmp_path / 'told').glob('part-*.jsonl')
    lines = part.read_bytes().splitlines(keepends=True)
    part.write_bytes(b''.join([b'{"torn": \n', *lines[1:]]))
    with refused('jsonl:1: broken JSON .*merge CONFIG --set-aside'):
        tool.main(['merge', *options])
    tool.main(['merge', *options, '--set-aside'])
    said = capsys.readouterr().out
    assert 'lines set aside: 1' in said and 'not complete: 47 of 48 jobs' in said


def test_the_commands_end_in_a_file_that_trains_beside_the_old_one(tool, micro_set, tmp_path,
                                                                   refused, capsys):
    options = ['configs/generation/retell_rules.py', '--cfg-options',
               f'dataset.data_root={micro_set}', f'generation.runner.out_dir={tmp_path}/told']
    tool.main(['all', *options])
    assert '48 retellings of 48 images, 48 in train' in capsys.readouterr().out
    file = tmp_path / 'told/retold_pairs.jsonl'
    pairs = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(pairs) > 20
    with refused('no page of pictures'):
        tool.main(['report', *options])
    plain = DrawnPEDES(data_root=str(micro_set))
    both = DrawnPEDES(data_root=str(micro_set), ann_file=['reid_raw.json', str(file)],
                      data_prefix=dict(img_path=['imgs', 'imgs']), verify_images=True)
    assert both.skipped == [] and set(both.person_ids) == set(plain.person_ids)
    assert len(both) == len(plain) + sum(len(pair['captions']) for pair in pairs)
    assert {item['image_id'] for item in map(both.get_data_info, range(len(both)))} == {
        item['image_id'] for item in map(plain.get_data_info, range(len(plain)))}
    told = [item for item in both.read_records() if item.record.source is not None]
    assert len(told) == len(pairs)
    assert all(item.identity == item.original for item in told)  # held out together
