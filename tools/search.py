"""Search a folder of people by text: make a gallery, ask it, serve it as a web page, tend it.

A gallery is a folder for LanceDB (people.lance), any other folder (kept in memory while in use), or
a collection of a Milvus server (http://host:19530/people).

Examples:
    python tools/search.py index people.lance crops --model hf:google/siglip2-base-patch16-naflex
    python tools/search.py index people.lance crops --config CONFIG --weights CHECKPOINT
    python tools/search.py index people.lance crops --metadata crops.csv --prune
    python tools/search.py query people.lance "a woman in a red coat with a black backpack"
    python tools/search.py query people.lance "a man in blue" --where camera=c1,c2 --out answer.html
    python tools/search.py query people.lance "with a backpack" --image crop.jpg --image-weight 0.7
    python tools/search.py serve people.lance --port 7860
    python tools/search.py info people.lance
    python tools/search.py delete people.lance --where camera=c3 time=..2024-01-31
    python tools/search.py compact people.lance

People in whole photographs and videos, found by a detector of transformers:
    python tools/search.py index people.lance videos --detector hf:PekingU/rtdetr_r18vd --track

Several processes on one gallery, each with its part of the files:
    python tools/search.py index people.lance crops --shard 0/4
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmtbps.commands.command_names import CommandParser
from mmtbps.commands.detector_options import (
    add_detector_options,
    choose_detection,
    word_detection,
)
from mmtbps.commands.index_options import (
    add_index_options,
    print_warnings,
    read_index_options,
    word_similar,
)
from mmtbps.commands.licence_notice import print_model_notice
from mmtbps.commands.model_options import add_model_option, chosen_preprocessing
from mmtbps.commands.printing import as_json, word_result
from mmtbps.commands.query_options import (
    add_query_options,
    hint_at_quotes,
    picture_options,
    print_unknown_values,
    take_sentences,
)
from mmtbps.commands.user_errors import fail, one_line_errors
from mmtbps.errors import BadValue, MissingFile, printable
from mmtbps.fileio import check_writable
from mmtbps.search.galleries.base import BaseGallery, GalleryMismatch
from mmtbps.search.galleries.factory import check_address, open_gallery
from mmtbps.search.galleries.filters import parse_where
from mmtbps.search.galleries.names import match_paths, similar_paths
from mmtbps.search.galleries.provenance import (
    Provenance,
    check_noted_model,
    read_provenance,
)

_GOES_ON = 'interrupted. What was stored is safe; the same command goes on'
_INTERRUPTED = dict(index=_GOES_ON, delete=_GOES_ON, compact=_GOES_ON,
                    serve='interrupted: the page is closed')


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = CommandParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest='command', required=True)

    def add(name: str, action: object, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(action=action)
        command.add_argument('gallery', help='a folder, or http://host:port/collection')
        return command

    command = add('index', index, 'bring a gallery up to date with a folder of images')
    add_index_options(command)
    _add_model(command)
    add_detector_options(command)
    command = asking = add('query', query, 'find the people that a sentence describes')
    add_query_options(command)
    _add_model(command, images=True)
    command = add('serve', serve, 'open the web page of a gallery')
    command.add_argument('--port', type=int, default=7860, help='default: %(default)s')
    command.add_argument('--host', default='127.0.0.1', help='address to listen at; the page has '
                         'no password (default: %(default)s, this machine alone)')
    command.add_argument('--public-url', metavar='URL', help='where visitors open the page if a '
                         'reverse proxy on this machine hands it on, such as https://host/people')
    command.add_argument('--uploads', type=Path, help='let visitors add crops, which are kept in '
                         'this folder inside the folder of the images')
    _add_model(command, images=True)
    command = add('info', info, 'what a gallery holds and where it came from')
    command.add_argument('--json', action='store_true', help='print JSON')
    command = add('delete', delete, 'remove entries of a gallery; the images stay where they are')
    chosen = command.add_mutually_exclusive_group(required=True)
    several = dict(nargs='+', action='extend')  # all of them count, also given one by one
    chosen.add_argument('--where', **several, metavar='KEY=VALUE', help='see query')
    chosen.add_argument('--path', **several, help='all people of these images or videos')
    chosen.add_argument('--id', **several, help='these entries')
    command.add_argument('--yes', action='store_true', help='do not ask')
    add('compact', compact, 'fold changes into the files and the index of a gallery')
    args, more = parser.parse_known_args(argv)
    if args.command == 'query':
        more = take_sentences(asking, args, more)
    if more:
        parser.error(f'unrecognized arguments: {shlex.join(more)}')
    return args


def _add_model(command: argparse.ArgumentParser, images: bool = False) -> None:
    noted = ' (default: as noted in the gallery)'
    add_model_option(command, after=noted)
    command.add_argument('--config', help='config, model folder or exported folder' + noted)
    command.add_argument('--weights', help='checkpoint' + noted)
    command.add_argument('--device', help='cpu, cuda, cuda:1 (default: the best there is)')
    if images:
        command.add_argument('--images', type=Path, help='folder of the images, if it has moved')


# ------------------------------------------------------------------ commands
def index(args: argparse.Namespace) -> None:
    from mmtbps.search.encoders.loading import load_encoder
    from mmtbps.search.indexing import index_people, read_metadata
    from mmtbps.search.indexing.noted_model import note_model
    if not args.source.exists():
        raise MissingFile(f'{args.source}: no such file or folder')
    metadata = None if args.metadata is None else read_metadata(args.metadata)
    options = read_index_options(args)
    check_address(args.gallery)
    if '://' not in args.gallery:
        check_writable(args.gallery, folder=True)
    if args.log is not None:
        check_writable(args.log)
    provenance = model_of(args)
    detection = choose_detection(args, args.gallery, read_provenance(args.gallery).detection)
    encoder = load_encoder(provenance.model, provenance.weights, args.device,
                           notify=print_model_notice, **preprocessing_of(args))
    gallery = open_gallery(args.gallery, encoder.fingerprint)
    not_noted = []
    report = index_people(
        args.source, gallery, encoder, metadata=metadata, detection=detection, options=options,
        begun=lambda: not_noted.append(note_model(args.gallery, encoder, provenance.model,
                                                  provenance.weights)))
    for reason in filter(None, not_noted):
        print(f'{reason}: name --config and --weights with every query', file=sys.stderr)
    print_warnings(report, args.metadata)
    if options.shard == (0, 1) and (report.indexed or report.removed or report.updated):
        gallery.optimize()
    print(f'{args.gallery}: {report}; {gallery.count()} in all')
    if report.skipped:
        fail(f'{len(report.skipped)} of the files were skipped; all others are in the gallery')


def query(args: argparse.Namespace) -> None:
    from mmtbps.search.media.images import read_image
    from mmtbps.search.presentation import describe_reading
    from mmtbps.search.result_files import check_target, write_results
    if args.out is not None:
        check_target(args.out)
    where = parse_where(args.where)
    if args.image is not None:
        read_image(args.image)  # before a model is loaded: can it be read?
    searcher = make_searcher(args)
    asked = dict(topk=args.topk, where=where or None, group=args.group)
    results = searcher(args.text, **asked) if args.image is None else searcher.search_image(
        **picture_options(args), **asked)
    for result in results:
        for line in describe_reading(result.unknown, result.read, result.unread):
            print(printable(line), file=sys.stderr)
    if where and not any(result.hits for result in results):
        print_unknown_values(searcher.gallery, where)
    if hint := hint_at_quotes(args.text):
        print(printable(hint), file=sys.stderr)
    if args.json:
        print(as_json([result.to_json() for result in results], sys.stdout.encoding))
    elif args.out is None:
        print('\n\n'.join(map(word_result, results)))
    if args.out is not None:
        print(write_results(results, args.out, images_of(args)), file=sys.stderr)


def serve(args: argparse.Namespace) -> None:
    from mmtbps.search.webui import check_free, check_uploads, parse_public_url
    from mmtbps.search.webui import serve as serve_page
    public_url, images = parse_public_url(args.public_url), images_of(args)
    check_free(args.host, args.port)  # before a model is loaded, as what follows
    if args.uploads is not None:
        check_uploads(images, args.uploads)
    serve_page(make_searcher(args), images, args.uploads, args.host, args.port,
               **(dict(public_url=public_url) if public_url else {}))


def info(args: argparse.Namespace) -> None:
    known = open_gallery(args.gallery).info()
    noted = read_provenance(args.gallery)
    known |= dict(images=noted.images, model=noted.model, weights=noted.weights)
    known |= {f'model {key}': value for key, value in (noted.details or {}).items()}
    known |= {f'people {key}': value for key, value in (noted.detection or {}).items()}
    if args.json:
        print(as_json(known, sys.stdout.encoding))
        return
    known |= {f'fingerprint {key}': value for key, value in known.pop('fingerprint').items()}
    if noted.model and noted.weights is None:
        known['weights'] = 'those of the model'
    if noted.detection and noted.detection.get('detector') is None:
        known['people detector'] = 'none, a file is one person'
    for key, value in known.items():
        print(printable(f'{key:<22}{"not known" if value is None else value}'))


def delete(args: argparse.Namespace) -> None:
    gallery = open_gallery(args.gallery)
    chosen, missing = _choose_entries(gallery, args)
    number = len(chosen['ids']) if 'ids' in chosen else gallery.count(chosen['where'])
    lacks = (f'{args.gallery} has no entry of {"id" if args.id else "path"} '
             f'{" or ".join(missing)}')
    if missing and not number:  # a filter may fit nothing, a name is a slip
        raise BadValue(f'{lacks}; nothing was removed')
    if number and not args.yes:
        _confirm(f'Remove {number} of {gallery.count()} entries of {args.gallery}?')
    if not number and 'where' in chosen:
        print_unknown_values(gallery, chosen['where'])
    print(f'{args.gallery}: {gallery.delete(**chosen)} removed, {gallery.count()} left')
    if missing:
        fail(f'{lacks}; the others were removed')


def _choose_entries(gallery: BaseGallery,
                    args: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    """Return what is to go, as arguments of `BaseGallery.delete`, and the names of nothing."""
    if args.where:
        return dict(where=parse_where(args.where)), []
    paths = {entry.id: entry.path for entry in gallery.entries()}
    if args.id:
        return (dict(ids=[key for key in dict.fromkeys(args.id) if key in paths]),
                [key for key in args.id if key not in paths])
    found = match_paths(args.path, paths.values(), read_provenance(args.gallery).images)
    wanted = set(found.values())
    missing = [path for path in args.path if path not in found]
    similar = similar_paths(missing, paths.values())
    return (dict(ids=[key for key, path in paths.items() if path in wanted]),
            [path + word_similar(similar.get(path)) for path in missing])


def compact(args: argparse.Namespace) -> None:
    gallery = open_gallery(args.gallery)
    gallery.optimize()
    known = gallery.info()
    print(f'{args.gallery}: {known["entries"]} entries, index: {known["index"]}')


# ------------------------------------------------------------------ what they share
def model_of(args: argparse.Namespace) -> Provenance:
    """Return model and weights of the command line, else those noted in the gallery."""
    noted = read_provenance(args.gallery)
    if args.model and (args.config or args.weights):
        raise BadValue('--model names a model with its weights; leave --config and --weights out')
    named = args.model or args.config
    if named is None and noted.model is None:
        raise BadValue(f'{args.gallery} has no note of its model; name it with --model, or with '
                       '--config and --weights')
    if named is None:
        check_noted_model(args.gallery, replace(noted, weights=args.weights or noted.weights))
    return Provenance(model=named or noted.model,
                      weights=args.weights or (noted.weights if named is None else None))


def preprocessing_of(args: argparse.Namespace) -> dict[str, Any]:
    """Return aspect and prompts of the command line, else those noted in the gallery."""
    named = args.model or args.config
    noted = {} if named else read_provenance(args.gallery).details or {}
    return {key: noted[key] for key in ('aspect', 'prompts') if key in noted
            } | chosen_preprocessing(args)


def images_of(args: argparse.Namespace) -> Path:
    """Return the folder of the images, of the command line or of the gallery's note."""
    images = args.images or read_provenance(args.gallery).images
    if images is None or not Path(images).is_dir():
        said = 'is not noted' if images is None else f'was {images}, which is gone'
        raise MissingFile(f'{args.gallery}: the folder of its images {said}; name it with '
                          '--images')
    return Path(images)


