"""Rewriters without a model, and the check that a new caption is true of the old ones."""

import json

import numpy as np
import pytest

from mmtbps.errors import BadValue
from mmtbps.generation.rewriting import (
    RecordedRewriter,
    RetellRequest,
    RuleRewriter,
    unfaithful,
)
from mmtbps.generation.rewriting.rules import retell
from mmtbps.lexicon import find_color_mentions


def request(*captions, seed=0, name='a.jpg', change=''):
    return RetellRequest('job', captions, None, seed, name, change)


def test_rules_tell_the_same_colors_of_the_same_clothes():
    captions = ['An old man in an orange coat, black jeans and white shoes walks.',
                'His shirt is dark red and his shorts are blue; no hat.']
    seen = set()
    for seed in range(40):
        for old in captions:
            new = retell(old, np.random.default_rng(seed))
            assert {(m.noun, m.bases) for m in find_color_mentions(new)} == {
                (m.noun, m.bases) for m in find_color_mentions(old)}
            assert unfaithful([old], new) is None
            seen.add(new)
    assert len(seen) > 20
    assert 'The man is dressed in black jeans, white shoes and an orange coat.' in seen
    assert any('a dark red shirt' in new for new in seen)


@pytest.mark.parametrize('caption', [
    'A man in a red coat.', 'A man walks.', 'Two men in red coats and blue jeans.',
    'A man holding a red coat in blue jeans.', 'He is not in a red coat but in blue jeans.',
    'A red shirt and pants, white shoes.', ''])
def test_what_is_uncertain_is_not_told_again(caption):
    assert RuleRewriter().rewrite([request(caption)]) == [[]]


def test_rules_depend_on_the_seed_alone():
    caption = 'A man in a red coat, blue jeans and white shoes.'
    told = [RuleRewriter().rewrite([request(caption, seed=seed)])[0][0] for seed in range(20)]
    assert told == [RuleRewriter().rewrite([request(caption, seed=s)])[0][0] for s in range(20)]
    assert len(set(told)) > 5


def test_recorded_captions(tmp_path):
    file = tmp_path / 'new.jsonl'
    lines = [dict(image='a.jpg', captions=['One.']), dict(image='b.jpg', captions=['Two.']),
             dict(image='a.jpg', captions=['Three.'])]
    file.write_text(''.join(json.dumps(line) + '\n' for line in lines))
    rewriter = RecordedRewriter(file)
    assert rewriter.rewrite([request('x', name=name) for name in ('a.jpg', 'b.jpg', 'c.jpg')]) == [
        ['One.', 'Three.'], ['Two.'], []]
    before = rewriter.digest_fields
    file.write_text(json.dumps(lines[0]) + '\n')
    assert RecordedRewriter(file).digest_fields != before


def test_recorded_captions_after_a_change(tmp_path):
    """A line with ``change`` answers that change alone, one without it what is as it was."""
    file, hoodie, skirt = tmp_path / 'new.jsonl', 'the shirt is a hoodie now', 'a skirt now'
    lines = [dict(image='a.jpg', captions=['As it was.'], change=None),
             dict(image='a.jpg', captions=['A hoodie.'], change=hoodie),
             dict(image='a.jpg', captions=['Hooded.'], change=hoodie),
             dict(image='b.jpg', captions=['Skirted.'], change=skirt)]
    file.write_text(''.join(json.dumps(line) + '\n' for line in lines))
    requests = [request('x', name=name, change=change) for name in ('a.jpg', 'b.jpg')
                for change in ('', hoodie, skirt)]
    assert RecordedRewriter(file).rewrite(requests) == [
        ['As it was.'], ['A hoodie.', 'Hooded.'], [], [], [], ['Skirted.']]


