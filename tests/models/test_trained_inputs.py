"""Vocabulary and normalisation that weights were trained with, noted and compared."""

import json
import random

import pytest
import torch
from safetensors.torch import load_file, save_file

from mmtbps.datasets.transforms import TokenizeCaption
from mmtbps.errors import BadValue
from mmtbps.models import TextImagePreprocessor
from mmtbps.models.loading import load_strictly
from mmtbps.models.trained_inputs import (
    describe_inputs,
    in_safetensors,
    inputs_of_safetensors,
    stop_if_other_inputs,
    stop_if_other_words,
)

SPECIAL = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']
WORDS = ['man', 'woman', 'red', 'blue', 'coat', 'hat', '##s', 'a', 'in']


def write_tokenizer(folder, words, **settings):
    folder.mkdir()
    (folder / 'vocab.txt').write_text('\n'.join([*SPECIAL, *words]) + '\n')
    (folder / 'tokenizer_config.json').write_text(json.dumps(
        dict(tokenizer_class='BertTokenizerFast', do_lower_case=True, **settings)))
    return str(folder)


@pytest.fixture
def vocabularies(tmp_path):
    shuffled = random.Random(1).sample(WORDS, len(WORDS))
    return (write_tokenizer(tmp_path / 'first', WORDS),
            write_tokenizer(tmp_path / 'other', shuffled))


def vocabulary(folder):
    return TokenizeCaption(str(folder), max_length=16).describe_vocabulary()


def test_files_written_anew_are_the_same_vocabulary(vocabularies, tmp_path):
    """Read once from each form that the same words can have: each counts them alike."""
    first, other = map(vocabulary, vocabularies)
    TokenizeCaption(vocabularies[0], max_length=16).save_tokenizer(tmp_path / 'saved')
    again = write_tokenizer(tmp_path / 'again', WORDS, model_max_length=64)
    assert {vocabulary(tmp_path / 'saved')['sha256'], vocabulary(again)['sha256']} == {
        first['sha256']}
    assert first['entries'] == len(SPECIAL) + len(WORDS) == other['entries']
    assert first['sha256'] != other['sha256'] and other['tokenizer'] == vocabularies[1]


def test_a_tokenizer_inside_another_transform_is_found(vocabularies):
    class Choice:
        transforms = [[object()], [TokenizeCaption(vocabularies[0], max_length=16)]]

    assert describe_inputs([object(), Choice()])['vocabulary'] == vocabulary(vocabularies[0])
    assert describe_inputs([object()]) == {}


def test_a_checkpoint_is_read_with_its_own_inputs_alone(vocabularies, tmp_path):
    steps = [[TokenizeCaption(name, max_length=16)] for name in vocabularies]
    usual, other_colors = TextImagePreprocessor(), TextImagePreprocessor(mean=(127.5, ) * 3)
    noted, words, colors = (describe_inputs(*pair) for pair in (
        (steps[0], usual), (steps[1], usual), (steps[0], other_colors)))
    layer = torch.nn.Linear(2, 1)
    file = tmp_path / 'last.pth'
    torch.save(dict(state_dict=layer.state_dict(), meta=dict(inputs=noted)), file)
    assert load_strictly(layer, file, inputs=noted).loaded == 2
    with pytest.raises(BadValue) as refused:
        load_strictly(layer, file, inputs=words)
    for said in (f'{file} was trained with the vocabulary of {vocabularies[0]} (14 entries',
                 f'that of {vocabularies[1]} (14 entries', 'Set tokenizer of TokenizeCaption'):
        assert said in str(refused.value)
    assert refused.value.remedy.arguments == dict(checkpoint=file)
    with pytest.raises(BadValue, match=r'mean=\[123\.675, .* not \[127\.5, .*data_preprocessor'):
        load_strictly(layer, file, inputs=colors)
    stop_if_other_words(noted, colors, file)  # a training may go on with other colours


@pytest.mark.parametrize('note', [None, 'text', {}, dict(vocabulary=None), dict(vocabulary=3)])
def test_checkpoints_without_a_note_load_as_before(note, vocabularies, tmp_path):
    used = describe_inputs([TokenizeCaption(vocabularies[0], max_length=16)],
                           TextImagePreprocessor())
    layer = torch.nn.Linear(2, 1)
    torch.save(dict(state_dict=layer.state_dict(), meta=dict(inputs=note)), tmp_path / 'a.pth')
    assert load_strictly(layer, tmp_path / 'a.pth', inputs=used).loaded == 2
    save_file(layer.state_dict(), tmp_path / 'a.safetensors',
              None if note is None else dict(inputs=str(note)))
    assert load_strictly(layer, tmp_path / 'a.safetensors', inputs=used).loaded == 2


def test_a_note_in_a_safetensors_file(vocabularies, tmp_path):
    noted, other = (describe_inputs([TokenizeCaption(name, max_length=16)])
                    for name in vocabularies)
    file = tmp_path / 'weights.safetensors'
    save_file(torch.nn.Linear(2, 1).state_dict(), file, in_safetensors(noted))
    assert load_file(file).keys() == {'weight', 'bias'}
    read = inputs_of_safetensors(file)
    assert read['vocabulary'].pop('tokenizer') == f'{tmp_path.name}/first'  # no folder of anyone
    assert read['vocabulary'].items() <= noted['vocabulary'].items()
    stop_if_other_inputs(read, noted, file)
    with pytest.raises(BadValue, match='was trained with the vocabulary of'):
        load_strictly(torch.nn.Linear(2, 1), file, inputs=other)
