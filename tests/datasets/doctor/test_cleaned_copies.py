"""Cleaned copies: training leaves nothing more out, files are whole, their place is tried."""

import json
from functools import partial

import numpy as np
import pytest
from PIL import Image

from mmtbps.commands.main import run_command
from mmtbps.datasets import ITCPR, LUPersonMLLM, TBPSDataset, images
from mmtbps.datasets.doctor import clean, examine, write_clean, write_report
from mmtbps.datasets.doctor.caption_findings import judge_captions
from mmtbps.datasets.people import find_leaks
from mmtbps.datasets.skipped import UnreadableImage
from mmtbps.errors import BadValue
from mmtbps.records import PairRecord

check_data = partial(run_command, 'check-data')
pytestmark = pytest.mark.usefixtures('same_log_level_afterwards')


def pair(person, image, *captions, split='train', **further):
    return dict(image=image, captions=list(captions), person_id=person, split=split, **further)


@pytest.fixture
def write(tmp_path):
    """A function that writes files of lines and a picture of each image; returns arguments."""

    def run(**files):
        draw = np.random.default_rng(0)
        (tmp_path / 'imgs').mkdir(exist_ok=True)
        for name, rows in files.items():
            (tmp_path / f'{name}.jsonl').write_text(''.join(json.dumps(row) + '\n' for row in rows))
            for image in (image for row in rows
                          for image in (row['image'], *row.get('query_images', ()))):
                blocks = Image.fromarray(draw.integers(0, 255, (16, 8, 3), np.uint8))
                blocks.resize((24, 48)).save(tmp_path / 'imgs' / image)
        return dict(data_root=str(tmp_path), ann_file=[f'{name}.jsonl' for name in files],
                    data_prefix=dict(img_path='imgs'))

    return run


def clean_copy(arguments, folder, reader=TBPSDataset):
    """Clean a data set; return arguments of the copy, and the changes."""
    dataset = reader(**arguments, lazy_init=True)
    located = dataset.read_records()
    written, changes = write_clean(located, examine(located, fault_of=dataset.fault_of), folder,
                                   dataset.fault_of)
    return dict(ann_file=list(map(str, written)), data_prefix=dict(
        img_path=list(map(str, written.values())))), changes


ODD = ['', ' \n', '\u2060\u200e', '\u2800', 'x' * 20_001, 'half \ud83d', 'A man.', 'A  man. ',
       '\u201cred\u201d', 'a' * 19_999 + ' ' * 30, 'cafe\u0301', '\u00ad']


@pytest.mark.parametrize('test_mode', [False, True])
def test_training_and_test_leave_nothing_more_out(test_mode, write, tmp_path):
    split = 'test' if test_mode else 'train'
    rows = [pair(1, '1.png', *ODD, split=split), pair(2, '2.png', 'In red.', split=split),
            pair(2, '2.png', 'In red.', split=split), pair(3, '3.png', split=split)]
    arguments = write(own=rows)
    before = TBPSDataset(**arguments, split=split, test_mode=test_mode)
    assert before.skipped
    copy, changes = clean_copy(arguments, tmp_path / 'clean')
    after = TBPSDataset(**copy, split=split, test_mode=test_mode)
    # A test image without a caption stays in the gallery, and is counted.
    assert [skip.kind for skip in after.skipped] == (['empty caption'] if test_mode else [])
    assert after.metainfo['num_persons'] == before.metainfo['num_persons'] == 2 + test_mode
    texts = [text for i in range(len(after))
             for text in after[i].get('captions', [after[i].get('caption')])]
    assert texts == ['A man.', '"red"', 'a' * 19_999, 'café', 'In red.']
    reasons = [change.reason for change in changes if not change.after]
    assert sorted(reasons) == sorted([
        *5 * ['empty caption'], *2 * ['unusable caption'], 'caption twice', 'record twice',
        *([] if test_mode else ['no caption left'])])


def test_a_reader_that_leaves_captions_out_does_so_when_it_cleans(write, tmp_path):
    arguments = write(own=[pair(0, '1.png', 'A <color> coat.', 'A red coat.')])
    copy, changes = clean_copy(arguments, tmp_path / 'clean', LUPersonMLLM)
    assert [(change.reason, change.before) for change in changes] == [
        ('unusable caption', 'A <color> coat.')]
    dataset = TBPSDataset(**copy)
    assert [dataset[i]['caption'] for i in range(len(dataset))] == ['A red coat.']


