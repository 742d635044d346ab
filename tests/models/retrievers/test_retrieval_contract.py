"""mmpretrain's own retrieval inferencers and visualiser run on our model as they are."""

import sys
from collections import OrderedDict

import numpy as np
import pytest
import torch
from doc_blocks import ROOT, file_in
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.apis import (
    ImageToTextRetrievalInferencer,
    TextToImageRetrievalInferencer,
    get_model,
)
from mmpretrain.structures import DataSample
from PIL import Image
from tiny_models import shrink

CONFIG = ROOT / 'configs/tbps/vit_bert_pdg_drawn.py'
PAGE = ROOT / 'docs/concepts/from_another_mm_project.md'
QUERIES = ['A man in a red coat and blue trousers.', 'a woman', 'The person carries a green bag.']


@pytest.fixture(autouse=True)
def fresh_scope(monkeypatch):
    """As in a process of mmpretrain's own, whatever Runner ran before in this one."""
    monkeypatch.setattr(DefaultScope, '_instance_dict', OrderedDict())
    yield
    # MMEngine looks for types in modules of many names, and finds the folder of tests so called;
    # LanceDB would take it for the package.
    if getattr(sys.modules.get('datasets'), '__file__', '') is None:
        del sys.modules['datasets']


@pytest.fixture(scope='module')
def config(micro_set, tmp_path_factory):
    folder = tmp_path_factory.mktemp('contract')
    return shrink(Config.fromfile(CONFIG), micro_set, folder)


@pytest.fixture
def retriever(config, tiny_retriever):
    """A built model with the config that it was built from, as ``get_model`` leaves it."""
    model = tiny_retriever(text_backbone=config.model.text_backbone).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.normal_(std=0.3)
    model._config = config
    return model


@pytest.fixture(scope='module')
def photographs(micro_set, tmp_path_factory):
    """Twelve drawn people of different sizes in one folder."""
    folder = tmp_path_factory.mktemp('photographs')
    for number, path in enumerate(sorted(micro_set.rglob('*.jpg'))[:12]):
        with Image.open(path) as image:
            image.resize((30 + number, 90 - number)).save(folder / f'{number:02d}.png')
    return folder


def plain_features(model, photographs, texts):
    """Features of files and texts, one at a time, through the model's own towers only."""
    steps = model._config.test_dataloader.dataset.pipeline
    from mmtbps.registry import TRANSFORMS
    load, resize, tokenize, pack = [TRANSFORMS.build(dict(step)) for step in steps]
    images, words = [], []
    for path in sorted(photographs.iterdir()):
        item = pack(tokenize(resize(load(dict(img_path=str(path), caption='x')))))
        batch = model.data_preprocessor(dict(inputs=dict(image=[item['inputs']['image']])))
        images.append(model.encode_image(batch['images']))
    for text in texts:
        ids = tokenize(dict(caption=text))['input_ids'][0][None]
        words.append(model.encode_text(ids, torch.ones_like(ids, dtype=torch.bool)))
    return torch.cat(images), torch.cat(words)


@torch.no_grad()
def test_text_to_image_search_of_mmpretrain(retriever, photographs, tmp_path):
    inferencer = TextToImageRetrievalInferencer(retriever, prototype=str(photographs))
    images, words = plain_features(retriever, photographs, QUERIES)
    scores = words @ images.T
    results = inferencer(QUERIES, topk=5, show_dir=str(tmp_path / 'drawn'))
    for row, found in zip(scores, results, strict=True):
        assert [hit['sample_idx'] for hit in found] == row.argsort(descending=True)[:5].tolist()
        np.testing.assert_allclose([float(hit['match_score']) for hit in found],
                                   row.sort(descending=True).values[:5], atol=1e-6)
        best = found[0]
        assert best['sample']['img_path'].endswith(f'{best["sample_idx"]:02d}.png')
    assert len({tuple(hit['sample_idx'] for hit in found) for found in results}) > 1

    drawn = sorted((tmp_path / 'drawn').iterdir())
    assert [path.name for path in drawn] == ['0.png', '1.png', '2.png']
    with Image.open(drawn[0]) as picture:
        assert np.asarray(picture.convert('L')).std() > 10, 'a blank page'


@torch.no_grad()
def test_several_texts_at_a_time(retriever, photographs):
    """mmpretrain collates in a way that refuses tensors of different length."""
    inferencer = TextToImageRetrievalInferencer(
        retriever, prototype=[str(path) for path in sorted(photographs.iterdir())])
    together = inferencer(QUERIES, batch_size=3, return_datasamples=True)
    alone = inferencer(QUERIES, return_datasamples=True)
    for one, other, query in zip(together, alone, QUERIES, strict=True):
        torch.testing.assert_close(one.pred_score, other.pred_score, atol=1e-6, rtol=0)
        assert one.captions == [query]


