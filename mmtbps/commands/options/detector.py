"""Options of a command line that choose how people are found in photographs and videos."""

import argparse
import os
from typing import TYPE_CHECKING, Any

from mmtbps.errors import BadValue, MissingFile, Remedy

if TYPE_CHECKING:
    from mmtbps.search.indexing import DetectionOptions

__all__ = ['add_detector_options', 'choose_detection', 'word_detection']

_THRESHOLD = .5


def add_detector_options(command: argparse.ArgumentParser) -> None:
    """Add ``--detector``, ``--threshold``, ``--every`` and ``--track``."""
    noted = 'as noted in the gallery'
    command.add_argument('--detector', help='folder or hub name (hf:owner/name) of an object '
                         f'detector of transformers, to find the people first (default: {noted})')
    command.add_argument('--threshold', type=float, help=f'of the detector (default: {noted}, else '
                         f'{_THRESHOLD})')
    command.add_argument('--every', type=float, help='seconds between frames of a video that are '
                         f'looked at (default: {noted}, else 1, with --track 0.2)')
    command.add_argument('--track', action='store_true', help='one entry for each person followed '
                         f'through a video (default: {noted})')


def choose_detection(args: argparse.Namespace, uri: str,
                     noted: dict[str, Any] | None) -> 'DetectionOptions | None':
    """Load the detector of the command line, else the one that a gallery was made with.

    Args:
        args: Of `add_detector_options`, and ``device``.
        uri: Of the gallery.
        noted: Its settings of detection, see `mmtbps.search.galleries.provenance.Provenance`.

    Returns:
        ``None`` if a file is a crop of one person.

    Raises:
        BadValue: There is no detector for the other options, or none that can be loaded.
        MissingFile: The gallery's detector is gone.
    """
    noted = noted or {}
    name = args.detector or _loadable(uri, noted)
    if name is None:
        if args.track or args.every is not None or args.threshold is not None:
            raise BadValue('--threshold, --track and --every are about people found by a '
                           '--detector')
        return None
    from mmtbps.search.indexing import DetectionOptions
    from mmtbps.search.media.detector import PersonDetector
    from mmtbps.search.media.tracker import PersonTracker
    track, every = args.track or noted.get('track', False), args.every
    if every is None and track == noted.get('track'):  # else the interval is that of other frames
        every = noted.get('every')
    tracker = PersonTracker(**({} if every is None else dict(every=every))) if track else None
    threshold = noted.get('threshold') if args.threshold is None else args.threshold
    sizes = {} if noted.get('min_height') is None else dict(min_height=noted['min_height'])
    detector = PersonDetector(name, threshold=_THRESHOLD if threshold is None else threshold,
                              device=args.device, **sizes)
    return DetectionOptions(detector, tracker, every)


def word_detection(noted: dict[str, Any] | None) -> list[str]:
    """Word the options that find people as a gallery's were found.

    Example:
        >>> word_detection(dict(detector='hf/d', weights='0', threshold=.5, every=1., track=False))
        ['--detector', 'hf/d', '--threshold', '0.5', '--every', '1.0']
    """
    if not noted or noted.get('detector') is None:
        return []
    words = ['--detector', noted['detector'] if noted.get('weights') else 'DETECTOR']
    for key in ('threshold', 'every'):
        words += [] if noted.get(key) is None else [f'--{key}', str(noted[key])]
    return words + (['--track'] if noted.get('track') else [])


def _loadable(uri: str, noted: dict[str, Any]) -> str | None:
    """Return the noted detector, if there is one and it can be loaded by its name."""
    name = noted.get('detector')
    if name is not None and not noted.get('weights'):
        raise BadValue(f'{uri} holds people found by {name}, which is no detector of transformers: '
                       'index from the program that has it, or into a new gallery')
    if name is not None and os.path.isabs(name) and not os.path.exists(name):
        raise MissingFile(f'{uri}: its detector was {name}, which is gone. If it was moved, name '
                          'its new place', Remedy('name_detector'))
    return name
