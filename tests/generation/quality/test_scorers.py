"""Scorers of tiny random models of the real classes, against the library's own calls."""

import numpy as np
import pytest
import torch
import transformers
from drawn_edits import BLUE, GREEN, RED, blocks
from PIL import Image
from pretrained_models import SENTENCES, save_tiny
from tiny_vlm import save_vision, save_vlm

from mmtbps.errors import BadValue, MissingFile
from mmtbps.generation.quality.scorers import CLIPScorer, FeatureScorer, VLMScorer
from mmtbps.registry import TASK_UTILS

PICTURES = [Image.fromarray(blocks(*colors)) for colors in ((RED, BLUE), (GREEN, BLUE))]


@pytest.fixture(scope='module')
def vlm(tmp_path_factory):
    return save_vlm(tmp_path_factory.mktemp('vlm'))


@pytest.mark.parametrize('kind', ['clip', 'siglip', 'align'])
def test_clip_like_models_score_texts_as_their_library_does(tmp_path, kind):
    save_tiny(tmp_path, kind)
    scores = CLIPScorer(str(tmp_path))(PICTURES, SENTENCES)
    model = transformers.AutoModel.from_pretrained(tmp_path)
    words = transformers.AutoTokenizer.from_pretrained(tmp_path)
    pixels = transformers.AutoImageProcessor.from_pretrained(tmp_path)
    texts = words(SENTENCES, padding='max_length' if kind == 'siglip' else True, truncation=True,
                  max_length=20 if kind == 'siglip' else 16, return_tensors='pt')
    with torch.no_grad():
        output = model(**{key: texts[key] for key in texts if key != 'token_type_ids'},
                       **pixels(images=PICTURES, return_tensors='pt'))
    image, text = (torch.nn.functional.normalize(found.double(), dim=-1)
                   for found in (output.image_embeds, output.text_embeds))
    assert scores == pytest.approx((image @ text.T).numpy(), abs=1e-5)
    assert np.ptp(scores) > 1e-3


def test_clip_scores_pictures_too(tmp_path):
    scorer = CLIPScorer(str(save_tiny(tmp_path, 'clip')))
    scores = scorer(PICTURES, PICTURES)
    assert scores == pytest.approx(scores.T) and np.diag(scores) == pytest.approx(1)
    assert scores[0, 1] < .9999
    with pytest.raises(ValueError, match='all texts or all pictures'):
        scorer(PICTURES, [PICTURES[0], 'a man'])


@pytest.mark.parametrize('kind', ['vit', 'resnet'])
def test_features_of_vision_models(tmp_path, kind):
    scores = FeatureScorer(str(save_vision(tmp_path, kind)))(PICTURES, PICTURES[:1])
    assert scores.shape == (2, 1) and scores[0, 0] == pytest.approx(1) and scores[1, 0] < .9999


def test_an_answer_is_the_probability_of_the_next_word(vlm):
    scorer, question = VLMScorer(str(vlm)), 'Is the coat green ?'
    scores = scorer([PICTURES[0], PICTURES], [question, 'Did anything change ?'])
    assert scores.shape == (2, 2) and ((scores > 0) & (scores < 1)).all() and np.ptp(scores) > 1e-3
    model = transformers.LlavaForConditionalGeneration.from_pretrained(vlm)
    processor = transformers.AutoProcessor.from_pretrained(vlm)
    text = f'USER : <image> {question} Answer yes or no. ASSISTANT :'
    with torch.no_grad():
        logits = model(**processor(images=PICTURES[:1], text=text, return_tensors='pt')
                       ).logits[0, -1].double().exp()
    words = processor.tokenizer.get_vocab()
    yes, no = (sum(logits[words[word]] for word in pair) for pair in (('yes', 'Yes'),
                                                                      ('no', 'No')))
    assert scores[0, 0] == pytest.approx((yes / (yes + no)).item(), abs=1e-5)


def test_a_reason_is_said(vlm):
    scorer = VLMScorer(str(vlm), max_new_tokens=5)
    assert 1 <= len(scorer.reason(PICTURES, 'Did anything change ?').split()) <= 5


def test_models_that_cannot_serve_are_refused(tmp_path, vlm):
    with pytest.raises(BadValue, match="model of type 'vit' has no features of texts"):
        CLIPScorer(str(save_vision(tmp_path / 'vit')))(PICTURES, SENTENCES)
    with pytest.raises(BadValue, match='AutoModelForImageTextToText'):
        VLMScorer(str(save_tiny(tmp_path / 'clip', 'clip')))(PICTURES, ['Is it ?'])
    with pytest.raises(BadValue, match='no chat template'):
        VLMScorer(str(save_vlm(tmp_path / 'mute', template=None)))(PICTURES, ['Is it ?'])
    with pytest.raises(BadValue, match='does not tell yes from no'):
        VLMScorer(str(save_vlm(tmp_path / 'dumb', talk=())))(PICTURES, ['Is it ?'])
    with pytest.raises(MissingFile, match='no such folder'):
        FeatureScorer('./weights/none')


def test_scorers_build_from_configs_and_tell_their_weights(tmp_path):
    folder = save_vision(tmp_path / 'a')
    scorer = TASK_UTILS.build(dict(type='FeatureScorer', pretrained=str(folder), device='cpu'))
    other = FeatureScorer(str(save_vision(tmp_path / 'b', 'resnet')))
    assert scorer.digest_fields['type'] == 'FeatureScorer'
    assert scorer.digest_fields['weights'] != other.digest_fields['weights']
