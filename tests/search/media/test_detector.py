"""The detector against its model called by hand, and every way in which loading it goes wrong."""

import json
import math
import socket
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from mmtbps.errors import UserError
from mmtbps.search.media.base import Detection, Detector
from mmtbps.search.media.detector import PersonDetector, whole_pixels

transformers = pytest.importorskip('transformers')

SIDE = 64  # of the square that the tiny models see
LABELS = {0: 'person', 1: 'bicycle', 2: 'car'}
# Random models that see some people here and some things there: seed, noise, a threshold between.
LUCK = dict(rt_detr=(18, .4, .7), d_fine=(8, .3, .5))
SIZES = [(60, 100), (120, 80), (64, 64), (200, 50), (90, 91)]


def tiny_config(kind):
    small = dict(
        encoder_in_channels=[8, 8, 8], encoder_hidden_dim=16, encoder_ffn_dim=16,
        encoder_attention_heads=2, d_model=16, num_queries=12, decoder_in_channels=[16, 16, 16],
        decoder_ffn_dim=16, decoder_layers=2, decoder_attention_heads=2, decoder_n_points=2,
        num_denoising=0, id2label=LABELS, label2id={name: i for i, name in LABELS.items()})
    stages = dict(depths=[1] * 4, hidden_sizes=[8] * 4, out_features=['stage2', 'stage3', 'stage4'])
    if kind == 'rt_detr':
        backbone = transformers.RTDetrResNetConfig(embedding_size=8, layer_type='basic', **stages)
        return transformers.RTDetrConfig(backbone_config=backbone, **small)
    backbone = transformers.HGNetV2Config(
        stem_channels=[3, 8, 8], stage_in_channels=[8] * 4, stage_mid_channels=[8] * 4,
        stage_out_channels=[8] * 4, stage_num_blocks=[1] * 4, stage_numb_of_layers=[1] * 4,
        **stages)
    return transformers.DFineConfig(backbone_config=backbone, **small)


def save_detector(folder, kind='rt_detr'):
    """A random detector of 55 000 parameters."""
    seed, noise, _ = LUCK[kind]
    torch.manual_seed(seed)
    network = transformers.AutoModelForObjectDetection.from_config(tiny_config(kind)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=noise)
    network.save_pretrained(folder)
    (folder / 'preprocessor_config.json').write_text(json.dumps(dict(
        image_processor_type='RTDetrImageProcessor', do_normalize=False, do_pad=False,
        do_resize=True, do_rescale=True, rescale_factor=1 / 255, resample=2,
        size=dict(height=SIDE, width=SIDE))))
    return folder


@pytest.fixture(scope='module')
def rt_detr(tmp_path_factory):
    return save_detector(tmp_path_factory.mktemp('rt_detr'))


@pytest.fixture
def no_network(monkeypatch):
    """Refuse and list every connection; torchvision cannot be imported either."""
    tried = []

    def refuse(self, address):
        tried.append(address)
        raise OSError('no network in tests')

    monkeypatch.setattr(socket.socket, 'connect', refuse)
    monkeypatch.setitem(sys.modules, 'torchvision', None)
    return tried


def photographs():
    draw = np.random.default_rng(0)
    return [Image.fromarray(draw.integers(0, 256, (height, width, 3), dtype=np.uint8))
            for width, height in SIZES]


def by_hand(network, image, threshold, min_height):
    """Compute the detector's answer from the network's raw output, in slow loops."""
    square = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR), np.float32) / 255
    with torch.inference_mode():
        raw = network(pixel_values=torch.from_numpy(square).permute(2, 0, 1)[None])
    logits, boxes = raw.logits[0].tolist(), raw.pred_boxes[0].tolist()
    every = sorted(((1 / (1 + math.exp(-logit)), label, box)
                    for row, box in zip(logits, boxes, strict=True)
                    for label, logit in enumerate(row)), key=lambda found: -found[0])
    people = []
    for score, label, (x, y, w, h) in every[:len(boxes)]:
        left, right = (x - w / 2) * image.width, (x + w / 2) * image.width
        top, bottom = (y - h / 2) * image.height, (y + h / 2) * image.height
        box = (max(math.floor(left), 0), max(math.floor(top), 0),
               min(math.ceil(right), image.width), min(math.ceil(bottom), image.height))
        if LABELS[label] == 'person' and score > threshold and box[3] - box[1] >= min_height:
            people.append((box, score))
    return people


