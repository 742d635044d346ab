"""A trained checkpoint is refused by all that would read it with another vocabulary."""

import re
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from safetensors import safe_open
from tiny_models import shrink

from mmtbps.commands.main import main
from mmtbps.errors import BadValue
from mmtbps.models.publishing import publish_weights
from mmtbps.search.encoders.torch_encoder import TorchEncoder

ROOT = Path(__file__).resolve().parents[2]
REFUSED = r'was trained with the vocabulary of \S+ \(\d+ entries.* would read with that of \S+other'


@pytest.fixture(scope='module')
def configs(micro_set, tmp_path_factory):
    """The config of a training, and one whose words have the numbers of others."""
    folder = tmp_path_factory.mktemp('noted')
    cfg = shrink(Config.fromfile(ROOT / 'configs/tbps/conv_base_drawn.py'), micro_set, folder)
    cfg.train_cfg.update(max_epochs=1, val_interval=9)
    words = (micro_set / 'tokenizer/vocab.txt').read_text().splitlines()
    (folder / 'other').mkdir()
    (folder / 'other/vocab.txt').write_text('\n'.join([*words[:5], *reversed(words[5:])]) + '\n')
    (folder / 'other/tokenizer_config.json').write_bytes(
        (micro_set / 'tokenizer/tokenizer_config.json').read_bytes())
    files = {}
    for name, tokenizer in (('same', micro_set / 'tokenizer'), ('other', folder / 'other')):
        changed = Config(cfg.to_dict())
        for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
            for step in changed[loader].dataset.pipeline:
                if 'tokenizer' in step:
                    step.tokenizer = str(tokenizer)
        files[name] = folder / f'{name}.py'
        changed.dump(files[name])
    return files


@pytest.fixture(scope='module')
def checkpoint(configs):
    cfg = Config.fromfile(configs['same'])
    Runner.from_cfg(cfg).train()
    return Path(cfg.work_dir, 'epoch_1.pth')


def run_of(config, folder, **changes):
    cfg = Config.fromfile(config)
    cfg.update(work_dir=str(folder), experiment_name=folder.name, **changes)
    return Runner.from_cfg(cfg)


def test_the_encoder_takes_its_own_words_alone(configs, checkpoint):
    assert TorchEncoder(str(configs['same']), checkpoint, device='cpu').dim
    with pytest.raises(BadValue, match=REFUSED):
        TorchEncoder(str(configs['other']), checkpoint, device='cpu')


@pytest.mark.parametrize('resume', [False, True])
def test_a_training_does_not_go_on_with_other_words(configs, checkpoint, tmp_path, resume):
    runner = run_of(configs['other'], tmp_path, load_from=str(checkpoint), resume=resume)
    with pytest.raises(BadValue, match=REFUSED):
        runner.train()


def test_a_test_of_any_program_refuses_other_words(configs, checkpoint, tmp_path):
    with pytest.raises(BadValue, match=REFUSED):
        run_of(configs['other'], tmp_path, load_from=str(checkpoint)).test()


@pytest.mark.parametrize('command', [
    'test {config} {file}', 'index {out}/people.npz {data}/imgs --config {config} --weights {file}',
    'convert mmtbps {file} {out}/folder --config {config}', 'export {config} {file} {out}/onnx'])
def test_commands_refuse_in_one_line_that_names_the_cure(command, configs, checkpoint, micro_set,
                                                         tmp_path, capsys):
    words = command.format(config=configs['other'], file=checkpoint, out=tmp_path, data=micro_set)
    with pytest.raises(SystemExit) as end:
        main(words.split())
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert end.value.code == 1
    assert re.search(REFUSED, said) and said.endswith(f'mmtbps convert mmtbps {checkpoint} FOLDER')


def test_the_note_travels_with_folder_and_published_file(configs, checkpoint, tmp_path):
    noted = torch.load(checkpoint, weights_only=False)['meta']['inputs']
    main(['convert', 'mmtbps', str(checkpoint), str(tmp_path / 'folder')])
    published = publish_weights(checkpoint, tmp_path / 'weights')
    for file in (tmp_path / 'folder/model.safetensors', published):
        with safe_open(str(file), 'pt') as opened:
            assert noted['vocabulary']['sha256'] in opened.metadata()['inputs']
    with pytest.raises(BadValue, match=REFUSED):
        TorchEncoder(str(configs['other']), published, device='cpu')
    folder = shutil.copytree(tmp_path / 'folder', tmp_path / 'swapped')  # a name not read before
    assert TorchEncoder(tmp_path / 'folder', device='cpu').inputs['vocabulary']['sha256'] == (
        noted['vocabulary']['sha256'])
    other = (configs['other'].parent / 'other/vocab.txt').read_bytes()
    for file in (folder / 'tokenizer').iterdir():
        if file.name != 'tokenizer_config.json':
            file.unlink()
    (folder / 'tokenizer/vocab.txt').write_bytes(other)
    with pytest.raises(BadValue, match='was trained with the vocabulary of'):
        TorchEncoder(folder, device='cpu')
