"""``mmtbps watch`` on the command line, with a model of colours."""

import json

import pytest
from search_command_rig import assert_refused

pytest_plugins = 'search_command_fixtures'  # `call` and `indexed`

RULES = """
- {name: red, sentence: all in red, min_score: 0.95}
- {name: blue at c2, sentence: all in blue, min_score: 0.95, where: {camera: c2}}
"""


def paint(file, color, width=9):
    from fakes import paint as draw  # beside the plugin, which finds it
    draw(color, size=(width, 16)).save(file)


def lines_of(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.fixture
def rules(indexed):
    file = indexed / 'rules.yaml'
    file.write_text(RULES)
    return file


def test_a_folder_is_looked_at_once_and_only_who_is_new_raises_an_alarm(indexed, rules, call):
    words = ['watch', indexed / 'people', indexed / 'crops', '--rules', rules, '--once']
    code, out, err = call(*words)
    assert code == 0 and '0 alarms raised; 4 people in all' in out
    for name in ('red', 'blue'):
        paint(indexed / f'crops/new-{name}.png', name)
    code, out, err = call(*words, '--json')
    assert code == 0 and json.loads(out) == dict(gallery=str(indexed / 'people'), entries=6,
                                                 alarms=1, waiting={})
    alarm, = lines_of(indexed / 'people.watch/alarms.jsonl')
    assert (alarm['rule'], alarm['picture']) == ('red', str(indexed / 'crops/new-red.png'))
    assert alarm['probability'] is None and alarm['basis'] == 'not calibrated'
    assert 'alarms go to' in err and 'alarms.jsonl' in err
    assert '0 alarms raised' in call(*words)[1]


def test_a_new_gallery_is_begun_with_its_model(indexed, rules, call):
    model = ['--config', indexed / 'config.py', '--weights', indexed / 'weights.pth']
    code, out, err = call('watch', indexed / 'new', indexed / 'crops', '--rules', rules, '--once',
                          *model)
    assert code == 0 and '1 alarms raised; 4 people in all' in out, err
    code, out, _ = call('query', indexed / 'new', 'all in red', '--topk', 1)
    assert code == 0 and 'red.png' in out


def test_alarms_wait_where_a_server_is_gone_and_are_sent_by_the_same_command(
        indexed, rules, call, monkeypatch):
    pytest.importorskip('httpx')
    from watch_rig import Server

    from mmtbps.search.watching import watch as module
    monkeypatch.setattr(module, '_PATIENCE', .1)
    server = Server()
    server.answer = 503
    paint(indexed / 'crops/new.png', 'red')
    words = ['watch', indexed / 'people', indexed / 'crops', '--rules', rules, '--once',
             '--webhook', server.url]
    call('watch', indexed / 'people', indexed / 'crops', '--rules', rules, '--once')
    paint(indexed / 'crops/newer.png', 'red', 10)
    code, out, err = call(*words)
    assert code == 1 and 'error: alarms wait: 1 for webhook. The same command sends them' in err
    assert err.count('answered 503') == 1 and 'secret-path' not in err + out
    server.answer = 200
    assert call(*words)[0] == 0
    assert [body['picture'].rpartition('/')[2] for body in server.bodies] == ['newer.png']
    server.close()


def test_rules_are_tried_on_the_last_entries_and_nothing_is_noted(indexed, rules, call):
    words = ['watch', indexed / 'people', '--rules', rules, '--try-last', 3]
    code, out, _ = call(*words)
    assert code == 0 and '1 alarms among the last 3 entries; nothing was sent' in out
    assert 'blue at c2: ' in out and 'probability not calibrated' in out
    found = json.loads(call(*words, '--json')[1])
    assert found['entries'] == 3 and found['alarms'][0]['rule'] == 'blue at c2'
    assert not (indexed / 'people.watch').exists()


def test_a_report_tells_the_rate_that_was_met(indexed, rules, call):
    assert_refused(call('watch', indexed / 'people', '--report'), '.*was not watched yet')
    words = ['watch', indexed / 'people', indexed / 'crops', '--rules', rules, '--once']
    call(*words)
    for number in range(3):
        paint(indexed / f'crops/{number}.png', 'red', 9 + number)
    call(*words)
    first, *_ = lines_of(indexed / 'people.watch/alarms.jsonl')
    (indexed / 'false.txt').write_text(first['id'])
    words = ['watch', indexed / 'people', '--report', '--marks', indexed / 'false.txt']
    code, out, _ = call(*words)
    assert code == 0 and 'red: 3 alarms; marked false 1 of 3 people: 33.3333%' in out
    assert 'blue at c2: 0 alarms; marked false nobody was judged' in out
    rates = {rate['rule']: rate for rate in json.loads(call(*words, '--json')[1])['rules']}
    assert rates['red']['false'] == 1 and rates['blue at c2']['rate'] is None


@pytest.mark.parametrize('words, said', [
    ([], 'one of SOURCE, --try-last and --report is needed, got none'),
    (['crops', '--report'], 'got SOURCE, --report'),
    (['crops'], '--rules FILE is needed'),
    (['crops', '--rules', 'none.yaml'], '.*no such file of rules'),
    (['none', '--rules', 'rules.yaml', '--once'], '.*no such file or folder'),
    (['crops', '--rules', 'rate.yaml'], "rule 'red': max_false_alarm_rate: the model is not"),
    (['rtsp://a:b@c/d', '--rules', 'rules.yaml'], 'SOURCE: .* MMTBPS_STREAM_PASSWORD'),
    (['rtsp://c/d', '--rules', 'rules.yaml'], 'the people of a stream are found by a --detector'),
    (['crops', '--rules', 'rules.yaml', '--mqtt', 'mqtt://c'], '--mqtt: .*needs a topic'),
    (['crops', '--rules', 'rules.yaml', '--marks', 'false.txt'], '--marks is for --report'),
])
def test_what_cannot_be_done_is_refused_in_one_line(indexed, rules, call, monkeypatch, words, said):
    monkeypatch.chdir(indexed)
    (indexed / 'rate.yaml').write_text(
        '- {name: red, sentence: all in red, max_false_alarm_rate: 0.001}')
    assert_refused(call('watch', 'people', *words), said)


def test_a_gallery_of_another_model_is_refused(indexed, rules, call):
    (indexed / 'weights.pth').write_text('second')
    code, _, err = call('watch', indexed / 'people', indexed / 'crops', '--rules', rules, '--once',
                        '--config', indexed / 'config.py', '--weights', indexed / 'weights.pth')
    assert code == 1 and 'another model' in err and 'mmtbps index NEW.lance' in err


def test_marks_of_the_page_are_those_of_the_report(indexed, rules, call):
    words = ['watch', indexed / 'people', indexed / 'crops', '--rules', rules, '--once']
    call(*words)
    paint(indexed / 'crops/new.png', 'red')
    call(*words)
    alarm, = lines_of(indexed / 'people.watch/alarms.jsonl')
    (indexed / 'people.watch/marks.txt').write_text(f'{alarm["id"]}\n')
    words = ['watch', indexed / 'people', '--report']
    assert 'red: 1 alarms; marked false 1 of 1 people' in call(*words)[1]
    (indexed / 'none.txt').write_text('')
    assert 'marked false 0 of 1' in call(*words, '--marks', indexed / 'none.txt')[1]


def test_rules_that_change_while_it_watches_hold_from_the_next_look_on(
        indexed, rules, call, monkeypatch):
    from mmtbps.search.watching import StillSource
    texts = ['- {name: blue, sentence: all in blue, min_score: 0.95}', '- {name: blue}', None]

    def looks(self, stop):
        yield
        for number, text in enumerate(texts):
            if text is not None:
                rules.write_text(text)
            else:
                rules.unlink()
            for place, color in enumerate(('red', 'blue')):
                paint(indexed / f'crops/{color}-{number}.png', color, 10 + 2 * number + place)
            yield

    monkeypatch.setattr(StillSource, 'looks', looks)
    code, _, err = call('watch', indexed / 'people', indexed / 'crops', '--rules', rules, '--once')
    assert code == 0 and 'the rules have changed: 1 from now on' in err
    assert err.count('sentence: a text is needed') == 1 and 'The former rules go on' in err
    alarms = lines_of(indexed / 'people.watch/alarms.jsonl')
    assert [(alarm['rule'], alarm['picture'].rpartition('/')[2]) for alarm in alarms] == [
        ('blue', f'blue-{number}.png') for number in range(3)]


def test_the_page_is_given_the_watch_it_was_asked_for(indexed, rules, call, monkeypatch):
    pytest.importorskip('gradio')
    from mmtbps.search import webui
    asked = {}
    monkeypatch.setattr(webui, 'serve', lambda *_, **named: asked.update(named))
    page = ['serve', indexed / 'people', '--port', '8123']
    assert_refused(call(*page, '--watch', indexed / 'people.watch'), '.*no watch has run here yet')
    assert_refused(call(*page, '--change-rules'), '--change-rules is for --watch')
    assert_refused(call(*page, '--rules', indexed / 'none.yaml'), '.*no such file of rules')
    call('watch', indexed / 'people', indexed / 'crops', '--rules', rules, '--once')
    assert call(*page)[0] == 0 and asked == {}
    code, *_ = call(*page, '--watch', indexed / 'people.watch', '--rules', rules, '--change-rules')
    assert code == 0 and asked == dict(
        watch=webui.WatchFolder(indexed / 'people.watch', rules, True))
    call(*page, '--rules', rules)
    assert asked == dict(watch=webui.WatchFolder(None, rules, False))
