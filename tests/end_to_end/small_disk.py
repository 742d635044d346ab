"""A job on a disk that is too small, and again on a larger one, in a mount namespace of its own.

    unshare -Urm python small_disk.py BYTES DISK KEPT < commands.json > report.json
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

ENOUGH = '512m'


def main(size, disk, kept):
    """Run the first command on the small disk, the second after room was made."""
    first, second = json.load(sys.stdin)
    mount(f'size={size}', disk)
    report = [run(first, disk)]
    mount(f'remount,size={ENOUGH}', disk)
    report.append(run(second, disk))
    shutil.copytree(disk, kept)
    json.dump(report, sys.stdout)


def mount(options, disk):
    subprocess.run(['mount', '-t', 'tmpfs', '-o', options, 'none', disk], check=True)


def run(command, disk):
    """Code, output and files left of a command."""
    done = subprocess.run(command, capture_output=True, text=True)
    left = [path.relative_to(disk).as_posix() for path in Path(disk).rglob('*') if path.is_file()]
    return dict(returncode=done.returncode, stdout=done.stdout, stderr=done.stderr, left=left)


if __name__ == '__main__':
    main(*sys.argv[1:])
