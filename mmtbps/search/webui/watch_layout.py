"""Tab of a watch: where its parts stand, and what happens in it."""

from types import ModuleType, SimpleNamespace
from typing import Any

from ..watching.rule_file import as_values
from ..watching.rules import BOUNDS
from . import html
from .service import Refused, SearchService
from .style import PICK
from .watch_service import MAX_TRIAL, WatchService, read_rule
from .watch_views import fields_of, show_alarms, show_rules, show_trial

__all__ = ['add_watch']

_FIELDS = ('name', 'sentence', 'bound', 'value', 'where', 'cool_down')
_BOUNDS = dict(max_false_alarm_rate='false alarms, share of people at most',
               min_probability='probability at least', min_score='score at least')
_EMPTY = dict(name='', sentence='', bound='max_false_alarm_rate', value='0.001', where='',
              cool_down='')


def add_watch(gr: ModuleType, service: SearchService, watch: WatchService, page: Any, tab: Any,
              queue: dict[str, Any]) -> None:
    """Add the parts of a watch to a tab of the page, and connect them.

    What the owner of the page has not allowed is not there: no event of it is made, so none can be
    sent.

    Args:
        gr: Gradio, inside the tab.
        service: Of the gallery.
        watch: That is shown.
        page: The blocks.
        tab: That the parts stand in.
        queue: Gradio's settings of the requests that wait for each other.
    """
    parts = _lay_out(gr, watch)
    parts.stamp, parts.former = gr.State(''), gr.State('')
    shown = [parts.alarms, parts.rules, parts.stamp]

    def fresh() -> tuple[str, ...]:
        try:
            stamp = watch.rules().stamp
        except Refused:  # the place of the rules says so
            stamp = ''
        return show_alarms(service, watch), show_rules(watch), stamp

    refresh = dict(fn=fresh, outputs=shown, show_progress='hidden', **queue)
    page.load(**refresh)
    tab.select(**refresh)
    parts.refresh.click(**refresh)
    if watch.may_change and watch.has_alarms:
        _connect_marks(gr, parts, service, watch, queue)
    _connect_rules(gr, parts, watch, fresh, queue)
    _connect_trial(parts, service, watch, queue)


def _lay_out(gr: ModuleType, watch: WatchService) -> SimpleNamespace:
    parts = SimpleNamespace()
    with gr.Row(elem_id='watch'):
        with gr.Column(scale=6, min_width=340, visible=watch.has_alarms):
            parts.alarms = gr.HTML(js_on_load=PICK, elem_id='alarms')
        with gr.Column(scale=5, min_width=320):
            parts.refresh = gr.Button('Look again', size='sm', elem_id='look-again')
            parts.rules = gr.HTML(js_on_load=PICK, elem_id='rules')
            title = 'Add or change a rule' if watch.may_change else 'Try a rule'
            with gr.Group(elem_id='rule'):
                gr.HTML(f'<h2>{title}</h2>', elem_id='rule-title')
                parts.fields = _lay_out_fields(gr)
            parts.said = gr.HTML(elem_id='rule-said')
            with gr.Row():
                parts.count = gr.Number(1000, label='Last entries', precision=0, minimum=1,
                                        maximum=MAX_TRIAL, min_width=110, elem_id='rule-count')
                parts.try_it = gr.Button('Try', elem_id='rule-try', min_width=90)
                if watch.may_change and watch.has_rules:
                    parts.save = gr.Button('Save', variant='primary', elem_id='rule-save',
                                           min_width=90)
                    parts.new = gr.Button('New rule', elem_id='rule-new', min_width=90)
            parts.trial = gr.HTML(elem_id='trial')
    return parts


def _lay_out_fields(gr: ModuleType) -> list[Any]:
    name = gr.Textbox(label='Name', max_length=200, elem_id='rule-name')
    sentence = gr.Textbox(label='Sentence', lines=2, max_length=1000, elem_id='rule-sentence',
                          placeholder='a woman in a red coat without a hat')
    with gr.Row():
        bound = gr.Dropdown([(_BOUNDS[key], key) for key in BOUNDS], value=_EMPTY['bound'],
                            label='Bound', min_width=240, elem_id='rule-bound')
        value = gr.Textbox(_EMPTY['value'], label='Value', max_length=40, min_width=90,
                           elem_id='rule-value')
    with gr.Row():
        where = gr.Textbox(label='Only', max_length=200, min_width=150, elem_id='rule-where',
                           placeholder='camera=lobby,yard')
        cool_down = gr.Textbox(label='Cool-down in seconds', max_length=40, min_width=90,
                               elem_id='rule-cool-down')
    return [name, sentence, bound, value, where, cool_down]


