"""The data doctor on a set with every fault in it: findings, page, cleaned copy, command."""

import json
import shutil
from functools import partial

import numpy as np
import pytest
from PIL import Image

from mmtbps.commands.main import run_command
from mmtbps.datasets import CUHKPEDES, TBPSDataset
from mmtbps.datasets.doctor import KINDS, clean_records, examine, write_clean, write_report
from mmtbps.datasets.doctor.caption_findings import plain_text
from mmtbps.datasets.doctor.people_findings import word_gaps
from mmtbps.errors import BadValue
from mmtbps.fileio import write_durably

check_data = partial(run_command, 'check-data')
pytestmark = pytest.mark.usefixtures('same_log_level_afterwards')


def record(split, person, image, *captions):
    return dict(split=split, id=person, file_path=image, captions=list(captions),
                processed_tokens=[])


RECORDS = [
    record('train', 1, '1.png', 'A man in a red coat.', 'A tall man.'),
    record('train', 1, '1b.png', 'He wears red.', 'x' * 20_001),
    record('train', 2, '2.png', 'Her dress is blue.', '  Her dress is  blue. ', ''),
    record('train', 2, '2b.png', 'A woman\u2019s \u201cblue\u201d dress.'),
    record('train', 3, 'gone.png', 'Nobody.'),
    record('train', 4, 'broken.png', 'Noise.'),
    record('train', 5, 'copy_of_8.jpg', 'He has a bag.'),
    record('train', 5, '5b.png', 'A person.'),
    record('train', 8, '8b.png', 'Seen in training, too.'),
    record('train', 6, '6.png', '   '),
    record('val', 7, '7.png', 'A person.', 'A man in green.'),
    record('test', 8, '8.png', 'A man with a bag.'),
    record('test', 8, '8c.png', ''),
    record('test', 12, '12.png', 'The same picture.'),
    record('test', 13, '12 again.png', 'Another person?'),
    record('train', 1, '1.png', 'A man in a red coat.', 'A tall man.'),
]


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / 'set'
    (folder / 'imgs').mkdir(parents=True)
    draw = np.random.default_rng(0)
    for entry in RECORDS:
        blocks = draw.integers(0, 255, (16, 8, 3), np.uint8)
        Image.fromarray(blocks).resize((48, 96), Image.Resampling.BICUBIC).save(
            folder / 'imgs' / entry['file_path'])
    (folder / 'imgs/gone.png').unlink()
    (folder / 'imgs/broken.png').write_bytes(b'no picture')
    Image.open(folder / 'imgs/8.png').resize((64, 128)).save(folder / 'imgs/copy_of_8.jpg',
                                                             quality=85)
    shutil.copy(folder / 'imgs/12.png', folder / 'imgs/12 again.png')
    (folder / 'reid_raw.json').write_text(json.dumps(RECORDS), 'utf-8')
    return folder


@pytest.fixture
def located(root):
    return CUHKPEDES(data_root=str(root), ann_file='reid_raw.json', lazy_init=True,
                     data_prefix=dict(img_path='imgs')).read_records()


def test_every_fault_is_found_where_it_is(located):
    found = {finding.kind: finding for finding in examine(located)}
    assert list(found) == [kind for kind in KINDS if kind in found] and found.keys() == KINDS.keys()

    def records(kind):
        return [[place.record for place in group] for group in found[kind].groups]

    assert records('missing picture') == [[5]] and records('broken picture') == [[6]]
    assert records('picture in two splits') == [[12, 7]]  # that of the test split first
    assert records('person in two splits') == [[12, 9]]
    assert records('picture of two people') == [[14, 15]]
    assert records('caption of several people') == [[8, 11]]
    assert records('record twice') == [[1, 16]] and records('unusable caption') == [[2]]
    assert records('empty caption') == [[3], [10], [13]]
    assert records('caption twice') == [[3]]
    assert records('beyond ASCII') == [[4]] and 'U+2019 RIGHT SINGLE' in found['beyond ASCII'].text
    assert '3 ids between 1 and 13 are nobody: 9-11' in found['id gap'].text
    assert len(found['one picture'].groups) == 6


def test_nothing_is_found_in_good_data(micro_set):
    dataset = CUHKPEDES(data_root=str(micro_set), ann_file='reid_raw.json', lazy_init=True,
                        data_prefix=dict(img_path='imgs'))
    assert examine(dataset.read_records()) == []


def test_cleaning_leaves_out_what_must_go_and_says_so(located):
    kept, changes = clean_records(located, examine(located))
    left = {item.number: item.record.captions for item in kept}
    assert left == {
        1: ('A man in a red coat.', 'A tall man.'), 2: ('He wears red.',),
        3: ('Her dress is blue.',), 4: ('A woman\'s "blue" dress.',), 8: ('A person.',),
        11: ('A person.', 'A man in green.'), 12: ('A man with a bag.',), 13: (),
        14: ('The same picture.',), 15: ('Another person?',)}
    done = {(change.record, change.reason) for change in changes}
    assert done == {(2, 'unusable caption'), (16, 'record twice'), (3, 'caption twice'),
                    (3, 'empty caption'), (4, 'beyond ASCII'),
                    (5, 'missing picture'), (6, 'broken picture'), (7, 'picture in two splits'),
                    (9, 'person in two splits'), (10, 'empty caption'), (10, 'no caption left'),
                    (13, 'empty caption')}


