"""The benchmark of serving: what it counts, against a page that answers as it is told."""

import argparse
import json
import math
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mmtbps.commands.benchmark import load_benchmark


@pytest.fixture(scope='module')
def serving():
    return load_benchmark('serving')


@contextmanager
def fake_page(answer):
    """A page whose endpoint 7, ``/search``, gives ``answer(sentence)``; it notes the sessions."""
    asked, sessions = {}, []

    class Page(BaseHTTPRequestHandler):
        protocol_version = 'HTTP/1.1'

        def do_GET(self):
            if self.path == '/config':
                return self.reply(dict(dependencies=[dict(id=3, api_name='similar'),
                                                     dict(id=7, api_name='search')]))
            session = self.path.partition('session_hash=')[2]
            said = answer(asked.pop(session))
            lines = [dict(msg='estimation'), dict(msg='process_starts'), dict(
                msg='process_completed', success=said is not None,
                output=dict(data=[said]) if said is not None else dict(error='refused'))]
            self.reply(''.join(f'data: {json.dumps(line)}\n\n' for line in lines))

        def do_POST(self):
            given = json.loads(self.rfile.read(int(self.headers['content-length'])))
            assert self.path == '/gradio_api/queue/join' and given['fn_index'] == 7
            sessions.append(given['session_hash'])
            asked[given['session_hash']] = given['data'][0]
            self.reply(dict(event_id='e'))

        def reply(self, value):
            body = (value if isinstance(value, str) else json.dumps(value)).encode()
            self.send_response(200)
            self.send_header('content-length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(('127.0.0.1', 0), Page) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, sessions
        server.shutdown()


def by_counting(values, percent):
    """The smallest value below or at which so many percent of all are."""
    return min(value for value in values
               if sum(other <= value for other in values) >= percent / 100 * len(values))


@pytest.mark.parametrize('values', [[5], [2, 1], [3, 1, 2], list(range(100, 0, -1)),
                                    [7, 7, 7, 1], [.5 * i for i in range(101)]])
@pytest.mark.parametrize('percent', [1, 50, 99, 100])
def test_percentiles_are_values_that_were_measured(serving, values, percent):
    assert serving.percentile(values, percent) == by_counting(values, percent)


def test_no_answers_have_no_percentile(serving):
    assert math.isnan(serving.percentile([], 50))


def test_a_row_counts_answers_times_and_equal_hits(serving):
    answers = [serving.Answer('a', 0, i / 1000, 'x' if i % 4 else 'y') for i in range(1, 201)]
    assert serving.row_of(answers, 10, dict(a='x'), dict(clients=8)) == {
        'clients': 8, 'answers a second': 20.0, 'p50 (ms)': 100, 'p99 (ms)': 198,
        'same first': .75}


def test_every_client_asks_one_question_at_a_time_and_the_warm_up_is_not_counted(serving):
    busy, most, lock = [0], [0], threading.Lock()

    def answer(sentence):
        with lock:
            busy[0] += 1
            most[0] = max(most[0], busy[0])
        time.sleep(.02)
        with lock:
            busy[0] -= 1
        return [dict(id=sentence[:9]), dict(id='second')]

    with fake_page(answer) as (port, sessions):
        answers = serving.load(port, 3, .5)
    assert most[0] <= 3 and len({*sessions}) == len(sessions)
    assert 3 <= len(answers) < len(sessions)
    assert all(found.first == found.sentence[:9] and found.seconds >= .02 for found in answers)


@pytest.mark.parametrize('answer, said', [(lambda sentence: None, 'refuses'),
                                          (lambda sentence: 1 / 0, 'got no answer')])
def test_a_question_without_an_answer_is_an_error(serving, answer, said):
    with fake_page(answer) as (port, _), pytest.raises(RuntimeError, match=said):
        serving.load(port, 2, .2)


def test_sentences_are_as_many_as_clients_and_all_different(serving):
    assert len({*serving.sentences()}) == len(serving.sentences()) == 64


@pytest.mark.slow
def test_the_real_page_answers_alike_one_by_one_and_in_a_batch(serving, tmp_path):
    pytest.importorskip('gradio')
    rows = serving.run(argparse.Namespace(
        clients=[1, 8], runtimes=['torch'], entries=200, seconds=1, size='tiny', threads=1,
        out=tmp_path))
    assert [(row['sentences'], row['clients'], row['same first']) for row in rows] == [
        ('one by one', 1, 1.), ('one by one', 8, 1.), ('in one batch', 1, 1.),
        ('in one batch', 8, 1.)]
    assert all(row['answers a second'] > 0 for row in rows)
