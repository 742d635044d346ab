"""Parts of a folder of transformers, of a model of ours or a pretrained one of transformers."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from mmtbps.errors import BadValue

from ..onnx_export import steps_to_repeat
from .tokenizer_files import add_call_defaults, end_token_id, write_tokenizer

if TYPE_CHECKING:
    from mmtbps.models.dual_encoders.hugging_face import HuggingFaceDualEncoder
    from mmtbps.models.exporters import LibraryModel

    from ..pretrained_encoder import PretrainedEncoder
    from ..torch_encoder import TorchEncoder

__all__ = ['FolderParts', 'plan_parts']


@dataclass(frozen=True)
class FolderParts:
    """Parts of a folder of transformers.

    Args:
        write_network: writes ``config.json`` and ``model.safetensors`` to a folder.
        write_tokenizer: writes the files of the tokenizer.
        image_processor: content of ``preprocessor_config.json``.
        processor: class of the processor.
        model_type: of the ``config.json``.
        padding: of texts, ``'longest'`` or ``'max_length'``.
        max_tokens: longest text that is read.
        resized_positions: whether ``get_image_features`` needs ``interpolate_pos_encoding=True``.
    """

    write_network: Callable[[Path], None]
    write_tokenizer: Callable[[Path], None]
    image_processor: dict[str, Any]
    processor: str
    model_type: str
    padding: str
    max_tokens: int
    resized_positions: bool = False

    def write(self, folder: Path) -> None:
        """Write all of them."""
        self.write_network(folder)
        self.write_tokenizer(folder)
        add_call_defaults(folder, self.padding, self.max_tokens, self.processor)
        settings = dict(self.image_processor, processor_class=self.processor)
        _write_json(folder / 'preprocessor_config.json', settings)


def plan_parts(encoder: 'TorchEncoder | PretrainedEncoder') -> FolderParts:
    """Plan a folder of transformers.

    Args:
        encoder: a model of ours, or a pretrained one of transformers, on any device.

    Raises:
        BadValue: transformers has no class for it, or no processor that does what its
            preprocessing does; the message says why.
    """
    if hasattr(encoder, 'steps'):
        return _plan_ours(encoder)
    from mmtbps.models.dual_encoders.hugging_face import HuggingFaceDualEncoder
    network = getattr(encoder, 'network', None)
    if not isinstance(network, HuggingFaceDualEncoder):
        raise BadValue(f'{encoder!r} is no model of ours or of transformers; one of open_clip can '
                       'be converted into a folder of ours first')
    return _plan_pretrained(network)


# ------------------------------------------------------------------ ours
def _plan_ours(encoder: 'TorchEncoder') -> FolderParts:
    from mmtbps.models.exporters import describe_for_transformers

    from ..saved_model import inference_weights
    resize, tokenize = steps_to_repeat(encoder.steps)
    library = describe_for_transformers(encoder.model, inference_weights(encoder.model),
                                        end_token_id(tokenize))
    preprocessor = encoder.model.data_preprocessor
    padded = library.padding == 'max_length'
    pad_token_id = preprocessor.pad_token_id if padded else None
    names = ['input_ids'] if padded else ['input_ids', 'attention_mask']
    if padded:
        library.config['text_config']['pad_token_id'] = pad_token_id
    height, width = resize.scale[::-1]
    step = 1 if preprocessor.to_rgb else -1
    mean, std = ([value / 255 for value in values.flatten().tolist()[::step]]
                 for values in (preprocessor.mean, preprocessor.std))
    pixels = dict(
        image_processor_type=library.image_processor, do_resize=True,
        size=dict(height=height, width=width), resample=_filter_number(resize.interpolation),
        do_center_crop=False, do_rescale=True, rescale_factor=1 / 255, do_normalize=True,
        image_mean=mean, image_std=std, do_convert_rgb=True)
    return FolderParts(
        lambda folder: _write_network(folder, library),
        lambda folder: write_tokenizer(folder, tokenize, pad_token_id, names),
        pixels, library.processor, library.config['model_type'], library.padding,
        tokenize.max_length, library.resized_positions)


def _write_network(folder: Path, library: 'LibraryModel') -> None:
    from safetensors.torch import save_file
    state = {name: tensor.clone().contiguous() for name, tensor in library.state_dict.items()}
    save_file(state, folder / 'model.safetensors', metadata=dict(format='pt'))
    _write_json(folder / 'config.json', library.config)


def _filter_number(name: str) -> int:
    """Return the number of a filter of Pillow, which is that of transformers.

    Example:
        >>> _filter_number('bicubic')
        3
    """
    return int(Image.Resampling[name.upper()])


# ------------------------------------------------------------------ transformers' own
#: Families whose ``AutoModel`` and ``AutoProcessor`` give the features, as the tests show.
_FAMILIES = ('CLIPModel', 'SiglipModel', 'Siglip2Model', 'MetaClip2Model', 'ChineseCLIPModel',
             'AltCLIPModel', 'AlignModel')


def _plan_pretrained(network: 'HuggingFaceDualEncoder') -> FolderParts:
    if network.family.model not in _FAMILIES:
        raise BadValue(f'{network.name} cannot be exported: only of {", ".join(_FAMILIES)} it is '
                       f'known that AutoModel gives the same features, not of '
                       f'{network.family.model}')
    if network.prompts != ('{}', ):
        raise BadValue(f'{network.name} with prompts cannot be exported: a folder of transformers '
                       'has none; leave them out')
    from mmtbps.models.dual_encoders.transformers_parts import quietly
    kind = type(network.processor).__name__.removesuffix('Pil').removesuffix('Fast')
    pixels = dict(image_processor_type=kind, **_pixel_settings(network))

    def write_weights(folder: Path) -> None:
        with quietly(str(folder)):
            network.network.save_pretrained(folder)

    def write_words(folder: Path) -> None:
        network.tokenizer.save_pretrained(folder)

    processor = kind.removesuffix('ImageProcessor') + 'Processor'
    return FolderParts(write_weights, write_words, pixels, processor,
                       network.network.config.model_type, network.family.padding,
                       network.max_tokens)


def _pixel_settings(network: 'HuggingFaceDualEncoder') -> dict[str, Any]:
    """Return settings of a processor that brings a crop to the input's shape as ``aspect`` says."""
    settings, size = dict(network.settings), network.image_size
    if network.aspect == 'processor':
        return settings
    whole = settings.get('size', {})
    if network.aspect == 'letterbox':
        raise BadValue(
            f'{network.name} with aspect letterbox cannot be exported: no processor of '
            'transformers pads a crop to the shape of the input; name the aspect stretch or '
            'processor, whose features are others')
    if whole.get('height', whole.get('shortest_edge')) != size[0] or whole.get('width', size[1]
                                                                             ) != size[1]:
        raise BadValue(f'{network.name} with aspect stretch cannot be exported: its processor '
                       'resizes a second time')
    return settings | dict(size=dict(height=size[0], width=size[1]), do_center_crop=False,
                           resample=int(Image.Resampling.BICUBIC))


def _write_json(file: Path, content: dict[str, Any]) -> None:
    file.write_text(json.dumps(content, indent=2) + '\n', encoding='utf-8')