def test_what_is_no_text_is_unusable():
    record = PairRecord('1.png', ('A.', None, 3, 'A. '), 1, 'train')
    assert list(judge_captions(record)) == [
        (None, 'A.'), ('unusable caption', 'None'), ('unusable caption', '3'),
        ('caption twice', 'A.')]


def test_pairs_made_of_people_of_the_test_set_are_leaks(write, tmp_path):
    arguments = write(own=[
        pair(1, '1.png', 'A.'), pair(1, '2.png', 'B.'), pair(2, '3.png', 'C.', split='test'),
        pair(900, '4.png', 'D.', source='3.png'), pair(2, '5.png', 'E.', source='3.png'),
        pair(901, '6.png', 'F.', source='1.png')])
    located = TBPSDataset(**arguments, lazy_init=True).read_records()
    assert find_leaks(located)
    copy, changes = clean_copy(arguments, tmp_path / 'clean')
    assert [(change.record, change.reason) for change in changes] == [
        (4, 'person in two splits'), (5, 'person in two splits')]
    assert not find_leaks(TBPSDataset(**copy, lazy_init=True).read_records())


# ------------------------------------------------------------------ composed queries
def test_composed_queries_lose_those_whose_picture_is_gone_alone(write, tmp_path):
    arguments = write(own=[
        pair(1, 'g1.png', 'In red.', 'In red.', 'In  red.', split='test',
             query_images=['a.png', 'b.png', 'a.png']),
        pair(2, 'g2.png', 'In blue.', split='test', query_images=['c.png']),
        pair(-2, 'g3.png', split='test', query_images=[])])
    (tmp_path / 'imgs/c.png').unlink()
    (tmp_path / 'imgs/b.png').write_bytes(b'no picture')
    copy, changes = clean_copy(arguments, tmp_path / 'clean', ITCPR)
    assert [(change.record, change.reason, change.before) for change in changes] == [
        (1, 'broken picture', 'In red.'), (1, 'caption twice', 'In  red.'),
        (2, 'missing picture', 'In blue.')]
    dataset = ITCPR(**copy, split='test', test_mode=True)
    assert [(item['captions'], [path.rpartition('/')[2] for path in item['query_img_paths']])
            for item in map(dataset.__getitem__, range(3))] == [
        (['In red.'], ['a.png']), ([], []), ([], [])]
    located = ITCPR(**copy, lazy_init=True).read_records()
    assert [finding.kind for finding in examine(located)] == []  # nobodies are no gap in the ids


# ------------------------------------------------------------------ files and folders
def test_a_list_of_changes_is_no_annotation_file(write, tmp_path):
    arguments = write(fixes=[pair(1, '1.png', 'A.', 'A.')], Fixes=[pair(2, '2.png', 'B.')])
    copy, _ = clean_copy(arguments, tmp_path / 'clean')
    names = sorted(path.name for path in (tmp_path / 'clean').iterdir())
    assert names == ['Fixes_2.jsonl', 'fixes.jsonl', 'fixes_1.jsonl']
    assert json.loads((tmp_path / 'clean/fixes.jsonl').read_text())['reason'] == 'caption twice'
    assert len(TBPSDataset(**copy).person_ids) == 2


def test_a_file_of_which_nothing_is_left_is_not_written(write, tmp_path):
    arguments = write(one=[pair(1, '1.png', 'A.')], two=[pair(2, '2.png', '')])
    copy, _ = clean_copy(arguments, tmp_path / 'clean')
    assert copy['ann_file'] == [str(tmp_path / 'clean/one.jsonl')] and len(TBPSDataset(**copy)) == 1


def test_a_disk_that_is_away_is_no_reason_to_leave_everything_out(write, tmp_path):
    arguments = write(own=[pair(1, '1.png', 'A.'), pair(2, '2.png', 'B.')])
    (tmp_path / 'imgs').rename(tmp_path / 'away')
    (tmp_path / 'imgs').mkdir()
    with pytest.raises(BadValue, match=r'nothing is left .*: 2 x missing picture\. Is .*imgs the'):
        clean_copy(arguments, tmp_path / 'clean')
    assert not (tmp_path / 'clean').exists()


