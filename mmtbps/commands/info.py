"""Tell what a gallery holds and where it came from.

Examples:
    mmtbps info people.lance
    mmtbps info http://host:19530/people --json
"""

import argparse

from mmtbps.errors import printable
from mmtbps.search.galleries.factory import open_gallery
from mmtbps.search.galleries.provenance import read_provenance

from .options.gallery import add_gallery
from .wording.json_answers import add_json, answer

__all__ = ['add_arguments', 'run']


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the gallery, and the choice of JSON."""
    add_gallery(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Print what is known."""
    with open_gallery(args.gallery) as gallery:
        known, noted = gallery.info(), read_provenance(gallery)
    known |= dict(images=noted.images, model=noted.model, weights=noted.weights)
    known |= {f'model {key}': value for key, value in (noted.details or {}).items()}
    known |= {f'people {key}': value for key, value in (noted.detection or {}).items()}
    if args.json:
        return answer(known)
    known |= {f'fingerprint {key}': value for key, value in known.pop('fingerprint').items()}
    if noted.model and noted.weights is None:
        known['weights'] = 'those of the model'
    if noted.detection and noted.detection.get('detector') is None:
        known['people detector'] = 'none, a file is one person'
    for key, value in known.items():
        print(printable(f'{key:<22}{"not known" if value is None else value}'))
