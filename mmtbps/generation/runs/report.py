"""Report of a run on one page: acceptance, trust in the gates, and pictures."""

import os
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from mmtbps.fileio import write_durably
from mmtbps.records import image_name

from .figures import draw_captions, draw_picture
from .manifest import Record, load_done, read_run
from .run_summary import RunSummary, summarise

__all__ = ['write_report']

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem;
       color: #222; background: #fff }
table { border-collapse: collapse; margin: .5rem 0 1.5rem }
th, td { text-align: left; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid #ddd }
td.number { text-align: right; font-variant-numeric: tabular-nums }
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: 1rem }
figure { margin: 0; padding: .7rem; border: 1px solid #ddd; border-radius: .5rem }
figure img { height: 12rem; margin-right: .5rem; image-rendering: auto }
figcaption { font-size: 13px } figcaption p { margin: .3rem 0 }
del, ins { text-decoration: none; background: #fbdcdc } ins { background: #d6f2d8 }
.verdict { padding: .6rem .9rem; border-radius: .5rem }
.good { background: #e5f5e6 } .bad { background: #fde3e3 } .open { background: #fff3d6 }
code { font-size: 12px; color: #666 }
"""


def write_report(folder: str | os.PathLike, image_root: str | os.PathLike,
                 page: str | os.PathLike | None = None, samples: int = 24,
                 max_control_rate: float = 0.1, min_controls: int = 10,
                 allow_outside: bool = False) -> Path:
    """Write one HTML page that needs no other file.

    Args:
        folder: Folder of the run.
        image_root: Folder of the source images.
        page: File to write; by default ``report.html`` in the folder.
        samples: Most accepted and most rejected edits to show. The jobs with the smallest ids are
            taken, which is a random choice that does not change.
        max_control_rate: See `RunSummary`.
        min_controls: See `RunSummary`.
        allow_outside: Let the run name source images outside ``image_root``.

    Returns:
        The page.

    Raises:
        MissingFile: If no run has begun in the folder.
        RecordError: If a source image lies outside ``image_root``.
    """
    run = read_run(folder)
    records = sorted(load_done(folder).values(), key=lambda record: record.job_id)
    summary = summarise(records, max_control_rate, min_controls)
    sheets = []
    for status in ('accepted', 'rejected'):
        chosen = [record for record in records if record.status == status][:samples]
        figures = ''.join(_figure(record, Path(folder), Path(image_root) / image_name(
            record.source_image, record.job_id, allow_outside)) for record in chosen)
        sheets.append(f'<h2>{status.capitalize()} ({len(chosen)} of '
                      f'{summary.statuses[status]})</h2><div class="sheet">{figures}</div>')
    body = [f'<h1>Generated pairs</h1><p>{escape(str(summary))}; {run["plan"]["jobs"]} planned. '
            f'Engine <code>{run["digest"]}</code></p>',
            _control_table(summary), *_unproven_notes(summary), _gate_table(summary, records),
            _bounds_list(run), _reason_table(summary), *sheets]
    html = ('<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Generated pairs</title>'
            f'<style>{_STYLE}</style><body>{"".join(body)}</body></html>\n')
    path = Path(folder, 'report.html') if page is None else Path(page)
    write_durably(path, html.encode())
    return path


def _control_table(summary: RunSummary) -> str:
    passing = summary.passing_controls()
    tried = min((sum(counts.values()) for counts in summary.controls.values()), default=0)
    if passing:
        kind, text = 'bad', f'This run is invalid: {"; ".join(passing)}.'
    elif tried < summary.min_controls:
        kind, text = 'open', (f'Not proven: {tried} negative controls were tried, '
                              f'{summary.min_controls} are needed to judge the gates.')
    else:
        kind, text = 'good', 'The gates refuse what is wrong by construction.'
    rows = [(name, counts[True], sum(counts.values()), _percent(counts))
            for name, counts in sorted(summary.controls.items())]
    return (f'<h2>Negative controls</h2><p class="verdict {kind}">{escape(text)}</p>'
            + _table(('control', 'passed', 'of', 'rate'), rows))


def _unproven_notes(summary: RunSummary) -> list[str]:
    judged = summary.statuses['accepted'] + summary.statuses['rejected']
    notes = [(summary.unproven_place, f'Unproven place: in {summary.unproven_place} of {judged} '
              "edits nothing but the editor's own mask says where the garment is. Evidence of a "
              'parsing would.'),
             (summary.unproven_content, f'Unproven content: of {summary.unproven_content} of '
              f'{judged} edits no model said that the picture shows what was asked. A RankingGate '
              'or VLMJudgeGate would.')]
    return [f'<p class="verdict open">{escape(text)}</p>' for count, text in notes if count]


def _gate_table(summary: RunSummary, records: Sequence[Record]) -> str:
    rows = []
    for name, counts in summary.gates.items():
        verdicts = [record.gates[name] for record in records if name in record.gates]
        values = sorted(v['value'] for v in verdicts if v.get('value') is not None)
        alone = sum(record.status == 'rejected' and not record.gates[name]['ok']
                    and sum(not v['ok'] for v in record.gates.values()) == 1
                    for record in records if name in record.gates)
        bounds = ' .. '.join('' if verdicts[0].get(key) is None else f'{verdicts[0][key]:g}'
                             for key in ('min', 'max'))
        spread = [f'{values[round(q * (len(values) - 1))]:.3g}' if values else '-'
                  for q in (0.1, 0.5, 0.9)]
        rows.append((name, _percent(counts), alone, bounds, *spread, summary.unjudged[name]))
    return '<h2>Gates</h2>' + _table(
        ('gate', 'pass', 'only this one refuses', 'bounds', '10 %', 'median', '90 %',
         'not judged'), rows)


def _bounds_list(run: Mapping[str, Any]) -> str:
    """Name the source of calibrated bounds, gate by gate."""
    sources: dict[str, list[str]] = {}
    for gate in run.get('settings', {}).get('gates', ()):
        if isinstance(gate, dict) and gate.get('bounds_source'):
            sources.setdefault(str(gate['bounds_source']), []).append(str(gate.get('type')))
    return ''.join(f'<p>Bounds of {escape(", ".join(names))}: {escape(source)}.</p>'
                   for source, names in sources.items())


def _reason_table(summary: RunSummary) -> str:
    if not summary.reasons:
        return ''
    return '<h2>Failures</h2>' + _table(('reason', 'jobs'), summary.reasons.most_common())


def _table(header: Sequence[str], rows: Iterable[Sequence]) -> str:
    head = ''.join(f'<th>{escape(name)}</th>' for name in header)
    lines = [''.join(f'<td{"" if isinstance(cell, str) else " class=number"}>{escape(str(cell))}'
                     '</td>' for cell in row) for row in rows]
    return (f'<table><tr>{head}</tr>' + ''.join(f'<tr>{line}</tr>' for line in lines)
            + '</table>')


def _percent(counts: dict[bool, int]) -> str:
    return f'{100 * counts[True] / sum(counts.values()):.1f} %'


def _figure(record: Record, folder: Path, source: Path) -> str:
    pictures = draw_picture(source, 'before')
    if 'file' in record.output:
        pictures += draw_picture(folder / record.output['file'], 'after')
    refused = ', '.join(f'{name} {verdict.get("value")}' for name, verdict in record.gates.items()
                        if not verdict['ok'])
    note = f' refused by {escape(refused)}' if refused else ''
    return (f'<figure>{pictures}<figcaption>{draw_captions(record)}<code>{escape(record.job_id)}'
            f'{note}</code></figcaption></figure>')
