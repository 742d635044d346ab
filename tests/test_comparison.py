"""The comparison with other packages: each row says what was looked at."""

import importlib.metadata
import re
from pathlib import Path

import mmpretrain
import pytest
import yaml
from doc_blocks import ROOT

TEXT = (ROOT / 'docs/compare.md').read_text('utf-8')
ROWS = [[cell.strip() for cell in line.strip('|').split('|')] for line in TEXT.splitlines()
        if line.startswith('| ') and not line.startswith('| feature')]


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
