"""Files and folders of an indexed folder that are no pictures of people: passed over, counted."""

import pytest
from fakes import ColorEncoder, paint, paint_folder
from indexing_rig import Halves, index, paths

from mmtbps.search.media.images import find_files, list_images
from mmtbps.search.result_files import write_results
from mmtbps.search.results import SearchResult

SYSTEM = ['@eaDir/red.jpg', '#recycle', '$RECYCLE.BIN/S-1', 'lost+found', '@Recycle', 'sub/@eaDir',
          '__MACOSX', 'System Volume Information', 'RECYCLER', '#snapshot']


def test_system_folders_are_passed_over_and_counted(crops, gallery):
    for name in SYSTEM:
        paint_folder(crops / name, 'purple')
    paint_folder(crops / 'sub/recycle', 'orange')  # a name like any other
    report = index(crops, gallery)
    assert (report.indexed, report.skipped) == (7, [])
    assert 'purple' not in ''.join(paths(gallery)) and 'sub/recycle/orange.png' in paths(gallery)
    assert sorted(report.passed_over) == sorted(name.removesuffix('/red.jpg').removesuffix('/S-1')
                                                for name in SYSTEM)
    assert '10 passed over' in str(report)
    assert [path.name for path in list_images(crops) if path.stem == 'purple'] == []


def test_a_system_folder_that_is_named_is_looked_into(tmp_path):
    folder = paint_folder(tmp_path / '#recycle', 'red')
    assert list_images(folder) == [folder / 'red.png']


@pytest.mark.parametrize('exclude, left', [
    (['c2'], {'red.png', 'blue.png', 'red-blue.png'}), (['c2/'], {'red.png', 'blue.png',
                                                                 'red-blue.png'}),
    (['red*'], {'blue.png', 'c2/green.png', 'c2/yellow.png', 'c2/black.png'}),
    (['./c2/[gb]*.png', 'blue.png'], {'red.png', 'red-blue.png', 'c2/yellow.png'}),
    (['/c2', '/green.png'], {'red.png', 'blue.png', 'red-blue.png'}),
    (['*/crops/*', '*crops*', '/*/*/*/*/*'], None),
    (['**/c2/**'], {'red.png', 'blue.png', 'red-blue.png'}),
    (['c2\\g*', '{root}/c2/[by]*.png'], {'red.png', 'blue.png', 'red-blue.png'}),
    (['*/green.png'], {'red.png', 'blue.png', 'red-blue.png', 'c2/yellow.png', 'c2/black.png'}),
    (['C2'], {'red.png', 'blue.png', 'red-blue.png', 'c2/green.png', 'c2/yellow.png',
              'c2/black.png'})])
def test_patterns_exclude_by_name_or_path(crops, gallery, exclude, left):
    exclude = [pattern.replace('{root}', str(crops)) for pattern in exclude]
    report = index(crops, gallery, exclude=exclude)
    every = {'red.png', 'blue.png', 'red-blue.png', 'c2/green.png', 'c2/yellow.png', 'c2/black.png'}
    assert set(paths(gallery)) == (every if left is None else left)
    assert set(report.unused) == {*exclude} & {'C2', '/green.png', '*/crops/*', '*crops*',
                                               '/*/*/*/*/*'}


def test_an_excluded_name_fits_in_both_unicode_forms(tmp_path):
    folder = paint_folder(tmp_path / 'M\u00fcll', 'red').parent
    assert [path for path, _ in find_files(folder, ('.png',), ['Mu\u0308ll'])] == []


def test_excluded_files_are_pruned_only_on_demand(crops, gallery):
    index(crops, gallery)
    assert index(crops, gallery, exclude=['red*']).removed == 0
    assert index(crops, gallery, exclude=['red*'], prune=True).removed == 2
    with pytest.raises(ValueError, match='exclude is a list'):
        index(crops, gallery, exclude='red*')


def test_pictures_that_may_be_photographs_are_named(photographs, gallery):
    paint('red', size=(30, 40)).save(photographs / 'portrait.png')
    paint('blue', size=(20, 40)).save(photographs / 'crop.png')
    paint('blue', size=(1080, 1920)).save(photographs / 'upright.png')  # a telephone's
    report = index(photographs, gallery)
    assert report.wide == ['a.png', 'b.png', 'portrait.png', 'upright.png']
    assert report.nobody == []
    assert index(photographs, gallery).wide == []  # said once


def test_photographs_of_nobody_are_named(photographs, gallery):
    report = index(photographs, gallery, detector=Halves())
    assert (report.nobody, report.wide) == (['nobody.png'], [])
    assert '1 without a person' in str(report)


def test_videos_without_a_detector_are_named(crops, gallery):
    for name in ('a.mp4', 'c2/B.AVI', '.hidden.mp4'):
        (crops / name).write_bytes(b'video')
    report = index(crops, gallery, prune=True)
    assert (report.indexed, report.videos, report.skipped) == (6, ['a.mp4', 'c2/B.AVI'], [])
    for source in ('a.mp4', 'c2/B.AVI'):
        with pytest.raises(ValueError, match='1 videos and no image') as refused:
            index(crops / source, gallery)
        assert refused.value.remedy.action == 'name_detector'
    (crops / 'only').mkdir()
    (crops / 'a.mp4').rename(crops / 'only/a.mp4')
    with pytest.raises(ValueError, match='1 videos and no image'):
        index(crops / 'only', gallery)


@pytest.mark.parametrize('detector', [None, Halves()])
def test_an_answer_that_was_written_into_the_folder_is_no_person(crops, gallery, detector):
    paint('red', size=(32, 16)).save(crops / 'two.png')
    index(crops, gallery, detector=detector)
    hits = gallery.search(ColorEncoder().encode_texts(['red']), topk=3)[0]
    write_results([SearchResult.of('red', hits)], crops / 'answer.png', crops)
    (crops / 'answer.png').rename(crops / 'kept.PNG')
    before = paths(gallery)
    report = index(crops, gallery, detector=detector)
    assert (report.indexed, report.skipped, report.passed_over) == (0, [], ['kept.PNG'])
    assert paths(gallery) == before
