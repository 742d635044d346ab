"""Words that a vocabulary does not know, by its own token for them and by script."""

import pytest
from pretrained_models import KINDS, _tokenizer
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers.convert_slow_tokenizer import bytes_to_unicode

from mmtbps.datasets.transforms.tokenize import CLIP_TOKENIZER, TokenizeCaption
from mmtbps.lexicon.tokenizer_vocabulary import TokenizerVocabulary

CHINESE, RUSSIAN, ARABIC, GREEK = '穿红衣服的男人', 'мужчина', 'رجل', 'άνδρας'


@pytest.fixture(scope='module')
def clip():
    return TokenizeCaption(CLIP_TOKENIZER, max_length=77, clean='clip').vocabulary


def word_pieces(*words):
    tokens = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', *words]
    tokenizer = Tokenizer(models.WordPiece({token: i for i, token in enumerate(tokens)},
                                           unk_token='[UNK]'))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(tokens[:5])
    return tokenizer


def pieces_of_bytes(*words):
    signs = bytes_to_unicode()
    tokens = dict.fromkeys([*signs.values(), *(
        ''.join(signs[byte] for byte in word.encode()) for word in words)])
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return tokenizer


@pytest.mark.parametrize(('text', 'unknown', 'left'), [
    ('a man in a red coat', [], True), ('A MAN', [], True), ('a man, 2 bags', ['2', 'bags'], True),
    ('a 男人 in red', ['男人'], True), (f'{RUSSIAN}, {RUSSIAN} {ARABIC}', [RUSSIAN, ARABIC], False),
    (CHINESE, [CHINESE], False), ('\U0001f392', ['\U0001f392'], False),
    ('red \U0001f392', ['\U0001f392'], True),
    ('\u0301', [], False), (', .', [], False)])
def test_a_vocabulary_of_words_is_asked(text, unknown, left):
    words = 'a man in red coat . ,'.split()
    assert TokenizerVocabulary(word_pieces(*words)).read(text) == (unknown, left)


@pytest.mark.parametrize(('text', 'unknown', 'left'), [
    ('a man in a red coat', [], True), ('a café, ärmel, naïve', [], True), ('?!', [], False),
    ('a red男人 coat', ['男人'], True), (f'{RUSSIAN} и {ARABIC}', [RUSSIAN, 'и', ARABIC], False),
    (CHINESE, [CHINESE], False), (GREEK, [GREEK], False), ('शर्ट', ['शर्ट'], False),
    ('a man with \U0001f392', [], True), ('¹ ½ 5', [], True), ('१२३', ['१२३'], False),
    ('a man, ٣٤ and ۳ and 〇', ['٣٤', '۳', '〇'], True), ('a r\ufffdd coat', ['\ufffd'], True),
    ('a man \ue000\u0378', ['\ue000\u0378'], True)])
def test_bytes_are_judged_by_script(clip, text, unknown, left):
    assert clip.read(text) == (unknown, left)
    assert clip.scripts == {'LATIN'}


def test_scripts_are_those_that_a_vocabulary_has_words_of():
    many = TokenizerVocabulary(pieces_of_bytes('man', 'woman', 'coat', RUSSIAN, 'пальто', 'н'))
    assert many.scripts == {'LATIN', 'CYRILLIC'}
    assert many.read(f'a {RUSSIAN} {ARABIC}') == ([ARABIC], True)
    chinese = TokenizerVocabulary(word_pieces(*map(chr, range(0x4e00, 0x5a00)), 'man', 'coat'))
    assert chinese.scripts == {'LATIN', 'CJK'}
    few = TokenizerVocabulary(word_pieces(*map(chr, range(0x4e00, 0x4f00)), 'man', 'coat'))
    assert few.scripts == {'LATIN'}
    assert TokenizerVocabulary(pieces_of_bytes()).scripts is None
    assert TokenizerVocabulary(pieces_of_bytes()).read(CHINESE) == ([], True)


def test_digits_and_repeated_signs_belong_to_a_script():
    persian = TokenizerVocabulary(word_pieces(ARABIC, 'مرد', '۳', '٣'))
    assert persian.read(f'{ARABIC} ۳ ٣') == ([], True)
    chinese = TokenizerVocabulary(word_pieces(*map(chr, range(0x4e00, 0x5a00)), '々', '〇'))
    assert chinese.read('\u4eba々 〇') == ([], True)


def test_a_letter_that_was_lost_is_named_where_the_tokenizer_leaves_it_out():
    vocabulary = TokenizerVocabulary(word_pieces('a', 'man', 'mn'))
    assert vocabulary.read('a m\ufffdn') == (['\ufffd'], True)
    assert vocabulary.read('a \ue000 man') == (['\ue000'], True)


def test_names_of_special_tokens_become_text(clip):
    tokenizer = word_pieces('a', 'man', '[', ']', 'sep', 'mask')
    vocabulary = TokenizerVocabulary(tokenizer)
    text = vocabulary.split_special('[SEP] a [MASK] man')
    tokens = tokenizer.encode(text).tokens
    assert tokens == ['[', 'sep', ']', 'a', '[', 'mask', ']', 'man']
    tokenizer.encode_special_tokens = True
    assert tokenizer.encode('[SEP] a [MASK] man').tokens == tokens
    assert TokenizerVocabulary(tokenizer).split_special('[SEP] a') == '[SEP] a'
    assert clip.split_special('a <|endoftext|> b') == 'a <|endoftext|> b'


def test_a_vocabulary_without_a_tokenizer():
    ours = TokenizerVocabulary(None, pieces=['man</w>', 'coat</w>', 'ä½'],
                               special=['<end_of_text>'])
    assert ours.split_special('a <END_OF_TEXT> b') == 'a < END_OF_TEXT> b'
    assert ours.read(f'a man, {CHINESE}') == ([CHINESE], True) and ours.read(RUSSIAN)[1] is False


@pytest.mark.parametrize('kind', KINDS)
def test_tokenizers_of_transformers(kind):
    tokenizer = _tokenizer(kind)
    tokenizer(['a man'], padding='max_length', truncation=True, max_length=9)  # leaves its state
    vocabulary = TokenizerVocabulary(tokenizer.backend_tokenizer)
    assert vocabulary.read('a man in a red coat') == ([], True)
    unknown, left = vocabulary.read(f'a man {CHINESE}')
    assert unknown == [CHINESE] and left
    assert vocabulary.read(RUSSIAN) == ([RUSSIAN], False)
