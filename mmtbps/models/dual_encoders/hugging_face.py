"""Dual encoders of transformers, by one adapter over their features and their own processors.

No code of a model is run, and nothing of it unpickled but tensors.
"""

import inspect
import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import transformers
from PIL import Image
from torch import Tensor, nn

from mmtbps.errors import BadValue, MissingPackage, Remedy, first_line
from mmtbps.lexicon.tokenizer_vocabulary import TokenizerVocabulary
from mmtbps.pretrained import resolve_pretrained

from .base import DualEncoder
from .families import FAMILIES, Family, longest_text
from .pixels import check_colors, check_size, input_size, mean_color
from .transformers_parts import (
    PIXELS,
    ModelNotLoaded,
    find_hub,
    load_network,
    load_processor,
    load_tokenizer,
    loaded,
    read_config,
)

__all__ = ['HuggingFaceDualEncoder', 'ModelNotLoaded']

_PREPROCESSOR = 'preprocessor_config.json'
#: Settings of a config that no feature depends on.
_NO_FEATURE = ('_commit_hash', '_name_or_path', 'architectures', 'auto_map', 'dtype', 'torch_dtype',
               'transformers_version')


class HuggingFaceDualEncoder(DualEncoder):
    """A dual encoder of transformers: CLIP, SigLIP, SigLIP 2, MetaCLIP 2, and others.

    Images go through the model's own processor on Pillow, texts through its own tokenizer, in
    which the name of a special token is text like any other. Weights come from safetensors, or
    from a file of which nothing but tensors is read.

    Attributes:
        network: the model of transformers.
        processor: its image processor, on Pillow; `settings` are those that pixels depend on.
        tokenizer: its tokenizer.
        family: what its files do not tell.

    Args:
        source: folder, or ``owner/name`` on the Hugging Face hub.
        revision: branch, tag or commit on the hub.
        aspect: as in :class:`DualEncoder`.
        prompts: as in :class:`DualEncoder`.

    Raises:
        MissingFile: ``source`` is a path and not there.
        ModelNotLoaded: it cannot be loaded, from disk or from the hub.
        MissingPackage: the installed transformers is too old for it, or its tokenizer needs a
            package.
        BadValue: it is no dual encoder of a family that is known to work, its weights are not those
            that its config says or no numbers, or its processor makes pictures that it does not
            take.
    """

    def __init__(self, source: str, revision: str | None = None, aspect: str | None = None,
                 prompts: Sequence[str] | None = None) -> None:
        place = resolve_pretrained(source)
        if revision and os.path.isdir(place):
            raise BadValue(f'{source}@{revision}: a folder has no revisions; leave @{revision} out')
        found = find_hub(source, place)
        config, commit = loaded(source, lambda: read_config(place, revision, found))
        family = _family_of(source, config)
        # All files of one commit, whatever is pushed to the branch meanwhile.
        found |= dict(revision=commit or revision) if commit or revision else {}
        processor = loaded(source, lambda: load_processor(place, family, found))
        tokenizer = load_tokenizer(source, place, family, found)
        network = load_network(source, place, family, found)
        settings, parts = _settings_of(processor), network.config
        check_colors(settings, source, _PREPROCESSOR)
        super().__init__(
            f'hf:{os.path.abspath(place) if os.path.isdir(place) else source}', commit,
            mean=mean_color(settings),
            image_size=None if family.own_shape else input_size(
                settings, getattr(parts.vision_config, 'image_size', None)),
            max_tokens=longest_text(family, parts.text_config.max_position_embeddings,
                                    tokenizer.model_max_length),
            positions='resized to each picture' if family.own_shape else 'as trained',
            scale=_factor(network), bias=_number(network, 'logit_bias'),
            probability=family.probability, aspect=aspect, prompts=prompts)
        self.network, self.processor, self.tokenizer = network.eval(), processor, tokenizer
        self.family, self.settings, self._config = family, settings, config
        self._encode_image, self._encode_text = _encoders(network)
        self._check_pixels(parts.vision_config)

    def process_images(self, images: Sequence[Image.Image]) -> dict[str, Tensor]:
        try:
            return dict(self.processor(images=list(images), return_tensors='pt'))
        except (ValueError, TypeError) as error:
            raise BadValue(f'{self.name}: its {_PREPROCESSOR} does not serve for pictures in '
                           f'colour ({first_line(error)})') from error

    def process_texts(self, texts: Sequence[str]) -> dict[str, Tensor]:
        inputs = self.tokenizer(
            list(texts), padding=self.family.padding, truncation=True,
            max_length=self.max_tokens, return_tensors='pt')
        taken = inspect.signature(self._encode_text).parameters
        return {key: value for key, value in inputs.items() if key in taken}

    def image_features(self, **inputs: Tensor) -> Tensor:
        return _pooled(self._encode_image(**inputs))

    def text_features(self, **inputs: Tensor) -> Tensor:
        return _pooled(self._encode_text(**inputs))

    def read_part(self, text: str) -> str:
        if len(self.tokenizer(text, verbose=False)['input_ids']) <= self.max_tokens:
            return text
        # Offsets where there are some: a tokenizer that lowers the text cannot give it back.
        offsets = self.tokenizer.is_fast
        tokens = self.tokenizer(text, truncation=True, max_length=self.max_tokens,
                                return_offsets_mapping=offsets)
        if offsets:
            return text[:max(last for _, last in tokens['offset_mapping'])]
        return self.tokenizer.decode(tokens['input_ids'], skip_special_tokens=True)

    def vocabulary(self) -> TokenizerVocabulary | None:
        return TokenizerVocabulary(self.tokenizer.backend_tokenizer, lock=self._one_at_a_time
                                   ) if self.tokenizer.is_fast else None

    def _check_pixels(self, vision: Any) -> None:
        """Compare what the processor makes of a picture with what the image tower takes."""
        pixels = self.process_images([self._shape(Image.new('RGB', (40, 100)))])['pixel_values']
        if self.family.own_shape:  # patches in a row, colors last
            made, taken = pixels.shape[-1], vision.num_channels * vision.patch_size**2
            if made != taken:
                raise BadValue(f'{self.name}: its {_PREPROCESSOR} makes patches of {made} numbers, '
                               f'its image tower takes {taken}')
        elif not self.family.any_size:
            size = vision.image_size
            check_size(pixels.shape[-2:], size if isinstance(size, (list, tuple)) else (size, size),
                       self.name, _PREPROCESSOR)

    def preprocessing(self) -> dict[str, Any]:
        words = self.tokenizer.get_vocab() if not self.tokenizer.is_fast else json.loads(
            self.tokenizer.backend_tokenizer.to_str())
        for state in ('padding', 'truncation'):  # of the last call
            words.pop(state, None)
        return dict(pixels=self.settings, words=words, tokens=self.max_tokens,
                    config={key: value for key, value in sorted(self._config.items())
                            if key not in _NO_FEATURE})


