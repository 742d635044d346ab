"""Watch a folder, a video or a camera, and raise an alarm when somebody fits a saved sentence.

Rules are a YAML file::

    - name: red coat
      sentence: a woman in a red coat without a hat
      max_false_alarm_rate: 0.001
      where: {camera: lobby}
      cool_down: 60

Passwords come from the environment: MMTBPS_STREAM_PASSWORD, MMTBPS_WEBHOOK_PASSWORD or
MMTBPS_WEBHOOK_TOKEN, MMTBPS_MQTT_PASSWORD. Stopped or killed, the same command goes on.

Examples:
    mmtbps watch people.lance crops --rules rules.yaml
    mmtbps watch people.lance crops --rules rules.yaml --webhook https://host/alarms --poll 10
    mmtbps watch people.lance crops --rules rules.yaml --mqtt mqtt://user@host/alarms
    mmtbps watch people.lance rtsp://user@camera/live --rules rules.yaml --detector hf:OWNER/NAME
    mmtbps watch people.lance --rules rules.yaml --try-last 1000
    mmtbps watch people.lance --report --marks false_alarms.txt
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmtbps.errors import BadValue, UserError, printable
from mmtbps.fileio import check_writable, file_lock
from mmtbps.search.galleries.factory import check_address, noted_at, open_gallery

from .options.detector import add_detector_options, choose_detection
from .options.gallery import (
    add_gallery,
    add_gallery_model,
    cure_of_mismatch,
    find_model,
    find_preprocessing,
)
from .wording.json_answers import add_json, answer
from .wording.licence_notice import print_model_notice
from .wording.user_errors import fail

if TYPE_CHECKING:
    from mmtbps.search.encoders.base import Encoder
    from mmtbps.search.galleries.base import BaseGallery
    from mmtbps.search.watching import Outbox, Receiver, Rule, RuleJudge, Source

__all__ = ['add_arguments', 'run']

INTERRUPTED = ('interrupted. Who was seen is in the gallery, and alarms that wait are on disk; the '
               'same command goes on')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the gallery, the source, the rules, the receivers and the model."""
    add_gallery(parser)
    parser.add_argument('source', nargs='?', help='a folder of crops (with --detector: of '
                        'photographs and videos), a video, or a stream (rtsp://user@host/path)')
    parser.add_argument('--rules', type=Path, metavar='FILE', help='YAML, see above')
    parser.add_argument('--alarms', type=Path, metavar='FILE', help='append each alarm once, as a '
                        'JSON line (default without another receiver: alarms.jsonl in the state)')
    parser.add_argument('--webhook', metavar='URL', help='post each alarm as JSON')
    parser.add_argument('--mqtt', metavar='URL', help='publish each alarm, mqtt://host/topic')
    parser.add_argument('--state', type=Path, metavar='FOLDER', help='of what waits, on a disk of '
                        'this machine (default: GALLERY.watch)')
    parser.add_argument('--poll', type=float, metavar='SECONDS', help='look at the folder so '
                        'often, for network drives')
    parser.add_argument('--settle', type=float, default=2., metavar='SECONDS', help='for which a '
                        'file must not have changed (default: %(default)g)')
    parser.add_argument('--once', action='store_true', help='look at the folder as it is now, and '
                        'end')
    parser.add_argument('--camera', default='', help='name of the camera of a stream')
    parser.add_argument('--images', type=Path, help='folder that paths are kept relative to; the '
                        'pictures of a stream are kept in .watched below it (default: as noted)')
    parser.add_argument('--calibration', type=Path, metavar='FILE', help='of mmtbps calibrate '
                        '(default: that of the gallery or beside the model)')
    parser.add_argument('--phrase-bounds', type=Path, metavar='FILE', help='of phrases, as for '
                        'mmtbps query')
    parser.add_argument('--try-last', type=int, metavar='N', help='print what the rules would have '
                        'raised among the last N entries; nothing is sent or noted')
    parser.add_argument('--report', action='store_true', help='print the rate of false alarms that '
                        'each rule has met')
    parser.add_argument('--marks', type=Path, metavar='FILE', help='ids of false alarms, one a '
                        'line, for --report (default: those marked on the page)')
    add_gallery_model(parser)
    add_detector_options(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Watch, try rules, or report."""
    wanted = [name for name, given in (('SOURCE', args.source), ('--try-last', args.try_last),
                                       ('--report', args.report)) if given]
    if len(wanted) != 1:
        raise BadValue('one of SOURCE, --try-last and --report is needed, got '
                       f'{", ".join(wanted) or "none"}')
    if args.report:
        return report(args)
    if args.rules is None:
        raise BadValue('--rules FILE is needed: the sentences that raise an alarm')
    if args.marks is not None:
        raise BadValue('--marks is for --report')
    with cure_of_mismatch(args):
        (watch if args.source else try_rules)(args)


def report(args: argparse.Namespace) -> None:
    """Print the rates that were met."""
    from mmtbps.search.watching import Outbox
    from mmtbps.search.watching.marks import MARKS, read_marks
    from mmtbps.search.watching.outbox import FILE
    from mmtbps.search.watching.trials import rates_met
    folder = state_of(args)
    marks = args.marks or folder / MARKS
    false = read_marks(marks) if args.marks or marks.exists() else []
    if not (folder / FILE).exists():
        raise BadValue(f'{folder}: {args.gallery} was not watched yet, or with another --state')
    outbox = Outbox(folder)
    rates = rates_met(outbox, false)
    for rate in rates:
        said = 'nobody was judged' if rate.rate is None else (
            f'{rate.false} of {rate.people} people: {rate.rate:.4%} '
            f'({rate.low:.4%} to {rate.high:.4%})')
        print(printable(f'{rate.rule}: {rate.alarms} alarms; marked false {said}'))
    waiting = outbox.waiting()
    for receiver, count in waiting.items():
        print(f'{count} alarms wait for {receiver}')
    answer(dict(rules=[rate.to_json() for rate in rates], waiting=waiting))


def try_rules(args: argparse.Namespace) -> None:
    """Print what rules would have raised."""
    from mmtbps.search.watching import Alarm, read_rules
    from mmtbps.search.watching.trials import try_last
    rules = read_rules(args.rules)
    open_gallery(args.gallery)  # before a model is loaded: is there one?
    encoder = load(args)
    gallery = open_gallery(args.gallery, encoder.fingerprint)
    judge = make_judge(args, rules, gallery, encoder)
    now, images = time.time(), noted_at(args.gallery).images
    found = [Alarm.of(each, images, now).to_json()
             for each in try_last(gallery, judge, args.try_last, now)]
    for each in found:
        known = 'not calibrated' if each['probability'] is None else f'{each["probability"]:.3f}'
        print(printable(f'{each["rule"]}: {each["picture"]}  score {each["score"]:.3f}  '
                        f'probability {known}'))
    entries = min(args.try_last, gallery.count())
    print(f'{len(found)} alarms among the last {entries} entries; nothing was sent')
    answer(dict(entries=entries, alarms=found))


def watch(args: argparse.Namespace) -> None:
    """Watch a source until it ends.

    Raises:
        GalleryMismatch: The gallery is of another model.
    """
    from mmtbps.search.watching import Outbox, Watch, read_rules
    rules = read_rules(args.rules)
    check_address(args.gallery)
    if '://' not in args.gallery:
        check_writable(args.gallery, folder=True)
    state = state_of(args)
    check_writable(state, folder=True)
    outbox = Outbox(state)
    with file_lock(state / '.lock', wait=False):
        receivers = open_receivers(args, state)
        encoder = load(args)
        gallery = open_gallery(args.gallery, encoder.fingerprint)
        judge = make_judge(args, rules, gallery, encoder)
        source = open_source(args, gallery, encoder, outbox)
        before = len(outbox.alarms())
        running = Watch(source, gallery, judge, outbox, receivers, say,
                        renew=rule_changes(args, gallery, encoder))
        say(f'{len(rules)} rules; alarms go to '
            + ', '.join(receiver.name for receiver in receivers))
        running.run()
        waiting, raised = outbox.waiting(), len(outbox.alarms()) - before
    print(f'{args.gallery}: {raised} alarms raised; {gallery.count()} people in all')
    answer(dict(gallery=args.gallery, entries=gallery.count(), alarms=raised, waiting=waiting))
    if waiting:
        fail(f'alarms wait: {word_waiting(waiting, [receiver.kind for receiver in receivers])}')


def word_waiting(waiting: Mapping[str, int], open_to: Sequence[str]) -> str:
    """Word what waits for which receivers, and what sends it.

    Example:
        >>> word_waiting({'webhook': 2}, ['file'])
        '2 for webhook. Watch with --webhook sends them'
    """
    closed = ['--alarms' if kind == 'file' else f'--{kind}'
              for kind in waiting if kind not in open_to]
    how = f'Watch with {" and ".join(closed)}' if closed else 'The same command'
    told = ', '.join(f'{count} for {kind}' for kind, count in waiting.items())
    return f'{told}. {how} sends them'


def say(line: str) -> None:
    """Print a line for people, with the time."""
    print(printable(f'{time.strftime("%Y-%m-%d %H:%M:%S")} {line}'), file=sys.stderr, flush=True)


def state_of(args: argparse.Namespace) -> Path:
    """Return the folder of what waits.

    Raises:
        BadValue: The gallery has no folder beside which it could lie.
    """
    if args.state is not None:
        return args.state
    if '://' in args.gallery:
        raise BadValue(f'{args.gallery} is elsewhere: name a folder for what waits with --state')
    place = Path(args.gallery).absolute()
    return place.with_name(f'{place.name}.watch')


def open_receivers(args: argparse.Namespace, state: Path) -> 'list[Receiver]':
    """Open the receivers of the command line."""
    from mmtbps.search.watching import FileReceiver
    from mmtbps.search.watching.mqtt import MqttReceiver
    from mmtbps.search.watching.webhook import WebhookReceiver
    found: list[Receiver] = []
    if args.webhook:
        found.append(WebhookReceiver(args.webhook))
    if args.mqtt:
        found.append(MqttReceiver(args.mqtt))
    if args.alarms or not found:
        found.append(FileReceiver(args.alarms or state / 'alarms.jsonl'))
    return found


def load(args: argparse.Namespace) -> 'Encoder':
    """Load the model of the command line or of the gallery."""
    from mmtbps.search.encoders.loading import load_encoder
    model = find_model(args)
    return load_encoder(model.model, model.weights, args.device, notify=print_model_notice,
                        **find_preprocessing(args))


def make_judge(args: argparse.Namespace, rules: 'list[Rule]', gallery: 'BaseGallery',
               encoder: 'Encoder') -> 'RuleJudge':
    """Make the judge of the rules, with the calibration that there is."""
    from mmtbps.search.answers import find_calibration, find_phrase_bounds, read_phrase_bounds
    from mmtbps.search.answers.calibrations import load_calibration
    from mmtbps.search.watching import RuleJudge
    model = find_model(args)
    known = args.gallery, encoder.fingerprint, model.model, model.weights
    found, reason = find_calibration(*known) if args.calibration is None else (
        load_calibration(args.calibration, encoder.fingerprint), '')
    bounds = find_phrase_bounds(*known) if args.phrase_bounds is None else read_phrase_bounds(
        args.phrase_bounds)
    return RuleJudge(rules, gallery, encoder, found, reason, bounds)


def rule_changes(args: argparse.Namespace, gallery: 'BaseGallery',
                 encoder: 'Encoder') -> 'Callable[[], RuleJudge | None]':
    """Make a call that gives a judge of the rules where their file has changed since the last."""
    from mmtbps.search.watching import read_rules

    def stamp() -> tuple[int, int] | None:
        try:
            now = args.rules.stat()
        except OSError:  # it is written anew at this moment, or gone; the rules go on
            return None
        return now.st_size, now.st_mtime_ns

    last = stamp()

    def renew() -> 'RuleJudge | None':
        nonlocal last
        now = stamp()
        if now is None or now == last:
            return None
        last = now
        try:
            judge = make_judge(args, read_rules(args.rules), gallery, encoder)
        except UserError as error:
            say(f'{error}. The former rules go on')
            return None
        say(f'the rules have changed: {len(judge.rules)} from now on')
        return judge

    return renew


def open_source(args: argparse.Namespace, gallery: 'BaseGallery', encoder: 'Encoder',
                outbox: 'Outbox') -> 'Source':
    """Open the source of the command line.

    Raises:
        BadValue: It is none, or lacks what it needs.
    """
    from mmtbps.search.indexing import IndexOptions
    from mmtbps.search.indexing.noted_model import note_model
    from mmtbps.search.watching import FolderSource, StillSource
    model = find_model(args)
    begun = partial(note_model, gallery, encoder, model.model, model.weights)
    if '://' in args.source:
        return open_stream(args, gallery, encoder, outbox, begun)
    detection = choose_detection(args, args.gallery, noted_at(args.gallery).detection)
    known: dict[str, Any] = dict(
        detection=detection, begun=begun,
        options=IndexOptions(progress=False, images=args.images))
    if args.once or not Path(args.source).is_dir():
        return StillSource(args.source, gallery, encoder, say, **known)
    return FolderSource(args.source, gallery, encoder, say, settle=args.settle, poll=args.poll,
                        **known)


def open_stream(args: argparse.Namespace, gallery: 'BaseGallery', encoder: 'Encoder',
                outbox: 'Outbox', begun: Callable[[], object]) -> 'Source':
    """Open a stream, whose people are always tracked."""
    from mmtbps.search.media.live import live_frames
    from mmtbps.search.watching.stream import StreamSource, stream_address
    address = stream_address(args.source)
    images = args.images or noted_at(args.gallery).images
    if images is None:
        raise BadValue('the pictures of a stream are kept below the folder of the images: name it '
                       'with --images')
    if args.once:
        raise BadValue('--once is for a folder')
    noted = noted_at(args.gallery).detection or {}
    if not (args.detector or noted.get('detector')):
        raise BadValue('the people of a stream are found by a --detector')
    args.track = True
    detection = choose_detection(args, args.gallery, noted)
    return StreamSource(partial(live_frames, address, detection.interval), args.camera, images,
                        gallery, encoder, outbox, detection.detector, detection.tracker, say,
                        begun=begun)
