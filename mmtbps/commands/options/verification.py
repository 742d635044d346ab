"""Verification of a gallery on a command line: a look in place of an index run."""

import argparse
import sys
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from mmtbps.errors import BadValue, printable
from mmtbps.search.galleries.factory import open_gallery

from ..wording.json_answers import answer
from ..wording.user_errors import fail
from .index import read_index_options

if TYPE_CHECKING:
    from mmtbps.search.indexing import Verification

__all__ = ['add_verify_option', 'verify']

_SHOWN = 10
_WRITES = ('prune', 'prune_most', 'metadata', 'captioner', 'metrics')


def add_verify_option(command: argparse.ArgumentParser) -> None:
    """Add ``--verify``."""
    command.add_argument('--verify', action='store_true', help='index nothing: read every entry '
                         'and feature of the gallery, and hold them against the folder and, with '
                         '--log FILE, against what earlier runs have logged there')


def verify(args: argparse.Namespace) -> None:
    """Look at a gallery, print what is broken or missing, and fail if anything is.

    Args:
        args: Of the command ``index``.

    Raises:
        NoGallery: There is none.
        BadValue: An option is about an index run that writes.
    """
    from mmtbps.search.indexing import verify_gallery
    for name in _WRITES:
        if getattr(args, name):
            raise BadValue(f'--verify changes nothing: leave out --{name.replace("_", "-")}')
    if args.log is not None and not args.log.is_file():
        raise BadValue(f'{args.log}: there is no such log. --log FILE names the one that earlier '
                       'runs of index have written')
    with open_gallery(args.gallery) as gallery:
        found = verify_gallery(args.source, gallery, replace(read_index_options(args), prune=False))
    for line in _said(found, args.gallery):
        print(printable(line), file=sys.stderr)
    print(f'{args.gallery}: {found}' + (': all is well' if found.is_whole else ''))
    answer(dict(gallery=args.gallery, whole=found.is_whole, **asdict(found)))
    if not found.is_whole:
        fail(f'{args.gallery} is not whole: {_cure(found, args)}')


def _said(found: 'Verification', gallery: str) -> list[str]:
    """Word what was found, of each kind the first few."""
    said = [f'broken {name}: {reason}' for name, reason in found.broken[:_SHOWN]]
    if (more := len(found.broken) - _SHOWN) > 0:
        said.append(f'... and {more} more broken; --json has all')
    if found.ended:
        said.append('what follows the broken entry could not be read, and what is missing was not '
                    'looked for')
    for paths, about in (
            (found.missing, f'missing: {gallery} has nothing of it'),
            (found.incomplete, 'incomplete: the log says that more people of it were stored, '
                               'unless they were removed since'),
            (found.changed, 'note: it is not the file that was indexed; index takes the new one'),
            (found.gone, 'note: its file is not there any more; index --prune removes it'),
            (found.lost, 'note: of the log, and neither there nor in the gallery')):
        said += [f'{path}: {about}' for path in paths[:_SHOWN]]
        if (more := len(paths) - _SHOWN) > 0:
            said.append(f'... and {more} more of these; --json has all')
    if found.empty:
        said.append(f'note: of {len(found.empty)} files, such as {found.empty[0]}, the gallery has '
                    'nobody. Whether anybody was found is noted by index --log FILE')
    return said


def _cure(found: 'Verification', args: argparse.Namespace) -> str:
    """Word the ways out."""
    ways = []
    if found.ended:
        ways.append('take it from a backup, or index into a new one')
    elif found.broken:
        ways.append(f'remove the files of what is broken with mmtbps delete {args.gallery} --path '
                    'PATH, and index again')
    if found.incomplete:
        ways.append(f'remove what is left of incomplete files with mmtbps delete {args.gallery} '
                    '--path PATH, and index again')
    if found.missing:
        ways.append('the same command without --verify encodes again what is missing, and nothing '
                    'else')
    return '; '.join(ways)
