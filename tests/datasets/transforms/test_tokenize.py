"""Tokens against a vocabulary that the test looks up itself."""

import json
import pickle

import pytest
import torch
from torch.utils.data import DataLoader

from mmtbps.datasets.transforms.tokenize import TokenizeCaption, load_tokenizer
from mmtbps.registry import TRANSFORMS

SPECIAL = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']
WORDS = ['a', 'man', 'in', 'the', 'red', 'blue', 'coat', 'hat', ',', '.', '-']
IDS = {word: i for i, word in enumerate(SPECIAL + WORDS)}
CONFIG = dict(tokenizer_class='BertTokenizer', do_lower_case=True, model_max_length=512)


def expected_ids(words, max_length=64):
    """Whole-word look-up, cut so that the end token still fits."""
    ids = [IDS.get(word, IDS['[UNK]']) for word in words]
    return [IDS['[CLS]'], *ids[:max_length - 2], IDS['[SEP]']]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'vocab.txt').write_text('\n'.join(SPECIAL + WORDS) + '\n')
    (tmp_path / 'tokenizer_config.json').write_text(json.dumps(CONFIG))
    return tmp_path


def test_captions_become_unpadded_sequences(folder):
    item = dict(captions=['A man, in the RED coat.', 'the hat', ''])
    ids = TokenizeCaption(str(folder))(item)['input_ids']
    assert [i.tolist() for i in ids] == [
        expected_ids(['a', 'man', ',', 'in', 'the', 'red', 'coat', '.']),
        expected_ids(['the', 'hat']), expected_ids([])]
    assert all(i.dtype == torch.int64 and i.ndim == 1 for i in ids)


def test_a_training_item_has_one_sequence(folder):
    ids = TokenizeCaption(str(folder))(dict(caption='blue zebra'))['input_ids']
    assert [i.tolist() for i in ids] == [expected_ids(['blue', 'zebra'])]
    assert IDS['[UNK]'] in ids[0]


@pytest.mark.parametrize('max_length', [3, 7, 63, 64])
def test_a_cut_caption_keeps_its_end_token(folder, max_length):
    words = ['the', 'red', 'coat', ','] * 20
    ids, = TokenizeCaption(str(folder), max_length)(dict(caption=' '.join(words)))['input_ids']
    assert ids.tolist() == expected_ids(words, max_length)
    assert len(ids) == max_length and ids[-1] == IDS['[SEP]']


def test_a_caption_that_just_fits_is_not_cut(folder):
    ids, = TokenizeCaption(str(folder), 5)(dict(caption='the red coat'))['input_ids']
    assert ids.tolist() == expected_ids(['the', 'red', 'coat'])


def test_transform_is_small_when_pickled_and_loads_once(folder):
    transform = TokenizeCaption(str(folder))
    transform(dict(caption='a man'))
    pickled = pickle.dumps(transform)
    assert len(pickled) < 1000
    copy = pickle.loads(pickled)
    assert copy(dict(caption='a hat'))['input_ids'][0].tolist() == expected_ids(['a', 'hat'])
    assert load_tokenizer(str(folder)) is load_tokenizer(str(folder))


@pytest.mark.filterwarnings('error:.*fork.*')
def test_works_in_a_worker(folder):
    transform = TokenizeCaption(str(folder))
    transform(dict(caption='a man'))  # the parent has used it before the fork
    captions = [dict(caption='red coat'), dict(caption='blue hat')]
    loader = DataLoader(captions, batch_size=None, num_workers=1,
                        collate_fn=lambda item: transform(item)['input_ids'][0].tolist())
    assert list(loader) == [expected_ids(['red', 'coat']), expected_ids(['blue', 'hat'])]


@pytest.mark.parametrize('name', ['./no_such_folder', '/no/such/folder', '~/no_such_folder'])
def test_a_missing_folder_fails_at_creation(name):
    with pytest.raises(FileNotFoundError, match=name):
        TokenizeCaption(name)


@pytest.mark.parametrize('error', [OSError('offline'), ValueError('no backend')])
def test_a_name_the_hub_does_not_give(monkeypatch, error):
    import transformers

    def refuse(name, **kwargs):
        raise error

    monkeypatch.setattr(transformers.AutoTokenizer, 'from_pretrained', refuse)
    transform = TokenizeCaption('no-such/model')
    with pytest.raises(FileNotFoundError, match='no-such/model.*hf download no-such/model'):
        transform(dict(caption='a man'))


