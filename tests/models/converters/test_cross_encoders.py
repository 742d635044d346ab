"""Checkpoints of cross-encoders through the command, against scores from the published names."""

import albef_reference
import numpy as np
import pytest
import torch
from albef_reference import LAYOUTS
from PIL import Image
from published_checkpoints import pixels_of
from transformers import BlipConfig, BlipForImageTextRetrieval

from mmtbps.drawing.tokenizer import build_vocabulary, write_tokenizer
from mmtbps.search.encoders import OnnxEncoder, export_encoder, word_heat_map

TEXTS = ['A man in a red coat!', 'a woman with a dark-blue T-shirt, red shoes and a bag',
         'shoes', 'the man has a bag: his shoes are red/blue']
#: Words by the cleaning of each kind.
WORDS = {None: ['a man in a red coat !', 'a woman with a dark - blue t - shirt , red shoes and a '
                'bag', 'shoes', 'the man has a bag : his shoes are red / blue'],
         'aptm': ['a man in a red coat', 'a woman with a dark blue t shirt red shoes and a bag',
                  'shoes', 'the man has a bag his shoes are red blue'],
         'blip': ['a man in a red coat', 'a woman with a dark - blue t - shirt , red shoes and a '
                  'bag', 'shoes', 'the man has a bag his shoes are red / blue']}
WORDS['rasa'] = WORDS['aptm']
VOCABULARY = build_vocabulary(TEXTS)
KINDS = pytest.mark.parametrize('kind', sorted(LAYOUTS))


def rows_of(texts):
    """Ids of captions, [CLS] and [SEP] around the words."""
    return [[2, *(VOCABULARY.index(word) for word in text.split()), 3] for text in texts]


@pytest.fixture(scope='module')
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp('bert')
    write_tokenizer(folder, TEXTS)
    return folder


@pytest.fixture
def convert_kind(convert, tokenizer, tmp_path):
    """Convert a checkpoint of a kind to a folder of 64 pixels; gives report and folder."""
    def run(kind, state, *options, size=None):
        height, width = size or LAYOUTS[kind][2]
        torch.save(dict(model=state, config={}, epoch=3), tmp_path / 'best.pth')
        report = convert(kind, tmp_path / 'best.pth', tmp_path / 'person', '--tokenizer',
                         tokenizer, '--image-size', f'{height}x{width}', *options)
        return report, tmp_path / 'person'
    return run


def words_of(kind):
    """Size of the vocabulary: BLIP has two tokens beyond BERT's."""
    return len(VOCABULARY) + 2 * (kind == 'blip')


def scores_of(encoder, crops, texts):
    with torch.inference_mode():
        return encoder.model.match(encoder.prepare_images(crops), *encoder.prepare_texts(texts))


@KINDS
def test_both_stages_score_as_published(kind, convert_kind, open_folder, crops):
    make, compute, size, colors = LAYOUTS[kind]
    state = make(words_of(kind))
    report, folder = convert_kind(kind, state)
    assert 'missing 0, unexpected 0' in report
    encoder = open_folder(folder)
    cleaning = dict(aptm=None, rasa='rasa', blip='blip')[kind]
    image, text, scores = compute(pixels_of(crops, size, Image.BICUBIC, colors),
                                  rows_of(WORDS[cleaning]), state)
    assert scores.std(0).min() > 0.05 and scores.std(1).min() > 0.05
    assert min((image @ image.T).std(), (text @ text.T).std()) > 0.03
    torch.testing.assert_close(torch.from_numpy(encoder.encode_images(crops)), image,
                               rtol=0, atol=1e-5)
    torch.testing.assert_close(torch.from_numpy(encoder.encode_texts(TEXTS)), text,
                               rtol=0, atol=1e-5)
    found = scores_of(encoder, crops, TEXTS)
    torch.testing.assert_close(found, scores, rtol=0, atol=5e-5)
    for column, caption in enumerate(TEXTS):  # without padding
        torch.testing.assert_close(scores_of(encoder, crops, [caption])[:, 0], scores[:, column],
                                   rtol=0, atol=5e-5)


@KINDS
def test_every_key_has_its_place(kind, convert_kind):
    state = LAYOUTS[kind][0](words_of(kind))
    report, _ = convert_kind(kind, state)
    if kind == 'aptm':
        dropped = sum('relative_position_index' in key or 'attn_mask' in key for key in state) + 5
        assert 'dropped (training-only, masked words): text_encoder.cls' in report
        assert 'dropped (a buffer that is computed again): vision_encoder.layers.{0-2}' in report
    else:
        copies = sum('_m.' in key for key in state)
        dropped = copies + 4 + dict(rasa=1 + 1 + 1 + 4, blip=1 + 1 + 1 + 2)[kind]
        assert 'dropped (momentum copy): visual_encoder_m.cls_token' in report
        assert 'dropped (queue of features of training): image_queue' in report
    assert 'dropped (temperature of training; a score is a cosine): temp' in report
    assert f'used {len(state) - dropped} keys, dropped {dropped}, missing 0' in report


