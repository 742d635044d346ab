"""The plan: deterministic, of the train split alone, and readable back."""

import json
from dataclasses import replace

import pytest
from fake_parts import make_records

from mmtbps.commands.wording.user_errors import word_error
from mmtbps.errors import MissingFile
from mmtbps.generation.planning.planner import ColorSwitchPlanner
from mmtbps.generation.runs.plan import Job, read_plan, write_plan
from mmtbps.records import PairRecord, RecordError


def pair(image, *captions, person=1, **fields):
    return PairRecord(image, captions, person, **{'split': 'train', **fields})


def test_an_image_is_planned_alike_whatever_stands_around_it(tmp_path):
    records = make_records(tmp_path, people=6)
    planner = ColorSwitchPlanner(edits_per_image=2)
    jobs = planner.plan(records, 'fake')
    assert jobs == ColorSwitchPlanner(edits_per_image=2).plan(records, 'fake')
    alone = [job for record in records for job in planner.plan([record], 'fake')]
    assert alone == jobs and len(jobs) == 24
    backwards = planner.plan(records[::-1], 'fake')
    assert sorted(map(repr, backwards)) == sorted(map(repr, jobs))
    assert ColorSwitchPlanner(edits_per_image=2, seed=1).plan(records, 'fake') != jobs
    assert [j.edit for j in planner.plan(records, 'other')] != [j.edit for j in jobs]


@pytest.mark.parametrize('change, message', [
    (dict(split='test'), "split 'test'.*tested"), (dict(split='val'), "split 'val'"),
    (dict(source='a.jpg'), 'itself generated')])
def test_other_pairs_than_real_ones_of_train_are_refused(tmp_path, change, message):
    records = make_records(tmp_path)
    records[3] = replace(records[3], **change)
    for use in (lambda: ColorSwitchPlanner().plan(records, 'fake'),
                lambda: ColorSwitchPlanner().check(records)):
        with pytest.raises(ValueError, match=message):
            use()


@pytest.mark.parametrize('path', ['/etc/passwd', '../1.png', 'C:\\1.png'])
def test_an_image_outside_the_folder_is_refused(tmp_path, path):
    records = [pair(path, 'A man in a red coat.')]
    with pytest.raises(RecordError, match='leads out of the image folder'):
        ColorSwitchPlanner().plan(records, 'fake')
    jobs = ColorSwitchPlanner(allow_outside=True).plan(records, 'fake')
    write_plan(tmp_path / 'plan.jsonl', jobs)
    with pytest.raises(RecordError, match=r'plan\.jsonl:1: image .* leads out'):
        read_plan(tmp_path / 'plan.jsonl')
    assert read_plan(tmp_path / 'plan.jsonl', allow_outside=True) == jobs


def test_a_plan_reads_back(tmp_path):
    jobs = ColorSwitchPlanner().plan(make_records(tmp_path), 'fake')
    write_plan(tmp_path / 'plan.jsonl', jobs)
    assert read_plan(tmp_path / 'plan.jsonl') == jobs
    job = jobs[0]
    span = job.edit['spans'][0]
    source = job.source['captions'][job.edit['kept'][span['caption']]]
    assert source[span['start']:span['end']] == job.edit['old']['text']
    assert job.output['group'] == f'1/{job.edit["region"]}/{job.edit["noun"]}/' + \
        job.edit['new']['bases'][0]


def test_a_plan_of_test_images_is_refused_on_reading(tmp_path):
    job = ColorSwitchPlanner().plan(make_records(tmp_path), 'fake')[0]
    raw = job.to_json()
    raw['source'] = {**raw['source'], 'split': 'test'}
    with pytest.raises(RecordError, match="split 'test' must not be edited"):
        Job.from_json(raw)
    (tmp_path / 'old.jsonl').write_text(json.dumps({**job.to_json(), 'schema': 'pdg/0'}) + '\n')
    with pytest.raises(RecordError, match=r"old.jsonl:1: schema 'pdg/0'"):
        read_plan(tmp_path / 'old.jsonl')
    with pytest.raises(MissingFile, match='none.jsonl not found: make it first') as error:
        read_plan(tmp_path / 'none.jsonl')
    assert word_error(error.value).endswith('mmtbps generate plan CONFIG')


