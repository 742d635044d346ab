"""Captions of an edit by a rewriter: which answers are kept, and what the plan tells of them."""

import json

import pytest

from mmtbps.generation.planning import AttributeEditPlanner, AttributeSwitcher
from mmtbps.generation.planning.attribute_change import AttributeChange
from mmtbps.generation.planning.rewritten_edits import (
    describe_change,
    rewrite_edit,
    says_the_same,
)
from mmtbps.generation.rewriting import CaptionRewriter
from mmtbps.records import PairRecord

HOODIE = AttributeChange('garment', 'upper', 'shirt', 'shirt', 'hoodie')


class Answers(CaptionRewriter):
    """A rewriter that gives the same answers to all, and keeps what it was asked."""

    tells_changes = True
    digest_fields = dict(type='Answers')

    def __init__(self, *answers):
        self.answers, self.asked = answers, []

    def rewrite(self, requests):
        self.asked += requests
        return [list(self.answers) for _ in requests]


@pytest.mark.parametrize('caption, change, sentence', [
    ('A red shirt.', HOODIE, 'the shirt is a hoodie now'),
    ('Blue jeans.', ('garment', 'lower', 'jeans', 'jeans', 'sweatpants'),
     'the jeans are sweatpants now'),
    ('A shirt.', ('pattern', 'upper', 'shirt', 'plain', 'striped'), 'the shirt is striped now'),
    ('A man in a coat.', ('accessory', 'accessory', 'glasses', '', 'glasses'),
     'the person has glasses now'),
    ('A man in a coat.', ('accessory', 'hat', 'hat', '', 'hat'), 'the person has a hat now'),
    ('A man with a hat.', ('accessory', 'hat', 'hat', 'hat', ''), 'the person has no hat now'),
    ('A man with a bag.', ('accessory', 'bag', 'bag', 'bag', 'backpack'),
     'the bag is a backpack now')])
def test_a_change_in_a_sentence(caption, change, sentence):
    edit = AttributeSwitcher().apply([caption], AttributeChange(*change))
    assert describe_change(edit) == sentence


@pytest.mark.parametrize('text, same', [
    ('A man wears blue jeans and a striped red hoodie.', True),
    ('The guy has on a striped red hooded sweatshirt.', True),
    ('A man in a hoodie and jeans.', False),              # the stripes are not told
    ('A man in a striped red shirt and blue jeans.', False),
    ('A man in blue jeans.', False),
    ('A man in a striped blue hoodie and blue jeans.', False),
    ('A man in a striped red hoodie, blue jeans and a hat.', False),
    ('A man in a plaid red hoodie.', False),
    ('A man in a striped red hoodie and a kurta.', False),
    ('A man in a striped red hoodie instead of a shirt.', False),
    ('A man in a striped red hoodie, not a shirt.', False),
    ('Two men in striped red hoodies.', False),
    ('A man holding a striped red hoodie.', False),
    ('description] A striped red hoodie.', False), ('', False)])
def test_an_answer_says_what_the_rules_say_and_no_more(text, same):
    assert says_the_same('A man in a striped red shirt and blue jeans.',
                         'A man in a striped red hoodie and blue jeans.', text) is same


@pytest.mark.parametrize('source, target, text, same', [
    ('A man with a hat and a bag.', 'A man with a bag.', 'The man has a bag.', True),
    ('A man with a hat and a bag.', 'A man with a bag.', 'The man has a bag, no hat.', False),
    ('A man with a hat and a bag.', 'A man with a bag.', 'A man with a cap and a bag.', False),
    ('A red shirt.', 'A red striped shirt.', 'A striped shirt.', True),
    ('A red shirt.', 'A red striped shirt.', 'A red shirt with stripes.', True),
    ('A red shirt.', 'A red striped shirt.', 'A red shirt.', False)])
def test_answers_after_other_changes(source, target, text, same):
    assert says_the_same(source, target, text) is same


def test_only_captions_that_change_are_asked_for_and_each_answer_serves_once():
    captions = ['A man in a red shirt.', 'He walks.', 'His shirt is red.']
    edit = AttributeSwitcher().apply(captions, HOODIE)
    writer = Answers('He has a blue hoodie.', 'He is in a red hoodie.')
    written = rewrite_edit(edit, writer, 'a/1.jpg', seed=5)
    assert written.kept == (0, 1) and written.source_captions == tuple(captions[:2])
    assert written.target_captions == ('He is in a red hoodie.', 'He walks.')
    assert [(r.captions, r.name, r.seed, r.change) for r in writer.asked] == [
        ((captions[i],), 'a/1.jpg', 5 + i, 'the shirt is a hoodie now') for i in (0, 2)]
    assert rewrite_edit(edit, Answers('A red hoodie, a hat.'), 'a/1.jpg', 5) is None
    assert rewrite_edit(edit, Answers(), 'a/1.jpg', 5) is None
    assert rewrite_edit(edit, writer, 'a/1.jpg', 5, fits=lambda text: len(text) < 9) is None


def test_a_plan_with_recorded_captions(tmp_path):
    records = [PairRecord(f'{i}.jpg', ('A man in blue jeans.',), i, split='train')
               for i in range(3)]
    kwargs = dict(kinds=['garment'], edits_per_image=2)
    lines = [dict(image='0.jpg', change='the jeans are sweatpants now',
                  captions=['He wears blue jeans.', 'He wears blue sweat pants.']),
             dict(image='1.jpg', change='the jeans are sweatpants now', captions=['Red pants.'])]
    file = tmp_path / 'told.jsonl'
    file.write_text(''.join(json.dumps(line) + '\n' for line in lines))
    planner = AttributeEditPlanner(**kwargs, rewriter=dict(type='RecordedRewriter', file=str(file)))
    job, = planner.plan(records, 'mine')
    assert job.output == dict(captions=['He wears blue sweat pants.'],
                              group='0/garment/lower/jeans/sweatpants')
    by_rules = AttributeEditPlanner(**kwargs).plan(records, 'mine')
    twin, = (j for j in by_rules if j.output['group'] == job.output['group'])
    assert job.edit == {**twin.edit, 'writer': planner.rewriter.digest_fields}
    assert 'writer' not in twin.edit and planner.plan(records, 'mine') == [job]


def test_a_rewriter_that_tells_no_changes_is_refused_at_once():
    with pytest.raises(ValueError, match='RuleRewriter writes no captions after a change'):
        AttributeEditPlanner(rewriter=dict(type='RuleRewriter'))
