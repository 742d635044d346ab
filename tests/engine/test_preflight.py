"""Missing weights of towers: each is named with the converter that makes it."""

import pytest
from mmengine.config import Config

from mmtbps.engine.preflight import find_missing

PRETRAINED = dict(type='Pretrained', checkpoint='./weights/nowhere.pth', prefix='image_backbone')


@pytest.mark.parametrize('tower, kind', [
    ('CLIPVisionTower', 'openai_clip'), ('SigLIPVisionTower', 'hf_siglip'),
    ('mmtbps.models.backbones.vit.OverlapViT', 'timm'), ('BERTBackbone', None),
    ('mmpretrain.SwinTransformer', None)])
@pytest.mark.parametrize('several', [False, True])
def test_a_missing_checkpoint_is_named_with_its_converter(tower, kind, several):
    init_cfg = [dict(type='Normal', layer='Linear'), PRETRAINED] if several else PRETRAINED
    problem, = find_missing(Config(dict(model=dict(image_backbone=dict(
        type=tower, init_cfg=init_cfg)))))
    assert './weights/nowhere.pth: no such file' in str(problem)
    if kind is None:
        assert problem.remedy is None
    else:
        assert problem.remedy.arguments == dict(kind=kind, target='./weights/nowhere.pth')
        assert tower.rpartition('.')[2] in str(problem)


def test_a_checkpoint_of_the_whole_model_and_a_folder_are_looked_for():
    model = dict(init_cfg=PRETRAINED, text_backbone=dict(type='SigLIPTextTower', model='./siglip'))
    problems = sorted(str(problem) for problem in find_missing(Config(dict(model=model))))
    assert len(problems) == 2 and './siglip: no such folder' in problems[0]
    assert problems[1].startswith('./weights/nowhere.pth: no such file. It holds pretrained')


@pytest.mark.parametrize('name', ['https://example.org/clip.pth', __file__])
def test_an_address_and_a_file_are_not_missing(name):
    model = dict(text_backbone=dict(type='CLIPTextTower', init_cfg=dict(checkpoint=name)))
    assert find_missing(Config(dict(model=model))) == []
