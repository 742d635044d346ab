"""Watch on the page, without a browser: rules, alarms, marks, trials, and who may change them."""

import json

import pytest
import yaml
from fakes import ColorEncoder
from watch_page_rig import RULES, watch_who_comes, write_rules
from webui_rig import fill

from mmtbps.errors import BadValue, MissingFile
from mmtbps.search.inferencer import TextToPersonInferencer
from mmtbps.search.watching import Outbox, RuleJudge, read_rules
from mmtbps.search.watching.marks import Marks, read_marks
from mmtbps.search.watching.rule_file import RuleFile, as_values
from mmtbps.search.watching.trials import rates_met, try_last
from mmtbps.search.webui import WatchFolder, check_watch
from mmtbps.search.webui.service import Refused, SearchService
from mmtbps.search.webui.watch_service import WatchService, read_rule
from mmtbps.search.webui.watch_views import fields_of, show_alarms, show_rules, show_trial

FIELDS = dict(name='green', sentence='all in green', bound='min_score', value='0.9')


@pytest.fixture
def opened(tmp_path):
    """Services of a watch whose visitors may change everything, and its folder."""
    return open_services(tmp_path, True)


def open_services(root, may_change):
    rules = write_rules(root / 'rules.yaml')
    folder = watch_who_comes(root, rules)
    searcher = TextToPersonInferencer(ColorEncoder(), gallery=root / 'gallery', presence=True,
                                      images=root / 'images')
    service = SearchService(searcher, root / 'images')
    return service, WatchService(service, WatchFolder(folder, rules, may_change)), root


# ------------------------------------------------------------------ alarms and marks
def test_alarms_are_shown_latest_first_with_what_is_known_of_them(opened):
    service, watch, root = opened
    alarms = watch.alarms(10)
    lines = [json.loads(line) for line in (root / 'alarms.jsonl').read_text().splitlines()]
    assert [alarm.values for alarm in alarms] == lines[::-1] and len(lines) == 2
    assert len(watch.alarms(1)) == 1 and all(alarm.entry for alarm in alarms)
    html = show_alarms(service, watch)
    assert html.count('<article') == html.count('data:image/jpeg') == 2
    assert html.index('red-purple.png') < html.index('red-black.png')
    assert '✓ red coat' in html and f'{lines[0]["score"]:.3f} (not calibrated' in html
    assert lines[0]['raised'][:10] in html and '2 in all' in html


def test_a_picture_that_was_removed_or_replaced_is_not_shown_as_that_of_the_alarm(opened):
    service, watch, root = opened
    first, second = (alarm.values['entry'] for alarm in watch.alarms(2))
    gallery = service.inferencer.gallery
    gallery.delete(ids=[first])
    entry = gallery.get([second])[0][0]
    gallery.upsert([type(entry)(entry.id, entry.path, sha256='another')],
                   gallery.get([second])[1])
    html = show_alarms(service, watch)
    assert html.count('the picture is not there any more') == 2 and 'data:image' not in html


def test_marks_of_the_page_give_the_rate_that_the_report_gives(opened):
    service, watch, root = opened
    first, second = (alarm.values['id'] for alarm in watch.alarms(2))
    assert 'false alarms</dt><dd>0 of 6 people' in show_rules(watch)
    watch.mark(first, 'false')
    watch.mark(second, 'right')
    assert [alarm.mark for alarm in watch.alarms(2)] == ['false', 'right']
    assert read_marks(root / 'watch/marks.txt') == [first]
    expected = rates_met(Outbox(root / 'watch'), [first])
    assert watch.rates() == expected and expected[-1].false == 1
    assert '1 of 6 people: 16.6667%' in show_rules(watch)
    watch.mark(first, 'false')  # once more takes it away
    assert watch.rates()[-1].false == 0 and watch.alarms(2)[0].mark == ''
    for key, mark in (('nosuch', 'false'), (None, 'false'), (first, 'maybe'), (first, '')):
        with pytest.raises(Refused):
            watch.mark(key, mark)


def test_marks_keep_what_a_person_has_written(tmp_path):
    (tmp_path / 'marks.txt').write_text('# looked at today\nabc  # a post box\n')
    marks = Marks(tmp_path)
    marks.mark('def', 'right')
    assert marks.read() == {'abc': 'false', 'def': 'right'}
    marks.mark('def', None)
    assert marks.path.read_text() == '# looked at today\nabc  # a post box\n'
    marks.mark('abc', 'right')
    assert read_marks(marks.path) == [] and marks.read() == {'abc': 'right'}
    marks.path.write_text('two words\n')
    for wrong in (marks.read, lambda: marks.mark('abc', 'false')):
        with pytest.raises(BadValue, match='line 1: one id'):
            wrong()
    for key in ('', 'a b', '../x', '#'):
        with pytest.raises(BadValue, match='no id'):
            Marks(tmp_path / 'none').mark(key, 'false')


