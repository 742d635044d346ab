"""Bring a gallery up to date with a folder of images; stopped or killed, the same command goes on.

A gallery is a folder for LanceDB (people.lance), any other folder (kept in memory while in use), a
table of PostgreSQL (postgresql://host/database/people), or a collection of a Milvus server
(http://host:19530/people).

Examples:
    mmtbps index people.lance crops --model hf:google/siglip2-base-patch16-naflex
    mmtbps index people.lance crops --config CONFIG --weights CHECKPOINT
    mmtbps index people.lance crops --metadata crops.csv --prune
    mmtbps index people.lance crops --quiet --json > report.json
    mmtbps index people.lance crops --captioner captions.jsonl --caption-weight 0.3
    mmtbps index people.lance crops --captioner hf:Qwen/Qwen2-VL-2B-Instruct

People in whole photographs and videos, found by a detector of transformers:
    mmtbps index people.lance videos --detector hf:PekingU/rtdetr_r18vd --track

Several processes on one gallery, each with its part of the files:
    mmtbps index people.lance crops --shard 0/4

Whether all is there still, and as it was stored:
    mmtbps index people.lance crops --verify --log index.jsonl

The machines of a Ray cluster:
    mmtbps index postgresql://db/cams/people /shared/crops --ray
"""

import argparse
import sys
import time
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from mmtbps.clusters import RayPool
from mmtbps.errors import MissingFile
from mmtbps.fileio import check_writable
from mmtbps.search.galleries.factory import check_address, noted_at, open_gallery

from .options.cluster import add_cluster_options, check_cluster, open_pool
from .options.detector import add_detector_options, choose_detection
from .options.gallery import (
    GOES_ON,
    add_gallery,
    add_gallery_model,
    cure_of_mismatch,
    find_model,
    find_preprocessing,
)
from .options.index import (
    add_index_options,
    print_warnings,
    read_caption_options,
    read_index_options,
)
from .options.verification import add_verify_option, verify
from .wording.json_answers import add_json, answer
from .wording.licence_notice import print_model_notice
from .wording.user_errors import fail

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mmtbps.search.galleries.provenance import Provenance
    from mmtbps.search.indexing import IndexOptions, IndexReport, Metadata
    from mmtbps.search.indexing.file_run import IndexParts
    from mmtbps.search.indexing.index import Spread

__all__ = ['add_arguments', 'run']

INTERRUPTED = GOES_ON


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the gallery, the folder, the model and the detector."""
    add_gallery(parser)
    add_index_options(parser)
    add_verify_option(parser)
    add_cluster_options(parser)
    add_gallery_model(parser)
    add_detector_options(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Index the folder and print what was done, or look whether all of it is there."""
    if args.verify:
        verify(args)
        return
    with cure_of_mismatch(args):
        index(args)


def index(args: argparse.Namespace) -> None:
    """Index the folder.

    Raises:
        GalleryMismatch: The gallery is of another model.
        CaptionMismatch: It holds other captions, or another share of them.
    """
    from mmtbps.search.indexing import read_metadata
    from mmtbps.search.indexing.run_metrics import check_metrics, write_metrics
    begun = time.time()
    if not args.source.exists():
        raise MissingFile(f'{args.source}: no such file or folder')
    metadata = None if args.metadata is None else read_metadata(args.metadata)
    options = read_index_options(args)
    check_cluster(args, options.shard)
    check_address(args.gallery)
    if '://' not in args.gallery:
        check_writable(args.gallery, folder=True)
    for file in filter(None, (args.log, args.metrics)):
        check_writable(file)
    if args.metrics is not None:
        check_metrics()
    provenance = find_model(args)
    opened = dict(provenance=provenance, preprocessing=find_preprocessing(args),
                  detection=noted_at(args.gallery).detection)
    with open_pool(args) as pool:
        parts = open_parts(args, notify=print_model_notice, **opened)
        report = take_files(args, parts, provenance, metadata, options,
                            pool and share(pool, partial(open_parts, args, **opened)))
    print_warnings(report, args.metadata)
    if options.shard == (0, 1) and (report.indexed or report.removed or report.updated):
        parts.gallery.optimize()
    entries = parts.gallery.count()
    if args.metrics is not None:
        write_metrics(args.metrics, args.gallery, report, entries, begun, time.time(),
                      str(options.shard))
    part = '' if options.shard == (0, 1) else f', shard {options.shard}'
    print(f'{args.gallery}{part}: {report}; {entries} in all')
    answer(dict(gallery=args.gallery, entries=entries, **asdict(report)))
    if report.skipped:
        fail(f'{len(report.skipped)} of the files were skipped; all others are in the gallery')


def open_parts(args: argparse.Namespace, provenance: 'Provenance',
               preprocessing: dict[str, Any], detection: dict[str, Any] | None,
               notify: 'Callable[[str], None] | None' = None) -> 'IndexParts':
    """Load the model and open the gallery, in this process or in an actor of a cluster."""
    from mmtbps.search.captioning import with_captions
    from mmtbps.search.encoders.loading import load_encoder
    from mmtbps.search.indexing.file_run import IndexParts
    detection = choose_detection(args, args.gallery, detection)
    captions = read_caption_options(args)
    encoder = load_encoder(provenance.model, provenance.weights, args.device, notify=notify,
                           **preprocessing)
    fingerprint = with_captions(encoder.fingerprint, captions and captions.identity)
    return IndexParts(open_gallery(args.gallery, fingerprint), encoder, detection, captions)


def share(pool: RayPool, opened: 'Callable[[], IndexParts]') -> 'Spread':
    """Share the files among the actors of a pool."""
    from mmtbps.search.indexing.ray_index import RayIndexing
    return RayIndexing(pool, opened)


def take_files(args: argparse.Namespace, parts: 'IndexParts', provenance: 'Provenance',
               metadata: 'Mapping[str, Metadata] | None', options: 'IndexOptions',
               spread: 'Spread | None') -> 'IndexReport':
    """Take the files into the gallery, and note its model."""
    from mmtbps.search.indexing import index_people
    from mmtbps.search.indexing.noted_model import note_model
    not_noted = []
    report = index_people(
        args.source, parts.gallery, parts.encoder, metadata=metadata, detection=parts.detection,
        options=options, captions=parts.captions, spread=spread,
        begun=lambda: not_noted.append(note_model(parts.gallery, parts.encoder, provenance.model,
                                                  provenance.weights)))
    for reason in filter(None, not_noted):
        print(f'{reason}: name --config and --weights with every query', file=sys.stderr)
    return report
