"""Dual encoders of transformers against the library called by hand, family by family."""

import json
import pickle
import socket
import threading

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import transformers
from PIL import Image
from pretrained_models import KINDS, SENTENCES, save_tiny

from mmtbps.errors import BadValue, MissingPackage, UserError
from mmtbps.models.dual_encoders import ensemble, families, hugging_face, load_dual_encoder
from mmtbps.models.dual_encoders.hugging_face import ModelNotLoaded

LONG = ' '.join(SENTENCES * 9)
# By hand: class, arguments of the tokenizer, tokens read.
BY_HAND = dict(
    clip=('CLIPModel', dict(padding=True), 16), siglip=('SiglipModel', None, 20),
    siglip2_fixed=('SiglipModel', None, 20), siglip2=('Siglip2Model', None, 20),
    metaclip_2=('MetaClip2Model', dict(padding=True), 16),
    chinese_clip=('ChineseCLIPModel', dict(padding=True), 16),
    altclip=('AltCLIPModel', dict(padding=True), 16), aimv2=('Aimv2Model', dict(padding=True), 16),
    align=('AlignModel', None, 16), blip=('BlipForImageTextRetrieval', dict(padding=True), 16),
    tipsv2=('Tipsv2Model', None, 20))

pytest_plugins = 'named_model_fixtures'  # `folders`


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Refuse every connection."""
    def refuse(self, address):
        raise OSError('no network in tests')

    monkeypatch.setattr(socket.socket, 'connect', refuse)


def crops(count=4):
    draw = np.random.default_rng(0)
    return [Image.fromarray(draw.integers(0, 256, (16, 6, 3), dtype=np.uint8)).resize(
        size, Image.Resampling.BICUBIC) for size in [(48, 128), (60, 160), (48, 128), (128, 48)]
    ][:count]


def pooled(output):
    return output if torch.is_tensor(output) else output.pooler_output


def library_features(kind, folder, images, texts):
    """The features of images and texts by the library alone."""
    name, options, length = BY_HAND[kind]
    network = getattr(transformers, name).from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    words = tokenizer(texts, truncation=True, max_length=length, return_tensors='pt',
                      **(options or dict(padding='max_length')))
    if kind == 'tipsv2':  # its own processor needs torchvision
        pixels = dict(pixel_values=torch.stack([torch.tensor(np.asarray(image.resize(
            (32, 32), Image.Resampling.BILINEAR))).permute(2, 0, 1) / 255 for image in images]))
    else:
        processor = transformers.AutoImageProcessor.from_pretrained(folder, backend='pil')
        pixels = processor(images=images, return_tensors='pt')
    with torch.no_grad():
        if kind == 'blip':
            pairs = [network(input_ids=words['input_ids'][:1], pixel_values=pixels['pixel_values'],
                             attention_mask=words['attention_mask'][:1], use_itm_head=False)]
            image = network.vision_proj(pairs[0].last_hidden_state[:, 0])
            text = network.text_proj(network.text_encoder(**{
                key: words[key] for key in ('input_ids', 'attention_mask')})[0][:, 0])
            torch.testing.assert_close(pairs[0].itm_score,
                                       F.normalize(image, dim=-1) @ F.normalize(text[:1], dim=-1).T)
        else:
            words.pop('token_type_ids', None)
            image = pooled(network.get_image_features(**pixels))
            text = pooled(network.get_text_features(**words))
    return F.normalize(image, dim=-1), F.normalize(text, dim=-1)


@pytest.mark.parametrize('kind', KINDS)
def test_features_are_the_librarys_own(kind, folders):
    texts = [*SENTENCES, LONG]
    model = load_dual_encoder(f'hf:{folders(kind)}', aspect='processor')
    image, text = library_features(kind, folders(kind), crops(), texts)
    with torch.no_grad():
        ours, theirs = model.encode_images(crops()), model.encode_texts(texts)
    torch.testing.assert_close(ours, image, atol=1e-5, rtol=0)
    torch.testing.assert_close(theirs, text, atol=1e-5, rtol=0)
    assert ours.dtype == torch.float32 and model.dim == ours.shape[1]
    # Weights that a test can see through: other inputs, other features.
    assert (image @ image.T - torch.eye(4)).max() < .9999
    assert (text @ text.T - torch.eye(4)).max() < .999


@pytest.mark.parametrize('kind', KINDS)
def test_padding_and_batch_change_nothing(kind, folders):
    model, texts = load_dual_encoder(folders(kind)), [*SENTENCES, LONG]
    with torch.no_grad():
        image, text = model.encode_images(crops()), model.encode_texts(texts)
        alone = torch.cat([model.encode_images([crop]) for crop in crops()])
        words = torch.cat([model.encode_texts([one]) for one in texts])
    torch.testing.assert_close(alone, image, atol=2e-6, rtol=0)
    torch.testing.assert_close(words, text, atol=2e-6, rtol=0)


@pytest.mark.parametrize('kind', KINDS)
def test_a_long_sentence_is_cut_and_named(kind, folders):
    model = load_dual_encoder(folders(kind))
    assert model.cut(SENTENCES[::2]) == []
    (text, read), = model.cut([LONG, SENTENCES[0]])
    assert text == LONG and LONG.startswith(read) and 0 < len(read) < len(LONG) / 2
    with torch.no_grad():
        same = model.encode_texts([LONG, read])
    torch.testing.assert_close(same[0], same[1], atol=2e-6, rtol=0)


@pytest.mark.parametrize('kind, config, length', [
    ('clip', 'CLIPTextConfig', 77), ('siglip', 'SiglipTextConfig', 64),
    ('siglip2', 'Siglip2TextConfig', 64), ('metaclip_2', 'MetaClip2TextConfig', 77),
    ('chinese_clip', 'ChineseCLIPTextConfig', 52), ('altclip', 'AltCLIPTextConfig', 77),
    ('aimv2', 'Aimv2TextConfig', 77), ('align', 'AlignTextConfig', 64),
    ('blip', 'BlipTextConfig', 512), ('tipsv2', 'Tipsv2TextConfig', 64)])
def test_tokens_read_of_a_model_of_full_size(kind, config, length):
    positions = getattr(transformers, config)().max_position_embeddings
    limit = 10**30 if kind != 'altclip' else 512  # of a tokenizer that knows none
    assert families.longest_text(families.FAMILIES[kind], positions, limit) == length
    assert families.longest_text(families.FAMILIES[kind], positions, 9) == 9


def test_the_processor_is_asked_for_pillow(folders, monkeypatch):
    asked, load = [], transformers.AutoImageProcessor.from_pretrained

    def from_pretrained(place, **options):
        asked.append(options)
        return load(place, **options)

    monkeypatch.setattr(transformers.AutoImageProcessor, 'from_pretrained', from_pretrained)
    load_dual_encoder(folders('clip'))
    monkeypatch.setattr(hugging_face.transformers, '__version__', '4.57.1')
    load_dual_encoder(folders('siglip'))
    assert asked == [dict(trust_remote_code=False, backend='pil'),
                     dict(trust_remote_code=False, use_fast=False)]


def test_scores_are_probabilities_where_a_model_was_trained_for_it(folders):
    told = {kind: load_dual_encoder(folders(kind)) for kind in ('clip', 'siglip', 'siglip2')}
    assert {kind: model.probability for kind, model in told.items()} == dict(
        clip=False, siglip=True, siglip2=True)
    assert told['siglip'].scale == pytest.approx(np.exp(2)) and told['siglip'].bias == -3
    assert told['clip'].bias is None and told['clip'].scale == pytest.approx(np.exp(2))
    assert load_dual_encoder(folders('align')).scale == pytest.approx(2)


def test_a_naflex_model_keeps_every_shape(folders):
    model = load_dual_encoder(folders('siglip2'))
    assert model.aspect == 'processor' and model.image_size is None
    assert model.positions == 'resized to each picture'
    with pytest.raises(BadValue, match='in its own shape'):
        load_dual_encoder(folders('siglip2'), aspect='letterbox')


def test_letterbox_pads_with_the_mean_color_and_leaves_the_processor_alone(folders):
    """Against the library's features of a picture that is padded by hand."""
    crop = crops(1)[0]  # 48 x 128
    color = tuple(round(255 * part) for part in (0.48145466, 0.4578275, 0.40821073))
    canvas = np.empty((128, 128, 3), np.uint8)
    canvas[:] = color
    canvas[:, 40:88] = np.asarray(crop)
    padded, _ = library_features('clip', folders('clip'), [Image.fromarray(canvas)], SENTENCES)
    squeezed, _ = library_features('clip', folders('clip'), [
        crop.resize((32, 32), Image.Resampling.BICUBIC)], SENTENCES)
    cut, _ = library_features('clip', folders('clip'), [crop], SENTENCES)
    for aspect, expected in ((None, padded), ('stretch', squeezed), ('processor', cut)):
        model = load_dual_encoder(folders('clip'), aspect=aspect)
        torch.testing.assert_close(model.encode_images([crop]).detach(), expected, atol=1e-5,
                                   rtol=0)
    assert (padded @ cut.T).item() < .9999 and (padded @ squeezed.T).item() < .9999


