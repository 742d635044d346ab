"""The comparison with other packages: each row says what was looked at."""

import importlib.metadata
import re
from pathlib import Path

import mmpretrain
import numpy as np
import pytest
import yaml
from doc_blocks import ROOT
from source_tree import SOURCES

import mmtbps.datasets
import mmtbps.search.galleries
from mmtbps.commands.wording.command_names import COMMANDS
from mmtbps.evaluation.ranking import evaluate_ranking

TEXT = (ROOT / 'docs/compare.md').read_text('utf-8')
ROWS = [[cell.strip() for cell in line.strip('|').split('|')] for line in TEXT.splitlines()
        if line.startswith('| ') and not line.startswith('| feature')]
#: Words that a command, or the name of a source, must have for what our cells say, or none may.
OURS = {
    'finds pictures by a sentence': 'query', 'generates training pairs': 'generate',
    'filters by camera and time, deletion': 'delete',
    'command line and web page for searching': 'serve',
    'training with millions of pairs from shards': 'pack', 'ONNX': 'export',
    'detector and tracker before the index': 'media/tracker',
    'large batches by gradient caching': 'grad_cache',
    'pretrained models by name': 'dual_encoders/open_clip',
    'cross-encoders': 'cross_encoder',
    're-ranking and query expansion by neighbours': 'query_expansion'}
NOT_OURS = {
    'readers of person data with pictures alone': r'market|msmt|duke',
    'int8 and binary embeddings': r'quantiz.*embed|binary_',
    'sparse and multi-vector models': r'sparse|multi_vector'}
NAMES = [*COMMANDS, *(path.as_posix() for path in SOURCES)]


@pytest.mark.parametrize('row', ROWS, ids=lambda row: row[0])
def test_every_row_is_whole_and_says_what_was_looked_at(row):
    assert len(row) == 7 and all(row)


def test_rows_of_mmpretrain_are_true_of_the_version_that_is_named():
    version = re.search(r'mmpretrain (\d\S+),', TEXT)[1]
    if importlib.metadata.version('mmpretrain') != version:
        pytest.skip(f'another mmpretrain than {version}')
    folder = Path(mmpretrain.__file__).parent
    ours = {model['Name'] for file in ROOT.glob('configs/*/metafile.yml')
            for model in yaml.safe_load(file.read_text('utf-8'))['Models']}
    assert f'| {len(set(mmpretrain.list_models()) - ours)} configs' in TEXT
    assert 'prototype_cache' in (folder / 'apis/multimodal_retrieval.py').read_text('utf-8')
    names = ' '.join(path.stem for path in folder.glob('datasets/*.py'))
    assert 'pedes' not in names and 'coco_retrieval' in names


def test_files_of_mmpretrain_that_rows_name_are_there():
    folder = Path(mmpretrain.__file__).parent
    for name in re.findall(r'`mmpretrain/([\w/.]+)`', TEXT):
        assert (folder / name).exists(), name


@pytest.mark.parametrize('feature, words', [*OURS.items(), *NOT_OURS.items()])
def test_what_we_have_or_lack_is_so(feature, words):
    cell, = (row[1] for row in ROWS if row[0] == feature)
    found = [name for name in NAMES if re.search(words, name.removeprefix(str(ROOT)))]
    assert bool(found) == (feature in OURS) == (cell != 'no'), found


def test_our_other_cells_name_what_is_there():
    cells = {row[0]: row[1] for row in ROWS if row[0] not in {*OURS, *NOT_OURS}}
    assert set(cells) == {
        'readers of CUHK-PEDES, ICFG-PEDES, RSTPReid', 'metric counts people, not pairs',
        'gallery on disk, brought up to date', 'FSDP', 'licence of the code'}
    assert {'CUHKPEDES', 'ICFGPEDES', 'RSTPReid'} <= set(mmtbps.datasets.__all__)
    kinds = set(mmtbps.search.galleries.__all__)
    assert {'LanceGallery', 'MilvusGallery', 'MemoryGallery'} <= kinds
    project = (ROOT / 'pyproject.toml').read_text('utf-8')
    assert 'license = "Apache-2.0' in project and cells['licence of the code'] == 'Apache 2.0'
    guide = (ROOT / 'docs/guides/train_and_test.md').read_text('utf-8')
    assert '`FSDPStrategy` | two processes on CPUs' in guide
    assert 'tested on CPUs alone' in cells['FSDP']
    people = np.arange(2)
    found = evaluate_ranking(np.eye(2), people, np.eye(2), people)
    assert {'R1', 'mAP', 'mAP_trapz', 'mINP'} <= set(found)