@torch.no_grad()
def test_blip_is_that_of_transformers(convert_kind, open_folder, crops, tokenizer, convert,
                                      tmp_path):
    words = words_of('blip')
    config = BlipConfig(
        text_config=dict(vocab_size=words, hidden_size=128, intermediate_size=256,
                         num_hidden_layers=3, num_attention_heads=2, max_position_embeddings=80,
                         encoder_hidden_size=128),
        vision_config=dict(hidden_size=128, intermediate_size=512, num_hidden_layers=2,
                           num_attention_heads=2, image_size=64, patch_size=16,
                           layer_norm_eps=1e-6), image_text_hidden_size=24)
    library = BlipForImageTextRetrieval(config).eval()
    state = {key: value for key, value in albef_reference.blip_state(words).items()
             if '_m.' not in key and 'queue' not in key}
    names = {'visual_encoder.cls_token': 'vision_model.embeddings.class_embedding',
             'visual_encoder.pos_embed': 'vision_model.embeddings.position_embedding',
             'visual_encoder.patch_embed.proj': 'vision_model.embeddings.patch_embedding',
             'visual_encoder.norm.': 'vision_model.post_layernorm.',
             'visual_encoder.blocks': 'vision_model.encoder.layers', '.attn.qkv': '.self_attn.qkv',
             '.attn.proj': '.self_attn.projection', '.norm1': '.layer_norm1',
             '.norm2': '.layer_norm2'}
    renamed = {}
    for key, value in state.items():
        for theirs, ours in names.items():
            key = key.replace(theirs, ours)
        renamed[key] = value
    missing, unexpected = library.load_state_dict(renamed, strict=False)
    assert not missing and set(unexpected) <= {
        'temp', 'itm_local_head.weight', 'itm_local_head.bias', 'text_decoder.cls.predictions.bias',
        'text_encoder.embeddings.position_ids'}
    library.save_pretrained(tmp_path / 'library')
    convert('blip', tmp_path / 'library', tmp_path / 'ours', '--tokenizer', tokenizer)
    encoder = open_folder(tmp_path / 'ours')
    pixels = encoder.prepare_images(crops)
    ids, mask = encoder.prepare_texts(TEXTS)
    found = encoder.model.match(pixels, ids, mask)
    ids[:, 0] = words - 1  # transformers leaves that to the caller
    expected = torch.stack([library(
        input_ids=ids, attention_mask=mask, pixel_values=image.expand(len(ids), -1, -1, -1),
        use_itm_head=True).itm_score[:, 1] for image in pixels])
    torch.testing.assert_close(found, expected, rtol=0, atol=5e-5)
    ids[:, 0] = 2
    cosines = library(input_ids=ids, attention_mask=mask, pixel_values=pixels,
                      use_itm_head=False).itm_score
    images, texts = encoder.encode_images(crops), encoder.encode_texts(TEXTS)
    torch.testing.assert_close(torch.from_numpy(images @ texts.T), cosines, rtol=0, atol=1e-5)


def test_colors_and_cleaning_of_aptm_are_those_of_its_data_set(convert_kind, open_folder):
    _, folder = convert_kind('aptm', albef_reference.aptm_state(words_of('aptm')), '--data-set',
                             'rstp')
    encoder = open_folder(folder)
    assert encoder.model.data_preprocessor.mean.flatten().tolist() == pytest.approx(
        [255 * value for value in (.27722597, .26065794, .3036557)], abs=1e-3)
    assert encoder.prepare_texts(TEXTS[:1])[0].tolist() == rows_of(WORDS['aptm'][:1])


def test_captions_are_cut_at_the_published_length_or_the_named_one(convert_kind, open_folder):
    state = albef_reference.blip_state(words_of('blip'))
    _, folder = convert_kind('blip', state)
    assert open_folder(folder).prepare_texts(['a man ' * 50])[0].shape == (1, 73)
    _, folder = convert_kind('blip', state, '--tokens', '35')
    ids = open_folder(folder).prepare_texts(['a man ' * 50])[0]
    assert ids.shape == (1, 35) and ids[0, -1] == 3


def test_square_positions_are_resized_to_the_size_that_is_named(convert_kind, open_folder, crops):
    state = albef_reference.rasa_state(words_of('rasa'))
    _, folder = convert_kind('rasa', state, size=(128, 48))
    encoder = open_folder(folder)
    assert encoder.model.image_backbone.grid == (8, 3)
    assert encoder.prepare_images(crops).shape[2:] == (128, 48)
    table = state['visual_encoder.pos_embed']
    spread = torch.nn.functional.interpolate(
        table[:, 1:].reshape(1, 4, 4, -1).permute(0, 3, 1, 2), size=(8, 3), mode='bicubic',
        align_corners=False).flatten(2).transpose(1, 2)
    torch.testing.assert_close(encoder.model.image_backbone.pos_embed,
                               torch.cat([table[:, :1], spread], 1))