def make_searcher(args: argparse.Namespace) -> Any:
    from mmtbps.search.encoders.loading import load_encoder
    from mmtbps.search.inferencer import TextToPersonInferencer
    gallery = open_gallery(args.gallery)  # before a model is loaded: is there one?
    provenance = model_of(args)
    encoder = load_encoder(provenance.model, provenance.weights, args.device,
                           notify=print_model_notice, **preprocessing_of(args))
    return TextToPersonInferencer(encoder, gallery=gallery, images=args.images)


def reindex_command(args: argparse.Namespace) -> str:
    """Word the command that indexes the images again, for a gallery of another model."""
    noted, given = read_provenance(args.gallery), model_of(args)
    words = ['python', 'tools/search.py', 'index', 'NEW.lance',
             str(getattr(args, 'source', None) or noted.images or 'IMAGES')]
    words += ['--config' if given.weights else '--model', given.model]
    words += ['--weights', given.weights] if given.weights else []
    words += ['--aspect', args.aspect] if args.aspect else []
    words += ['--prompt', *args.prompts] if args.prompts else []
    words += word_detection(noted.detection)
    return shlex.join(words)


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise BadValue(f'{question} Say so with --yes')
    if input(printable(f'{question} [y/N] ')).strip().lower() not in ('y', 'yes'):
        fail('nothing was removed')


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    with one_line_errors(_INTERRUPTED.get(args.command, 'interrupted')):
        try:
            args.action(args)
        except GalleryMismatch as error:
            fail(f'{error}: {reindex_command(args)}')


if __name__ == '__main__':
    main()
