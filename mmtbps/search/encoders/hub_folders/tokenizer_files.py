"""A tokenizer of ours as files of transformers, with the cleaning of captions in it."""

import json
from pathlib import Path
from typing import Any

from mmtbps.datasets.transforms import TokenizeCaption
from mmtbps.datasets.transforms.tokenize import load_tokenizer

from .cleaning_normalizers import cleaning_normalizers

__all__ = ['add_call_defaults', 'end_token_id', 'write_tokenizer']

_CONFIG = 'tokenizer_config.json'


def end_token_id(tokenize: TokenizeCaption) -> int:
    """Return the id of the token that ends every caption."""
    return tokenize.encode(['a'])[0].ids[-1]


def write_tokenizer(folder: Path, tokenize: TokenizeCaption, pad_token_id: int | None,
                    names: list[str]) -> None:
    """Write ``tokenizer.json`` and ``tokenizer_config.json``.

    Args:
        folder: an existing one.
        tokenize: transform of the test pipeline.
        pad_token_id: of the padding, where it is read; None for the end token, where it is not.
        names: of the inputs that the model takes.
    """
    tokenizer, state = load_tokenizer(tokenize.tokenizer), json.loads(tokenize.tokenizer_state())
    cleaning = cleaning_normalizers(tokenize.clean)
    own = [state['normalizer']] if state.get('normalizer') else []
    if cleaning:
        state['normalizer'] = dict(type='Sequence', normalizers=[*cleaning, *own])
    # The order of the library's own files, which other readers rely on.
    state = dict(version=state.pop('version', '1.0'), truncation=None, padding=None, **state)
    end = tokenizer.convert_ids_to_tokens(end_token_id(tokenize))
    pad = end if pad_token_id is None else tokenizer.convert_ids_to_tokens(pad_token_id)
    listed = {token['content'] for token in state['added_tokens']}
    (folder / 'tokenizer.json').write_text(json.dumps(state, ensure_ascii=False), encoding='utf-8')
    _write(folder / _CONFIG, dict(
        tokenizer_class='PreTrainedTokenizerFast', model_max_length=tokenize.max_length,
        eos_token=end, pad_token=pad, padding_side='right', truncation_side='right',
        model_input_names=names, clean_up_tokenization_spaces=False,
        # A name of a special token that a caption spells out is read as ours reads it.
        split_special_tokens=bool({end, pad} - listed) or tokenizer.split_special_tokens))


def add_call_defaults(folder: Path, padding: str, max_length: int, processor: str) -> None:
    """Note in a tokenizer's files what a processor is to do where its caller does not say it.

    Args:
        folder: of the files.
        padding: of texts.
        max_length: tokens that are read.
        processor: class of the processor.
    """
    file = folder / _CONFIG
    settings: dict[str, Any] = json.loads(file.read_text(encoding='utf-8'))
    _write(file, settings | dict(padding=padding, truncation=True, max_length=max_length,
                                 model_max_length=max_length, processor_class=processor))


def _write(file: Path, settings: dict[str, Any]) -> None:
    file.write_text(json.dumps(settings, indent=2, ensure_ascii=False) + '\n', encoding='utf-8')
