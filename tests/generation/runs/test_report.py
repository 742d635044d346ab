"""The report: numbers that agree with the manifest, marked words, nothing loaded from elsewhere."""

import base64
import io
import json
import re
from html.parser import HTMLParser

import pytest
from fake_parts import infinite_gate, make_plan, marked_controls, run, seed_gate, unmarked_controls
from PIL import Image

from mmtbps.generation.quality.base import GateVerdict
from mmtbps.generation.runs.manifest import read_records
from mmtbps.generation.runs.report import write_report
from mmtbps.generation.runs.run_summary import InvalidRun, summarise
from mmtbps.records import RecordError


@pytest.fixture
def planned(tmp_path):
    make_plan(tmp_path)
    return tmp_path


def page_of(folder, **kwargs):
    return write_report(folder / 'out', folder / 'imgs', **kwargs).read_text()


class Checker(HTMLParser):
    """A parser that collects tags which open and do not close."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attributes):
        if tag not in ('img', 'meta'):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_numbers_and_pictures(planned):
    run(planned, planned / 'out', gates=[seed_gate, infinite_gate], controls=marked_controls)
    page = page_of(planned, samples=3)
    summary = summarise(read_records(planned / 'out'))
    assert str(summary) in page and '16 planned' in page
    assert f'Accepted (3 of {summary.statuses["accepted"]})' in page
    assert f'Rejected (3 of {summary.statuses["rejected"]})' in page
    share = 100 * summary.statuses['accepted'] / 16
    assert f'<td>seed</td><td>{share:.1f} %</td>' in page and '<td>100.0 %</td>' in page
    assert '<td>marked</td><td class=number>0</td><td class=number>16</td>' in page
    assert 'verdict good' in page and 'refused by seed 0' in page
    pictures = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    assert len(pictures) == 2 * 6
    assert Image.open(io.BytesIO(base64.b64decode(pictures[0]))).size == (8, 24)
    assert 'http' not in page and page.count('src=') == len(pictures)
    checker = Checker()
    checker.feed(page)
    assert checker.open in ([], ['html'])


def test_no_picture_of_another_folder_is_shown(planned):
    run(planned, planned / 'out')
    part, = (planned / 'out').glob('part-*.jsonl')
    lines = [json.loads(line) for line in part.read_text().splitlines()]
    for line in lines:
        line['source']['image'] = str(planned / 'imgs' / line['source']['image'])
    part.write_text(''.join(json.dumps(line) + '\n' for line in lines))
    with pytest.raises(RecordError, match='leads out of the image folder'):
        page_of(planned)
    assert page_of(planned, allow_outside=True).count('title="before"') == len(lines)
    lines[0]['output']['file'] = '../imgs/x.png'
    part.write_text(''.join(json.dumps(line) + '\n' for line in lines))
    with pytest.raises(RecordError, match=r"image '\.\./imgs/x\.png' leads out"):
        page_of(planned, allow_outside=True)


def test_exactly_the_changed_words_are_marked(planned):
    run(planned, planned / 'out')
    page = page_of(planned, samples=100)
    for record in read_records(planned / 'out'):
        edit, captions = record.edit, record.source['captions']
        old, new = edit['old']['text'], edit['new']['text']
        before = captions[edit['kept'][0]].replace('&', '&amp;')
        assert before.replace(old, f'<del>{old}</del>', 1) in page
        after = record.output['captions'][0].replace('&', '&amp;')
        assert after.replace(new, f'<ins>{new}</ins>', 1) in page


def test_an_invalid_run_and_one_without_controls_say_so(planned):
    run(planned, planned / 'out')
    assert 'verdict open' in page_of(planned) and 'Not proven: 0 negative' in page_of(planned)
    (planned / 'out').rename(planned / 'first')
    with pytest.raises(InvalidRun):
        run(planned, planned / 'out', controls=unmarked_controls)
    assert 'verdict bad' in page_of(planned) and 'This run is invalid' in page_of(planned)


def place_gate(request, result):
    """Judges two jobs of three."""
    judged = request.seed % 3 > 0
    return GateVerdict('place', 1. if judged else float('nan'), True, low=.5, judged=judged,
                       reason='<on the garment>' if judged else '')


def test_a_place_that_nothing_proves_is_said_and_the_run_is_valid(planned):
    assert str(run(planned, planned / 'out')).endswith('; unproven place in 16')
    assert 'Unproven place: in 16 of 16 edits' in page_of(planned)
    summary = run(planned, planned / 'some', gates=[place_gate])
    records = list(read_records(planned / 'some'))
    unproven = sum(record.engine['seed'] % 3 == 0 for record in records)
    assert 0 < unproven < 16 and str(summary).endswith(f'; unproven place in {unproven}')
    for record in records:
        verdict = record.gates['place']
        assert verdict.get('judged', True) == ('reason' in verdict) == (
            record.engine['seed'] % 3 > 0)
    page = write_report(planned / 'some', planned / 'imgs').read_text()
    assert f'Unproven place: in {unproven} of 16 edits' in page
    assert f'<td class=number>{unproven}</td></tr>' in page and not summary.passing_controls()

    def proved(request, result):
        return GateVerdict('place', 1., True)

    assert 'unproven' not in str(run(planned, planned / 'all', gates=[proved]))
    assert 'Unproven' not in write_report(planned / 'all', planned / 'imgs').read_text()


def test_failures_and_lost_images(planned):
    for name in ('1_0', '1_1'):
        (planned / f'imgs/cam_a/{name}.png').write_bytes(b'no')
    run(planned, planned / 'out')
    for path in (planned / 'imgs').rglob('*.png'):
        path.unlink()
    page = page_of(planned)
    assert '<td>broken image</td><td class=number>4</td>' in page and '.png is gone' in page
    with pytest.raises(FileNotFoundError, match='no generation has run'):
        write_report(planned / 'nowhere', planned)
