"""Calibrate a model: fit the probability that a person is in a gallery, and the marks of phrases.

The people of a split whom the model was not trained on are asked for, there and not there, in
galleries of several sizes. The file that comes of it stands beside the checkpoint or the folder of
the model, and in the gallery that is named; the model stays as it is. A calibration holds for a
gallery of any size, with filters and without, and for short sentences as far as parts of the
captions tell who is there. Beside it comes a file of the bounds by which phrases are marked yes, no
or unsure, fitted on what the captions say and leave out.

Examples:
    mmtbps calibrate conv_base_drawn work_dirs/demo/epoch_12.pth --gallery work_dirs/demo/gallery
    mmtbps calibrate CONFIG CHECKPOINT --check test --sizes 50 200 --plot reliability.png
    mmtbps calibrate CONFIG --model hf:openai/clip-vit-base-patch16 --gallery people.lance
    mmtbps calibrate CONFIG --model hf:owner/name --out clip.presence.json
    mmtbps query people.lance "a man in red" --calibration clip.presence.json
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from mmengine.logging import MMLogger

from mmtbps.config_file import read_config
from mmtbps.datasets.images import read_picture
from mmtbps.errors import BadValue, MissingPackage
from mmtbps.evaluation.caption_labels import label_phrases
from mmtbps.evaluation.presence import (
    OpenSet,
    PresenceCalibration,
    deal_trials,
    describe_fit,
    fit_calibration,
    fit_parts,
    measure_trials,
    parts_of_captions,
    rate_trials,
    write_calibration,
)
from mmtbps.evaluation.presence.fitting import METHODS
from mmtbps.evaluation.presence.measures import measure_hits
from mmtbps.evaluation.presence.reliability import ReliabilityBin, reliability_bins
from mmtbps.evaluation.presence.sentence_lengths import usual_lengths
from mmtbps.fileio import check_writable
from mmtbps.lexicon.neutral_sentences import neutral_sentences
from mmtbps.robustness import Subjects, read_subjects
from mmtbps.search.answers import PhraseChecker, fit_phrase_bounds, write_phrase_bounds
from mmtbps.search.answers.calibrations import CALIBRATION_FILE, place_of_calibration
from mmtbps.search.answers.margins import Bounds
from mmtbps.search.answers.phrase_bounds import BOUNDS_FILE
from mmtbps.search.encoders.base import Encoder
from mmtbps.search.galleries.base import GalleryMismatch
from mmtbps.search.galleries.factory import open_gallery
from mmtbps.search.galleries.fingerprint import CAPTIONS, is_same_model

from .options.model import add_model_positionals, chosen_preprocessing
from .wording.command_names import CommandParser
from .wording.json_answers import add_json, answer
from .wording.licence_notice import print_model_notice
from .wording.progress import progress

__all__ = ['add_arguments', 'run']

_BATCH = 64
_PRESENCE = Path(CALIBRATION_FILE).stem
#: People of the galleries that are measured where none are named.
_SIZES = (50, 200, 1000)
_PARTS = 'parts of captions'
_MEASURES = ('AUROC', 'FPR95', 'DIR1', 'DIR10', 'Brier', 'skill', 'ECE')


def add_arguments(parser: CommandParser) -> None:
    """Add the model, the data, and where the calibration goes."""
    add_model_positionals(parser, parser.words, needs_config=True)
    parser.add_argument('--split', choices=('val', 'test'), default='val',
                        help='people to fit on (default: %(default)s)')
    parser.add_argument('--method', choices=METHODS, default=METHODS[0],
                        help='of the last step (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='of who is absent')
    parser.add_argument('--out', type=Path, metavar='FILE', help='JSON file (default: beside the '
                        'checkpoint, or beside the folder of the model)')
    parser.add_argument('--gallery', help='a gallery of this model, which gets a copy')
    parser.add_argument('--check', choices=('val', 'test'), help='then measure it on the people of '
                        'this split')
    parser.add_argument('--sizes', type=int, nargs='+', metavar='N',
                        help='people of the galleries of --check (default: '
                        + ' '.join(map(str, _SIZES)) + ')')
    parser.add_argument('--plot', type=Path, metavar='FILE', help='with --check: draw the '
                        'reliability diagram (PNG, PDF, SVG)')
    parser.add_argument('--device', help='cpu, cuda, cuda:1 (default: the best there is)')
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Fit, write, and print what was fitted on what."""
    from mmtbps.search.encoders.loading import load_encoder
    MMLogger.get_current_instance().setLevel('ERROR')  # the data sets' own summaries
    check_measurement(args)
    places = find_places(args)
    subjects = {split: read_split(args.config, split)
                for split in dict.fromkeys(filter(None, (args.split, args.check)))}
    sizes = fitting_sizes(args.sizes, subjects[args.check]) if args.check else []
    # Without a checkpoint beside it, CONFIG names the data alone.
    encoder = load_encoder(args.model or args.config, args.checkpoint, args.device,
                           notify=print_model_notice, **chosen_preprocessing(args))
    if args.gallery:
        check_gallery(args.gallery, encoder)
    bank = encoder.encode_texts(list(neutral_sentences()))
    sets = {split: encode(encoder, one, bank, split) for split, one in subjects.items()}
    found, said = fit(args, encoder, subjects[args.split], sets[args.split])
    for place in places:
        print(write_calibration(place, found))
    print('\n'.join([describe_fit(found), *said]))
    bounds = fit_marks(encoder, subjects[args.split], sets[args.split].gallery, places)
    measured = {}
    if args.check:
        measured, bins = check(found, sets[args.check], sizes, args.seed)
        print(f'\nmeasured on split {args.check}:\n')
        print(table(measured))
        for other in found.others:
            try:
                _, parts = encode_parts(encoder, subjects[args.check], sets[args.check], args.seed)
                short = check_parts(other, parts, sizes, args.seed)
            except BadValue as error:  # all else is measured
                print(f'\n{_PARTS} are not measured: {error}')
                continue
            print(f'\n{_PARTS}, half of the time with somebody whom they fit:\n')
            print(table(short))
            measured.update(short)
        if args.plot:
            from mmtbps.visualization.reliability import draw_reliability
            draw_reliability(bins, args.plot, f'{subjects[args.check].name}, {args.check}')
            print(f'\n{args.plot}')
    answer(dict(files=list(map(str, places)), protocol=describe_fit(found), measured=measured,
                phrases={kind: [pair.low, pair.high] for kind, pair in bounds.items()}))