@torch.no_grad()
def test_image_to_text_search_of_mmpretrain(retriever, photographs, tmp_path):
    inferencer = ImageToTextRetrievalInferencer(retriever, prototype=QUERIES)
    images, words = plain_features(retriever, photographs, QUERIES)
    paths = [str(path) for path in sorted(photographs.iterdir())]
    results = inferencer(paths, topk=3, batch_size=2, show_dir=str(tmp_path / 'drawn'))
    for row, found in zip(images @ words.T, results, strict=True):
        order = row.argsort(descending=True)
        assert [hit['text'] for hit in found] == [QUERIES[i] for i in order]
        np.testing.assert_allclose([float(hit['match_score']) for hit in found], row[order],
                                   atol=1e-6)
    assert len(list((tmp_path / 'drawn').iterdir())) == len(paths)


def test_mmpretrain_builds_it_from_a_config_and_a_checkpoint(retriever, config, tmp_path):
    weights = tmp_path / 'last.pth'
    torch.save(dict(state_dict=retriever.state_dict(),
                    meta=dict(dataset_meta=dict(split='test'))), weights)
    config.dump(tmp_path / 'config.py')
    model = get_model(str(tmp_path / 'config.py'), pretrained=str(weights))
    assert not model.training
    for name, value in retriever.state_dict().items():
        assert torch.equal(model.state_dict()[name], value)
    assert get_model(config, pretrained=str(weights)).mixup.layer == config.model.mixup.layer


def test_the_listing_of_the_page_runs(retriever, config, photographs, tmp_path, monkeypatch):
    config.dump(tmp_path / 'tiny.py')
    torch.save(dict(state_dict=retriever.state_dict(), meta={}), tmp_path / 'last.pth')
    listing = file_in(PAGE, 'find_in_folder.py')
    for name, ours in (('configs/tbps/conv_base_drawn.py', 'tiny.py'),
                       ('work_dirs/demo/epoch_12.pth', 'last.pth'),
                       ('data/DrawnPEDES/imgs', str(photographs))):
        assert name in listing
        listing = listing.replace(name, ours)
    monkeypatch.chdir(tmp_path)
    printed = []
    exec(compile(listing, 'find_in_folder.py', 'exec'),
         dict(print=lambda *words: printed.append(words)))
    scores = [score for score, path in printed if path.endswith('.png')]
    assert len(scores) == 5 and scores == sorted(scores, reverse=True)
    assert (tmp_path / 'found/0.png').is_file()


# ------------------------------------------------------------------ the three methods alone
@torch.no_grad()
def test_features_of_one_side_are_those_of_the_pair(tiny_retriever, tiny_batch):
    model = tiny_retriever().eval()
    batch = tiny_batch(3, num_captions=2)
    data = model.data_preprocessor(batch)
    both = model(**data, mode='tensor')
    images = model.extract_feat(images=data['images'], data_samples=data['data_samples'])
    assert list(images) == ['image_feat']
    texts = [DataSample(input_ids=ids, caption_lengths=lengths) for ids, lengths in
             zip(batch['inputs']['input_ids'], batch['inputs']['caption_lengths'], strict=True)]
    words = model.extract_feat(data_samples=texts)
    assert list(words) == ['text_feat']
    assert torch.equal(images['image_feat'], both['image_feat'])
    assert torch.equal(words['text_feat'], both['text_feat'])


def test_all_are_scored_against_all(tiny_retriever, tiny_batch):
    model = tiny_retriever()
    samples = tiny_batch(2, num_captions=2)['data_samples']
    image = torch.nn.functional.normalize(torch.tensor([[3.0, 4.0], [1.0, 0.0]]), dim=-1)
    text = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.6, 0.8]])
    feats = dict(image_feat=image, text_feat=text)
    by_image, by_text = model.predict_all(feats, samples)
    torch.testing.assert_close(by_image[0].pred_score, torch.tensor([0.6, 0.8, -0.6, 1.0]))
    torch.testing.assert_close(by_image[1].pred_score, torch.tensor([1.0, 0.0, -1.0, 0.6]))
    assert [sample.pred_label.item() for sample in by_image] == [3, 0]
    assert [sample.person_id for sample in by_image] == [0, 1]
    assert [sample.person_id for sample in by_text] == [0, 0, 1, 1]
    assert [sample.pred_label.item() for sample in by_text] == [1, 0, 0, 0]
    assert [sample.num_captions for sample in by_text] == [1] * 4
    assert not any('pred_score' in sample for sample in samples)


def test_one_direction_without_samples_and_without_padding(tiny_retriever):
    feats = dict(image_feat=torch.eye(3), text_feat=torch.eye(3)[:2])
    (by_text, ) = tiny_retriever().predict_all(feats, None, num_images=2, cal_i2t=False)
    assert [sample.pred_score.tolist() for sample in by_text] == [[1, 0], [0, 1]]
    with pytest.raises(ValueError, match='shorter|longer'):
        tiny_retriever().predict_all(feats, [DataSample()], cal_t2i=False)
