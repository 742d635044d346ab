"""SigLIP of transformers through the command, against the library's own features."""

import json

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from published_checkpoints import pixels_of
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import SiglipConfig, SiglipModel

from mmtbps.errors import BadValue

WORDS = ['<pad>', '</s>', '<unk>', 'a', 'red', 'coat', 'man', 'in', 'mans']
GRAY, PAD, END = ((.5, .5, .5), (.5, .5, .5)), 0, 1


def write_tokenizer(folder, **config):
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, '<unk>'))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single='$A </s>', special_tokens=[('</s>', END)])
    tokenizer.save(str(folder / 'tokenizer.json'))
    (folder / 'tokenizer_config.json').write_text(json.dumps(dict(
        dict(tokenizer_class='PreTrainedTokenizerFast', pad_token='<pad>', eos_token='</s>',
             unk_token='<unk>'), **config)))


@pytest.fixture(scope='module')
def library():
    half = dict(num_hidden_layers=2, intermediate_size=48)
    model = SiglipModel(SiglipConfig(
        vision_config=dict(half, hidden_size=32, num_attention_heads=4, image_size=64,
                           patch_size=16),
        text_config=dict(half, hidden_size=32, num_attention_heads=2, vocab_size=len(WORDS),
                         max_position_embeddings=12))).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1:
                scale = 0.7 if 'embedding' in name else 1.2 * weight[0].numel()**-0.5
                weight.normal_(0, scale, generator=generator)
            elif weight.numel() > 1:
                weight.add_(0.1 * torch.randn(weight.shape, generator=generator))
    return model


@pytest.fixture
def folder(library, tmp_path):
    library.save_pretrained(tmp_path / 'library')
    write_tokenizer(tmp_path / 'library')
    (tmp_path / 'library/preprocessor_config.json').write_text(json.dumps(dict(
        image_mean=GRAY[0], image_std=GRAY[1], resample=2, size=dict(height=64, width=64))))
    return tmp_path / 'library'


def test_features_are_the_librarys(folder, library, convert, open_folder, crops, tmp_path):
    report = convert('hf_siglip', folder, tmp_path / 'siglip')
    assert 'dropped 2, missing 0, unexpected 0' in report and 'logit_bias' in report
    encoder = open_folder(tmp_path / 'siglip')
    ids = torch.full((2, 12), PAD)
    ids[0, :6] = torch.tensor([3, 6, 7, 4, 5, END])
    ids[1, :2] = torch.tensor([5, END])
    pixels = pixels_of(crops, (64, 64), Image.BILINEAR, GRAY)
    with torch.no_grad():
        output = library(input_ids=ids, pixel_values=pixels)
    for ours, theirs in (
            (encoder.encode_images(crops), output.image_embeds),
            (encoder.encode_texts(['a man in RED coat', 'Coat']), output.text_embeds),
            (encoder.encode_texts(['coat']), output.text_embeds[1:])):
        torch.testing.assert_close(torch.from_numpy(ours), F.normalize(theirs, dim=-1), rtol=0,
                                   atol=1e-5)
    assert torch.pdist(output.image_embeds).min() > 0.1 < torch.pdist(output.text_embeds).min()


def test_siglips_own_tokenizer_drops_punctuation(folder, convert, tmp_path):
    write_tokenizer(folder, tokenizer_class='SiglipTokenizer')
    convert('hf_siglip', folder, tmp_path / 'siglip.pth')
    from mmtbps.models.converters import convert_checkpoint
    tokenize = convert_checkpoint('hf_siglip', str(folder)).pipeline[2]
    assert tokenize['clean'] == 'siglip' and tokenize['max_length'] == 12


def test_without_a_fast_tokenizer_only_weights_are_written(folder, convert, tmp_path):
    (folder / 'tokenizer.json').unlink()
    with pytest.raises(ValueError, match='tokenizer.json of its tokenizer is not beside it'):
        convert('hf_siglip', folder, tmp_path / 'siglip')
    convert('hf_siglip', folder, tmp_path / 'siglip.safetensors')
    assert not (tmp_path / 'siglip').exists()


@pytest.mark.parametrize('change, message', [
    (lambda config: None, "needs the config.json of a model of type 'siglip'"),
    (lambda config: dict(config, model_type='siglip2'), "type 'siglip'.*got siglip2")])
def test_another_model_is_refused(change, message, folder, convert, tmp_path):
    path = folder / 'config.json'
    changed = change(json.loads(path.read_text()))
    path.unlink()
    if changed:
        path.write_text(json.dumps(changed))
    with pytest.raises(ValueError, match=message):
        convert('hf_siglip', folder, tmp_path / 'siglip')


@pytest.mark.parametrize('key, values', [
    ('image_mean', [.5]), ('image_mean', [.5, .5, float('nan')]), ('image_std', [.5, .5, 0]),
    ('image_std', [.5, -.5, .5])])
def test_colors_that_do_not_serve_are_named(key, values, folder, convert, tmp_path):
    file = folder / 'preprocessor_config.json'
    file.write_text(json.dumps({**json.loads(file.read_text()), key: values}))
    with pytest.raises(BadValue, match=f'library: {key} beside its weights must be three numbers'):
        convert('hf_siglip', folder, tmp_path / 'siglip')
