"""Layout and events of the page."""

import contextlib
import html
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from mmtbps.errors import MissingPackage, first_line, printable
from mmtbps.fileio import IMAGE_SUFFIXES, as_path

from .api import add_api
from .environment import private_environment
from .html import draw_masthead, draw_picture, draw_report
from .joined_calls import holding
from .observed import ObservedService, QueryObserver
from .service import MAX_COUNT, MAX_TEXT, Facets, Refused, SearchService, read_picture
from .style import CLOSE_UP, DROP, PICK
from .uploads import add_crops, check_uploads
from .views import Question, answer, describe, greet, show_person
from .watch_layout import add_watch
from .watch_service import WatchFolder, WatchService, check_watch

__all__ = ['build_page', 'import_gradio']

#: One of these requests at a time uses the model and the gallery; see `_alone`.
_QUEUE = dict(concurrency_id='gallery', concurrency_limit=1)
_PRIVATE = dict(api_visibility='private', **_QUEUE)
#: Seconds that the questions of a visitor are kept.
_MEMORY = 86_400


def import_gradio() -> ModuleType:
    """Import Gradio, told before it starts not to report home.

    Raises:
        MissingPackage: It is not installed, or lacks something; the message names the extra.
    """
    try:
        with private_environment():
            import gradio
    except ImportError as error:
        lacks = '' if error.name == 'gradio' else f', which lacks something ({first_line(error)})'
        raise MissingPackage(f'the web page needs gradio{lacks}: '
                             'pip install "mmtbps[demo]"') from error
    return gradio


def build_page(inferencer: Any, images: str | os.PathLike, uploads: str | os.PathLike | None = None,
               title: str = 'Person search', observers: Sequence[QueryObserver] = (),
               watch: WatchFolder | None = None) -> Any:
    """Build the page as Gradio blocks; `serve` launches it safely.

    Args:
        inferencer: A `TextToPersonInferencer` with a gallery.
        images: Folder that the paths of the gallery's entries are relative to. Pictures are read
            from there and nowhere else.
        uploads: Folder inside ``images`` for crops that visitors add; ``None`` if they may not.
        title: Stands on top.
        observers: Told of each question, see `ObservedService`.
        watch: Shown in a tab of its own; no tab without one.

    Raises:
        BadValue: ``uploads`` is not inside ``images``, or ``watch`` is none.
        MissingFile: There are no such rules.
        NotWritable: Nothing can be written to ``uploads``.
        MissingPackage: Gradio is not installed.
    """
    gr = import_gradio()
    service = ObservedService(inferencer, as_path(images), observers=observers)
    if uploads is not None:
        check_uploads(images, uploads)
    if watch is not None:
        check_watch(watch)
    from .blocks import PageBlocks
    with PageBlocks(title=title, analytics_enabled=False, fill_width=True,
                    delete_cache=(600, 3600)) as page:
        watched = None if watch is None else WatchService(service, watch)
        # Tabs only where there is a second one.
        with _tab(gr, 'Search', watched is not None):
            parts = _lay_out(gr, title, service.facets(), uploads is not None)
        if watched is not None:
            with _tab(gr, 'Watch', True) as tab:
                add_watch(gr, service, watched, page, tab, _PRIVATE)
        parts.asked, parts.shown, parts.picked, parts.given = (
            gr.State(value, time_to_live=_MEMORY) for value in ([], Question(), None, ''))
        refresh = _refresh(gr, parts, service, title)
        page.load(**refresh)
        _connect_questions(gr, parts, service)
        _connect_judgements(gr, parts, service)
        _connect_picture(gr, parts, service)
        _connect_people(gr, parts, service)
        if uploads is not None:
            _connect_uploads(gr, parts, service, Path(uploads), refresh)
        add_api(gr, service, _QUEUE)
    _alone(page, service)
    return page


def _alone(page: Any, service: SearchService) -> None:
    """Let each request of the queue have model and gallery for itself, between the sentences."""
    for event in page.fns.values():
        if event.concurrency_id == _QUEUE['concurrency_id']:
            event.fn = holding(service.alone, event.fn)


# ------------------------------------------------------------------ where things stand
def _tab(gr: ModuleType, name: str, wanted: bool) -> Any:
    """Make a tab; one after the other stand in one row of them. Without tabs, nothing around."""
    return gr.Tab(name, elem_id=f'tab-{name.lower()}') if wanted else contextlib.nullcontext()


