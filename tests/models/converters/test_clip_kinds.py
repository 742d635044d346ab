"""Published CLIP checkpoints through the command, against features from their own names."""

import json
from functools import partial

import published_checkpoints
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from published_checkpoints import (
    CAPTIONS,
    CLIP_COLORS,
    IMAGENET_COLORS,
    clip_state,
    expected_images,
    expected_texts,
    irra_heads,
    pixels_of,
    transformers_state,
)
from safetensors.torch import save_file

from mmtbps.errors import UserError

TEXTS = list(CAPTIONS)
TALL, SQUARE = (384, 128), (64, 64)


def wrapped(state, path, prefix=''):
    """As training code saves it."""
    torch.save(dict(model={prefix + key: value for key, value in state.items()},
                    optimizer=dict(state={}, param_groups=[]), epoch=3), path)
    return path


def check(encoder, crops, state, *, image='visual.', text='', size=SQUARE, colors=CLIP_COLORS,
          resample=Image.BICUBIC, **options):
    pixels = pixels_of(crops, size, resample, colors)
    activation = dict(activation=options.pop('activation')) if 'activation' in options else {}
    expected = expected_images(pixels, state, image, **options, **activation)
    assert torch.pdist(expected).min() > 0.1  # the features are far apart
    torch.testing.assert_close(torch.from_numpy(encoder.encode_images(crops)), expected,
                               rtol=0, atol=1e-5)
    expected = expected_texts(TEXTS, state, text, **activation)
    assert torch.pdist(expected).min() > 0.1
    torch.testing.assert_close(torch.from_numpy(encoder.encode_texts(TEXTS)), expected,
                               rtol=0, atol=1e-5)
    for caption, feature in zip(TEXTS, expected, strict=True):  # without padding
        torch.testing.assert_close(torch.from_numpy(encoder.encode_texts([caption])[0]), feature,
                                   rtol=0, atol=1e-5)


@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_irra(prefix, convert, open_folder, crops, tmp_path):
    state = clip_state(193, 'base_model.visual.', 'base_model.')
    source = wrapped(state | irra_heads(), tmp_path / 'best0.pth', prefix)
    report = convert('irra', source, tmp_path / 'person')
    check(open_folder(tmp_path / 'person'), crops, state, image='base_model.visual.',
          text='base_model.', size=TALL, resample=Image.BILINEAR)
    assert f'used {len(state)} keys, dropped {len(irra_heads())}, missing 0, unexpected 0' in report
    for line in ('used: base_model.visual.transformer.resblocks.{0-1}.attn.in_proj_weight',
                 'dropped (training-only, identities): classifier.weight',
                 'masked words of IRRA, GA-DMS and SEN): cross_modal_transformer.resblocks.{0-3}.'):
        assert line in report


def test_every_head_of_its_layout_is_left_out_by_name(convert, tmp_path):
    names = ('cross_attn_mlm.in_proj_weight', 'cross_modal_transformer_mlm.resblocks.0.ln_1.bias',
             'fuse_head.fc.weight', 'norm_image.weight', 'norm_text.bias', 'norm_7.weight',
             'decoder_pos_embed', 'cross_attn_TextImage.out_proj.bias', 'mlp_itm.weight')
    state = clip_state(193, 'base_model.visual.', 'base_model.')
    source = wrapped(state | dict.fromkeys(names, torch.zeros(2)), tmp_path / 'best.pth')
    report = convert('irra', source, tmp_path / 'person.pth')
    assert f'dropped {len(names)}, missing 0, unexpected 0' in report


def test_json_has_every_key_of_the_source(convert, tmp_path, capsys):
    state = clip_state(193, 'base_model.visual.', 'base_model.')
    source = wrapped(state | irra_heads(), tmp_path / 'best.pth')
    found = json.loads(convert('irra', source, tmp_path / 'person.pth', '--json'))
    assert (found['kind'], found['source'], found['target']) == (
        'irra', str(source), str(tmp_path / 'person.pth'))
    assert set(found['used']) == {*state} and set(found['dropped']) == {*irra_heads()}
    assert found['dropped']['classifier.weight'] == 'training-only, identities'
    assert found['missing'] == found['misshapen'] == found['unexpected'] == []
    del state['base_model.ln_final.weight']
    source = wrapped(state, tmp_path / 'half.pth')
    with pytest.raises(ValueError, match='incomplete'):
        convert('irra', source, tmp_path / 'half', '--json')
    assert len(json.loads(capsys.readouterr().out)['missing']) == 1