# ------------------------------------------------------------------ rules
def test_a_rule_is_added_changed_and_removed_as_the_watch_reads_it(opened):
    _, watch, root = opened
    there = watch.rules()
    values = read_rule(**FIELDS, where='camera=lobby,yard; frame=10..', cool_down='60')
    there = watch.save(values, '', there.stamp)
    assert read_rules(root / 'rules.yaml') == list(there.rules) and len(there.rules) == 3
    added = there.rules[-1]
    assert (added.bound, added.value, added.cool_down) == ('min_score', .9, 60.)
    assert added.where == dict(camera=['lobby', 'yard'], frame=(10, None))
    fields = fields_of(as_values(added))
    assert read_rule(**fields) == values
    there = watch.save(read_rule(**{**fields, 'value': '0.5', 'name': 'greener'}), 'green',
                       there.stamp)
    assert [rule.name for rule in read_rules(root / 'rules.yaml')] == [
        'red coat', 'blue <b>', 'greener']
    there = watch.remove('red coat', there.stamp)
    assert [rule.name for rule in there.rules] == ['blue <b>', 'greener']
    before = yaml.safe_load((root / 'rules.yaml.before').read_text())
    assert [rule['name'] for rule in before] == ['red coat', 'blue <b>', 'greener']


@pytest.mark.parametrize('changed, said', [
    (dict(name=' '), 'needs a name'), (dict(sentence=''), 'needs a sentence'),
    (dict(bound='min_luck'), 'The bound must be one of'), (dict(bound=None), 'The bound must be'),
    (dict(value='much'), "The bound must be a number, got 'much'"),
    (dict(value='7'), 'min_score: a number from -1 to 1'),
    (dict(value='nan'), 'min_score: a number from -1 to 1'),
    (dict(cool_down='-1'), 'cool_down: a number from 0'),
    (dict(where='camera'), 'A filter is key=value'),
    (dict(where='camera=a; camera=b'), 'each key once'),
    (dict(where='frame=a..b'), 'where: '),
    (dict(name='red coat'), "'red coat' is taken by another rule"),
    (dict(bound='min_probability', value='0.5'), 'the model is not calibrated'),
    (dict(sentence=5), 'must be text'), (dict(name='x' * 300), 'at most 200'),
])
def test_a_rule_that_a_watch_would_refuse_is_not_saved(opened, changed, said):
    _, watch, root = opened
    before = (root / 'rules.yaml').read_bytes()
    with pytest.raises(Refused) as refused:
        watch.save(read_rule(**{**FIELDS, **changed}), '', watch.rules().stamp)
    assert said in str(refused.value) and str(root) not in str(refused.value)
    assert (root / 'rules.yaml').read_bytes() == before


def test_what_somebody_else_has_changed_is_not_written_over(opened):
    _, watch, root = opened
    stamp = watch.rules().stamp
    write_rules(root / 'rules.yaml', RULES[:1])
    for change in (lambda: watch.save(read_rule(**FIELDS), '', stamp),
                   lambda: watch.remove('red coat', stamp)):
        with pytest.raises(Refused, match='changed meanwhile'):
            change()
    with pytest.raises(Refused, match='the last rule'):
        watch.remove('red coat', watch.rules().stamp)
    with pytest.raises(Refused, match="no rule 'nosuch'"):
        watch.save(read_rule(**FIELDS), 'nosuch', watch.rules().stamp)
    (root / 'rules.yaml').write_text('- {name: red}')
    assert 'sentence: a text is needed' in show_rules(watch)


def test_the_first_rule_makes_the_file(tmp_path):
    file = RuleFile(tmp_path / 'rules.yaml')
    assert file.read().rules == () and file.read().stamp == ''
    file.put(dict(name='a', sentence='b', min_score=.1), stamp='')
    assert [rule.name for rule in read_rules(file.path)] == ['a']
    assert not (tmp_path / 'rules.yaml.before').exists()


