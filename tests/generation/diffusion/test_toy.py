"""The toy diffusion model: it builds, saves, loads, and ships with the weights of its recipe."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch

import mmtbps.generation
from mmtbps.generation.color.colorspace import palette
from mmtbps.generation.diffusion.pipelines import load_pipeline
from mmtbps.generation.diffusion.toy import build_tokenizer, build_toy, encode_text, save_toy

SHIPPED = Path(mmtbps.generation.__file__).parent / 'assets' / 'toy'
CAPTIONS = [text for i in range(12)
            for first, second in [('red', 'blue') if i % 2 else ('blue', 'red')]
            for text in (f'A man in a {first} shirt and {second} jeans, number {i}.',
                         f'His shirt is {first}.')]


@pytest.fixture
def toy():
    return build_toy(CAPTIONS, seed=0)


def test_the_tokenizer_says_where_its_words_stand():
    tokenizer = build_tokenizer(['A man in a dark-blue shirt, no hat.'])
    text = 'A MAN in a dark-blue  shirt; orange'
    batch = tokenizer(text, return_offsets_mapping=True)
    words = [text[start:end] for start, end in batch['offset_mapping'][1:-1]]
    assert words == ['A', 'MAN', 'in', 'a', 'dark', '-', 'blue', 'shirt', ';', 'orange']
    tokens = tokenizer.convert_ids_to_tokens(batch['input_ids'])
    assert tokens == ['[CLS]', 'a', 'man', 'in', 'a', 'dark', '-', 'blue', 'shirt', '[UNK]',
                      'orange', '[SEP]']
    assert all(name in tokenizer.vocab for name in palette()[0])


def test_it_comes_back_from_its_folder(toy, tmp_path):
    folder = save_toy(toy, tmp_path / 'toy', dict(seed=0))
    assert sum(path.stat().st_size for path in folder.rglob('*')) < 8e6
    loaded = load_pipeline('StableDiffusionPipeline', str(folder), torch.float32,
                           safety_checker=None, requires_safety_checker=False)
    texts = ['A man in a red shirt.', '']
    assert encode_text(loaded, texts).equal(encode_text(toy, texts))
    for name in ('unet', 'vae'):
        for key, value in getattr(toy, name).state_dict().items():
            assert getattr(loaded, name).state_dict()[key].equal(value.half().float()), key
    assert loaded.scheduler.config.steps_offset == 1
    index = json.loads((folder / 'model_index.json').read_text())
    assert index['tokenizer'] == ['transformers', 'PreTrainedTokenizerFast']
    text = 'A man in a red shirt.'
    assert loaded.tokenizer(text, return_offsets_mapping=True) == toy.tokenizer(
        text, return_offsets_mapping=True)
    assert loaded.tokenizer.model_max_length == toy.tokenizer.model_max_length
    recipe = json.loads((folder / 'recipe.json').read_text())
    assert recipe['recipe'] == dict(seed=0) and len(recipe['sha256']) == 3


def test_a_seed_is_a_model():
    texts = CAPTIONS[:2]
    same, again, other = (build_toy(texts, seed).unet.conv_in.weight for seed in (0, 0, 1))
    assert same.equal(again) and not same.equal(other)


def test_the_stock_pipeline_draws_with_it(toy):
    image, = toy('a man', height=64, width=24, num_inference_steps=2, output_type='np').images
    assert image.shape == (64, 24, 3) and np.isfinite(image).all()


def test_the_shipped_model_is_the_one_of_its_recipe():
    sums = json.loads((SHIPPED / 'recipe.json').read_text())['sha256']
    assert len(sums) == 3
    for name, expected in sums.items():
        assert hashlib.sha256((SHIPPED / name).read_bytes()).hexdigest() == expected
    assert sum(path.stat().st_size for path in SHIPPED.rglob('*')) < 8e6
