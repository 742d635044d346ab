"""Page on which a person judges the edits of a run, one key an edit.

It is served by the standard library to this machine alone, and works without a script too. All that
it shows stands in the page itself: no file can be asked for.
"""

import secrets
import sys
import threading
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from markupsafe import Markup

from mmtbps.errors import BadValue
from mmtbps.fileio import DiskFull
from mmtbps.generation.runs.audit import Audit, audit_table
from mmtbps.generation.runs.figures import draw_captions, draw_picture
from mmtbps.generation.runs.manifest import Record
from mmtbps.markup import load_template
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
_PAGE = Path(__file__).parent / 'templates/audit.html'


def draw_edit(audit: Audit, record: Record, images: Path, token: str, back: str | None = None,
              allow_outside: bool = False) -> Markup:
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
    pictures = [(title, draw_picture(path, title, _SIZE)) for title, path in (
        ('before', source), ('after', audit.folder / record.output['file']))]
    known = audit.labels.get(record.job_id)
    return load_template(_PAGE).module.edit(
        count=len(audit.sample), done=len(audit.sample) - len(audit.todo), pictures=pictures,
        captions=draw_captions(record), token=token, job=record.job_id, answers=_ANSWERS,
        known=known.label if known else '', back=back)


def draw_end(audit: Audit, back: str | None = None) -> Markup:
    """Draw the table of an audit that has come to its end."""
    return load_template(_PAGE).module.end(
        count=len(audit.sample), back=back,
        rows=audit_table(audit.records.values(), audit.labels.values()))


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

    def page_of(self, job: str | None) -> Markup | None:
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

    def _show(self, page: Markup) -> None:
        nonce = secrets.token_urlsafe()
        self._say(HTTPStatus.OK, load_template(_PAGE).render(body=page, nonce=nonce), 'html',
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
