"""Calls of threads, joined: results as one by one, errors where they belong, full batches."""

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from fakes import ColorEncoder
from webui_rig import PEOPLE, fill

from mmtbps.search.inferencer import TextToPersonInferencer
from mmtbps.search.webui.joined_calls import JoinedCalls, holding
from mmtbps.search.webui.observed import ObservedService
from mmtbps.search.webui.service import Refused


class Gate:
    """Lets the first batch in, and holds it until the others have come."""

    def __init__(self, work):
        self.work, self.batches = work, []
        self.is_in, self.may_go = threading.Event(), threading.Event()

    def __call__(self, items, *same):
        self.batches.append((list(items), same))
        self.is_in.set()
        assert self.may_go.wait(20)
        return self.work(items)


def wait_until(condition):
    pause = threading.Event()
    for _ in range(2_000):
        if condition():
            return
        pause.wait(.01)
    raise AssertionError('it did not come to that')


def call_together(joined, gate, first, others):
    """Call with the first, and with the others while it is worked on; results or errors."""
    with ThreadPoolExecutor(1 + len(others)) as pool:
        calls = [pool.submit(joined, *first)]
        assert gate.is_in.wait(20)
        for place, other in enumerate(others):
            calls.append(pool.submit(joined, *other))
            wait_until(lambda count=place + 1: len(joined._waiting) == count)  # in this order
        gate.may_go.set()
        return [call.exception(20) or call.result() for call in calls]


def test_calls_that_wait_are_one_batch_and_get_their_own_results():
    gate = Gate(lambda items: [item * item for item in items])
    joined = JoinedCalls(gate, threading.Lock(), most=4)
    assert call_together(joined, gate, (3, ), [(i, ) for i in range(4, 11)]) == [
        i * i for i in range(3, 11)]
    sizes = [len(items) for items, _ in gate.batches]
    assert sizes[0] == 1 and max(sizes) == 4 and sum(sizes) == 8 and len(sizes) <= 4
    assert sorted(sum((items for items, _ in gate.batches), [])) == list(range(3, 11))


def test_only_calls_with_equal_arguments_are_joined():
    gate = Gate(lambda items: list(items))
    joined = JoinedCalls(gate, threading.Lock())
    asked = [(i, {'camera': f'c{i % 2}'}) for i in range(6)]
    assert call_together(joined, gate, (9, None), asked) == [9, *range(6)]
    assert [same for _, same in gate.batches[1:]] in (
        [({'camera': 'c0'}, ), ({'camera': 'c1'}, )], [({'camera': 'c1'}, ), ({'camera': 'c0'}, )])


def test_an_error_reaches_the_thread_of_its_item_alone():
    def halve(items):
        if any(item % 2 for item in items):
            raise ValueError(f'odd: {[item for item in items if item % 2]}')
        return [item // 2 for item in items]

    gate = Gate(halve)
    joined = JoinedCalls(gate, threading.Lock())
    two, four, bad, eight = call_together(joined, gate, (2, ), [(4, ), (5, ), (8, )])
    assert (two, four, eight) == (1, 2, 4) and str(bad) == 'odd: [5]'
    together, *alone = (items for items, _ in gate.batches[1:])
    assert sorted(together) == [4, 5, 8] and sorted(alone) == [[4], [5], [8]]
    assert joined(6) == 3 and not joined._waiting


def test_results_that_are_too_few_are_an_error_of_each():
    joined = JoinedCalls(lambda items: [], threading.Lock())
    with pytest.raises(ValueError, match='zip'):
        joined(1)


def test_the_lock_is_held_while_something_works_and_not_while_it_yields():
    lock, seen = threading.Lock(), []

    def steps(last):
        for i in range(last):
            seen.append(lock.locked())
            yield i

    for value in holding(lock, steps)(3):
        seen.append((value, lock.locked()))
    assert seen == [True, (0, False), True, (1, False), True, (2, False)]
    assert holding(lock, lambda: lock.locked())() and not lock.locked()


@pytest.fixture
def service(tmp_path):
    """A service whose encoder notes its batches."""
    encoder, batches = ColorEncoder(), []
    noted = encoder.encode_texts
    encoder.encode_texts = lambda texts: (batches.append(list(texts)), noted(texts))[1]
    gallery = fill(tmp_path / 'images', tmp_path / 'gallery', PEOPLE)
    searcher = TextToPersonInferencer(encoder, gallery=gallery, images=tmp_path / 'images')
    return SimpleNamespace(ask=ObservedService(searcher, tmp_path / 'images'), batches=batches,
                           searcher=searcher)


def test_sentences_asked_at_a_time_are_encoded_together_and_answered_as_alone(service):
    texts = ['red coat, blue trousers', 'green over white', 'a person in blue, no red',
             'yellow and purple', 'white']
    alone = [service.searcher([text], topk=3)[0] for text in texts]
    service.batches.clear()
    wait = threading.Event()
    service.ask.alone.acquire()  # as an event of the page does

    def ask(text):
        wait.wait(20)
        return service.ask.ask(text, 3)

    with ThreadPoolExecutor(len(texts) + 1) as pool:
        calls = [pool.submit(ask, text) for text in texts]
        bad = pool.submit(ask, ' ')
        wait.set()
        wait_until(lambda: len(service.ask._ask_joined._waiting) == len(texts))
        service.ask.alone.release()
        found = [call.result(20) for call in calls]
        with pytest.raises(Refused, match='Describe the person'):
            bad.result(20)
    assert any(len(batch) == len(texts) for batch in service.batches)
    for mine, wanted in zip(found, alone, strict=True):
        assert mine.query == wanted.query
        assert [hit.entry.id for hit in mine.hits] == [hit.entry.id for hit in wanted.hits]
        np.testing.assert_allclose([hit.score for hit in mine.hits],
                                   [hit.score for hit in wanted.hits], atol=1e-6)