def test_a_picture_that_cannot_be_read_is_not_a_broken_one(write, tmp_path, monkeypatch):
    arguments = write(own=[pair(1, '1.png', 'A.'), pair(2, '2.png', 'B.')])
    pauses, get = [], images.get

    def fail_at_first(path):
        if str(path).endswith('2.png') and len(pauses) < left:
            raise OSError(5, 'Input/output error')
        return get(path)

    monkeypatch.setattr(images.time, 'sleep', pauses.append)
    monkeypatch.setattr(images, 'get', fail_at_first)
    left = 2
    _, changes = clean_copy(arguments, tmp_path / 'clean')
    assert changes == [] and pauses == list(images.RETRY_PAUSES[:2])
    left = 99
    with pytest.raises(UnreadableImage, match=r'2\.png cannot be read \(.*Input/output error'):
        clean_copy(arguments, tmp_path / 'other')


@pytest.mark.parametrize('written, there', [('\u00e9.png', 'e\u0301.png'), ('a.png', 'A.PNG')])
def test_a_name_that_differs_in_what_is_overlooked_is_told(written, there, write, tmp_path):
    arguments = write(own=[pair(1, written, 'A.'), pair(2, '2.png', 'B.')])
    (tmp_path / 'imgs' / written).rename(tmp_path / 'imgs' / there)
    dataset = TBPSDataset(**arguments)
    assert dataset.skipped[0].reason.endswith(f'; {there!r} is there')
    located = dataset.read_records()
    text, = (finding.text for finding in examine(located) if finding.kind == 'missing picture')
    assert f'{there} for {tmp_path}/imgs/{written}' in text


# ------------------------------------------------------------------ the command
def test_a_page_may_lie_in_the_folder_of_the_copy(write, tmp_path, capsys):
    write(own=[pair(1, '1.png', 'A.'), pair(2, '2.png', 'B.', '')])
    words = ['--type', 'jsonl', '--root', str(tmp_path), '--ann-file', 'own.jsonl', '--images',
             'imgs', '--fix', str(tmp_path / 'out'), '--report', str(tmp_path / 'out/page.html')]
    assert check_data(words) == 0
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == [
        'fixes.jsonl', 'own.jsonl', 'page.html']
    capsys.readouterr()
    # The copy has no findings, and its list of changes is not asked for.
    assert check_data(['--type', 'jsonl', '--ann-file', str(tmp_path / 'out/own.jsonl'), '--images',
                       str(tmp_path / 'imgs'), '--json', '--fix', str(tmp_path / 'more')]) == 0
    found = json.loads(capsys.readouterr().out)['data_sets'][0]
    assert found['problems'] + found['notes'] + found['findings'] == [] and found['changes'] == 0
    assert found['cleaned'] == [dict(file=str(tmp_path / 'more/own.jsonl'),
                                     images=str(tmp_path / 'imgs'))]


def test_the_page_is_there_where_no_copy_can_be(write, tmp_path):
    write(own=[pair(1, '1.png', 'A.')])
    (tmp_path / 'imgs/1.png').unlink()
    with pytest.raises(SystemExit):
        check_data(['--type', 'jsonl', '--root', str(tmp_path), '--ann-file', 'own.jsonl',
                    '--images', 'imgs', '--fix', str(tmp_path / 'out'), '--report',
                    str(tmp_path / 'page.html')])
    assert 'missing picture' in (tmp_path / 'page.html').read_text('utf-8')
    assert not (tmp_path / 'out').exists()


def test_a_filled_folder_is_refused_before_anything_is_looked_at(write, tmp_path, monkeypatch):
    from mmtbps.commands.options import doctor
    write(own=[pair(1, '1.png', 'A.')])
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out/mine.txt').write_text('mine')
    monkeypatch.setattr(doctor, 'examine', None)
    with pytest.raises(SystemExit):
        check_data(['--type', 'jsonl', '--root', str(tmp_path), '--ann-file', 'own.jsonl',
                    '--images', 'imgs', '--fix', str(tmp_path / 'out')])


def test_the_folder_beside_is_tried_too_for_the_copy_grows_there(tmp_path, monkeypatch):
    tried = []
    monkeypatch.setattr(clean, 'check_writable', lambda path, folder: tried.append(path))
    (tmp_path / 'out').mkdir()
    clean.check_target(tmp_path / 'out')
    assert tried == [tmp_path / 'out', tmp_path]


def test_a_caption_of_thousands_makes_no_page_of_thousands(write, tmp_path):
    rows = [pair(i, '1.png' if i else '2.png', 'The same. ' * 200) for i in range(60)]
    located = TBPSDataset(**write(own=rows), lazy_init=True).read_records()
    write_report(tmp_path / 'page.html', 'set', [], examine(located))
    page = (tmp_path / 'page.html').read_text('utf-8')
    assert page.count('<figure>') < 60 and '... and 48 more places' in page
    assert '(2,000 letters)' in page and len(page) < 200_000
