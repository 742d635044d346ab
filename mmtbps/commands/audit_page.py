"""Page on which a person judges the edits of a run, one key an edit.

It is served by the standard library to this machine alone, and works without a script too. All that
it shows stands in the page itself: no file can be asked for.
"""

import secrets
import sys
import threading
from functools import partial
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from mmtbps.errors import BadValue
from mmtbps.fileio import DiskFull
from mmtbps.generation.runs.audit import Audit, audit_table
from mmtbps.generation.runs.figures import draw_captions, draw_picture
from mmtbps.generation.runs.manifest import Record
from mmtbps.records import RecordError, image_name
from mmtbps.search.webui.addresses import PageAddress
from mmtbps.search.webui.server import AddressNotFree

__all__ = ['AuditPage', 'draw_edit', 'draw_end']

_HOST = '127.0.0.1'
_MAX_BODY = 2**12
_SIZE = 900, 900
_ANSWERS = (('right', '1 r', 'as asked, and nothing else changed'),
            ('partial', '2 p', 'a part of the garment, or a little beside it'),
            ('wrong', '3 w', 'something else, or not the colour'))
_STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 1.5rem auto;
       padding: 0 1rem; text-align: center }
progress { width: 100%; height: .4rem }
.pair { display: flex; justify-content: center; gap: 1.5rem; margin: 1rem 0 }
figure { margin: 0 } figcaption { font-size: .85rem; opacity: .7 }
figure img { height: min(62vh, 40rem); max-width: 44vw; object-fit: contain; border-radius: .5rem }
.captions p { margin: .2rem auto; max-width: 44rem }
del, ins { text-decoration: none; color: #222; background: #fbdcdc; border-radius: .2rem;
           padding: 0 .15rem }