def _lay_out(gr: ModuleType, title: str, facets: Facets, uploads: bool) -> SimpleNamespace:
    parts, known = SimpleNamespace(), _known(facets)
    parts.masthead = gr.HTML(draw_masthead(title, describe(facets)), elem_id='masthead')
    with gr.Row(equal_height=True, elem_id='asking'):
        parts.text = gr.Textbox(
            label='Description', show_label=False, container=False, lines=1, max_lines=4,
            max_length=MAX_TEXT, scale=8, min_width=260, elem_id='ask', autofocus=True,
            placeholder='a woman in a red coat with a black backpack')
        parts.go = gr.Button('Search', variant='primary', scale=1, elem_id='go', min_width=120)
    with gr.Accordion('Filters', open=False, elem_id='filters'), gr.Row():
        parts.cameras = gr.Dropdown(multiselect=True, label='Cameras', elem_id='cameras',
                                    **known['cameras'])
        parts.since = gr.Textbox(label='From (UTC)', max_length=40, min_width=130, **known['since'])
        parts.until = gr.Textbox(label='To (UTC)', max_length=40, min_width=130, **known['until'])
        parts.track = gr.Textbox(label='Track', max_length=200, min_width=130, **known['track'])
        parts.must = gr.Textbox(label='Must hold', max_length=200, min_width=130, elem_id='must',
                                placeholder='red coat, no hat')
        parts.weigh = gr.Checkbox(label='Weigh each phrase', min_width=130, elem_id='weigh')
        parts.count = gr.Slider(1, MAX_COUNT, value=20, step=1, label='Show')
    with gr.Accordion('Search by a picture', open=False, elem_id='by-picture'):
        parts.picture = gr.HTML(draw_picture(), js_on_load=DROP, elem_id='picture')
        parts.weight = gr.Slider(0, 1, value=.5, step=.05, label='Weight of the picture, if there '
                                 'are words too')
    if uploads:
        _lay_out_uploads(gr, parts)
    parts.history = gr.HTML(js_on_load=PICK, elem_id='history')
    with gr.Row():
        with gr.Column(scale=7, min_width=340):
            parts.people = gr.HTML(greet(facets), js_on_load=PICK, elem_id='people')
        with gr.Column(scale=4, min_width=320, elem_id='close-up'):
            parts.person = gr.HTML(js_on_load=CLOSE_UP, elem_id='person')
            with gr.Row(visible=False, elem_id='judging') as parts.judging:
                parts.right = gr.Button('Looks right', elem_id='right', min_width=90)
                parts.wrong = gr.Button('Not this one', elem_id='wrong', min_width=90)
            parts.more = gr.Button('More like this person', visible=False, elem_id='more')
    parts.filters = [parts.cameras, parts.since, parts.until, parts.track, parts.count,
                     parts.weight, parts.must, parts.weigh]
    return parts


def _lay_out_uploads(gr: ModuleType, parts: SimpleNamespace) -> None:
    with gr.Accordion('Add pictures', open=False, elem_id='add'):
        parts.files = gr.File(label='Pictures, each of one person', file_count='multiple',
                              file_types=list(IMAGE_SUFFIXES), height=170)
        with gr.Row():
            parts.upload_camera = gr.Textbox(label='Camera', max_length=200, min_width=90)
            parts.upload_time = gr.Textbox(label='Time', max_length=40, min_width=90)
            parts.upload_track = gr.Textbox(label='Track', max_length=200, min_width=90)
        parts.add = gr.Button('Add to the gallery', elem_id='add-button')
        parts.said = gr.HTML(elem_id='said')