def check_measurement(args: argparse.Namespace) -> None:
    """Check that what is to be measured and drawn can be, before anything is computed.

    Raises:
        BadValue: It is asked for without a measurement.
        MissingPackage: matplotlib is missing.
    """
    if args.sizes is not None and not args.check:
        raise BadValue('--sizes are those of --check: add --check test')
    if args.plot is None:
        return
    if not args.check:
        raise BadValue('--plot draws what --check measures: add --check test')
    if find_spec('matplotlib') is None:
        raise MissingPackage('a diagram is drawn by matplotlib: pip install "mmtbps[visualize]"')
    import matplotlib.backends.backend_agg as backend
    known = backend.FigureCanvasAgg.get_supported_filetypes()
    if args.plot.suffix[1:].lower() not in (*known, ''):
        raise BadValue(f'--plot {args.plot}: a diagram is a file of {", ".join(sorted(known))}')
    check_writable(args.plot)


def find_places(args: argparse.Namespace) -> list[Path]:
    """Find where the calibration goes, before anything is computed.

    Raises:
        BadValue: The model has no place here, and none was named.
    """
    place = args.out or (None if args.model is None and args.checkpoint is None
                         else place_of_calibration(args.model or args.config, args.checkpoint))
    places = [] if place is None else [place]
    if args.gallery and '://' not in args.gallery:
        places.append(Path(args.gallery, CALIBRATION_FILE))
    if not places:
        raise BadValue(f'{args.model or args.config} has no folder here: name a file with --out, '
                       'or a gallery of it with --gallery')
    for one in places:
        check_writable(one)
    return places


def fit(args: argparse.Namespace, encoder: Encoder, subjects: Subjects,
        data: OpenSet) -> tuple[PresenceCalibration, list[str]]:
    """Fit a calibration on captions, and on parts of captions as far as they tell who is there.

    Returns:
        The calibration, and a line on each other one that it holds, or on why there is none.
    """
    known = dict(dataset=subjects.name, split=args.split,
                 ann_files=dict(subjects.digest['ann_files']))
    found = fit_calibration(data, args.method, args.seed, encoder.fingerprint,
                            dict(known, words=usual_lengths(subjects.captions)))
    try:
        sentences, parts = encode_parts(encoder, subjects, data, args.seed)
        other = fit_parts(parts, args.method, args.seed, encoder.fingerprint,
                          dict(known, words=usual_lengths(sentences)))
    except BadValue as error:
        return found, [f'no probabilities for short sentences, by {_PARTS}: {error}']
    return replace(found, others=(other,)), [describe_fit(other)]


def fit_marks(encoder: Encoder, subjects: Subjects, features: np.ndarray,
              places: Sequence[Path]) -> dict[str, Bounds]:
    """Fit the bounds of marks of phrases on what captions say, and write them beside the rest."""
    labels = label_phrases(subjects.captions, subjects.owners, len(subjects.paths))
    bounds = fit_phrase_bounds(PhraseChecker(encoder), labels, features)
    said = f'{subjects.name}, captions of {len(subjects.paths)} pictures'
    for place in places:
        name = place.name.removesuffix('.json').removesuffix(_PRESENCE).removesuffix('.')
        beside = place.with_name('.'.join(filter(None, [name, BOUNDS_FILE])))
        write_phrase_bounds(bounds, beside, encoder.fingerprint, said)
        print(beside)
    count = sum(len(one.places) for one in labels)
    print(f'marks of phrases ({", ".join(bounds) or "none: too few pictures of each kind"}) by '
          f'{count:,} labels of {len(labels):,} phrases in {said}')
    return bounds