def _connect_marks(gr: ModuleType, parts: SimpleNamespace, service: SearchService,
                   watch: WatchService, queue: dict[str, Any]) -> None:
    """Connect the marks of alarms, which change the rates of the rules."""
    def marked(event: gr.EventData) -> tuple[Any, ...]:
        mark, _, key = _picked(event).partition(':')
        try:
            watch.mark(key, mark)
        except Refused as refusal:
            return gr.skip(), gr.skip(), html.draw_notice(str(refusal))
        return show_alarms(service, watch), show_rules(watch), ''

    parts.alarms.click(marked, None, [parts.alarms, parts.rules, parts.said],
                       show_progress='hidden', **queue)


def _connect_rules(gr: ModuleType, parts: SimpleNamespace, watch: WatchService, fresh: Any,
                   queue: dict[str, Any]) -> None:
    """Connect editing, removing, saving and a new rule."""
    outputs = [*parts.fields, parts.former, parts.said, parts.alarms, parts.rules, parts.stamp]

    def filled(fields: dict[str, str], former: str, said: str, anew: bool) -> tuple[Any, ...]:
        return (*(fields[key] for key in _FIELDS), former, said,
                *(fresh() if anew else [gr.skip()] * 3))

    def kept(said: str) -> tuple[Any, ...]:
        return *([gr.skip()] * (len(_FIELDS) + 1)), said, *([gr.skip()] * 3)

    def picked(stamp: str, event: gr.EventData) -> tuple[Any, ...]:
        action, _, place = _picked(event).partition(':')
        try:
            there = watch.rules()
            if there.stamp != stamp:
                raise Refused('The rules were changed meanwhile by somebody else: look again.')
            rule = {str(number): rule for number, rule in enumerate(there.rules)}.get(place)
            if rule is None or action not in ('edit', 'remove'):
                raise Refused('There is no such rule.')
            fields = fields_of(as_values(rule))
            if action == 'edit':
                return filled(fields, rule.name, '', False)
            watch.remove(rule.name, stamp)
            return filled(fields, '', html.draw_report(
                f'{rule.name} is removed. Save brings it back.'), True)
        except Refused as refusal:
            return kept(html.draw_notice(str(refusal)))

    def saved(*values: Any) -> tuple[Any, ...]:
        *fields, former, stamp = values
        try:
            rule = read_rule(*fields)
            watch.save(rule, former, stamp)
        except Refused as refusal:
            return kept(html.draw_notice(str(refusal)))
        return filled(_EMPTY, '', html.draw_report(f'{rule["name"]} is saved.'), True)

    parts.rules.click(picked, [parts.stamp], outputs, show_progress='hidden', **queue)
    if watch.may_change and watch.has_rules:
        parts.save.click(saved, [*parts.fields, parts.former, parts.stamp], outputs,
                         show_progress='hidden', **queue)
        parts.new.click(lambda: filled(_EMPTY, '', '', False), None, outputs,
                        show_progress='hidden', **queue)


def _connect_trial(parts: SimpleNamespace, service: SearchService, watch: WatchService,
                   queue: dict[str, Any]) -> None:
    def tried(*values: Any) -> tuple[str, str]:
        *fields, count = values
        try:
            found, entries = watch.trial(read_rule(*fields), count)
        except Refused as refusal:
            return '', html.draw_notice(str(refusal))
        return show_trial(service, found, entries), ''

    parts.try_it.click(tried, [*parts.fields, parts.count], [parts.trial, parts.said],
                       show_progress='minimal', show_progress_on=[parts.trial], **queue)


def _picked(event: Any) -> str:
    data = event._data if isinstance(event._data, dict) else {}
    return data['pick'] if isinstance(data.get('pick'), str) else ''
