"""A camera's RTSP stream on this machine, which is lost and comes back."""

import contextlib
import shutil
import socket
import subprocess
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from fakes import ColorEncoder
from PIL import Image
from test_streams import RULES, ByColor, walk
from videos import ColorDetector, draw
from watch_rig import free_port, lines_of, wait_for

from mmtbps.search.galleries import open_gallery
from mmtbps.search.media.live import live_frames
from mmtbps.search.watching import FileReceiver, Outbox, RuleJudge, Watch
from mmtbps.search.watching.stream import StreamSource

PYTHON = '/usr/bin/python3'
NEEDS = ("import gi; gi.require_version('GstRtspServer', '1.0'); "
         'from gi.repository import GstRtspServer')


def serve(port, folder):
    process = subprocess.Popen(
        [PYTHON, str(Path(__file__).parents[1] / 'rtsp_server.py'), str(port), str(folder)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={})
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            socket.create_connection(('127.0.0.1', port), 1).close()
            return process
        time.sleep(.05)
    process.kill()
    raise AssertionError('the RTSP server does not start')


@pytest.mark.slow
def test_people_of_an_rtsp_stream_raise_alarms_also_when_it_was_lost(tmp_path):
    if not shutil.which(PYTHON) or subprocess.run([PYTHON, '-c', NEEDS], env={},
                                                  capture_output=True).returncode:
        pytest.skip('gir1.2-gst-rtsp-server-1.0 is not installed')
    frames, port, said = tmp_path / 'frames', free_port(), []
    frames.mkdir()
    for number, pixels in enumerate([*walk('green', 12), draw(), *walk('red', 12), draw()]):
        Image.fromarray(pixels).save(frames / f'{number:03}.jpg', quality=95, subsampling='4:2:0')
    server = serve(port, frames)
    gallery, outbox = open_gallery(tmp_path / 'people', ColorEncoder.fingerprint), Outbox(
        tmp_path / 'state')
    (tmp_path / 'images').mkdir()
    source = StreamSource(partial(live_frames, f'rtsp://127.0.0.1:{port}/live', .1), 'door',
                          tmp_path / 'images', gallery, ColorEncoder(), outbox, ColorDetector(),
                          ByColor(), said.append, pause=.2)
    watch = Watch(source, gallery, RuleJudge(RULES, gallery, ColorEncoder()), outbox,
                  [FileReceiver(tmp_path / 'alarms.jsonl')], said.append)
    thread = threading.Thread(target=watch.run)
    thread.start()
    try:
        wait_for(lambda: len(lines_of(tmp_path / 'alarms.jsonl')) >= 2, 60)
        server.kill()
        server.wait()
        wait_for(lambda: any('opened again' in line for line in said), 60)
        before = len(lines_of(tmp_path / 'alarms.jsonl'))
        server = serve(port, frames)
        wait_for(lambda: len(lines_of(tmp_path / 'alarms.jsonl')) > before, 90)
    finally:
        watch.stop()
        thread.join(60)
        server.kill()
        server.wait()
    alarms = lines_of(tmp_path / 'alarms.jsonl')
    assert len({alarm['id'] for alarm in alarms}) == len(alarms)
    assert gallery.count() > len(alarms)  # green people raise none
    assert len([line for line in said if 'opened again' in line]) < 10