def test_rules_refuse_a_change_rather_than_tell_what_was():
    plain = request('A man in a red shirt and blue jeans.')
    changed = request('A man in a red shirt and blue jeans.', change='the shirt is a hoodie now')
    with pytest.raises(BadValue, match="^RuleRewriter writes no captions after a change, asked for "
                                       "'the shirt is a hoodie now': use a rewriter that does"):
        RuleRewriter().rewrite([plain, changed])
    assert RuleRewriter().rewrite([plain]) != [[]]


@pytest.mark.parametrize('line, message', [
    ('{"image": "a.jpg", "captions": ["a"], "change": 3}', "new.jsonl:1: key 'change' must be"),
    ('{"image": "a.jpg"}', "new.jsonl:1: key 'captions'"),
    ('{"image": "a.jpg", "captions": [1]}', 'new.jsonl:1: captions must be strings'),
    ('{"captions": ["a"]}', "new.jsonl:1: key 'image'")])
def test_a_record_that_cannot_be_read_is_named(tmp_path, line, message):
    (tmp_path / 'new.jsonl').write_text(line + '\n')
    with pytest.raises(ValueError, match=message):
        RecordedRewriter(tmp_path / 'new.jsonl')
    with pytest.raises(FileNotFoundError, match='none.jsonl'):
        RecordedRewriter(tmp_path / 'none.jsonl')


@pytest.mark.parametrize('new, fault, fault_with_picture', [
    ('She has blue jeans, a red coat.', None, None),
    ('She has blue jeans and a maroon coat.', None, None),
    ('She has a blue coat and red jeans.', 'blue coat', 'blue coat'),
    ('She has white shoes.', 'white shoes', None),
    ('Two women in red coats.', 'several people', 'several people'),
    ('[description]', 'no caption', 'no caption'), (' ', 'no caption', 'no caption'),
    ('Her clothes are red.', None, None), ('Her clothes are green.', 'clothes are green',
                                           'clothes are green'),
    ('A woman walks.', None, None),
    ('I cannot help with that.', 'no caption', 'no caption'),
    ('A woman in a strawberry coat.', 'coat: words that may be a color', None),
    ('A woman without a red coat.', 'red coat', 'red coat'),
])
def test_a_new_caption_must_be_true_of_the_old_ones(new, fault, fault_with_picture):
    captions = ['A woman in a red coat.', 'Her jeans are blue.']
    assert unfaithful(captions, new) == fault
    assert unfaithful(captions, new, sees_pictures=True) == fault_with_picture


@pytest.mark.parametrize('old, new, fault', [
    ('A white t-shirt and a blue jacket.', 'A man in a blue t-shirt.', 'blue t-shirt'),
    ('A white t-shirt and a blue jacket.', 'A man in white t-shirts, blue coat.', None),
    ('In a blue coat, holding a red jacket.', 'He wears a red jacket.', 'red jacket'),
    ('In a blue coat, holding a red jacket.', 'He holds a red jacket.', None),
    ('In a blue coat without a red hat.', 'He wears a red hat.', 'red hat'),
    ('In a blue coat without a red hat.', 'A man with no red hat.', None),
    ('A man in a red coat and a woman in blue.', 'A man in a red coat.', 'red coat'),
    ('A strawberry coat and white shoes.', 'A man in a strawberry coat.', None),
])
def test_a_color_stays_with_its_garment_worn_or_not(old, new, fault):
    assert unfaithful([old], new) == fault


def test_an_umbrella_is_not_worn():
    caption = 'A man with a black umbrella, a red coat and blue jeans.'
    told = {retell(caption, np.random.default_rng(seed)) for seed in range(40)}
    assert len(told) > 5 and not any('umbrella' in text for text in told)
    with pytest.raises(ValueError, match='min_garments'):
        RuleRewriter(min_garments=0)


def test_a_recorded_path_may_be_written_otherwise(tmp_path):
    (tmp_path / 'new.jsonl').write_text(json.dumps(dict(image='./cam\\a.jpg', captions=['One.'])))
    assert RecordedRewriter(tmp_path / 'new.jsonl').rewrite([request('x', name='cam/a.jpg')]) == [
        ['One.']]
