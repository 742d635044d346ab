"""Our models by the names that MMEngine's hub and mmpretrain's look for."""

import os
import subprocess
import sys
from collections import OrderedDict
from importlib import import_module

import pytest
import torch
from doc_blocks import file_in
from mmengine import hub
from mmengine.config import Config
from mmengine.registry import DefaultScope
from source_tree import PACKAGE, ROOT

from mmtbps import registry
from mmtbps.engine import ResumeHook
from mmtbps.errors import MissingFile
from mmtbps.models import TextImageRetriever

CONFIG = 'configs/tbps/vit_bert_base_drawn.py'
in_place = pytest.mark.skipif(
    not (PACKAGE / '.mim/configs').is_dir(),
    reason='mmtbps is not installed, so mmtbps:: configs have no place; run `pip install -e .`')


@pytest.fixture(autouse=True)
def fresh_scope(monkeypatch):
    monkeypatch.setattr(DefaultScope, '_instance_dict', OrderedDict())


@pytest.fixture
def with_data(micro_set, tmp_path, monkeypatch):
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data/DrawnPEDES').symlink_to(micro_set)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize('switch', [True, False])
def test_parts_are_registered_under_the_name_that_mmengine_expects(switch, recwarn):
    DefaultScope.get_instance('mmpretrain', scope_name='mmpretrain')
    import_module('mmtbps.utils').register_all_modules(init_default_scope=switch)
    assert registry.HOOKS.module_dict['ResumeHook'] is ResumeHook
    scope = DefaultScope.get_current_instance().scope_name
    assert scope == ('mmtbps' if switch else 'mmpretrain')
    assert not [warning for warning in recwarn if warning.category is DeprecationWarning]


@in_place
def test_a_model_comes_from_mmengines_hub():
    before = DefaultScope.get_current_instance()
    model = hub.get_model('mmtbps::tbps/vit_bert_base_drawn.py', init_cfg=[])
    ours = Config.fromfile(ROOT / CONFIG).model
    assert type(model) is TextImageRetriever
    assert model.image_backbone.out_dims == ours.image_backbone.arch['embed_dims']
    assert DefaultScope.get_current_instance() is before


@in_place
@pytest.mark.parametrize('name', ['tbps/vit_bert_base_drawn.py', '_base_/runtime.py'])
def test_a_config_comes_from_mmengines_hub(name):
    """Also one that the index of models does not list."""
    cfg = hub.get_config(f'mmtbps::{name}')
    assert cfg.to_dict() == Config.fromfile(ROOT / 'configs' / name).to_dict()


@in_place
def test_the_listing_of_the_page_runs(capsys):
    page = ROOT / 'docs/concepts/from_another_mm_project.md'
    exec(compile(file_in(page, 'from_the_hub.py'), 'from_the_hub.py', 'exec'), {})
    assert capsys.readouterr().out.split() == ['TextImageRetriever', '12']


@in_place
@pytest.mark.slow
def test_in_a_process_of_its_own_from_another_folder(tmp_path):
    """``import mmtbps`` is all that the hub needs, and mmpretrain may be imported before it."""
    code = ('import mmpretrain\nimport mmtbps\nfrom mmengine.hub import get_model\n'
            "print(type(get_model('mmtbps::tbps/vit_bert_base_drawn.py')).__name__)\n"
            "print(mmpretrain.list_models('vit_bert_pdg_'))\n"
            "print(type(mmpretrain.get_model('vit_bert_base_drawn')).__name__)")
    done = subprocess.run([sys.executable, '-c', code], cwd=tmp_path, capture_output=True,
                          text=True, env=dict(os.environ, PYTHONPATH=str(ROOT)))
    assert done.stdout.splitlines() == ['TextImageRetriever', str(
        [f'vit_bert_pdg_{data}' for data in ('cuhk', 'drawn', 'icfg', 'rstp')]),
        'TextImageRetriever'], done.stderr[-2000:]


def test_mmpretrain_lists_our_models_beside_its_own():
    from mmpretrain import list_models
    names = list_models()
    ours = {path.stem for path in ROOT.glob('configs/*/*_drawn.py')
            if path.stem[:3] in ('vit', 'cli', 'irr', 'rde', 'tbp')}
    assert len(ours) > 5 and ours < set(names) and 'resnet50_8xb32_in1k' in names
    assert ours < set(list_models(task='Text-To-Image Retrieval'))
    assert list_models('irra', exclude_patterns=['*_cuhk']) == [
        'irra_drawn', 'irra_icfg', 'irra_rstp']


@pytest.mark.parametrize('start', [
    lambda: 'vit_bert_pdg_drawn', lambda: str(ROOT / 'configs/tbps/vit_bert_pdg_drawn.py'),
    lambda: Config.fromfile(ROOT / 'configs/tbps/vit_bert_pdg_drawn.py')])
def test_mmpretrain_builds_from_name_file_and_config(start):
    """Without a checkpoint it looks up the data set of a pure-Python config, which is a class."""
    from mmpretrain import get_model
    model = get_model(start(), mixup=dict(prob=0.25))
    assert type(model) is TextImageRetriever and model.mixup.prob == 0.25


def test_mmpretrain_searches_with_a_model_of_ours_by_name(with_data, micro_set, tmp_path):
    from mmpretrain import get_model, inference_model
    torch.manual_seed(0)
    weights = get_model('vit_bert_base_drawn').state_dict()
    for value in weights.values():
        if value.dim() > 1 and value.is_floating_point():
            value.normal_(std=0.2)
    torch.save(dict(state_dict=weights, meta={}), tmp_path / 'last.pth')
    pictures = [str(path) for path in sorted(micro_set.rglob('*.jpg'))[:6]]
    found = inference_model('vit_bert_base_drawn', 'A man in a red coat.', prototype=pictures,
                            pretrained='last.pth', topk=4)

    model = get_model('vit_bert_base_drawn', pretrained='last.pth')
    again = inference_model(model, 'A man in a red coat.', prototype=pictures, topk=4)
    assert [hit['sample_idx'] for hit in found] == [hit['sample_idx'] for hit in again]
    scores = [float(hit['match_score']) for hit in found]
    assert len(scores) == 4 and scores == sorted(scores, reverse=True) and scores[0] > scores[-1]


def test_without_its_tokenizer_the_folder_is_named(tmp_path, monkeypatch):
    from mmpretrain import inference_model
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingFile, match='data/DrawnPEDES/tokenizer'):
        inference_model('vit_bert_base_drawn', 'a man', prototype=[])