@pytest.mark.parametrize('kind', LUCK)
def test_it_says_what_the_model_says(kind, tmp_path, no_network):
    folder, threshold = str(save_detector(tmp_path, kind)), LUCK[kind][2]
    found = PersonDetector(folder, threshold=threshold, min_height=12, device='cpu')(photographs())
    network = transformers.AutoModelForObjectDetection.from_pretrained(folder).eval()
    wanted = [by_hand(network, image, threshold, min_height=12) for image in photographs()]
    assert [len(people) for people in found] == [len(people) for people in wanted]
    for people, truth in zip(found, wanted, strict=True):
        for person, (box, score) in zip(people, truth, strict=True):
            assert person.score == pytest.approx(score, abs=1e-5)
            # A border that falls on a whole pixel may be rounded either way.
            assert np.abs(np.subtract(person.box, box)).max() <= 1
    assert sum(map(len, wanted)) >= 8, 'the random model sees too little for a test'
    assert not no_network


def test_size_of_the_batch_changes_nothing(rt_detr):
    images = photographs()
    one, many = (PersonDetector(str(rt_detr), .5, 0, 'cpu', batch_size=n)(images) for n in (1, 3))
    assert [[person.box for person in found] for found in one] == [
        [person.box for person in found] for found in many]
    assert any(one) and len(one) == len(images)


def test_threshold_and_height_leave_out(rt_detr):
    everybody = PersonDetector(str(rt_detr), threshold=0, min_height=0)(photographs())
    scores = sorted(person.score for found in everybody for person in found)
    heights = sorted(person.box[3] - person.box[1] for found in everybody for person in found)
    threshold, height = scores[len(scores) // 3], heights[len(heights) // 3] + 1
    some = PersonDetector(str(rt_detr), threshold=threshold, min_height=height)(photographs())
    assert [[person.box for person in found] for found in some] == [
        [person.box for person in found
         if person.score > threshold and person.box[3] - person.box[1] >= height]
        for found in everybody]
    assert 0 < sum(map(len, some)) < sum(map(len, everybody))


def test_no_image_no_answer(rt_detr):
    assert PersonDetector(str(rt_detr))([]) == []


def test_boxes_cover_exactly_the_pixels_they_touch():
    draw, size = np.random.default_rng(0), (12, 9)
    boxes = [sorted_box(draw.uniform(-6, 16, 4)) for _ in range(300)]
    for (left, top, right, bottom), whole in zip(boxes, whole_pixels(boxes, size), strict=True):
        columns = [x for x in range(size[0]) if x < right and x + 1 > left]
        rows = [y for y in range(size[1]) if y < bottom and y + 1 > top]
        touched = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1) if columns and rows else None
        assert whole == touched


def sorted_box(numbers):
    x, y = sorted(numbers[:2]), sorted(numbers[2:])
    return x[0], y[0], x[1], y[1]


# ------------------------------------------------------------------ what cannot be loaded
def copy_of(folder, tmp_path, **changed):
    """A detector's folder whose ``config.json`` says something else."""
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / 'config.json').read_text())
    (tmp_path / 'config.json').write_text(json.dumps({**config, **changed}))
    return tmp_path


def test_other_languages_of_person(rt_detr, tmp_path):
    names = {'0': 'Person', '1': 'car', '2': 'cat'}
    other = copy_of(rt_detr, tmp_path, id2label=names, label2id={v: k for k, v in names.items()})
    assert PersonDetector(str(other))._labels == {0}


def test_a_model_that_knows_no_people(rt_detr, tmp_path):
    names = {'0': 'cat', '1': 'dog', '2': 'bird'}
    zoo = copy_of(rt_detr, tmp_path, id2label=names, label2id={v: k for k, v in names.items()})
    with pytest.raises(ValueError, match=r"none of its 3 labels is 'person' \(bird, cat, dog"):
        PersonDetector(str(zoo))


@pytest.mark.parametrize('name', ['{}/nowhere', 'weights/nowhere', './nowhere', 'nowhere',
                                  'hf:{}/nowhere', 'hf:./nowhere'])
