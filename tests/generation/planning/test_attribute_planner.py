"""The plan of other attributes than colour: jobs, requests, repeatability and the report."""

import numpy as np
import pytest
from PIL import Image
from test_attributes_read_by_hand import CASES

from mmtbps.generation.planning import AttributeEditPlanner
from mmtbps.generation.quality import CaptionGate
from mmtbps.generation.runs.plan import read_plan, write_plan
from mmtbps.records import PairRecord


def pair(image, *captions, person=1, **fields):
    return PairRecord(image, captions, person, **{'split': 'train', **fields})


def records_of_the_cases():
    return [pair(f'{i}.jpg', *case['captions'], person=i) for i, case in enumerate(CASES)]


def test_a_job_tells_all_that_is_to_be_done():
    records = [pair('1.jpg', 'A man in blue jeans.', 'Two men in jeans.', person=7)]
    job, = AttributeEditPlanner(kinds=['garment']).plan(records, 'mine')
    new = job.edit['new']['text']
    assert job.source == dict(dataset='mine', split='train', image='1.jpg', person_id=7,
                              captions=['A man in blue jeans.', 'Two men in jeans.'])
    assert job.edit == dict(
        kind='garment', region='lower', noun='jeans', old=dict(text='jeans'), new=dict(text=new),
        instruction=f'Change the jeans into {new}. Keep the color and the pattern, the person, '
                    'the pose, the face, all other clothes and the background exactly the same.',
        kept=[0])
    assert job.output == dict(captions=[f'A man in blue {new}.'],
                              group=f'7/garment/lower/jeans/{new}')


def test_requests_pass_the_gate_of_captions(tmp_path):
    planner = AttributeEditPlanner(edits_per_image=4)
    jobs = planner.plan(records_of_the_cases(), 'mine')
    write_plan(tmp_path / 'plan.jsonl', jobs)
    assert read_plan(tmp_path / 'plan.jsonl') == jobs and len(jobs) > 200
    image = Image.new('RGB', (8, 24))
    for job in jobs:
        request = job.request('j', image, seed=1)
        assert (request.kind, request.noun) == (job.edit['kind'], job.edit['noun'])
        assert request.instruction == job.edit['instruction']
        assert request.source_caption != request.target_caption
        assert CaptionGate().measure(request, None) == 0, job.output['captions']


def test_an_image_is_planned_alike_whatever_stands_around_it():
    records = records_of_the_cases()[:30]
    planner = AttributeEditPlanner(edits_per_image=2)
    jobs = planner.plan(records, 'mine')
    assert [job for record in records for job in planner.plan([record], 'mine')] == jobs
    assert AttributeEditPlanner(edits_per_image=2, seed=1).plan(records, 'mine') != jobs
    assert len(AttributeEditPlanner(max_edits=5).plan(records, 'mine')) == 5
    assert {job.edit['kind'] for job in jobs} == {'garment', 'pattern', 'accessory'}


def test_other_pairs_than_real_ones_of_train_are_refused():
    with pytest.raises(ValueError, match="split 'test'.*tested"):
        AttributeEditPlanner().plan([pair('1.jpg', 'A red coat.', split='test')], 'mine')
    with pytest.raises(ValueError, match='itself generated'):
        AttributeEditPlanner().check([pair('1.jpg', 'A red coat.', source='0.jpg')])


@pytest.mark.parametrize('kwargs, error', [
    (dict(edits_per_image=0), 'edits_per_image must be at least 1'),
    (dict(kinds=['color']), 'kinds must be a list'),
    (dict(tokenizer='./no/such/folder'), 'no/such/folder')])
def test_wrong_settings(kwargs, error):
    with pytest.raises((ValueError, FileNotFoundError), match=error):
        AttributeEditPlanner(**kwargs)


def test_the_tokenizer_sets_the_limit(micro_set):
    records = [pair('1.jpg', 'A red shirt.')]
    kwargs = dict(kinds=['pattern'], tokenizer=str(micro_set / 'tokenizer'))
    assert AttributeEditPlanner(**kwargs).plan(records, 'x')
    assert not AttributeEditPlanner(**kwargs, max_tokens=4).plan(records, 'x')


def test_the_report_counts_images_and_what_is_left_out():
    records = [pair('1.jpg', 'A man in jeans.', 'A man with a hat.'), pair('2.jpg', 'Two men.')]
    lines = AttributeEditPlanner().check(records).splitlines()
    assert lines[:3] == ['1 of 2 images (50.0 %) allow an edit of kind garment',
                         '0 of 2 images (0.0 %) allow an edit of kind pattern',
                         '1 of 2 images (50.0 %) allow an edit of kind accessory']
    assert lines[3:] == ['of what is worn there may change, most often:',
                         '       1 garment: jeans', '       1 accessory: hat',
                         'captions that are not edited, or not at every garment:',
                         '       1 several people']
    assert len(AttributeEditPlanner().check(records, top=1).splitlines()) == 7
    assert AttributeEditPlanner(['garment']).check([]) == (
        '0 of 0 images (-) allow an edit of kind garment')


def test_choices_are_spread_over_the_kinds():
    records = [pair(f'{i}.jpg', 'A man in a red shirt, blue jeans and a hat.', person=i)
               for i in range(60)]
    jobs = AttributeEditPlanner().plan(records, 'mine')
    kinds = np.unique([job.edit['kind'] for job in jobs], return_counts=True)[1]
    assert len(kinds) == 3 and kinds.min() > 8
    added = [job for job in jobs if job.edit['old']['text'].startswith('no ')]
    assert 0 < len(added) < 30
