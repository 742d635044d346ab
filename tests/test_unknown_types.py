"""A type of a config that is not registered is named with its place and the nearest names."""

import pytest

import mmtbps.datasets  # noqa: F401
import mmtbps.engine
import mmtbps.evaluation
import mmtbps.models  # noqa: F401
from mmtbps import registry
from mmtbps.commands.main import run_command
from mmtbps.errors import UserError
from mmtbps.unknown_types import UnknownType, explain_unknown_types

HEAD = dict(type='HardnessAwareContrastivHead')
CONFIG = """
default_scope = 'mmtbps'
work_dir = {folder!r}
model = dict(type='TextImageRetriever', image_backbone=dict(type='CLIPVisionTower'),
             text_backbone=dict(type='CLIPTextTower'), heads=dict(contrastive=dict(type='Nope')))
custom_hooks = [dict(type='EpochSeedHook'), dict(type='EpochSeedHok')]
"""


@pytest.mark.parametrize('cfg, kind, place, near', [
    (dict(model=dict(heads=dict(contrastive=HEAD))), 'MODELS',
     "model.heads.contrastive.type='HardnessAwareContrastivHead': no model",
     'HardnessAwareContrastiveHead'),
    (dict(a=1, custom_hooks=[dict(type='X'), dict(type='EpochSeedHok')]), 'HOOKS',
     r"custom_hooks\[1\].type='EpochSeedHok': no hook", 'EpochSeedHook'),
    (dict(train_dataloader=dict(dataset=dict(type='DrawnPEDS'))), 'DATASETS',
     "train_dataloader.dataset.type='DrawnPEDS': no dataset", 'DrawnPEDES'),
    (dict(p=[dict(type='TokenizeCaptions')], q=[dict(type='TokenizeCaptions')]), 'TRANSFORMS',
     r"p\[0\].type='TokenizeCaptions', q\[0\].type='TokenizeCaptions': no transform",
     'TokenizeCaption'),
    (dict(p=[dict(type='RandAugmnt')]), 'TRANSFORMS', r"p\[0\].type='RandAugmnt': no transform",
     'RandAugment'),
    (dict(optimizer=dict(type='mmtbps.AdamWW')), 'OPTIMIZERS',
     "optimizer.type='mmtbps.AdamWW': no optimizer", 'AdamW')])
def test_place_and_nearest_names_are_told(cfg, kind, place, near):
    def innermost(node):
        if isinstance(node, dict) and 'type' in node and node['type'] != 'X':
            return node
        values = node.values() if isinstance(node, dict) else node if isinstance(
            node, list) else ()
        return next((found for found in map(innermost, values) if found), None)

    with pytest.raises(UnknownType, match=f'^{place} .*the nearest are .*{near}') as unknown, \
            explain_unknown_types(cfg):
        getattr(registry, kind).build(innermost(cfg))
    assert isinstance(unknown.value, UserError) and '\n' not in str(unknown.value)


def test_a_name_like_no_other_has_no_neighbours():
    with pytest.raises(UnknownType, match=r"^model.type='Zzz': no model of this name is registered"
                                          r'\. A class'), \
            explain_unknown_types(dict(model=dict(type='Zzz'))):
        registry.MODELS.build(dict(type='Zzz'))


def test_any_other_key_error_stays_as_it_is():
    with pytest.raises(KeyError, match='plain') as error, explain_unknown_types({}):
        raise KeyError('plain')
    assert not isinstance(error.value, UserError)


@pytest.mark.parametrize('change, words', [
    (('Nope', 'Nope'), r"^error: model.heads.contrastive.type='Nope': no model of this name"),
    (('TextImageRetriever', 'TextImageRetreiver'),
     "^error: model.type='TextImageRetreiver': no model .* nearest are TextImageRetriever")])
def test_the_command_says_so(change, words, refused, tmp_path):
    config = tmp_path / 'config.py'
    config.write_text(CONFIG.format(folder=str(tmp_path)).replace(*change))
    with refused(words):
        run_command('train', [str(config)])
