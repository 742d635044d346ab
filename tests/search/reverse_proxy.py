"""A reverse proxy that does what the nginx snippet of the guide says."""

import http.client
import http.server
import re
import threading
from contextlib import contextmanager
from pathlib import Path

GUIDE = Path(__file__).resolve().parents[2] / 'docs/guides/search_people.md'
#: Directives that change nothing of what a visitor without mistakes sees.
IDLE = {'proxy_http_version', 'proxy_read_timeout', 'client_max_body_size', 'auth_basic',
        'auth_basic_user_file'}


def read_snippet(text=None):
    """The location, and the directives that act, of the snippet in the guide."""
    text = text or re.search(r'```nginx\n(.*?)```', GUIDE.read_text('utf-8'), re.DOTALL)[1]
    text = re.sub(r'#.*', '', text)
    location, body = re.fullmatch(r'\s*location (\S+) \{(.*)\}\s*', text, re.DOTALL).groups()
    directives = dict(line.strip().split(None, 1) for line in body.split(';') if line.strip())
    return location, {key: value for key, value in directives.items() if key not in IDLE}


@contextmanager
def proxy_of(page_url, port, location, directives):
    """Serve the page at a port as nginx would."""
    directives = dict(directives)
    target = directives.pop('proxy_pass')
    keeps_host = directives.pop('proxy_set_header', None) == 'Host $http_host'
    assert directives.pop('proxy_buffering', 'off') == 'off'
    assert not directives, f'the proxy of the test does not know {set(directives)}'
    # As nginx has it: with a path in proxy_pass that path takes the place of the location.
    prefix = re.fullmatch(r'http://[^/]+(/?)', target)[1]
    host = page_url.removeprefix('http://')

    class Proxy(http.server.BaseHTTPRequestHandler):
        protocol_version = 'HTTP/1.1'

        def relay(self):
            if not self.path.startswith(location):
                return self.send_error(404)
            path = prefix + self.path.removeprefix(location) if prefix else self.path
            body = self.rfile.read(int(self.headers.get('content-length', 0)))
            headers = {key: value for key, value in self.headers.items()
                       if key.lower() not in ('host', 'connection')}
            headers['Host'] = self.headers['host'] if keeps_host else host
            connection = http.client.HTTPConnection(host, timeout=60)
            connection.request(self.command, path, body, headers)
            reply = connection.getresponse()
            self.send_response(reply.status)
            for key, value in reply.getheaders():
                if key.lower() not in ('transfer-encoding', 'connection', 'content-length'):
                    self.send_header(key, value)
            self.send_header('connection', 'close')
            self.end_headers()
            while block := reply.read1(1 << 16):
                self.wfile.write(block)
                self.wfile.flush()
            connection.close()
            self.close_connection = True

        do_GET = do_POST = do_HEAD = do_OPTIONS = relay

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(('127.0.0.1', port), Proxy) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()
