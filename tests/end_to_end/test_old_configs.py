"""Configs as runs of version 0.1.0 left them beside their checkpoints: types are dotted names."""

import re

import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.utils import get_object_from_string
from tiny_models import shrink
from written_by_0_1 import FIXTURES, copy_of

from mmtbps.registry import DATASETS, TASK_UTILS

TRAININGS = sorted((FIXTURES / 'configs/tbps').glob('*.py'))
GENERATIONS = sorted((FIXTURES / 'configs/generation').glob('*.py'))
OTHERS = [*sorted(FIXTURES.glob('runs/*/*.py')), *sorted(FIXTURES.glob('models/*.py')),
          FIXTURES / 'generation/recolor.py']
DOTTED = re.compile(r"'(mmtbps(?:\.\w+)+)'")


def name_of(path):
    return path.relative_to(FIXTURES).as_posix()


@pytest.mark.parametrize('path', [*TRAININGS, *GENERATIONS, *OTHERS], ids=name_of)
def test_every_dotted_name_leads_to_its_class(path):
    names = set(DOTTED.findall(path.read_text()))
    assert names
    for name in sorted(names):
        found = get_object_from_string(name)
        assert found is not None, f'{name} of {path.name} is not found'
        assert name.endswith(f'.{found.__name__}')


@pytest.fixture(scope='module')
def drawn(tmp_path_factory):
    return copy_of(tmp_path_factory.mktemp('old'), 'drawn') / 'drawn'


def tiny(path, drawn, work_dir):
    cfg = shrink(Config.fromfile(path), drawn, work_dir)
    cfg.train_cfg.update(val_interval=100, **(
        dict(max_iters=1) if 'max_iters' in cfg.train_cfg else dict(max_epochs=1)))
    cfg.custom_hooks = [hook for hook in cfg.custom_hooks  # compiles for half a minute
                        if not hook['type'].endswith('CompileHook')]
    return cfg


@pytest.mark.parametrize('path', TRAININGS, ids=name_of)
def test_an_old_config_trains(path, drawn, tmp_path):
    """One epoch or step at tiny sizes; losses, mixing, transforms and schedules are its own."""
    runner = Runner.from_cfg(tiny(path, drawn, tmp_path))
    model = runner.train()
    assert all(weight.isfinite().all() for weight in model.parameters())
    assert type(model).__name__ == 'TextImageRetriever'
    assert runner.test()['t2i/queries'] == 12


@pytest.mark.parametrize('path', TRAININGS, ids=name_of)
def test_the_data_sets_of_an_old_config_are_built(path):
    """Those that it names, not the drawn one of the other tests; without their files."""
    cfg = Config.fromfile(path)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        dataset = DATASETS.build(dict(loader.dataset, lazy_init=True, pipeline=[]))
        assert type(dataset).__name__ == loader.dataset.type.rpartition('.')[2]


@pytest.mark.parametrize('path', [path for path in GENERATIONS if 'generation' in Config.fromfile(
    path)], ids=name_of)
def test_the_parts_of_an_old_generation_are_built(path, tmp_path):
    """All that need no weights; of the others the class is found, by the test above."""
    parts = Config.fromfile(path).generation
    for part in (*parts.gates, dict(parts.runner, out_dir=str(tmp_path))):
        assert type(TASK_UTILS.build(part)).__name__ == part['type'].rpartition('.')[2]
    if path.stem == 'pdg_recolor':
        for part in (parts.planner, parts.upscaler, parts.editor):
            assert type(TASK_UTILS.build(part)).__name__ == part['type'].rpartition('.')[2]