# ------------------------------------------------------------------ trials
def test_a_trial_is_what_the_command_finds_and_notes_nothing(opened):
    service, watch, root = opened
    gallery = service.inferencer.gallery
    before = {path: path.read_bytes() for path in (root / 'watch').glob('*.txt')}
    values = read_rule(**FIELDS | dict(value='0.2'))
    found, entries = watch.trial(values, 4)
    rule = RuleFile(root / 'rules.yaml').check(values)
    expected = try_last(gallery, RuleJudge([rule], gallery, ColorEncoder()), 4, 0.)
    assert entries == 4 and [each.values['entry'] for each in found] == [
        each.entry.id for each in expected] and expected
    html = show_trial(service, found, entries)
    assert 'among the last 4 entries; nothing was sent' in html
    assert html.count('<article') == html.count('data:image') == len(found)
    assert 'data-pick' not in html and 'It would have raised' in html
    assert len(watch.alarms(9)) == 2 and before == {
        path: path.read_bytes() for path in (root / 'watch').glob('*.txt')}
    assert watch.trial(values, 1000.)[1] == 6
    for wrong in (0, -1, 10**6, 2.5, True, None, '4', float('nan')):
        with pytest.raises(Refused, match='1 to 5,000 entries'):
            watch.trial(values, wrong)


# ------------------------------------------------------------------ rights
def test_without_leave_visitors_see_and_try_and_change_nothing(tmp_path):
    service, watch, root = open_services(tmp_path, False)
    key = watch.alarms(1)[0].values['id']
    stamp, before = watch.rules().stamp, (root / 'rules.yaml').read_bytes()
    for change in (lambda: watch.mark(key, 'false'), lambda: watch.remove('red coat', stamp),
                   lambda: watch.save(read_rule(**FIELDS), '', stamp)):
        with pytest.raises(Refused, match='--change-rules'):
            change()
    assert (root / 'rules.yaml').read_bytes() == before
    assert not (root / 'watch/marks.txt').exists()
    assert 'data-pick' not in show_alarms(service, watch)
    assert 'remove:' not in show_rules(watch) and 'edit:0' in show_rules(watch)
    assert watch.trial(read_rule(**FIELDS), 5)[1] == 5


def test_where_nothing_may_be_changed_there_is_no_event_for_it_and_without_a_watch_no_tab(tmp_path):
    pytest.importorskip('gradio')
    from mmtbps.search.webui import build_page
    service, _, root = open_services(tmp_path, True)
    events = {}
    for may_change in (False, True):
        page = build_page(service.inferencer, root / 'images',
                          watch=WatchFolder(root / 'watch', root / 'rules.yaml', may_change))
        named = [fn.fn.__name__ for fn in page.fns.values() if fn.fn]
        events[may_change] = {name for name in ('marked', 'saved', 'tried', 'picked')
                              if name in named}
        assert [block.label for block in page.blocks.values()
                if type(block).__name__ == 'Tab'] == ['Search', 'Watch']
    page = build_page(service.inferencer, root / 'images')
    assert not any(type(block).__name__ == 'Tab' for block in page.blocks.values())
    assert events == {False: {'tried', 'picked'}, True: {'marked', 'saved', 'tried', 'picked'}}


def test_a_watch_that_is_none_is_refused_before_the_page_is_built(tmp_path):
    rules = tmp_path / 'rules.yaml'
    with pytest.raises(BadValue, match='no watch has run here yet'):
        check_watch(WatchFolder(tmp_path))
    with pytest.raises(MissingFile, match='no such file of rules'):
        check_watch(WatchFolder(rules=rules))
    with pytest.raises(MissingFile):
        check_watch(WatchFolder(rules=tmp_path / 'none/rules.yaml', may_change=True))
    with pytest.raises(BadValue, match='is for --watch FOLDER or --rules FILE'):
        check_watch(WatchFolder(may_change=True))
    check_watch(WatchFolder(rules=rules, may_change=True))
    rules.write_text('- {name: red}')
    with pytest.raises(BadValue, match='sentence: a text is needed'):
        check_watch(WatchFolder(rules=rules))


def test_rules_alone_or_alarms_alone_are_shown(tmp_path):
    service, _, root = open_services(tmp_path, True)
    rules = WatchService(service, WatchFolder(rules=root / 'rules.yaml', may_change=True))
    assert show_alarms(service, rules) == '' and 'false alarms' not in show_rules(rules)
    alarms = WatchService(service, WatchFolder(root / 'watch'))
    assert show_rules(alarms) == '' and '<article' in show_alarms(service, alarms)
    assert alarms.trial(read_rule(**FIELDS), 3)[1] == 3
    other = tmp_path / 'other'
    fill(other / 'images', other / 'gallery')
    Outbox(other / 'watch').close()
    empty = WatchService(service, WatchFolder(other / 'watch'))
    assert 'No alarms yet' in show_alarms(service, empty)