def test_prompts_are_averaged(folders):
    prompts = ['a photo of {}', '{} in black', 'the {}']
    plain = load_dual_encoder(folders('clip'))
    model = load_dual_encoder(folders('clip'), prompts=prompts)
    with torch.no_grad():
        each = torch.stack([plain.encode_texts([prompt.replace('{}', text) for text in SENTENCES])
                            for prompt in prompts])
        expected = each.mean(0) / each.mean(0).norm(dim=-1, keepdim=True)
        torch.testing.assert_close(model.encode_texts(SENTENCES), expected)
    assert (expected - plain.encode_texts(SENTENCES)).abs().max() > 1e-3
    with pytest.raises(BadValue, match='once'):
        load_dual_encoder(folders('clip'), prompts=['a photo'])


def test_ensemble_of_one_is_the_unit_feature():
    features = torch.tensor([[3., 4.], [0., 2.]])
    torch.testing.assert_close(ensemble(features, 1), torch.tensor([[.6, .8], [0., 1.]]))


def test_a_special_token_in_a_sentence_is_text(folders):
    model = load_dual_encoder(folders('chinese_clip'))
    ids = model.process_texts(['a man [SEP] in red'])['input_ids'][0].tolist()
    end = model.tokenizer.sep_token_id
    assert ids.count(end) == 1 and ids[-1] == end