@pytest.mark.parametrize('kind, key, message', [
    ('aptm', 'vision_encoder.layers.1.blocks.0.norm1.bias', 'incomplete'),
    ('aptm', 'itm_head.3.weight', 'incomplete'),
    ('aptm', 'vision_encoder.layers.2.blocks.0.attn.relative_position_bias_table',
     'no relative_position_bias_table'),
    ('rasa', 'visual_encoder.blocks.0.norm1.bias', 'image tower lacks layers.0.ln1.bias'),
    ('rasa', 'text_encoder.bert.encoder.layer.3.crossattention.self.key.weight', 'incomplete'),
    ('blip', 'text_encoder.embeddings.position_embeddings.weight', 'position_embeddings.* missing'),
    ('blip', 'itm_head.bias', 'incomplete')])
def test_without_a_weight_nothing_is_written(kind, key, message, convert_kind, tmp_path):
    state = LAYOUTS[kind][0](words_of(kind))
    del state[key]
    with pytest.raises(ValueError, match=message):
        convert_kind(kind, state)
    assert not (tmp_path / 'person').exists()


@KINDS
def test_a_weight_without_a_place_is_refused(kind, convert_kind, tmp_path):
    state = LAYOUTS[kind][0](words_of(kind))
    with pytest.raises(ValueError, match=r'no place for: text_encoder\S*strange'):
        prefix = 'text_encoder.' if kind == 'blip' else 'text_encoder.bert.'
        convert_kind(kind, {**state, f'{prefix}strange': torch.zeros(2)})
    with pytest.raises(ValueError, match='no place for: fusion_gate'):
        convert_kind(kind, {**state, 'fusion_gate.weight': torch.zeros(2)})
    assert not (tmp_path / 'person').exists()


def test_the_wrong_kind_or_size_is_named(convert_kind):
    rasa = albef_reference.rasa_state(words_of('rasa'))
    with pytest.raises(ValueError, match='no APTM.*those of kind rasa'):
        convert_kind('aptm', rasa, size=(64, 64))
    with pytest.raises(ValueError, match='no BLIP'):
        convert_kind('blip', rasa)
    with pytest.raises(ValueError, match='no RaSa'):
        convert_kind('rasa', albef_reference.aptm_state(words_of('aptm')))
    with pytest.raises(ValueError, match='incomplete or of other shapes'):
        convert_kind('aptm', albef_reference.aptm_state(words_of('aptm')), size=(128, 64))
    with pytest.raises(ValueError, match='cannot be cut into windows'):
        convert_kind('aptm', albef_reference.aptm_state(words_of('aptm')), size=(64, 40))
    cut = {**rasa, 'visual_encoder.pos_embed': torch.zeros(1, 15, 128)}
    with pytest.raises(ValueError, match='14 patch positions of 16 pixels, which are no square'):
        convert_kind('rasa', cut)


def test_a_tokenizer_that_is_not_there_or_another_is_refused(convert, tokenizer, tmp_path,
                                                             monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(dict(model=albef_reference.rasa_state(words_of('rasa') + 9)), 'best.pth')
    with pytest.raises(ValueError, match=r'bert-base-uncased, where the tokenizer.*--tokenizer'):
        convert('rasa', 'best.pth', 'person')
    with pytest.raises(ValueError, match=rf'knows {words_of("rasa")} words, the text encoder'):
        convert('rasa', 'best.pth', 'person', '--tokenizer', tokenizer)
    convert('rasa', 'best.pth', 'weights.pth')
    assert 'match_head.weight' in torch.load('weights.pth')['state_dict']


@KINDS
def test_the_first_stage_is_explained(kind, convert_kind, open_folder, crops):
    encoder = open_folder(convert_kind(kind, LAYOUTS[kind][0](words_of(kind)))[1])
    maps = word_heat_map(encoder, crops[0], TEXTS[0])
    assert maps.words == ['A' if kind == 'aptm' else 'a', 'man', 'in', 'a', 'red', 'coat']
    assert maps.heat.std() > 0


@pytest.mark.slow
@KINDS
def test_the_first_stage_is_exported(kind, convert_kind, open_folder, crops, tmp_path):
    pytest.importorskip('onnxscript')
    encoder = open_folder(convert_kind(kind, LAYOUTS[kind][0](words_of(kind)))[1])
    export_encoder(encoder, tmp_path / 'exported')
    exported = OnnxEncoder(tmp_path / 'exported')
    np.testing.assert_allclose(exported.encode_texts(TEXTS), encoder.encode_texts(TEXTS), atol=1e-5)
    np.testing.assert_allclose(exported.encode_images(crops), encoder.encode_images(crops),
                               atol=1e-5)