ins { background: #d6f2d8 }
button { font: inherit; min-width: 9rem; padding: .7rem 1rem; margin: .3rem; border-radius: .6rem;
         border: 1px solid #8886; cursor: pointer }
button small { display: block; opacity: .65 }
table { margin: 1rem auto; border-collapse: collapse; text-align: left }
td { padding: .2rem 1rem .2rem 0; border-bottom: 1px solid #8884 }
"""
#: A key that is held down gives one answer; the space bar shows the source in the edit's place.
_SCRIPT = """
const blink = (on) => {
  const [before, after] = document.querySelectorAll('figure img');
  if (!after) return;
  after.dataset.own ??= after.src;
  after.src = on ? before.src : after.dataset.own;
};
addEventListener('keydown', (event) => {
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === ' ') { event.preventDefault(); blink(true); return; }
  const key = event.key.toLowerCase();
  const one = [...document.querySelectorAll('[data-keys]')].find(
    (item) => item.dataset.keys.split(' ').includes(key));
  if (one) { event.preventDefault(); one.click(); }
});
addEventListener('keyup', (event) => { if (event.key === ' ') blink(false); });
"""


def draw_edit(audit: Audit, record: Record, images: Path, token: str, back: str | None = None,
              allow_outside: bool = False) -> str:
    """Draw an edit and the answers to it; the gates' verdict is not told.

    Args:
        audit: Of the run.
        record: The edit.
        images: Folder of the source images.
        token: Of this page, which an answer repeats.
        back: Id of the job before, to judge it anew.
        allow_outside: As in :func:`~mmtbps.records.image_name`.
    """
    source = images / image_name(record.source_image, record.job_id, allow_outside)
    pictures = ''.join(
        f'<figure>{draw_picture(path, title, _SIZE)}<figcaption>{title}</figcaption></figure>'
        for title, path in (('before', source), ('after', audit.folder / record.output['file'])))
    known = audit.labels.get(record.job_id)
    buttons = ''.join(
        f'<button name="label" value="{name}" data-keys="{keys}" title="{title}">{name}'
        f'{" &#10003;" if known and known.label == name else ""}<small>{keys[0]}</small></button>'
        for name, keys, title in _ANSWERS)
    done = len(audit.sample) - len(audit.todo)
    way = (f'<a href="/?job={escape(back)}" data-keys="b backspace">back (b)</a> &middot; '
           if back else '')
    return (f'<progress max="{len(audit.sample)}" value="{done}"></progress>'
            f'<p>{done} of {len(audit.sample)}</p><div class="pair">{pictures}</div>'
            f'<div class="captions">{draw_captions(record)}</div>'
            f'<form method="post" action="/"><input type="hidden" name="token" value="{token}">'
            f'<input type="hidden" name="job" value="{escape(record.job_id)}">{buttons}</form>'
            f'<p>{way}hold the space bar to see the source in its place</p>')


def draw_end(audit: Audit, back: str | None = None) -> str:
    """Draw the table of an audit that has come to its end."""
    rows = ''.join(f'<tr><td>{escape(title)}</td><td>{escape(str(share))}</td></tr>'
                   for title, share in audit_table(audit.records.values(), audit.labels.values()))
    way = (f'<p><a href="/?job={escape(back)}" data-keys="b backspace">back (b)</a></p>'
           if back else '')
    return (f'<h1>{len(audit.sample)} edits are judged</h1><p>Share of right edits, with its 95 % '
            f'interval</p><table>{rows}</table>{way}')


class AuditPage(ThreadingHTTPServer):
    """Server of the page.

    Args:
        audit: Takes the answers.
        images: Folder of the source images.
        port: To listen at on this machine; 0 for a free one.
        allow_outside: As in :func:`~mmtbps.records.image_name`.

    Attributes:
        url: Address for a browser.

    Raises:
        RecordError: A source image of the sample lies outside ``images``.
        AddressNotFree: Nothing can listen at the port.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, audit: Audit, images: Path, port: int = 7861,
                 allow_outside: bool = False) -> None:
        self.audit, self.lock, self.token = audit, threading.Lock(), secrets.token_urlsafe()
        self.draw = partial(draw_edit, audit, images=images, token=self.token,
                            allow_outside=allow_outside)
        for record in audit.sample.values():  # better now than in the middle of an audit
            image_name(record.source_image, record.job_id, allow_outside)
        self.address = PageAddress(_HOST)
        try:
            super().__init__((_HOST, port), _Visit)
        except (OSError, OverflowError) as error:
            raise AddressNotFree(f'{_HOST}:{port}: the page cannot be opened at this address '
                                 f'({error}); name another port') from error
        self.url = f'http://{_HOST}:{self.server_address[1]}/'

    def page_of(self, job: str | None) -> str | None:
        """Draw an edit, by default the next one, or the end; ``None`` for one that is unknown."""
        with self.lock:
            todo, done = self.audit.todo, list(self.audit.labels)
            job = job or next(iter(todo), None)
            if job is None:
                return draw_end(self.audit, self._before(None))
            if job not in self.audit.sample:
                return None
            position = done.index(job) if job in done else len(done)
            return self.draw(self.audit.sample[job], back=self._before(position))

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a browser that went away; anything else keeps its traceback."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)

    def _before(self, position: int | None) -> str | None:
        """Return the job that was answered before a position in the order of the answers."""
        answered = [job for job in list(self.audit.labels)[:position] if job in self.audit.sample]
        return answered[-1] if answered else None


class _Visit(BaseHTTPRequestHandler):
    """One request of a browser."""

    server: AuditPage
    protocol_version = 'HTTP/1.1'
    timeout = 60

    def do_GET(self) -> None:
        if self._is_refused():
            return None
        try:
            place = urlsplit(self.path)
            page = self.server.page_of(parse_qs(place.query).get('job', [None])[0]) \
                if place.path == '/' else None
        except RecordError as error:
            return self._say(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
        except ValueError:  # of an address that is none
            page = None
        return self._say(HTTPStatus.NOT_FOUND, 'There is nothing here.') if page is None \
            else self._show(page)

    def do_POST(self) -> None:
        if self._is_refused():
            return None
        length = self.headers.get('Content-Length', '')
        if not length.isdecimal() or int(length) > _MAX_BODY:
            return self._say(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, 'too long')
        sent = {key: values[0] for key, values in parse_qs(
            self.rfile.read(int(length)).decode('utf-8', 'replace')).items()}
        if not secrets.compare_digest(sent.get('token', '').encode(), self.server.token.encode()):
            return self._say(HTTPStatus.FORBIDDEN, 'The page is of an earlier start: load it anew.')
        try:
            with self.server.lock:
                self.server.audit.answer(sent.get('job', ''), sent.get('label', ''))
        except BadValue as error:
            return self._say(HTTPStatus.BAD_REQUEST, str(error))
        except DiskFull as error:
            return self._say(HTTPStatus.INSUFFICIENT_STORAGE, str(error))
        except OSError as error:  # a disk that went away, or became read-only
            return self._say(HTTPStatus.INTERNAL_SERVER_ERROR, f'not written: {error}')
        return self._say(HTTPStatus.SEE_OTHER, '', Location='/')

    def _is_refused(self) -> bool:
        """Refuse a request under another site's name or from another site's page."""
        address, hosts = self.server.address, self.headers.get_all('Host') or ['']
        reasons = [address.refuse_host(host) for host in hosts]
        reasons.append(address.refuse_origin(self.headers.get_all('Origin') or [], hosts))
        reason = next(filter(None, reasons), None)
        if reason:
            self._say(HTTPStatus.FORBIDDEN, reason)
        return reason is not None

    def _show(self, page: str) -> None:
        nonce = secrets.token_urlsafe()
        self._say(HTTPStatus.OK, '<!DOCTYPE html><html lang="en"><meta charset="utf-8">'
                  '<meta name="viewport" content="width=device-width"><title>Audit of edits</title>'
                  f'<style nonce="{nonce}">{_STYLE}</style><body>{page}'
                  f'<script nonce="{nonce}">{_SCRIPT}</script></body></html>', 'html',
                  Content_Security_Policy=(
                      f"default-src 'none'; img-src data:; style-src 'nonce-{nonce}'; script-src "
                      f"'nonce-{nonce}'; form-action 'self'; base-uri 'none'; frame-ancestors "
                      "'none'"))

    def _say(self, status: HTTPStatus, text: str, kind: str = 'plain', **headers: str) -> None:
        body = text.encode('utf-8', 'backslashreplace')
        self.send_response(status)
        headers = dict(Content_Type=f'text/{kind}; charset=utf-8', Content_Length=str(len(body)),
                       Cache_Control='no-store', X_Content_Type_Options='nosniff',
                       Referrer_Policy='no-referrer', **headers)
        if status >= 400:
            headers['Connection'] = 'close'  # the body may be unread
        for name, value in headers.items():
            self.send_header(name.replace('_', '-'), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep the terminal free."""