def test_weights_in_half_precision_are_computed_in_float32(folders, tmp_path):
    network = transformers.CLIPModel.from_pretrained(folders('clip')).half()
    save_tiny(tmp_path, 'clip')
    network.save_pretrained(tmp_path)
    model = load_dual_encoder(tmp_path)
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}


def test_threads_share_a_model(folders):
    model, found = load_dual_encoder(folders('clip')), {}
    with torch.no_grad():
        expected = model.encode_texts(SENTENCES), model.encode_images(crops())

    def work(place):
        with torch.no_grad():
            for _ in range(5):
                found[place] = model.encode_texts(SENTENCES), model.encode_images(crops())

    threads = [threading.Thread(target=work, args=(place, )) for place in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    for answer in found.values():
        torch.testing.assert_close(answer, expected)


# ------------------------------------------------------------------ what goes wrong
def change(folder, source, file, **values):
    """A copy of a folder with settings of a file changed."""
    for path in source.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    settings = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps({**settings, **values}))
    return folder


def test_other_models_are_refused(folders, tmp_path):
    for values, words in ((dict(model_type='bert'), "'bert' is no dual encoder"),
                          (dict(architectures=['CLIPTextModel']), 'holds CLIPTextModel')):
        with pytest.raises(BadValue, match=words):
            load_dual_encoder(change(tmp_path, folders('clip'), 'config.json', **values))


