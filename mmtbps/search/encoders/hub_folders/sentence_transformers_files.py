"""Files by which sentence-transformers reads a folder of transformers as a model of its own."""

import json
from pathlib import Path

__all__ = ['write_sentence_transformers_files']

_METHODS = {side: dict(method=f'get_{side}_features', method_output_name='pooler_output')
            for side in ('text', 'image')}


def write_sentence_transformers_files(folder: Path, padding: str, max_length: int,
                                      resized_positions: bool) -> None:
    """Write the modules of sentence-transformers 5.4 and later: the model, and the length 1.

    Args:
        folder: of transformers.
        padding: of texts.
        max_length: tokens that are read.
        resized_positions: whether ``encode`` is to take ``interpolate_pos_encoding=True``.
    """
    words = dict(padding=padding, truncation=True, max_length=max_length)
    options = dict(kwargs=['interpolate_pos_encoding']) if resized_positions else {}
    files = {
        'modules.json': [
            dict(idx=0, name='0', path='', type='sentence_transformers.models.Transformer',
                 **options),
            dict(idx=1, name='1', path='1_Normalize',
                 type='sentence_transformers.models.Normalize')],
        'sentence_bert_config.json': dict(
            transformer_task='feature-extraction', modality_config=_METHODS,
            module_output_name='sentence_embedding', processing_kwargs=dict(text=words),
            # Of Pillow, as it was trained; torchvision gives other pixels where it is installed.
            processor_kwargs=dict(backend='pil')),
        'config_sentence_transformers.json': dict(
            model_type='SentenceTransformer', prompts={}, default_prompt_name=None,
            similarity_fn_name='cosine'),
        '1_Normalize/config.json': {}}
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(content, indent=2) + '\n', encoding='utf-8')