def test_a_hub_name_reaches_transformers_as_it_is(monkeypatch, folder):
    import transformers

    real, asked = transformers.AutoTokenizer.from_pretrained, []

    def from_hub(name, **kwargs):
        asked.append(name)
        return real(str(folder), **kwargs)

    monkeypatch.setattr(transformers.AutoTokenizer, 'from_pretrained', from_hub)
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', True)  # it is asked first
    try:
        TokenizeCaption('some-user/some-bert')(dict(caption='a man'))
    finally:
        load_tokenizer.cache_clear()
    assert asked == ['some-user/some-bert']


def test_a_tokenizer_without_words_is_refused(folder):
    """transformers 5 makes one of the special tokens alone when vocab.txt is missing."""
    (folder / 'vocab.txt').unlink()
    with pytest.raises(ValueError, match=r'(?s)(vocab\.txt.*tokenizer_config\.json)'):
        TokenizeCaption(str(folder))(dict(caption='a man'))


def test_a_vocabulary_it_cannot_reach_is_refused(folder):
    """Lower-cased words never match capitalised entries: all [UNK]."""
    (folder / 'vocab.txt').write_text('\n'.join(SPECIAL + ['MAN', 'COAT', 'HAT']) + '\n')
    with pytest.raises(ValueError, match=r"maps every word to '\[UNK\]'.* 8 entries"):
        TokenizeCaption(str(folder))(dict(caption='a man'))


def test_a_folder_with_no_tokenizer_names_what_it_holds(tmp_path):
    (tmp_path / 'weights.bin').write_text('')
    with pytest.raises(ValueError, match='weights.bin.*It takes vocab.txt'):
        TokenizeCaption(str(tmp_path))(dict(caption='a man'))


@pytest.mark.parametrize(('item', 'error', 'message'), [
    (dict(img_path='a.jpg', words='a man'), KeyError, 'a.jpg.*caption'),
    (dict(img_path='a.jpg', captions=['a man', None]), TypeError, 'a.jpg.*None'),
    (dict(img_path='a.jpg', caption=['a man']), TypeError, 'a.jpg.*must be a str'),
])
def test_items_without_text_are_named(folder, item, error, message):
    with pytest.raises(error, match=message):
        TokenizeCaption(str(folder))(item)


@pytest.mark.parametrize('max_length', [2, 0, -1])
def test_a_length_without_room_for_a_word_is_refused(max_length):
    with pytest.raises(ValueError, match='max_length'):
        TokenizeCaption('bert-base-uncased', max_length)


def test_built_from_the_registry():
    transform = TRANSFORMS.build(dict(type='mmtbps.TokenizeCaption', tokenizer='bert-base-uncased'))
    assert repr(transform) == "TokenizeCaption(tokenizer='bert-base-uncased', max_length=64)"


# The short way to the tokens ---------------------------------------------------------------------

def bpe_folder(folder, **config):
    """A byte-level BPE like CLIP's, trained on a few words."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
    tokenizer = Tokenizer(models.BPE(unk_token='<unk>'))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.train_from_iterator(
        ['a man in the red coat', 'the blue hat'] * 3,
        trainers.BpeTrainer(special_tokens=['<unk>', '<s>', '</s>'], vocab_size=60))
    tokenizer.post_processor = processors.TemplateProcessing(
        single='<s> $A </s>', special_tokens=[('<s>', 1), ('</s>', 2)])
    tokenizer.save(str(folder / 'tokenizer.json'))
    (folder / 'tokenizer_config.json').write_text(json.dumps(dict(
        tokenizer_class='PreTrainedTokenizerFast', unk_token='<unk>', bos_token='<s>',
        eos_token='</s>', pad_token='</s>', **config)))
    return folder


CAPTIONS = ['A man, in the RED coat.', '', 'x', 'the hat ' * 40, 'caf\u00e9 \u4eba',
            'zebra\tcoat\n', '[SEP] a </s> hat', '\U0001f9e5 coat-hat']


@pytest.mark.parametrize('config', [{}, dict(truncation_side='left'),
                                    dict(split_special_tokens=True)])
@pytest.mark.parametrize('kind', ['wordpiece', 'bpe'])
def test_tokens_are_those_of_a_call_of_the_tokenizer(folder, tmp_path_factory, kind, config):
    if kind == 'wordpiece':
        (folder / 'tokenizer_config.json').write_text(json.dumps(CONFIG | config))
    else:
        folder = bpe_folder(tmp_path_factory.mktemp('bpe'), **config)
    called = load_tokenizer(str(folder))
    for max_length in (64, 5):
        # In turns, and the tokenizer pads in between: neither sets anything for the other.
        expected = called(CAPTIONS, truncation=True, max_length=max_length)['input_ids']
        called(CAPTIONS, truncation=True, max_length=9, padding='max_length')
        item = TokenizeCaption(str(folder), max_length)(dict(captions=CAPTIONS))
        assert [ids.tolist() for ids in item['input_ids']] == expected
    assert {len(ids) for ids in expected} > {5}
