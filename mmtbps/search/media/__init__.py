"""Media that people are looked for in: images, videos, crops, a detector and a tracker.

Importing this loads neither OpenCV nor torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .base import Detection, Detector, Tracker
from .crops import ChangedFile, crop, locate, read_crop, read_entry
from .detector import PersonDetector
from .images import MissingFolder, UnreadableImage, find_files, list_images, read_image
from .tracker import PersonTracker

if TYPE_CHECKING:
    from .people import DetectedPerson, people_in, people_of
    from .videos import UnreadableVideo, VideoFrame, frames_of, read_frame

__all__ = ['ChangedFile', 'DetectedPerson', 'Detection', 'Detector', 'MissingFolder',
           'PersonDetector', 'PersonTracker', 'Tracker', 'UnreadableImage', 'UnreadableVideo',
           'VideoFrame', 'crop', 'find_files', 'frames_of', 'list_images', 'locate', 'people_in',
           'people_of', 'read_crop', 'read_entry', 'read_frame', 'read_image']

_NEED_OPENCV = dict(DetectedPerson='people', UnreadableVideo='videos', VideoFrame='videos',
                    frames_of='videos', people_in='people', people_of='people', read_frame='videos')


def __getattr__(name: str) -> Any:
    if name not in _NEED_OPENCV:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'.{_NEED_OPENCV[name]}', __name__), name)
