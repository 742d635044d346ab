"""Models that are not whole: each is refused in a line, and none begins at random."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_editors import tiny_kontext, tiny_pix2pix

from mmtbps.errors import BadValue, MissingFile, UserError
from mmtbps.generation.diffusion.loaded_parts import fuse_lora
from mmtbps.generation.diffusion.pipelines import load_pipeline, pipeline_class

KIND = 'StableDiffusionInstructPix2PixPipeline'
UNET, VAE = (f'{part}/diffusion_pytorch_model.safetensors' for part in ('unet', 'vae'))
TEXT = 'text_encoder/model.safetensors'


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp('saved')
    tiny_pix2pix(folder / 'tokenizer').save_pretrained(folder / 'model')
    return folder / 'model'


@pytest.fixture
def model(saved, tmp_path):
    shutil.copytree(saved, tmp_path / 'model')
    return tmp_path / 'model'


def load(model, kind=KIND, **more):
    return load_pipeline(kind, str(model), torch.float32, safety_checker=None,
                         requires_safety_checker=False, **more)


def rewrite(path, change):
    """Write the tensors of a file anew, each as ``change(number, name, tensor)`` returns it."""
    tensors = load_file(path)
    changed = {name: change(i, name, tensors[name]) for i, name in enumerate(sorted(tensors))}
    save_file({name: value for name, value in changed.items() if value is not None}, path)


def lose(i, name, value):
    return None if i % 2 else value


def reshape(i, name, value):
    return value if i else torch.zeros(3, 2)


def spoil(i, name, value):
    return value if i else value * float('nan')


@pytest.mark.parametrize('part, change, message', [
    (UNET, lose, 'the weights of unet and its config.json do not belong together: .* are missing'),
    (TEXT, lose, 'the weights of text_encoder and its config.json do not belong together'),
    (TEXT, reshape, 'the weights of text_encoder .* missing or of another shape'),
    (UNET, reshape, 'expected shape'),
    (UNET, spoil, 'unet, .* holds NaN or infinity'), (VAE, spoil, 'vae, .* holds NaN'),
    (TEXT, spoil, 'text_encoder, .* holds NaN')])
def test_weights_that_do_not_fit_are_refused(model, part, change, message):
    rewrite(model / part, change)
    with pytest.raises(BadValue, match=message) as refused:
        load(model)
    assert str(model) in str(refused.value) and '\n' not in str(refused.value)


def test_numbers_too_large_for_the_type_are_refused(model):
    rewrite(model / UNET, lambda i, name, value: value if i else value * 0 + 1e6)
    load(model)
    with pytest.raises(BadValue, match='unet, .* too large for this dtype'):
        load_pipeline(KIND, str(model), torch.float16, safety_checker=None,
                      requires_safety_checker=False)


@pytest.mark.parametrize('damage, message', [
    (lambda model: (model / UNET).write_bytes((model / UNET).read_bytes()[:5000]), 'unet'),
    (lambda model: (model / UNET).unlink(), 'should hold a whole model'),
    (lambda model: shutil.rmtree(model / 'unet'), 'names unet, but there is no such folder'),
    (lambda model: shutil.rmtree(model / 'tokenizer'), 'names tokenizer, but there is no such'),
    (lambda model: [path.unlink() for path in (model / 'tokenizer').iterdir()],
     'tokenizer.*(knows no words|cannot be loaded)'),
    (lambda model: (model / 'model_index.json').unlink(), 'no file named model_index.json'),
    (lambda model: (model / 'model_index.json').write_text('{'), 'valid JSON'),
    (lambda model: (model / 'model_index.json').write_text('[1]'), 'is no object of parts')])
def test_what_is_missing_is_named(model, damage, message):
    damage(model)
    with pytest.raises(UserError, match=message) as refused:
        load(model)
    assert 'hf download' not in str(refused.value)   # the folder is there: no download mends it


def test_code_of_a_model_is_not_run(model, tmp_path):
    settings = json.loads((model / 'model_index.json').read_text())
    settings['unet'] = ['own_unet', 'OwnUNet']
    (model / 'model_index.json').write_text(json.dumps(settings))
    (model / 'unet' / 'own_unet.py').write_text(f'open({str(tmp_path / "run")!r}, "w")')
    with pytest.raises(BadValue, match='custom code'):
        load(model)
    assert not (tmp_path / 'run').exists()


def test_a_whole_model_is_what_was_saved(model):
    pipe, made = load(model), tiny_pix2pix(model.parent / 'again')   # of the same seed
    for name, file in (('unet', UNET), ('vae', VAE)):
        loaded = getattr(pipe, name).state_dict()
        assert all(torch.equal(loaded[key], value)
                   for key, value in load_file(model / file).items())
    words = torch.arange(5)[None]
    assert torch.equal(made.text_encoder(words)[0], pipe.text_encoder.eval()(words)[0])


@pytest.mark.parametrize('name', ['FooPipeline', 'utils', 'UNet2DConditionModel',
                                  'DiffusionPipeline'])
def test_what_is_no_pipeline_is_refused(name):
    with pytest.raises(BadValue, match=f"has no pipeline '{name}'"):
        pipeline_class(name)


def test_a_lora_that_is_none_or_of_another_model_is_refused(tmp_path):
    from diffusers import FluxKontextPipeline
    from peft import LoraConfig, get_peft_model_state_dict
    other = tiny_kontext(tmp_path / 'tokenizer')
    other.transformer.add_adapter(LoraConfig(r=2, target_modules=['to_v']))
    FluxKontextPipeline.save_lora_weights(
        tmp_path / 'lora', transformer_lora_layers=get_peft_model_state_dict(other.transformer))
    pipe = tiny_pix2pix(tmp_path / 'another')
    with pytest.raises(BadValue, match='lora: it holds nothing for the parts of Stable'):
        fuse_lora(pipe, str(tmp_path / 'lora'))
    (tmp_path / 'empty').mkdir()
    with pytest.raises(BadValue, match='empty: no LoRA of Stable.* can be read'):
        fuse_lora(pipe, str(tmp_path / 'empty'))
    save_file(dict(x=torch.zeros(1)), tmp_path / 'empty' / 'pytorch_lora_weights.safetensors')
    with pytest.raises(BadValue, match='empty: no LoRA of Stable.* can be read'):
        fuse_lora(pipe, str(tmp_path / 'empty'))
    with pytest.raises(MissingFile):
        fuse_lora(pipe, './nowhere')
