"""A second stage of a search and of an evaluation, by the command line."""

import json
import re
import shutil
import socket

import numpy as np
import pytest
import torch
from search_command_rig import assert_refused

from mmtbps.search import reranking
from mmtbps.search.encoders import loading as encoders

pytest_plugins = 'search_command_fixtures'  # `call` and `indexed`


class Darkness:
    """A second stage that prefers dark pictures, whatever was asked."""

    def __init__(self, model, weights=None, device=None, batch_size=32):
        self.name, self.device = model, device

    def match(self, texts, images, places):
        return torch.tensor([-float(np.asarray(image, np.float32).mean()) for image in images]
                            )[places]


def ranked(out):
    """Paths in the printed answer, with and without a score of the second stage."""
    return re.findall(r'^ +\d+  .*?  (\S+)', out, re.MULTILINE)


@pytest.fixture
def port():
    """One that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


@pytest.fixture
def stage(monkeypatch):
    """Puts a second stage in the place of a cross-encoder."""
    monkeypatch.setattr(reranking, 'PairMatcher', Darkness)


def test_the_second_stage_orders_the_first_hits(indexed, call, stage):
    words = ['query', indexed / 'people', 'all in red', '--rerank', 'model']
    first = ranked(call(*words[:3])[1])
    code, out, err = call(*words, '--rerank-k', 3)
    seen = [line for line in out.splitlines() if ', match -' in line]
    assert code == 0 and err == '' and len(seen) == 3 and ranked(out)[3:] == first[3:]
    assert sorted(ranked(out)[:3]) == sorted(first[:3])
    answer, = json.loads(call(*words, '--json', '--topk', 4)[1])
    matches = [hit['match'] for hit in answer['hits']]
    assert matches == sorted(matches, reverse=True) and len(matches) == 4
    code, out, _ = call(*words, '--where', 'camera=c1,c2', '--rerank-weight', '1e6')
    assert code == 0 and ranked(out) == [path for path in first if path in ('red.png', 'blue.png')]


@pytest.mark.parametrize('words, message', [
    (['--rerank-k', '0'], 'got k=0'), (['--rerank-k', '-2'], 'got k=-2'),
    (['--rerank-weight', 'nan'], 'finite weight.*weight=nan'),
    (['--rerank-weight', 'inf'], 'finite weight.*weight=inf')])
def test_numbers_that_make_no_sense_are_refused_before_a_model_is_loaded(
        indexed, call, stage, port, monkeypatch, words, message):
    monkeypatch.setattr(encoders, 'load_encoder', None)
    assert_refused(call('query', indexed / 'people', 'red', '--rerank', 'model', *words), message)
    assert_refused(call('serve', indexed / 'people', '--rerank', 'model', '--port', port, *words),
                   message)


@pytest.mark.parametrize('command', ['query', 'serve'])
@pytest.mark.parametrize('option', ['--rerank-k', '--rerank-weight'])
def test_its_share_without_a_model_is_refused(indexed, call, port, command, option):
    sentence = ['red'] if command == 'query' else ['--port', port]
    assert_refused(call(command, indexed / 'people', *sentence, option, '7'),
                   f'{option} says how far the word of --rerank MODEL goes; name both')


def test_a_picture_has_one_stage_and_it_says_so(indexed, call):
    words = ['query', indexed / 'people', '--image', indexed / 'crops/blue.png', 'all in red']
    plain = call(*words)
    code, out, err = call(*words, '--rerank', 'no/such/model')
    assert (code, out) == plain[:2]
    assert err == 'a search by a picture has one stage, so --rerank sees nothing of it\n'


def test_pictures_that_are_gone_are_an_error_of_their_own(indexed, call, stage):
    shutil.move(indexed / 'crops', indexed / 'moved')
    words = ['query', indexed / 'people', 'all in red', '--rerank', 'model']
    assert_refused(call(*words), 'which is gone; name it with --images')
    code, out, err = call(*words, '--images', indexed / 'moved')
    assert code == 0 and err == '' and out.count('match -') == 4
    (indexed / 'moved/red.png').write_bytes(b'none')
    code, out, err = call(*words, '--images', indexed / 'moved')
    assert code == 0 and ranked(out)[-1] == 'red.png'
    assert err.startswith('1 of the first pictures cannot be read') and err.endswith(': red.png\n')
