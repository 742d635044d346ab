"""Views of a watch: HTML of its alarms, its rules, and of a trial.

The macros are those of ``templates/watch.html``, in which what comes from files or visitors stays
text.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmtbps.markup import load_template

from ..presentation import in_figures
from ..watching.rule_file import as_values
from ..watching.trials import RuleRate
from . import html
from .service import Refused, SearchService
from .watch_service import ShownAlarm, WatchService

__all__ = ['SHOWN', 'describe_rate', 'fields_of', 'show_alarms', 'show_rules', 'show_trial']

#: Alarms that are shown, the last ones.
SHOWN = 30
_PARTS = Path(__file__).parent.parent / 'templates/watch.html'


def show_alarms(service: SearchService, watch: WatchService) -> str:
    """Draw the last alarms with their marks."""
    if not watch.has_alarms:
        return ''
    try:
        alarms, rates = watch.alarms(SHOWN), watch.rates()
    except Refused as refusal:
        return html.draw_notice(str(refusal))
    total = sum(rate.alarms for rate in rates)
    if not total:
        return html.draw_welcome('No alarms yet', 'Alarms of the watch stand here, the latest '
                                 'first.')
    note = f'{total:,} in all' + (f', the last {len(alarms)} shown' if total > len(alarms) else '')
    return _fill('draw_alarms', [_alarm(service, alarm) for alarm in alarms], note,
                 watch.may_change, False)


def show_trial(service: SearchService, found: Sequence[ShownAlarm], entries: int) -> str:
    """Draw what a rule would have raised, latest first."""
    alarms = 'one alarm' if len(found) == 1 else f'{len(found):,} alarms'
    people = 'the only entry' if entries == 1 else f'the last {entries:,} entries'
    shown = f', the last {SHOWN} shown' if len(found) > SHOWN else ''
    note = f'{alarms} among {people}{shown}; nothing was sent'
    return _fill('draw_alarms', [_alarm(service, alarm) for alarm in found[::-1][:SHOWN]], note,
                 False, True)


def show_rules(watch: WatchService) -> str:
    """Draw the saved rules, each with the rate of false alarms that it has met."""
    if not watch.has_rules:
        return ''
    try:
        rules = watch.rules().rules
        rates = {rate.rule: rate for rate in watch.rates()}
    except Refused as refusal:
        return html.draw_notice(str(refusal))
    shown = []
    for rule in rules:
        fields = fields_of(as_values(rule))
        facts = [('bound', rule.describe_bound()), ('only', fields['where']),
                 ('cool-down', fields['cool_down'] and f'{rule.cool_down:g} s'),
                 ('false alarms', describe_rate(rates.get(rule.name)) if watch.has_alarms else '')]
        shown.append(dict(name=rule.name, sentence=rule.sentence,
                          facts=[fact for fact in facts if fact[1]]))
    return _fill('draw_rules', shown, '' if shown else 'none yet', watch.may_change)


def describe_rate(rate: RuleRate | None) -> str:
    """Word the rate of false alarms that a rule has met, with the interval that holds it.

    Example:
        >>> describe_rate(RuleRate('red', 2402, 7, 1, 1 / 2402, .000073, .002354))
        '1 of 2,402 people: 0.0416% (0.0073% to 0.2354%)'
    """
    if rate is None or rate.rate is None:
        return 'nobody was judged yet'
    return (f'{rate.false:,} of {rate.people:,} people: {rate.rate:.4%} '
            f'({rate.low:.4%} to {rate.high:.4%})')


def fields_of(values: Mapping[str, Any]) -> dict[str, str]:
    """Write the values of a rule into the fields of the page, as `read_rule` reads them.

    Example:
        >>> fields_of(dict(name='red', sentence='a red coat', min_score=.3,
        ...                where=dict(camera=['lobby', 'yard'])))['where']
        'camera=lobby,yard'
    """
    bound, = (key for key in values if key not in ('name', 'sentence', 'where', 'cool_down'))
    where = '; '.join(
        f'{key}={",".join(map(str, choice if isinstance(choice, list) else [choice]))}'
        for key, choice in values.get('where', {}).items())
    cool_down = values.get('cool_down')
    return dict(name=values['name'], sentence=values['sentence'], bound=bound,
                value=f'{values[bound]:g}', where=where,
                cool_down='' if cool_down is None else f'{cool_down:g}')


def _alarm(service: SearchService, alarm: ShownAlarm) -> dict[str, Any]:
    values, picture, lost = alarm.values, None, 'the picture is not there any more'
    if alarm.entry is not None:
        picture, lost = service.find_picture(alarm.entry)
    score = in_figures(values['score'], values['probability'])
    known = '' if values['probability'] is not None else f' ({values["basis"]})'
    moment = values['time'] or values['raised']
    facts = [('score', f'{score}{known}'), ('time', moment[:19].replace('T', ' ') + ' UTC'),
             ('camera', values['camera'] or ''), ('track', values['track'] or ''),
             ('file', values['picture'].rpartition('/')[2])]
    return dict(id=values['id'], rule=values['rule'], sentence=values['sentence'], mark=alarm.mark,
                picture=None if picture is None else html.as_card(picture), lost=lost,
                marks=values['marks'], facts=[fact for fact in facts if fact[1]])


def _fill(macro: str, *values: Any) -> str:
    return str(getattr(load_template(_PARTS).module, macro)(*values))