def _known(facets: Facets, chosen: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """Return settings of the filters; a key that no entry has is not shown.

    A camera that a visitor has chosen stays in the list, though nobody of it may be left: Gradio
    takes no value that it does not list.
    """
    time = dict(visible=facets.times is not None, placeholder='2024-01-31 12:00 UTC')
    cameras = [(printable(camera), camera) for camera in dict.fromkeys([*facets.cameras, *chosen])]
    return dict(cameras=dict(choices=cameras, visible=bool(cameras)),
                since=time, until=time, track=dict(visible=facets.tracks))


# ------------------------------------------------------------------ what happens
def _refresh(gr: ModuleType, parts: SimpleNamespace, service: SearchService,
             title: str) -> dict[str, Any]:
    """Return an event that shows masthead and filters as the gallery is now."""
    filters = [parts.cameras, parts.since, parts.until, parts.track]

    def fresh(chosen: list[str] | None) -> list[Any]:
        try:
            facets = service.facets()
        except Refused as refusal:
            return [draw_masthead(title, str(refusal)), *(gr.skip() for _ in filters)]
        return [draw_masthead(title, describe(facets)),
                *(gr.update(**settings) for settings in _known(facets, chosen or ()).values())]

    return dict(fn=fresh, inputs=parts.cameras, outputs=[parts.masthead, *filters],
                show_progress='hidden', **_PRIVATE)


def _connect_questions(gr: ModuleType, parts: SimpleNamespace, service: SearchService) -> None:
    """Connect searching by sentence, by the picked person, and again from the history."""
    asking = [parts.text, *parts.filters]
    picture = [parts.given, parts.picture]
    answers = [parts.people, parts.asked, parts.history, parts.shown]

    def by_text(*values: Any) -> tuple[Any, ...]:
        *fields, given, asked = values
        return _show(service, replace(_question(*fields), picture=given), asked)

    def by_person(picked: tuple[str, str] | None, *values: Any) -> tuple[Any, ...]:
        person, name = picked or ('', '')
        question = replace(_question(*values[:-1]), person=person, name=name)
        return _show(service, question, values[-1])

    def listed() -> tuple[str, ...]:
        try:
            return service.facets().cameras
        except Refused:  # the answer says so
            return ()

    def again(asked: list[Question], event: gr.EventData) -> tuple[Any, ...]:
        picked = event._data.get('pick') if isinstance(event._data, dict) else None
        question = next((one for place, one in enumerate(asked) if str(place) == picked), None)
        if question is None:
            return *(gr.skip() for _ in [*asking, *picture, *answers]),
        known = _known(Facets(cameras=listed()), question.cameras)['cameras']
        fields = (question.text, gr.update(**known, value=list(question.cameras)), question.since,
                  question.until, question.track, question.count, question.image_weight,
                  question.must, question.weigh)
        return (*fields, question.picture, draw_picture(question.picture),
                *_show(service, question, asked))

    look = dict(outputs=answers, show_progress='minimal', show_progress_on=[parts.people],
                **_PRIVATE)
    gr.on([parts.go.click, parts.text.submit], by_text, [*asking, parts.given, parts.asked],
          **look)
    parts.more.click(by_person, [parts.picked, *asking, parts.asked], **look)
    parts.history.click(again, [parts.asked], **look | dict(
        outputs=[*asking, *picture, *answers]))


def _connect_judgements(gr: ModuleType, parts: SimpleNamespace, service: SearchService) -> None:
    """Connect the marks of right and wrong on a person to the question, asked anew."""
    answers = [parts.people, parts.asked, parts.history, parts.shown]

    def judge(right: bool) -> Callable[..., tuple[Any, ...]]:
        def judged(picked: tuple[str, str] | None, shown: Question,
                   asked: list[Question]) -> tuple[Any, ...]:
            if not picked or shown.person is not None:
                return *(gr.skip() for _ in answers),
            return _show(service, shown.marked(picked[0], right), asked)
        return judged

    for button, right in ((parts.right, True), (parts.wrong, False)):
        button.click(judge(right), [parts.picked, parts.shown, parts.asked], answers,
                     show_progress='minimal', show_progress_on=[parts.people], **_PRIVATE)


def _connect_picture(gr: ModuleType, parts: SimpleNamespace, service: SearchService) -> None:
    """Connect a picture that is given, or taken away, to a search by it and by the words."""
    answers = [parts.people, parts.asked, parts.history, parts.shown]

    def by_picture(event: gr.EventData, *values: Any) -> tuple[Any, ...]:
        *fields, asked = values
        sent = event._data.get('picture') if isinstance(event._data, dict) else None
        question, kept = _question(*fields), tuple(gr.skip() for _ in answers)
        try:
            given = read_picture(sent) if sent else ''
        except Refused as refusal:
            return '', draw_picture(message=str(refusal)), *kept
        if given or question.text.strip():
            kept = _show(service, replace(question, picture=given), asked)
        return given, draw_picture(given), *kept

    parts.picture.click(by_picture, [parts.text, *parts.filters, parts.asked],
                        [parts.given, parts.picture, *answers], show_progress='minimal',
                        show_progress_on=[parts.people], **_PRIVATE)


def _connect_people(gr: ModuleType, parts: SimpleNamespace, service: SearchService) -> None:
    """Connect a click on a person to the view of it up close."""
    def closer(shown: Question, event: gr.EventData) -> Iterator[tuple[Any, ...]]:
        picked = event._data.get('pick') if isinstance(event._data, dict) else None
        for drawn, entry_id, name in show_person(service, picked, shown.text):
            can_judge = entry_id is not None and shown.person is None
            yield (drawn, gr.update(visible=entry_id is not None), gr.update(visible=can_judge),
                   entry_id and (entry_id, name))

    parts.people.click(closer, [parts.shown],
                       [parts.person, parts.more, parts.judging, parts.picked],
                       show_progress='hidden', **_PRIVATE)


def _connect_uploads(gr: ModuleType, parts: SimpleNamespace, service: SearchService, folder: Path,
                     refresh: dict[str, Any]) -> None:
    def add(files: list[str] | None, camera: str, time: str, track: str) -> str:
        """Add pictures, each of one person, to the gallery."""
        try:
            report = add_crops(service, folder, files or [], camera, time, track)
        except Refused as refusal:  # the files stay, to be added once a field is put right
            said = html.escape(str(refusal), quote=False)  # shown as HTML
            raise gr.Error(said, print_exception=False, title='Not added') from refusal
        for file in files or []:
            Path(file).unlink(missing_ok=True)
        return draw_report(str(report))

    given = [parts.files, parts.upload_camera, parts.upload_time, parts.upload_track]
    parts.add.click(add, given, parts.said, api_name='add', **_QUEUE).success(
        **refresh).success(lambda: None, None, parts.files, **_PRIVATE)


def _show(service: SearchService, question: Question, asked: list[Question]) -> tuple[Any, ...]:
    return *answer(service, question, asked), question


def _question(text: str, cameras: list[str] | None, since: str, until: str, track: str,
              count: int, image_weight: float, must: str = '', weigh: bool = False) -> Question:
    return Question(text=text or '', cameras=tuple(cameras or ()), since=since or '',
                    until=until or '', track=track or '', count=count, image_weight=image_weight,
                    must=must or '', weigh=bool(weigh))