def fitting_sizes(sizes: Sequence[int] | None, subjects: Subjects) -> list[int]:
    """List the sizes of galleries that the people of a split are enough for, and name the others.

    Raises:
        BadValue: They are enough for none, or a size is none.
    """
    asked = list(sizes or _SIZES)
    people = len(np.intersect1d(subjects.people, subjects.people[subjects.owners]))
    if min(asked) < 1:
        raise BadValue(f'--sizes are numbers of people from 1 on, got {min(asked)}')
    fitting = [size for size in asked if size < people]
    if not fitting:
        raise BadValue(f'--sizes must be below {people}, the people of the split, got {asked}')
    if sizes is not None and (left := sorted({*asked} - {*fitting})):
        print(f'not measured at {", ".join(map(str, left))} people: the split has {people}',
              file=sys.stderr)
    return fitting


def read_split(config: str, split: str) -> Subjects:
    """Read pictures and sentences of a split of a config."""
    loader = f'{split}_dataloader'
    return read_subjects(read_config(config, loader)[loader].dataset)


def check_gallery(address: str, encoder: Encoder) -> None:
    """Check that a gallery is of the model.

    Raises:
        GalleryMismatch: It is of another.
    """
    gallery = open_gallery(address)
    if CAPTIONS in gallery.fingerprint:
        raise BadValue(f'{address} holds captions in its features, and a calibration is of '
                       'pictures alone: a gallery with captions is not calibrated')
    if not is_same_model(gallery.fingerprint, encoder.fingerprint):
        raise GalleryMismatch(gallery.uri, gallery.fingerprint, encoder.fingerprint)


def encode(encoder: Encoder, subjects: Subjects, bank: np.ndarray, split: str) -> OpenSet:
    """Encode the pictures and sentences of a split."""
    gallery = np.concatenate([encoder.encode_images([read_picture(path) for path in part])
                              for part in batches(subjects.paths, f'{split}: pictures')])
    queries = np.concatenate([encoder.encode_texts(part)
                              for part in batches(subjects.captions, f'{split}: sentences')])
    return OpenSet(queries, subjects.people[subjects.owners], gallery, subjects.people, bank)


def batches(items: Sequence, words: str) -> Iterator[Sequence]:
    """Cut what is to be encoded into batches, and show a bar over them."""
    return progress([items[start:start + _BATCH] for start in range(0, len(items), _BATCH)], words)


def encode_parts(encoder: Encoder, subjects: Subjects, data: OpenSet,
                 seed: int) -> tuple[list[str], OpenSet]:
    """Take parts of the captions of a split, and encode them.

    Returns:
        The parts, and what they are asked of.
    """
    taken = parts_of_captions(subjects.captions, subjects.people[subjects.owners],
                              subjects.people, seed)
    features = np.concatenate([encoder.encode_texts(part)
                               for part in batches(taken.sentences, _PARTS)])
    return taken.sentences, replace(data, queries=features, query_ids=taken.people,
                                    fits=taken.fits)


def check(calibration: PresenceCalibration, data: OpenSet, sizes: Sequence[int],
          seed: int) -> tuple[dict[str, dict[str, float]], dict[str, list[ReliabilityBin]]]:
    """Measure a calibration, at each size and with 10, 50 and 90 % of the people there.

    Returns:
        Measures by size and share, and likewise the bins of a reliability diagram.
    """
    data = replace(data, scale=calibration.scale, bank=calibration.bank)
    measured, bins = {}, {}
    for size in sizes:
        for share in (.1, .5, .9):
            trials = deal_trials(data, size, share, seed)
            rated = rate_trials(trials, calibration, share)
            name = f'{size} people, {100 * share:g} % there'
            measured[name] = measure_trials(trials, rated)
            bins[name] = reliability_bins(rated['calibrated'][1], trials.present)
    return measured, bins


def check_parts(calibration: PresenceCalibration, data: OpenSet, sizes: Sequence[int],
                seed: int) -> dict[str, dict[str, float]]:
    """Measure what was fitted on parts of captions, half of the time with somebody whom they fit.

    Returns:
        Measures by size, with one person whom a part fits, and with all whom it fits.
    """
    data = replace(data, scale=calibration.scale, bank=calibration.bank)
    people = len(np.intersect1d(data.query_ids, data.gallery_ids))
    measured = {}
    for size in [size for size in sizes if 0 < size < people]:
        for alone, who in ((True, 'one who fits'), (False, 'all who fit')):
            trials = deal_trials(data, size, seed=seed, alone=alone)
            measured[f'{size} people, {who}'] = {
                **measure_trials(trials, rate_trials(trials, calibration)),
                **measure_hits(trials, calibration)}
    return measured


def table(measured: Mapping[str, Mapping[str, float]]) -> str:
    """Lay out measures as a table in Markdown."""
    lines = [f'| gallery | by | {" | ".join(_MEASURES)} |', '|---' * (len(_MEASURES) + 2) + '|']
    for name, values in measured.items():
        for way in dict.fromkeys(name.split('/')[0] for name in values):
            cells = [f'{values[key]:.3f}' if (key := f'{way}/{measure}') in values else ''
                     for measure in _MEASURES]
            lines.append(f'| {name} | {way.replace("_", " ")} | {" | ".join(cells)} |')
    return '\n'.join(lines)