@pytest.mark.slow
def test_irra_at_full_size_in_half_precision(convert, open_folder, crops, tmp_path, monkeypatch):
    for name, value in dict(WIDTH=768, TEXT_WIDTH=512, JOINT=512, DEPTH=12).items():
        monkeypatch.setattr(published_checkpoints, name, value)
    state = {key: value if 'ln_' in key or 'embedding' in key else value.half()
             for key, value in clip_state(193, 'base_model.visual.', 'base_model.').items()}
    convert('irra', wrapped(state, tmp_path / 'best.pth'), tmp_path / 'person')
    with torch.no_grad():
        check(open_folder(tmp_path / 'person'), crops, {k: v.float() for k, v in state.items()},
              image='base_model.visual.', text='base_model.', size=TALL, resample=Image.BILINEAR)


def test_irra_of_another_grid(convert, open_folder, crops, tmp_path):
    state = clip_state(311, 'base_model.visual.', 'base_model.')
    source = wrapped(state, tmp_path / 'best.pth')
    with pytest.raises(ValueError, match='best.pth: it has 310 patch positions.* 24 x 8 = 192'):
        convert('irra', source, tmp_path / 'person')
    convert('irra', source, tmp_path / 'person', '--stride', 12)
    check(open_folder(tmp_path / 'person'), crops, state, image='base_model.visual.',
          text='base_model.', size=TALL, resample=Image.BILINEAR, stride=12)


def test_irra_with_its_training_config(convert, open_folder, crops, tmp_path):
    (tmp_path / 'configs.yaml').write_text(
        'batch_size: 64\nimg_size: !!python/tuple\n- 256\n- 128\nlr: 1.0e-05\nstride_size: 16\n'
        'run: !!python/object/apply:os.system ["touch hacked"]\n')
    state = clip_state(129, 'base_model.visual.', 'base_model.')
    convert('irra', wrapped(state, tmp_path / 'best.pth'), tmp_path / 'person', '--config',
            tmp_path / 'configs.yaml')
    check(open_folder(tmp_path / 'person'), crops, state, image='base_model.visual.',
          text='base_model.', size=(256, 128), resample=Image.BILINEAR)


def test_tbps_clip(convert, open_folder, crops, tmp_path):
    state = clip_state(197, 'visual.', 'encode_text.')
    heads = {'simclr_mlp.0.weight': torch.ones(4, 48), 'simclr_mlp.0.bias': torch.ones(4),
             'logit_scale': torch.tensor(4.)}
    report = convert('tbps_clip', wrapped(state | heads, tmp_path / 'checkpoint_best.pth'),
                     tmp_path / 'person')
    encoder = open_folder(tmp_path / 'person')
    without_mark = dict(CAPTIONS, **{'Coat!': [49406, 7356, 49407]})
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CAPTIONS, 'Coat!', without_mark['Coat!'])
        check(encoder, crops, state, text='encode_text.', size=(224, 224), colors=IMAGENET_COLORS)
    assert 'dropped (training-only, views of an image): simclr_mlp.{0}' not in report
    assert 'simclr_mlp.0.weight' in report and 'missing 0, unexpected 0' in report


def test_openai_clip_in_half_precision(convert, open_folder, crops, tmp_path):
    state = {key: value.half() if 'ln_' not in key else value
             for key, value in clip_state(17).items()}
    numbers = dict(input_resolution=torch.tensor(64), context_length=torch.tensor(77),
                   vocab_size=torch.tensor(49408), logit_scale=torch.tensor(4.6))
    torch.save(state | numbers, tmp_path / 'ViT.pt')
    report = convert('openai_clip', tmp_path / 'ViT.pt', tmp_path / 'clip')
    check(open_folder(tmp_path / 'clip'), crops, {k: v.float() for k, v in state.items()})
    assert 'dropped (a number of the archive, not a weight): input_resolution' in report


