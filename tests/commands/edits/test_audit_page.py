"""The page of an audit, asked over HTTP as a browser does and as a stranger might."""

import http.client
import json
import re
import sys
import threading
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

import pytest

sys.path.append(str(Path(__file__).parents[2] / 'generation'))

from fake_parts import make_plan, run, seed_gate  # noqa: E402

from mmtbps.commands.edits.audit_page import AuditPage  # noqa: E402
from mmtbps.commands.main import run_command
from mmtbps.errors import UserError  # noqa: E402
from mmtbps.generation.quality.labels import read_labels  # noqa: E402
from mmtbps.generation.runs.audit import Audit  # noqa: E402

main = partial(run_command, 'generate')


@pytest.fixture
def done(tmp_path):
    make_plan(tmp_path)
    run(tmp_path, tmp_path / 'out', gates=[seed_gate])
    return tmp_path / 'out'


@contextmanager
def serving(done, count):
    with Audit(done, count) as audit, AuditPage(audit, done.parent / 'imgs', port=0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(.01, ))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def page(done):
    with serving(done, 4) as server:
        yield server


def ask(page, method='GET', path='/', body=None, **headers):
    connection = http.client.HTTPConnection('127.0.0.1', page.server_address[1], timeout=20)
    try:
        form = {'Content-Type': 'application/x-www-form-urlencoded'} if body else {}
        connection.request(method, path, body, {**form, **{
            name.replace('_', '-'): value for name, value in headers.items()}})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), dict(answer.getheaders())
    finally:
        connection.close()