def test_a_cleaned_copy_is_read_and_has_no_problem_left(root, located, tmp_path):
    before = (root / 'reid_raw.json').read_bytes()
    written, changes = write_clean(located, examine(located), tmp_path / 'clean')
    (file, images), = written.items()
    assert (root / 'reid_raw.json').read_bytes() == before
    again = TBPSDataset(data_root='', ann_file=str(file), data_prefix=dict(img_path=str(images)),
                        lazy_init=True).read_records()
    assert {finding.kind for finding in examine(again)} == {
        'picture of two people', 'caption of several people', 'one picture', 'id gap'}
    lines = (tmp_path / 'clean/fixes.jsonl').read_text('utf-8').splitlines()
    assert [json.loads(line) for line in lines] == [change._asdict() for change in changes]
    with pytest.raises(BadValue, match='clean holds something'):
        write_clean(located, [], tmp_path / 'clean')


def test_the_page_shows_pictures_and_runs_nothing(located, tmp_path):
    hostile = [item._replace(record=item.record) for item in located]
    findings = examine(hostile)
    bad = findings[0].groups[0][0]._replace(caption='<script>alert(1)</script>')
    findings[0] = type(findings[0])(findings[0].kind, '<b>bold</b>', ((bad, ), ))
    write_report(tmp_path / 'page.html', 'a <set>', [], findings)
    page = (tmp_path / 'page.html').read_text('utf-8')
    assert '<script' not in page and '&lt;script&gt;' in page and '&lt;b&gt;' in page
    assert page.count('data:image/jpeg') > 10 and 'http' not in page.replace('http-equiv', '')
    assert all(kind in page for kind in KINDS)


def test_the_command_reports_and_cleans(root, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(CUHKPEDES, 'published_sizes', {})
    words = ['--type', 'cuhk', '--root', str(root), '--report', str(tmp_path / 'page.html'),
             '--fix', str(tmp_path / 'clean'), '--json']
    assert check_data(words) == 1
    found = json.loads(capsys.readouterr().out)['data_sets'][0]
    kinds = {finding['kind']: finding['problem'] for finding in found['findings']}
    assert kinds == {kind: of.problem for kind, of in KINDS.items()}
    assert (tmp_path / 'page.html').is_file() and (tmp_path / 'clean/reid_raw.jsonl').is_file()


def test_nothing_more_is_looked_at_unless_asked(root, capsys, monkeypatch):
    from mmtbps.commands.options import doctor
    monkeypatch.setattr(doctor, 'examine', None)
    check_data(['--type', 'cuhk', '--root', str(root), '--json'])
    assert 'findings' not in json.loads(capsys.readouterr().out)['data_sets'][0]


@pytest.mark.parametrize('text, plain', [
    ('  a \u00a0 b ', 'a b'), ('it\u2019s', "it's"), ('cafe\u0301', 'caf\u00e9'), ('', ''),
    ('\u7537\u4eba', '\u7537\u4eba'), ('a\u200bb', 'ab')])
def test_plain_text(text, plain):
    assert plain_text(text) == plain


@pytest.mark.parametrize('ids, count, words', [
    ([1, 2, 3], 0, ''), ([3, 1], 1, '2'), ([0, 10, 20, 30, 40, 50, 60], 54,
                                          '1-9, 11-19, 21-29, 31-39, 41-49, ...')])
def test_gaps(ids, count, words):
    assert word_gaps(ids) == (count, words)


def test_one_file_in_two_splits_stays_in_one(root):
    """By its name, not by a copy; and with another person, which no split can mend."""
    again = [record('train', 20, '12.png', 'In training.'), record('test', 21, '7.png', 'In val.'),
             record('train', 22, '1b.png', 'He again.')]
    (root / 'reid_raw.json').write_text(json.dumps([*RECORDS, *again]), 'utf-8')
    located = CUHKPEDES(data_root=str(root), ann_file='reid_raw.json', lazy_init=True,
                        data_prefix=dict(img_path='imgs')).read_records()
    findings = examine(located)
    groups = {finding.kind: [[place.record for place in group] for group in finding.groups]
              for finding in findings}
    assert [14, 15, 17] in groups['picture in two splits']
    assert [18, 11] in groups['picture in two splits']
    assert [2, 19] in groups['picture of two people']
    left = {item.number for item in clean_records(located, findings)[0]}
    assert {14, 15, 18, 2, 19} <= left and not left & {17, 11}


def test_a_copy_that_was_killed_is_no_copy(located, tmp_path, monkeypatch):
    """Nothing is at its place before all is; the same command then goes through."""
    from mmtbps.datasets.doctor import clean
    findings, target = examine(located), tmp_path / 'clean'
    written = []

    def write_or_die(path, *content):
        if path.name == clean.FIXES_FILE:
            raise KeyboardInterrupt
        written.append(path)
        write_durably(path, *content)

    with monkeypatch.context() as patch:
        patch.setattr(clean, 'write_durably', write_or_die)
        with pytest.raises(KeyboardInterrupt):
            write_clean(located, findings, target)
    assert written and not target.exists()
    target.mkdir()  # an empty one is fine
    files, _ = write_clean(located, findings, target)
    assert {path.name for path in target.iterdir()} == {'reid_raw.jsonl', 'fixes.jsonl'}
    assert list(files) == [target / 'reid_raw.jsonl']
    assert [path.name for path in tmp_path.iterdir() if 'clean' in path.name] == ['clean']
