"""Open the web page of a gallery, on this machine alone unless another address is named.

Examples:
    mmtbps serve people.lance
    mmtbps serve people.lance --port 8080 --images /moved/crops
    mmtbps serve people.lance --rerank aptm-model
    mmtbps serve people.lance --uploads crops/added --public-url https://host/people
"""

import argparse
from pathlib import Path

from .options.gallery import (
    add_gallery,
    add_gallery_model,
    cure_of_mismatch,
    find_images,
    open_searcher,
)

__all__ = ['add_arguments', 'run']

INTERRUPTED = 'interrupted: the page is closed'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the gallery, the address of the page, and the model."""
    add_gallery(parser)
    parser.add_argument('--port', type=int, default=7860, help='default: %(default)s')
    parser.add_argument('--host', default='127.0.0.1', help='address to listen at; the page has '
                         'no password (default: %(default)s, this machine alone)')
    parser.add_argument('--public-url', metavar='URL', help='where visitors open the page if a '
                         'reverse proxy on this machine hands it on, such as https://host/people')
    parser.add_argument('--uploads', type=Path, help='let visitors add crops, which are kept in '
                         'this folder inside the folder of the images')
    add_gallery_model(parser, images=True)


def run(args: argparse.Namespace) -> None:
    """Serve the page until it is stopped."""
    with cure_of_mismatch(args):
        serve(args)


def serve(args: argparse.Namespace) -> None:
    """Serve the page.

    Raises:
        GalleryMismatch: The gallery is of another model.
    """
    from mmtbps.search.webui import check_free, check_uploads, parse_public_url
    from mmtbps.search.webui import serve as serve_page
    public_url, images = parse_public_url(args.public_url), find_images(args)
    check_free(args.host, args.port)  # before a model is loaded, as what follows
    if args.uploads is not None:
        check_uploads(images, args.uploads)
    serve_page(open_searcher(args), images, args.uploads, args.host, args.port,
               **(dict(public_url=public_url) if public_url else {}))