def test_code_of_a_model_is_not_run(folders, tmp_path):
    folder = change(tmp_path, folders('clip'), 'config.json', model_type='evil_clip',
                    auto_map=dict(AutoConfig='evil.Config', AutoModel='evil.Model'))
    (folder / 'evil.py').write_text(f'open({str(tmp_path / "ran")!r}, "w")')
    with pytest.raises(BadValue, match='code of its own is refused'):
        load_dual_encoder(f'hf:{folder}')
    assert not (tmp_path / 'ran').exists()


def test_an_older_transformers_is_named(folders, monkeypatch):
    monkeypatch.setitem(families.FAMILIES, 'clip', families.Family('ClipOfTomorrow', '5.99'))
    monkeypatch.setattr(hugging_face.transformers, '__version__', '4.40.1')
    config = dict(model_type='clip', architectures=['ClipOfTomorrow'])
    with pytest.raises(MissingPackage, match=r'needs transformers 5\.99 or later, installed is 4'):
        hugging_face._family_of('x', config)


class Evil:
    """An object that runs code when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, 'w')


def test_a_pickle_is_read_for_tensors_alone(folders, tmp_path):
    for path in folders('clip').iterdir():
        if path.suffix != '.safetensors':
            (tmp_path / path.name).write_bytes(path.read_bytes())
    state = transformers.CLIPModel.from_pretrained(folders('clip')).state_dict()
    torch.save(state, tmp_path / 'pytorch_model.bin')
    with torch.no_grad():
        torch.testing.assert_close(load_dual_encoder(tmp_path).encode_texts(SENTENCES),
                                   load_dual_encoder(folders('clip')).encode_texts(SENTENCES))
    torch.save(dict(state, more=Evil(str(tmp_path / 'ran'))), tmp_path / 'pytorch_model.bin')
    with pytest.raises(UserError):
        load_dual_encoder(tmp_path)
    (tmp_path / 'pytorch_model.bin').write_bytes(pickle.dumps(Evil(str(tmp_path / 'ran'))))
    with pytest.raises(UserError):
        load_dual_encoder(tmp_path)
    assert not (tmp_path / 'ran').exists()


def test_weights_must_be_whole(folders, tmp_path):
    from safetensors.torch import load_file, save_file
    for path in folders('clip').iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    state = load_file(tmp_path / 'model.safetensors')
    state.pop('visual_projection.weight')
    save_file(state, tmp_path / 'model.safetensors', dict(format='pt'))
    with pytest.raises(BadValue, match='1 are missing or of another shape, first visual_proj'):
        load_dual_encoder(tmp_path)
    (tmp_path / 'model.safetensors').write_bytes(b'cut short')
    with pytest.raises(ModelNotLoaded, match='damaged'):
        load_dual_encoder(tmp_path)


@pytest.mark.parametrize('file', ['config.json', 'preprocessor_config.json', 'model.safetensors'])
def test_a_folder_that_lacks_a_file_is_named(folders, tmp_path, file):
    for path in folders('clip').iterdir():
        if path.name != file:
            (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(UserError, match='not loaded.*The folder needs config.json'):
        load_dual_encoder(f'hf:{tmp_path}')


@pytest.mark.parametrize('offline, words', [(True, 'HF_HUB_OFFLINE is set'),
                                            (False, 'the hub can be reached')])
def test_an_unreachable_hub_is_one_line_with_a_cure(monkeypatch, offline, words):
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', offline)
    monkeypatch.setattr('time.sleep', lambda seconds: None)  # between attempts
    with pytest.raises(ModelNotLoaded, match=words) as refused:
        load_dual_encoder('hf:nobody/nothing@main')
    assert 'hf download nobody/nothing' in str(refused.value)


def test_a_name_without_a_scheme_is_refused():
    for name in ('openai/clip-vit-base-patch16', 'hf:', 'hf:a/b@'):
        with pytest.raises(BadValue):
            load_dual_encoder(name)
    said = []
    with pytest.raises(UserError):
        load_dual_encoder('hf:/not/there', notify=said.append)
    assert said == ['hf:/not/there']