def form_of(text):
    """The hidden fields of a page."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', text))


def judge(page, label, **changes):
    sent = {**form_of(ask(page)[1]), 'label': label, **changes}
    return ask(page, 'POST', body=urlencode(sent))


def test_a_sample_is_judged_to_its_end(page, done):
    for number, label in enumerate(('right', 'partial', 'wrong', 'right')):
        status, text, _ = ask(page)
        assert status == 200 and f'<p>{number} of 4</p>' in text
        assert text.count('src="data:image/jpeg;base64,') == 2 and '<del>' in text
        assert all(f'value="{name}"' in text for name in ('right', 'partial', 'wrong'))
        assert not re.search('refused|accepted|rejected|seed', text)  # nothing sways the judge
        assert judge(page, label)[0] == 303
        labels = read_labels(done / 'audit.jsonl')
        assert len(labels) == number + 1 and [*labels.values()][-1].label == label
    status, text, _ = ask(page)
    assert '4 edits are judged' in text and 'accepted' in text and 'passed by seed' in text


def test_the_way_back_judges_the_last_one_anew(page, done):
    first = form_of(ask(page)[1])['job']
    judge(page, 'right')
    text = ask(page)[1]
    assert f'<a href="/?job={first}" data-keys="b backspace">' in text
    text = ask(page, path=f'/?job={first}')[1]
    assert form_of(text)['job'] == first and 'right &#10003;' in text and '/?job=' not in text
    judge(page, 'wrong', job=first)
    assert read_labels(done / 'audit.jsonl')[first].label == 'wrong'


@pytest.mark.parametrize('status, message, question', [
    (403, 'does not answer to the name', dict(Host='evil.example')),
    (403, 'Pages of other sites', dict(Origin='https://evil.example')),
    (403, 'Pages of other sites', dict(method='POST', Origin='null', body='label=right')),
    (403, 'earlier start', dict(method='POST', body='job=x&label=right')),
    (404, 'nothing here', dict(path='/images/x.png')),
    (404, 'nothing here', dict(path='/../audit.jsonl')),
    (404, 'nothing here', dict(path='/?job=nobody')),
    (413, 'too long', dict(method='POST', body='x' * 5000)),
])
def test_strangers_get_no_answer(page, done, status, message, question):
    answer = ask(page, **question)
    assert answer[0] == status and message in answer[1]
    assert read_labels(done / 'audit.jsonl') == {}


def test_an_answer_that_is_none_is_refused(page, done):
    assert judge(page, 'good')[0] == judge(page, 'right', job='<b>')[0] == 400
    assert judge(page, 'right', token='guessed')[0] == 403
    assert read_labels(done / 'audit.jsonl') == {}


def test_nothing_is_loaded_from_elsewhere_or_kept(page):
    _, text, headers = ask(page)
    policy = headers['Content-Security-Policy']
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert headers['Cache-Control'] == 'no-store' and 'http' not in text.replace('http-equiv', '')
    nonce = re.search("script-src 'nonce-([^']+)'", policy)[1]
    assert text.count(f'nonce="{nonce}"') == 2
    assert page.server_address[0] == '127.0.0.1'


def test_captions_are_text(done):
    change_lines(done, lambda line: line['output'].update(
        captions=['<script>alert(1)</script>'] * len(line['output']['captions'])))
    with Audit(done, 2) as audit, AuditPage(audit, done.parent / 'imgs', port=0) as page:
        text = page.page_of(None)
    assert '<script>' not in text and '&lt;script&gt;' in re.sub('</?ins>', '', text)


def test_a_port_that_is_taken_is_one_line(page):
    with pytest.raises(UserError, match='name another port'):
        AuditPage(page.audit, Path('.'), page.server_address[1])


def test_the_command_prints_the_shares(done, capsys, refused):
    with Audit(done, 16) as audit:
        for job in audit.todo:
            audit.answer(job, 'right' if audit.sample[job].status == 'accepted' else 'wrong')
    main(['audit', str(done), '--samples', '16', '--table'])
    printed = capsys.readouterr().out
    accepted = sum(label.status == 'accepted' for label in audit.labels.values())
    assert re.search(rf'^accepted: 100.0 % \(.* to 100.0 %\), {accepted} of {accepted} right$',
                     printed, re.MULTILINE)
    assert 'refused by seed: 0.0 %' in printed and '16 edits are judged, 0 of the' in printed
    (done / 'images.json').unlink()
    with refused('source images is not noted in this run: add --images FOLDER'):
        main(['audit', str(done)])
    with refused('no generation has run in this folder'):
        main(['audit', str(done.parent)])


def change_lines(done, change):
    """Change every line of the manifest, as a stranger or a bad disk might."""
    part, = done.glob('part-*.jsonl')
    lines = [json.loads(line) for line in part.read_text().splitlines()]
    for line in lines:
        change(line)
    part.write_text(''.join(json.dumps(line) + '\n' for line in lines))


def test_images_outside_the_folder_are_told_before_the_page_opens(done, refused, capsys):
    """A run whose data set allows that needs the same word here."""
    change_lines(done, lambda line: line['source'].update(
        image='../' + line['source']['image']))
    with refused(r"image '\.\./cam_a.* leads out of the image folder.*: add --allow-outside"):
        main(['audit', str(done)])
    (done.parent / 'cam_a').symlink_to(done.parent / 'imgs' / 'cam_a')
    with Audit(done, 2) as audit, AuditPage(audit, done.parent / 'imgs', 0, True) as page:
        assert page.page_of(None).count('src="data:image/jpeg;base64,') == 2


@pytest.mark.parametrize('change', [
    lambda line: line['edit'].pop('spans'), lambda line: line['edit'].update(kept=[99]),
    lambda line: line['output'].update(captions=[])])
def test_a_broken_record_is_said_in_the_page(done, change):
    change_lines(done, change)
    with serving(done, 4) as page:
        status, text, _ = ask(page)
    assert status == 500 and 'broken captions in the manifest' in text


@pytest.mark.parametrize('path', ['http://[/', 'http://[::1/?job=x'])
def test_an_address_that_is_none_is_not_found(page, path, capfd):
    host = f'127.0.0.1:{page.server_address[1]}'
    assert ask(page, path=path, Host=host)[0] == 404
    assert 'Traceback' not in capfd.readouterr().err


def test_a_browser_that_goes_away_leaves_nothing_in_the_terminal(page, capfd):
    for error in (BrokenPipeError(), ConnectionResetError(), TimeoutError()):
        try:
            raise error
        except OSError:
            page.handle_error(None, ('127.0.0.1', 1))
    assert not capfd.readouterr().err
    try:
        raise KeyError('x')
    except KeyError:
        page.handle_error(None, ('127.0.0.1', 1))
    assert 'KeyError' in capfd.readouterr().err


def test_an_answer_that_cannot_be_written_is_said(page, monkeypatch):
    def fail(*_):
        raise OSError(30, 'Read-only file system')

    monkeypatch.setattr(page.audit, 'answer', fail)
    status, text, _ = judge(page, 'right')
    assert status == 500 and 'Read-only file system' in text


def test_the_table_is_printed_while_the_page_is_open(done, page, capsys):
    judge(page, 'right')
    main(['audit', str(done), '--samples', '4', '--table'])
    assert '1 edits are judged, 3 of the sample are not' in capsys.readouterr().out


def test_the_table_of_a_run_that_nobody_judged_writes_nothing(done, capsys):
    main(['audit', str(done), '--table'])
    assert ': 0 edits are judged, 16 of the' in capsys.readouterr().out
    assert not list(done.glob('audit*'))
