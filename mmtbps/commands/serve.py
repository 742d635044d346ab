"""Open the web page of a gallery, on this machine alone unless another address is named.

Examples:
    mmtbps serve people.lance
    mmtbps serve people.lance --port 8080 --images /moved/crops
    mmtbps serve people.lance --rerank aptm-model
    mmtbps serve people.lance --uploads crops/added --public-url https://host/people
    mmtbps serve people.lance --metrics 9187 --log-format json
    mmtbps serve people.lance --watch people.lance.watch --rules rules.yaml --change-rules
"""

import argparse
import contextlib
from pathlib import Path

from mmtbps.errors import BadValue

from .options.gallery import (
    add_gallery,
    add_gallery_model,
    cure_of_mismatch,
    find_images,
    open_searcher,
)
from .wording.json_logs import write_json_logs

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
    parser.add_argument('--metrics', metavar='[HOST:]PORT', type=_metrics_address, help='show '
                        'metrics for Prometheus at this port, on this machine alone unless HOST '
                        'is named')
    parser.add_argument('--log-format', choices=['text', 'json'], default='text', help='json: an '
                        'object a line, one for each question too (default: %(default)s)')
    parser.add_argument('--watch', type=Path, metavar='FOLDER', help='show the alarms of mmtbps '
                        'watch, which keeps them in this folder (GALLERY.watch, or its --state)')
    parser.add_argument('--rules', type=Path, metavar='FILE', help='show the rules of mmtbps '
                        'watch, and what others would have raised')
    parser.add_argument('--change-rules', action='store_true', help='let visitors change the rules '
                        'and mark alarms as false or right')
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
    from mmtbps.search.webui import (
        PageMetrics,
        WatchFolder,
        check_free,
        check_uploads,
        check_watch,
        log_query,
        parse_public_url,
    )
    from mmtbps.search.webui import serve as serve_page
    public_url, images = parse_public_url(args.public_url), find_images(args)
    check_free(args.host, args.port)  # before a model is loaded, as what follows
    if args.uploads is not None:
        check_uploads(images, args.uploads)
    if args.metrics is not None:
        check_free(*args.metrics)
    observers = []
    if args.log_format == 'json':
        write_json_logs()
        observers.append(log_query)
    watch = None
    if args.watch or args.rules or args.change_rules:
        check_watch(watch := WatchFolder(args.watch, args.rules, args.change_rules))
    searcher = open_searcher(args)
    with contextlib.ExitStack() as stack:
        if args.metrics is not None:
            observers.append(metrics := PageMetrics(searcher.gallery))
            stack.callback(metrics.serve(*args.metrics))
        given = dict(public_url=public_url, observers=observers, watch=watch)
        serve_page(searcher, images, args.uploads, args.host, args.port,
                   **{name: value for name, value in given.items() if value})


def _metrics_address(text: str) -> tuple[str, int]:
    from mmtbps.search.webui import parse_metrics_address
    try:
        return parse_metrics_address(text)
    except BadValue as error:
        raise argparse.ArgumentTypeError(str(error)) from error