def resized(table, rows, columns):
    """Positions of a square, bilinear, half-pixel centres, by the published rule."""
    side = int((len(table) - 1)**0.5)
    patches = table[1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
    patches = F.interpolate(patches, size=(rows, columns), mode='bilinear')
    return torch.cat([table[:1], patches[0].flatten(1).T])


def test_openai_clip_for_tall_pictures(convert, open_folder, crops, tmp_path):
    state = clip_state(17)
    torch.save(state, tmp_path / 'ViT.pt')
    convert('openai_clip', tmp_path / 'ViT.pt', tmp_path / 'clip', '--image-size', '384x128',
            '--stride', 12)
    key = 'visual.positional_embedding'
    check(open_folder(tmp_path / 'clip'), crops, state | {key: resized(state[key], 31, 10)},
          size=TALL, stride=12)


@pytest.mark.parametrize('name, words, activation', [
    ('open_clip_vit_b_32_laion2b.bin', (), F.gelu),
    ('weights.bin', ('--activation', 'gelu'), F.gelu), ('ViT-B-32-quickgelu.bin', (), None)])
def test_open_clip(name, words, activation, convert, open_folder, crops, tmp_path):
    state = clip_state(17)
    torch.save(dict(state_dict={f'module.{key}': value for key, value in dict(
        state, logit_scale=torch.tensor(4.)).items()}, epoch=1), tmp_path / name)
    convert('open_clip', tmp_path / name, tmp_path / 'clip', *words)
    check(open_folder(tmp_path / 'clip'), crops, state,
          **(dict(activation=activation) if activation else {}))


def test_heads_of_large_towers():
    """Those of open_clip's configs: ViT-H, ViT-g and ViT-bigG have wide heads for images alone."""
    from mmtbps.models.converters.base import ConversionOptions
    from mmtbps.models.converters.clip_layout import tower_settings
    for image, text, heads in ((768, 512, (12, 8)), (1280, 1024, (16, 16)), (1664, 1280, (16, 20))):
        shapes = {'image_backbone.conv1.weight': (image, 3, 14, 14),
                  'image_backbone.positional_embedding': (257, image),
                  'image_backbone.transformer.resblocks.0.mlp.c_fc.weight': (4 * image, image),
                  'image_neck.projection.weight': (text, image),
                  'text_backbone.token_embedding.weight': (49408, text),
                  'text_backbone.positional_embedding': (77, text),
                  'text_backbone.transformer.resblocks.0.mlp.c_fc.weight': (4 * text, text),
                  'text_neck.projection.weight': (text, text)}
        settings = tower_settings({key: torch.empty(shape, device='meta')
                                   for key, shape in shapes.items()}, ConversionOptions())
        assert (settings['image_backbone']['heads'], settings['text_backbone']['heads']) == heads


def test_open_clip_folder_with_custom_text(convert, open_folder, crops, tmp_path):
    state, source = clip_state(17, text='text.'), tmp_path / 'hub'
    source.mkdir()
    save_file(state, source / 'open_clip_model.safetensors')
    (source / 'open_clip_config.json').write_text(json.dumps(dict(
        model_cfg=dict(embed_dim=48), preprocess_cfg=dict(
            mean=[.5, .5, .5], std=[.25, .25, .25], interpolation='bilinear'))))
    convert('open_clip', source, tmp_path / 'clip')
    check(open_folder(tmp_path / 'clip'), crops, state, text='text.', activation=F.gelu,
          colors=((.5, .5, .5), (.25, .25, .25)), resample=Image.BILINEAR)


# Names in a config.json that are not the one of OpenAI's weights.
HF_ACTIVATIONS = dict(gelu=F.gelu, gelu_pytorch_tanh=partial(F.gelu, approximate='tanh'))


@pytest.mark.parametrize('activation', ['quick_gelu', *HF_ACTIVATIONS])
def test_hf_clip(activation, convert, open_folder, crops, tmp_path):
    state, source = clip_state(17), tmp_path / 'library'
    source.mkdir()
    buffers = {f'{part}_model.embeddings.position_ids': torch.arange(9)[None]
               for part in ('text', 'vision')}
    theirs = transformers_state(state) | buffers
    torch.save(theirs, source / 'pytorch_model.bin')
    (source / 'config.json').write_text(json.dumps(dict(
        vision_config=dict(hidden_act=activation, num_attention_heads=2),
        text_config=dict(hidden_act='gelu_new', num_attention_heads=1),
        text_config_dict=dict(hidden_act=activation))))
    report = convert('hf_clip', source, tmp_path / 'clip')
    check(open_folder(tmp_path / 'clip'), crops, state,
          **{key: HF_ACTIVATIONS[activation] for key in ['activation'] if activation in
             HF_ACTIVATIONS})
    assert f'used {len(theirs) - 3} keys, dropped 3, missing 0, unexpected 0' in report
    assert 'used: vision_model.encoder.layers.{0-1}.self_attn.k_proj.weight' in report


@pytest.mark.parametrize('file, settings, message', [
    ('config.json', dict(text_config=3), 'must be an object'),
    ('config.json', dict(text_config=dict(num_attention_heads='2')), 'must be a number'),
    ('config.json', dict(vision_config=dict(layer_norm_eps=1e-2)), 'epsilon of 0.01'),
    ('preprocessor_config.json', dict(image_mean=.5), 'three numbers'),
    ('preprocessor_config.json', dict(image_std=[1, 1, 0]), 'three numbers above 0'),
    ('preprocessor_config.json', dict(image_std=[1, 1, float('nan')]), 'three numbers above 0'),
    ('preprocessor_config.json', dict(image_mean=[1, 1, float('nan')]), 'numbers of 0 to 1'),
    ('preprocessor_config.json', dict(image_mean=[124, 116, 104]), 'numbers of 0 to 1')])
def test_hf_clip_of_odd_settings_is_refused(file, settings, message, convert, tmp_path):
    torch.save(transformers_state(clip_state(17)), tmp_path / 'pytorch_model.bin')
    halves = dict(vision_config=dict(num_attention_heads=2),
                  text_config=dict(num_attention_heads=1))
    (tmp_path / 'config.json').write_text(json.dumps(halves))
    (tmp_path / file).write_text(json.dumps(halves | settings))
    with pytest.raises(UserError, match=message):
        convert('hf_clip', tmp_path, tmp_path / 'clip')
    assert not (tmp_path / 'clip').exists()


def test_hf_clip_equals_transformers(convert, open_folder, crops, tmp_path):
    from transformers import CLIPConfig, CLIPModel
    half = dict(num_hidden_layers=2, intermediate_size=96)
    model = CLIPModel(CLIPConfig(
        vision_config=dict(half, hidden_size=32, num_attention_heads=4, image_size=64),
        text_config=dict(half, hidden_size=24, num_attention_heads=3), projection_dim=16)).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.normal_(0, 1.2 * weight[0].numel()**-0.5)
    model.save_pretrained(tmp_path / 'library')
    convert('hf_clip', tmp_path / 'library', tmp_path / 'clip')
    encoder = open_folder(tmp_path / 'clip')
    ids = torch.tensor([CAPTIONS[TEXTS[0]]])
    pixels = pixels_of(crops, SQUARE, Image.BICUBIC, CLIP_COLORS)
    with torch.no_grad():
        output = model(input_ids=ids, pixel_values=pixels)
    torch.testing.assert_close(torch.from_numpy(encoder.encode_images(crops)), output.image_embeds,
                               rtol=0, atol=1e-5)
    torch.testing.assert_close(torch.from_numpy(encoder.encode_texts(TEXTS[:1])),
                               output.text_embeds, rtol=0, atol=1e-5)
