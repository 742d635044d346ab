"""Report of a run on one page: acceptance, trust in the gates, and pictures."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmtbps.fileio import as_path, write_durably
from mmtbps.markup import load_template
from mmtbps.records import image_name

from .figures import draw_captions, draw_picture
from .manifest import Record, load_done, read_run
from .run_summary import RunSummary, summarise

__all__ = ['write_report']

_PAGE = Path(__file__).parent / 'templates/report.html'


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
        figures = [_figure(record, Path(folder), as_path(image_root) / image_name(
            record.source_image, record.job_id, allow_outside)) for record in chosen]
        sheets.append(dict(figures=figures, title=f'{status.capitalize()} ({len(chosen)} of '
                                                  f'{summary.statuses[status]})'))
    html = load_template(_PAGE).render(
        summary=summary, planned=run['plan']['jobs'], digest=run['digest'],
        verdict=_control_verdict(summary), notes=_unproven_notes(summary),
        controls=[(name, counts[True], sum(counts.values()), _percent(counts))
                  for name, counts in sorted(summary.controls.items())],
        gates=_gate_rows(summary, records), bounds=_bounds_sources(run),
        reasons=summary.reasons.most_common(), sheets=sheets)
    path = Path(folder, 'report.html') if page is None else Path(page)
    write_durably(path, html.encode())
    return path


def _control_verdict(summary: RunSummary) -> dict[str, str]:
    """Judge the gates by the controls: ``good``, ``bad`` or ``open``, and the reason."""
    passing = summary.passing_controls()
    tried = min((sum(counts.values()) for counts in summary.controls.values()), default=0)
    if passing:
        return dict(kind='bad', text=f'This run is invalid: {"; ".join(passing)}.')
    if tried < summary.min_controls:
        return dict(kind='open', text=f'Not proven: {tried} negative controls were tried, '
                                      f'{summary.min_controls} are needed to judge the gates.')
    return dict(kind='good', text='The gates refuse what is wrong by construction.')


def _unproven_notes(summary: RunSummary) -> list[str]:
    judged = summary.statuses['accepted'] + summary.statuses['rejected']
    notes = [(summary.unproven_place, f'Unproven place: in {summary.unproven_place} of {judged} '
              "edits nothing but the editor's own mask says where the garment is. Evidence of a "
              'parsing would.'),
             (summary.unproven_content, f'Unproven content: of {summary.unproven_content} of '
              f'{judged} edits no model said that the picture shows what was asked. A RankingGate '
              'or VLMJudgeGate would.')]
    return [text for count, text in notes if count]


def _gate_rows(summary: RunSummary, records: Sequence[Record]) -> list[tuple]:
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
    return rows


def _bounds_sources(run: Mapping[str, Any]) -> dict[str, list[str]]:
    """Collect the gates whose bounds were calibrated, by the source of the bounds."""
    sources: dict[str, list[str]] = {}
    for gate in run.get('settings', {}).get('gates', ()):
        if isinstance(gate, dict) and gate.get('bounds_source'):
            sources.setdefault(str(gate['bounds_source']), []).append(str(gate.get('type')))
    return sources


def _percent(counts: dict[bool, int]) -> str:
    return f'{100 * counts[True] / sum(counts.values()):.1f} %'


def _figure(record: Record, folder: Path, source: Path) -> dict[str, Any]:
    pictures = draw_picture(source, 'before')
    if 'file' in record.output:
        pictures += draw_picture(folder / record.output['file'], 'after')
    refused = ', '.join(f'{name} {verdict.get("value")}' for name, verdict in record.gates.items()
                        if not verdict['ok'])
    return dict(pictures=pictures, captions=draw_captions(record), job_id=record.job_id,
                refused=refused)
