"""Word vocabulary of the drawn captions, as a Hugging Face tokenizer folder."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

SPECIAL = ('[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]')
CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,;:!?'\"-()/&"


def pretokenize(text: str) -> list[str]:
    """Split a text into lower-case words and punctuation marks, as BERT's pre-tokenizer does.

    >>> pretokenize('A dark-blue T-shirt.')
    ['a', 'dark', '-', 'blue', 't', '-', 'shirt', '.']
    """
    return re.findall(r'[a-z0-9]+|[^\sa-z0-9]', text.lower())


def build_vocabulary(captions: Iterable[str]) -> list[str]:
    """List special tokens, the words of ``captions`` by frequency, then single characters.

    The characters, alone and as ``##`` pieces, spell out every word the captions do not have.
    """
    counts = Counter(word for text in captions for word in pretokenize(text))
    known = [word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    pieces = [*CHARACTERS, *(f'##{c}' for c in CHARACTERS if c.isalnum())]
    return list(dict.fromkeys([*SPECIAL, *known, *pieces]))


def write_tokenizer(folder: Path, captions: Iterable[str], max_length: int = 512) -> None:
    """Write a folder for ``transformers.AutoTokenizer.from_pretrained``."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = '\n'.join(build_vocabulary(captions)) + '\n'
    (folder / 'vocab.txt').write_text(vocabulary, encoding='utf-8')
    config = dict(tokenizer_class='BertTokenizer', do_lower_case=True, model_max_length=max_length,
                  pad_token='[PAD]', unk_token='[UNK]', cls_token='[CLS]', sep_token='[SEP]',
                  mask_token='[MASK]')
    (folder / 'tokenizer_config.json').write_text(json.dumps(config, indent=2) + '\n',
                                                  encoding='utf-8')
