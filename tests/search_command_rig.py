"""Reading what the commands of a gallery print, for its tests."""

import re


def ranked(out):
    """Paths in the printed answer."""
    return re.findall(r'^ +\d+  -?\d\.\d{3}  (\S+)', out, re.MULTILINE)


def assert_refused(answer, message, code=1):
    """One line that says why, no traceback."""
    assert answer[0] == code and answer[1] == ''
    lines = answer[2].strip().splitlines()
    assert len(lines) == 1 and re.match(f'error: .*{message}', lines[0]), answer[2]
