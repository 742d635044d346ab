"""The server of the package `milvus`, in a network namespace: it listens on all interfaces.

Its own launcher is left out: right after a kill it takes its ports for occupied.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

PACKAGE = 'MMTBPS_MILVUS_PACKAGE'
_ALIVE = "import urllib.request as r; r.urlopen('http://127.0.0.1:9091/healthz', timeout=5).read()"


def find_package():
    """Folder of the package that is installed, or that an environment variable names, or None."""
    if named := os.environ.get(PACKAGE):
        return Path(named)
    found = importlib.util.find_spec('milvus')
    return found and Path(found.origin).parent


def reason_to_skip():
    """Reason for which the server cannot run here, or None."""
    if (package := find_package()) is None:
        return (f'no Milvus server: pip install milvus==2.3.5, in an environment of its own, and '
                f'name the folder of its package in {PACKAGE}')
    if not Path(package, 'data/bin').is_dir():
        return f'{package} is not the package milvus: it has no data/bin'
    if os.geteuid() != 0 or not all(map(shutil.which, ('unshare', 'nsenter', 'ip'))):
        return 'a network namespace needs root, unshare, nsenter and ip'
    if subprocess.run(['unshare', '-n', 'ip', 'link', 'set', 'lo', 'up'],
                      capture_output=True).returncode:
        return 'this machine gives no network namespace'
    return None


class RealMilvus:
    """A server and its namespace.

    Args:
        folder: Of its program and data.
    """

    def __init__(self, folder):
        self.folder = folder
        package = load_package()
        config = package.MilvusServerConfig(data_dir=str(folder))
        config.resolve()
        package._initialize_data_files(str(folder))
        self.address = f'http://127.0.0.1:{config.get("proxy_port")}'
        self.holder = subprocess.Popen(
            ['unshare', '-n', 'sh', '-c', 'ip link set lo up && echo up && exec sleep 100000'],
            stdout=subprocess.PIPE, text=True)
        assert self.holder.stdout.readline() == 'up\n'
        self.process = None

    def inside(self, *command):
        """Command line of a process in the namespace."""
        return ['nsenter', f'--net=/proc/{self.holder.pid}/ns/net', *map(str, command)]

    def start(self, seconds=180):
        """Start it, and wait until it is healthy."""
        with open(self.folder / 'server.log', 'ab') as log:
            self.process = subprocess.Popen(
                self.inside(self.folder / 'bin/milvus', 'run', 'standalone'), stdout=log,
                stderr=log, cwd=self.folder, env={
                    **os.environ, 'DEPLOY_MODE': 'STANDALONE', 'METRICS_PORT': '9091',
                    'MILVUSCONF': str(self.folder / 'configs'),
                    'LD_LIBRARY_PATH': str(self.folder / 'bin')})
        until = time.monotonic() + seconds
        while subprocess.run(self.inside(sys.executable, '-c', _ALIVE),
                             capture_output=True).returncode:
            assert self.process.poll() is None, 'the server ended'
            assert time.monotonic() < until, 'the server is not healthy'
            time.sleep(.5)

    def kill(self):
        """End it as a loss of power does; it has no other end, and passes over SIGTERM."""
        self.process.kill()
        self.process.wait()

    def close(self):
        """End the server and its namespace."""
        for process in filter(None, (self.process, self.holder)):
            process.kill()
            process.wait()
        self.holder.stdout.close()


def load_package():
    """The module, from wherever it lies."""
    spec = importlib.util.spec_from_file_location('milvus', find_package() / '__init__.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