def test_the_first_images_of_each_person():
    records = [pair(f'{person}_{n}.jpg', 'A red coat.', person=person)
               for n in range(3) for person in (5, 6)]
    jobs = ColorSwitchPlanner(mode='paper', images_per_person=1).plan(records, 'x')
    assert [job.source['image'] for job in jobs] == ['5_0.jpg', '6_0.jpg']


def test_records_of_one_image_are_judged_together():
    records = [pair('1.jpg', 'A red shirt.'), pair('2.jpg', 'A red shirt.'),
               pair('1.jpg', 'An orange shirt.')]
    plan = ColorSwitchPlanner(edits_per_image=9).plan(records, 'x')
    assert all(len(job.output['captions']) == 1 for job in plan)
    assert {job.edit['old']['bases'][0] for job in plan
            if job.source['image'] == '1.jpg'} == {'red', 'orange'}


def test_captions_that_are_no_text_are_passed_over():
    jobs = ColorSwitchPlanner().plan([pair('1.jpg', None, '  ', 'A red coat.')], 'x')
    assert jobs[0].source['captions'] == ['A red coat.']


def test_check_counts_and_lists_what_is_not_understood():
    records = [pair('1.jpg', 'A red coat.', 'He has a plaid coat.'),
               pair('2.jpg', 'A plaid coat and red galoshes.'), pair('3.jpg', 'A lilac zebra.')]
    text = ColorSwitchPlanner().check(records)
    assert '1 of 3 images (33.3 %)' in text and '1 of 4 captions (25.0 %)' in text
    assert '2 plaid coat' in text and '1 lilac zebra' in text and '1 red galoshes' in text
    assert 'not edited' not in text
    assert '0 of 0 images (-)' in ColorSwitchPlanner().check([])


def test_check_counts_the_captions_that_are_left_out_by_reason():
    records = [pair('1.jpg', 'Two men in red coats.', 'A man and a woman in a blue coat.'),
               pair('2.jpg', 'A red shirt and pants.', 'A man in a red coat, without gloves.')]
    lines = ColorSwitchPlanner().check(records).splitlines()
    assert lines[-3:] == ['captions that are not edited, or not at every garment:',
                          '       2 several people', '       1 a color that may be shared']


def test_a_part_of_the_plan_is_spread_over_all_of_it():
    records = [pair(f'{i}.jpg', 'A man in a red coat.', person=i) for i in range(10)]
    whole = ColorSwitchPlanner().plan(records, 'x')
    assert ColorSwitchPlanner(max_edits=4).plan(records, 'x') == [whole[i] for i in (0, 2, 5, 7)]
    assert ColorSwitchPlanner(max_edits=99).plan(records, 'x') == whole
    assert ColorSwitchPlanner(max_edits=4).plan([], 'x') == []


@pytest.mark.parametrize('kwargs, error', [
    (dict(edits_per_image=0), ValueError), (dict(images_per_person=0), ValueError),
    (dict(max_edits=0), ValueError),
    (dict(tokenizer='./no/such/folder'), FileNotFoundError)])
def test_wrong_settings(kwargs, error):
    with pytest.raises(error, match='edits|images_per|no/such'):
        ColorSwitchPlanner(**kwargs)


@pytest.mark.parametrize('folder', ['tokenizer', '.'], ids=['tokenizer', 'model'])
def test_the_tokenizer_sets_the_limit(micro_set, folder):
    records = [pair('1.jpg', 'A red shirt and a bag.')]
    tokenizer = str(micro_set / folder)
    assert ColorSwitchPlanner(tokenizer=tokenizer).plan(records, 'x')
    assert not ColorSwitchPlanner(tokenizer=tokenizer, max_tokens=5).plan(records, 'x')
