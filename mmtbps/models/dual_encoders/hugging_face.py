"""Dual encoders of transformers, by one adapter over their features and their own processors.

No code of a model is run, and nothing of it unpickled but tensors.
"""

import contextlib
import inspect
import json
import os
import pickle
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
import transformers
from huggingface_hub import constants
from PIL import Image
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers.utils.hub import cached_file, extract_commit_hash

from mmtbps.errors import BadValue, MissingPackage, UserError
from mmtbps.models.finite_weights import check_finite
from mmtbps.pretrained import resolve_pretrained

from .base import DualEncoder
from .families import FAMILIES, Family, longest_text
from .pixels import check_colors, check_size, input_size, mean_color

__all__ = ['HuggingFaceDualEncoder', 'ModelNotLoaded']

#: Settings of an image processor that pixels depend on.
_PIXELS = ('crop_size', 'do_center_crop', 'do_convert_rgb', 'do_normalize', 'do_rescale',
           'do_resize', 'image_mean', 'image_std', 'include_top', 'max_num_patches', 'patch_size',
           'rescale_factor', 'rescale_offset', 'resample', 'size')
#: Settings of a config that no feature depends on.
_NO_FEATURE = ('_commit_hash', '_name_or_path', 'architectures', 'auto_map', 'dtype', 'torch_dtype',
               'transformers_version')
#: Weights of files that no feature depends on: buffers that are computed again, and the pooler of
#: a BERT, where its first token is read without one.
_UNUSED = re.compile(r'(^|\.)(position_ids|token_type_ids|inv_freq|pooler\.dense\.(weight|bias))$')
#: Texts of which a tokenizer that knows words reads two differently.
_PROBE = ('a', 'man', 'red', '1', '\u4eba')
_PREPROCESSOR = 'preprocessor_config.json'
_HUB_OF_DAMAGE = (SafetensorError, pickle.UnpicklingError, EOFError)


class ModelNotLoaded(UserError, OSError):
    """A folder or a hub name from which no model can be loaded."""


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
        config, commit = _loaded(source, lambda: _read_config(place, revision))
        family = _family_of(source, config)
        # All files of one commit, whatever is pushed to the branch meanwhile.
        found = dict(revision=commit or revision) if commit or revision else {}
        processor = _loaded(source, lambda: _load_processor(place, family, found))
        tokenizer = _load_tokenizer(source, place, found)
        network = _load_network(source, place, family, found)
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
                           f'colour ({_first_line(error)})') from error

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


def _loaded(source: str, load: Callable[[], Any]) -> Any:
    """Load a part of a model; a fault of the folder or of the network becomes one line."""
    try:
        return load()
    except UserError:
        raise
    except _HUB_OF_DAMAGE as error:
        raise ModelNotLoaded(f'{source}: the weights are damaged, or hold more than tensors '
                             f'({_first_line(error)})') from error
    except ImportError as error:
        raise MissingPackage(f'{source}: {_first_line(error)}') from error
    except OSError as error:
        raise ModelNotLoaded(
            f'{source}: not loaded ({_first_line(error)}). {_cure(source)}') from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadValue(f'{source}: no model that transformers {transformers.__version__} can '
                       f'load ({_first_line(error)})') from error


def _cure(source: str) -> str:
    """Say what to do about a model that is not there."""
    if os.path.isdir(os.path.expanduser(source)):
        return ('The folder needs config.json, preprocessor_config.json, model.safetensors and the '
                'files of the tokenizer')
    why = ('HF_HUB_OFFLINE is set, so nothing is downloaded' if constants.HF_HUB_OFFLINE
           else 'Check the name, and that the hub can be reached')
    return (f'{why}. Without a network, download it elsewhere (hf download {source} --local-dir '
            'FOLDER), copy the folder here and name it as hf:FOLDER')


