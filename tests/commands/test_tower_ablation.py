"""The ablation of towers: each arm changes what its name says, and nothing else."""

from pathlib import Path

from mmengine.config import Config

from mmtbps.commands.trials.runs import arm_config, check_trials

ROOT = Path(__file__).resolve().parents[2]
PATH = str(ROOT / 'configs/tbps/ablation_tower_drawn.py')
DATA = Path('data/DrawnPEDES')


def test_an_arm_has_the_towers_of_its_name_and_the_recipe_of_all():
    arms = {arm['name']: {key: value for key, value in arm.items() if key != 'pairs'}
            for arm in Config.fromfile(PATH).arms}
    check_trials([(PATH, arm) for arm in arms.values()], DATA)
    built = {name: arm_config(PATH, arm, 0, DATA) for name, arm in arms.items()}
    sides = {name: [str(cfg.model[f'{side}_backbone'].type).strip("'>").rpartition('.')[2]
                    for side in ('image', 'text')] for name, cfg in built.items()}
    both = ['ConvVisionTower', 'ConvTextTower']
    assert sides == {
        'Transformers of pictures and words': ['OverlapViT', 'BERTBackbone'],
        'convolutions of pictures': ['ConvVisionTower', 'BERTBackbone'],
        'convolutions of words': ['OverlapViT', 'ConvTextTower'],
        'convolutions of both': both, 'both, + renderer pairs': both,
        'both, twice the steps': both}
    steps = {name: cfg.train_cfg.max_iters for name, cfg in built.items()}
    assert steps.pop('both, twice the steps') == 2 * 400 and set(steps.values()) == {400}
    recipes = {(cfg.model.heads.contrastive.temperature, cfg.optim_wrapper.optimizer.lr,
                str(cfg.model.data_preprocessor), str(cfg.train_dataloader.dataset.pipeline),
                cfg.model.text_backbone.get('word_drop', 0)) for cfg in built.values()}
    assert len(recipes) == 1 and 'batch_augments' not in recipes.pop()[2]


def test_the_towers_are_those_of_the_recipe_that_the_demo_trains():
    """But for the words that it drops."""
    demo = Config.fromfile(ROOT / 'configs/tbps/conv_base_drawn.py').model
    arm = next(arm for arm in Config.fromfile(PATH).arms if arm['name'] == 'convolutions of both')
    model = arm_config(PATH, arm, 0, DATA).model
    assert dict(model.image_backbone, type='') == dict(demo.image_backbone, type='')
    assert dict(model.text_backbone, type='', word_drop=0.1) == dict(demo.text_backbone, type='')