def _family_of(source: str, config: Mapping[str, Any]) -> Family:
    """Find the family of a config, or say that it is none or that transformers is too old."""
    kind = config.get('model_type')
    if kind is None and 'retriever' in config:
        raise BadValue(
            f'{source}: a model of ours, not of transformers; leave hf: out, or export it for '
            'transformers first', Remedy('export_transformers', dict(model=source)))
    family = FAMILIES.get(kind) if isinstance(kind, str) else None
    if family is None:
        raise BadValue(f'{source}: model type {kind!r} is no dual encoder that is known to work '
                       f'here; these are: {", ".join(FAMILIES)}. A model that brings code of its '
                       'own is refused')
    named = config.get('architectures') or [family.model]
    if family.model not in named:
        raise BadValue(f'{source}: holds {named[0]}, which is no dual encoder; a {kind} that is '
                       f'one holds {family.model}')
    if not hasattr(transformers, family.model):
        raise MissingPackage(f'{source}: {family.model} needs transformers {family.since} or '
                             f'later, installed is {transformers.__version__}: '
                             f'pip install -U "transformers>={family.since},<6"')
    return family


def _settings_of(processor: Any) -> dict[str, Any]:
    """Return the settings of an image processor that pixels depend on, in JSON types."""
    values = processor.to_dict()
    plain = {name: values[name] for name in PIXELS if values.get(name) is not None}
    return json.loads(json.dumps(plain, default=lambda value: dict(value)
                                 if isinstance(value, Mapping) else int(value)))


def _encoders(network: nn.Module) -> tuple[Callable, Callable]:
    """Return the functions that give the features of images and of texts."""
    if hasattr(network, 'get_image_features'):
        return network.get_image_features, network.get_text_features

    # BLIP for retrieval: as its own forward pass does it, without the match of every pair.
    def encode_image(pixel_values: Tensor) -> Tensor:
        return network.vision_proj(network.vision_model(pixel_values)[0][:, 0])

    def encode_text(input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        hidden = network.text_encoder(input_ids=input_ids, attention_mask=attention_mask)[0]
        return network.text_proj(hidden[:, 0])

    return encode_image, encode_text


def _pooled(output: Any) -> Tensor:
    """Take the feature: transformers 4 returns it, transformers 5 an object that holds it."""
    return output if torch.is_tensor(output) else output.pooler_output


def _factor(network: nn.Module) -> float | None:
    """Return the factor of the cosines in the model's own score."""
    if (logarithm := _number(network, 'logit_scale')) is not None:
        return float(torch.tensor(logarithm).exp())
    temperature = _number(network, 'temperature')
    return 1 / temperature if temperature else None


def _number(network: nn.Module, name: str) -> float | None:
    value = getattr(network, name, None)
    return float(value.detach()) if torch.is_tensor(value) else None