def test_a_path_that_is_not_there(name, tmp_path, no_network, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match='nowhere: no such folder') as caught:
        PersonDetector(name.format(tmp_path))
    assert isinstance(caught.value, UserError)
    assert not no_network


def test_a_hub_that_cannot_be_reached(monkeypatch):
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', True)  # no minute of retries
    with pytest.raises(OSError, match='somebody/some-detector: not loaded as a detector.*reached'):
        PersonDetector('hf:somebody/some-detector')


def test_pickled_weights_are_refused(rt_detr, tmp_path):
    pickled = copy_of(rt_detr, tmp_path)
    weights = transformers.AutoModelForObjectDetection.from_pretrained(rt_detr).state_dict()
    torch.save(weights, pickled / 'pytorch_model.bin')
    (pickled / 'model.safetensors').unlink()
    with pytest.raises(OSError, match='not loaded as a detector.*model.safetensors') as caught:
        PersonDetector(str(pickled))
    assert isinstance(caught.value, UserError)


@pytest.mark.parametrize('name', ['config.json', 'preprocessor_config.json', 'model.safetensors'])
@pytest.mark.parametrize('content', [b'', b'\xff\0' * 99])
def test_a_damaged_folder_is_named(rt_detr, tmp_path, name, content):
    damaged = copy_of(rt_detr, tmp_path)
    (damaged / name).write_bytes(content)
    with pytest.raises(UserError, match=str(tmp_path)):
        PersonDetector(str(damaged))


@pytest.mark.parametrize('layers, words', [(1, 'of further layers, such as model'),
                                           (3, 'missing, such as model')])
def test_weights_of_other_layers_than_the_config_says_are_refused(layers, words, tmp_path):
    file = save_detector(tmp_path) / 'config.json'
    file.write_text(json.dumps({**json.loads(file.read_text()), 'decoder_layers': layers}))
    with pytest.raises(UserError, match=f'do not belong together: \\d+ {words}'):
        PersonDetector(str(tmp_path))


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    from safetensors.torch import load_file, save_file
    file = save_detector(tmp_path) / 'model.safetensors'
    weights = load_file(file)
    weights['model.enc_output.0.bias'][3] = torch.nan
    save_file(weights, file, dict(format='pt'))
    with pytest.raises(UserError, match='holds NaN or infinity: model.enc_output.0.bias'):
        PersonDetector(str(tmp_path))


def test_a_device_that_cannot_be_used_is_named(rt_detr):
    with pytest.raises(UserError, match="device 'cuda:99' cannot be used"):
        PersonDetector(str(rt_detr), device='cuda:99')


def test_a_folder_without_a_processor(rt_detr, tmp_path):
    bare = copy_of(rt_detr, tmp_path)
    (bare / 'preprocessor_config.json').unlink()
    with pytest.raises(OSError, match='preprocessor_config.json'):
        PersonDetector(str(bare))


def test_a_language_model(tmp_path):
    transformers.BertConfig().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match='no object detector of transformers'):
        PersonDetector(str(tmp_path))


def test_code_that_comes_with_a_model_does_not_run(rt_detr, tmp_path):
    evil = copy_of(rt_detr, tmp_path, model_type='evil', architectures=['Evil'], auto_map={
        'AutoConfig': 'evil.Evil', 'AutoModelForObjectDetection': 'evil.Evil'})
    (evil / 'evil.py').write_text(f'open({str(tmp_path / "ran")!r}, "w")\n')
    with pytest.raises(ValueError, match='brings code of its own is refused'):
        PersonDetector(str(evil))
    assert not (tmp_path / 'ran').exists()


@pytest.mark.parametrize('wrong', [dict(threshold=1.), dict(threshold=-.1), dict(batch_size=0)])
def test_arguments_out_of_range(rt_detr, wrong):
    with pytest.raises(ValueError, match='threshold .* batch_size'):
        PersonDetector(str(rt_detr), **wrong)


def test_it_is_a_detector(rt_detr):
    assert isinstance(PersonDetector(str(rt_detr)), Detector)
    assert not isinstance(print, Detector), 'without a batch_size'


def test_detections_are_plain_values():
    assert Detection((1, 2, 3, 4), .5) == Detection((1, 2, 3, 4), .5)