def _read_config(place: str, revision: str | None) -> tuple[dict[str, Any], str | None]:
    """Read ``config.json``, and the commit that it is of; None for a folder."""
    file = cached_file(place, 'config.json', revision=revision)
    if file is None:  # transformers 5 raises for a name on the hub only
        raise OSError('it has no config.json')
    with open(file, encoding='utf-8') as settings:
        config = json.load(settings)
    if not isinstance(config, dict):
        raise ValueError(f'its config.json must be a JSON object, got {type(config).__name__}')
    return config, None if os.path.isdir(place) else extract_commit_hash(file, None)


def _load_processor(place: str, family: Family, found: dict[str, str]) -> Any:
    """Load the image processor on Pillow: torchvision gives other pixels where it is installed."""
    if family.pillow:
        values, _ = transformers.ImageProcessingMixin.get_image_processor_dict(place, **found)
        names = [name for name in _PIXELS if name in values]
        settings = _TORCHVISION_ONLY[family.model] | {name: values[name] for name in names}
        return getattr(transformers, family.pillow)(**settings)
    five = int(transformers.__version__.split('.')[0]) >= 5
    backend = dict(backend='pil') if five else dict(use_fast=False)
    return transformers.AutoImageProcessor.from_pretrained(
        place, trust_remote_code=False, **backend, **found)


#: Defaults of processors that exist for torchvision alone.
_TORCHVISION_ONLY = dict(Tipsv2Model=dict(
    resample=Image.Resampling.BILINEAR, size=dict(height=448, width=448), do_resize=True,
    do_rescale=True, do_normalize=False, do_convert_rgb=True))


def _load_tokenizer(source: str, place: str, found: dict[str, str]) -> Any:
    """Load the tokenizer, and refuse one that reads every text alike."""
    tokenizer = _loaded(source, lambda: transformers.AutoTokenizer.from_pretrained(
        place, trust_remote_code=False, split_special_tokens=True, **found))
    # transformers 5 builds one without complaint where the vocabulary is missing.
    read = _loaded(source, lambda: tokenizer(list(_PROBE), add_special_tokens=False)['input_ids'])
    if len({token for ids in read for token in ids}) < 2:
        raise BadValue(f'{source}: its tokenizer reads every text alike, as if it had no '
                       f'vocabulary; tokenizer.json, vocab.json or vocab.txt is missing or empty')
    return tokenizer


def _load_network(source: str, place: str, family: Family, found: dict[str, str]) -> nn.Module:
    """Load both towers in float32, and refuse weights that are not whole, or of more than them."""
    kind = getattr(transformers, family.model)
    found = found | (dict(attn_implementation='eager') if family.eager else {})
    with _quietly(place):
        network, report = _loaded(source, lambda: kind.from_pretrained(
            place, output_loading_info=True, trust_remote_code=False,
            ignore_mismatched_sizes=True, **found))  # the report names them
    lacking = sorted({*report['missing_keys'], *(str(key[0]) if isinstance(key, tuple) else key
                                                 for key in report['mismatched_keys'])})
    if lacking:
        raise BadValue(f'{source}: the weights do not fill {family.model}: {len(lacking)} are '
                       f'missing or of another shape, first {lacking[0]}')
    foreign = sorted(key for key in report['unexpected_keys'] if not _UNUSED.search(key))
    if foreign:
        raise BadValue(f'{source}: its weights hold {len(foreign)} that {family.model} does not '
                       f'use by its config.json, first {foreign[0]}; has it fewer layers than they?'
                       )
    check_finite(network.state_dict(), source)
    return network.float()


@contextlib.contextmanager
def _quietly(place: str) -> Iterator[None]:
    """Show progress of a download, but none of reading a folder, which takes a moment.

    The library's table of weights that do not fit is left out, too: one line says what is wrong.
    """
    logging = transformers.utils.logging
    shown = logging.is_progress_bar_enabled() and os.path.isdir(place)
    level = logging.get_verbosity()
    if shown:
        logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()


def _settings_of(processor: Any) -> dict[str, Any]:
    """Return the settings of an image processor that pixels depend on, in JSON types."""
    values = processor.to_dict()
    plain = {name: values[name] for name in _PIXELS if values.get(name) is not None}
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


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:160]
