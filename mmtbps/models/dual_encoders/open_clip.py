"""Dual encoders of open_clip: PE-Core, EVA02, and hundreds of published weights."""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from mmtbps.compat import torchvision_or_stub
from mmtbps.errors import BadValue, MissingPackage, UserError
from mmtbps.hub import hub_options
from mmtbps.lexicon.tokenizer_vocabulary import TokenizerVocabulary
from mmtbps.models.finite_weights import check_finite

from .base import DualEncoder
from .pixels import check_colors, check_size, mean_color

__all__ = ['OpenClipDualEncoder']

_CONFIG = 'open_clip_config.json'
_WORD = re.compile(r'\S+')


class OpenClipDualEncoder(DualEncoder):
    """A dual encoder of open_clip, with its own transform and tokenizer.

    Attributes:
        network: the model of open_clip.
        transform: from a picture to its input; `settings` are its own.
        tokenizer: its tokenizer.

    Args:
        source: ``'ARCHITECTURE/TAG'`` of ``open_clip.list_pretrained()``,
            ``'hf-hub:owner/name'``, or a folder with ``open_clip_config.json``.
        revision: none; open_clip loads what a tag names.
        aspect: as in :class:`DualEncoder`.
        prompts: as in :class:`DualEncoder`.

    Raises:
        MissingPackage: open_clip or torchvision is not installed.
        BadValue: a revision is given, there is no such model, or its weights are no numbers.
        UserError: the weights cannot be loaded; the message says why.
    """

    def __init__(self, source: str, revision: str | None = None, aspect: str | None = None,
                 prompts: Sequence[str] | None = None) -> None:
        if revision is not None:
            raise BadValue(f'open_clip:{source}: open_clip knows no revisions; leave @{revision} '
                           'out')
        library = _import_library()
        architecture, tag, name = _split(source)
        network, transform, tokenizer = _load(library, source, architecture, tag)
        check_finite(network.state_dict(), f'open_clip:{source}')
        settings = dict(getattr(network.visual, 'preprocess_cfg', {}))
        check_colors(settings, f'open_clip:{source}', _CONFIG, 'mean', 'std')
        size = network.visual.image_size
        bias = getattr(network, 'logit_bias', None)
        super().__init__(
            f'open_clip:{name}', None, max_tokens=tokenizer.context_length,
            image_size=(size, size) if isinstance(size, int) else tuple(size),
            mean=mean_color(dict(image_mean=settings.get('mean'))),
            scale=float(network.logit_scale.detach().exp()),
            bias=None if bias is None else float(bias.detach()),
            # The sigmoid loss alone has a bias to learn.
            probability=bias is not None, aspect=aspect, prompts=prompts)
        self.network, self.transform, self.tokenizer = network.eval(), transform, tokenizer
        self.settings, self._model = settings, _settings_of(architecture, tag)
        pixels = self.process_images([self._shape(Image.new('RGB', (40, 100)))])['image']
        check_size(pixels.shape[-2:], self.image_size, self.name, _CONFIG)

    def process_images(self, images: Sequence[Image.Image]) -> dict[str, Tensor]:
        return dict(image=torch.stack([self.transform(image) for image in images]))

    def process_texts(self, texts: Sequence[str]) -> dict[str, Tensor]:
        return dict(text=self.tokenizer(list(texts)))

    def image_features(self, **inputs: Tensor) -> Tensor:
        return self.network.encode_image(*inputs.values())  # CoCa has another name for it

    def text_features(self, **inputs: Tensor) -> Tensor:
        return self.network.encode_text(*inputs.values())

    def read_part(self, text: str) -> str:
        # By what the tokens tell, because tokenizers of several libraries stand behind this one.
        tokens = self.tokenizer([text])
        if not torch.equal(tokens, self.tokenizer([f'{text} person'])):
            return text  # there was room for one more word
        ends = [word.end() for word in _WORD.finditer(text)]
        low, high = 1, len(ends)
        while low < high:
            middle = (low + high) // 2
            same = torch.equal(tokens, self.tokenizer([text[:ends[middle - 1]]]))
            low, high = (low, middle) if same else (middle + 1, high)
        return text if low == len(ends) else text[:ends[low - 1]]

    def vocabulary(self) -> TokenizerVocabulary | None:
        if hasattr(self.tokenizer, 'all_special_ids'):  # its own, of bytes
            return TokenizerVocabulary(
                None, pieces=self.tokenizer.encoder,
                special=[self.tokenizer.decoder[id_] for id_ in self.tokenizer.all_special_ids])
        tokenizer = getattr(self.tokenizer, 'tokenizer', None)  # of transformers
        return TokenizerVocabulary(tokenizer.backend_tokenizer, lock=self._one_at_a_time
                                   ) if getattr(tokenizer, 'is_fast', False) else None

    def preprocessing(self) -> dict[str, Any]:
        pixels = json.loads(json.dumps(self.settings, default=list))
        words = self.tokenizer(['A woman in a red T-shirt, with 2 bags.']).tolist()
        return dict(pixels=pixels, words=words, tokens=self.max_tokens, model=self._model)


def _import_library() -> ModuleType:
    """Import open_clip; beside a torch for CPUs torchvision lacks operators, which are declared."""
    try:
        with torchvision_or_stub() as kind:
            if kind == 'stub':
                raise ImportError('torchvision is missing', name='torchvision')
            import open_clip
    except ImportError as error:
        raise MissingPackage(
            f'models of open_clip need {error.name or "open_clip"}: pip install '
            '"mmtbps[open-clip]" (beside a torch for CPUs: '
            'docs/guides/pretrained_models.md#open_clip)'
        ) from error
    return open_clip


def _split(source: str) -> tuple[str, str | None, str]:
    """Split a name into architecture and tag as open_clip takes them; return its full name, too."""
    if os.path.isdir(folder := os.path.expanduser(source)):
        return f'local-dir:{folder}', None, os.path.abspath(folder)
    if source.startswith('hf-hub:'):
        return source, None, source
    architecture, slash, tag = source.rpartition('/')
    if not slash:
        raise BadValue(f'open_clip:{source}: it needs an architecture and a tag, such as '
                       'open_clip:ViT-B-16/laion2b_s34b_b88k')
    return architecture, tag, source


def _load(library: ModuleType, source: str, architecture: str, tag: str | None) -> tuple:
    """Load network, transform and tokenizer; a fault of the name or of the network is one line."""
    try:
        if name := _hub_name(library, architecture, tag):
            hub_options(name)  # the library would wait for each file that it looks for
        network, transform = library.create_model_from_pretrained(architecture, pretrained=tag)
        return network, transform, library.get_tokenizer(architecture)
    except (RuntimeError, ValueError, KeyError, OSError, AssertionError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]
        raise UserError(f'open_clip:{source}: not loaded ({reason}). Check the name, and that the '
                        'hub can be reached; weights that were downloaded once are found again '
                        'without a network') from error


def _hub_name(library: ModuleType, architecture: str, tag: str | None) -> str:
    """Return the name on the hub that the weights are loaded from; empty for another place."""
    if architecture.startswith('hf-hub:'):
        return architecture.removeprefix('hf-hub:')
    known = (library.get_pretrained_cfg(architecture, tag) or {}) if tag else {}
    return os.path.split(known.get('hf_hub') or '')[0]


def _settings_of(architecture: str, tag: str | None) -> Any:
    """Return all that the weights do not tell, such as the activation: the config or its name."""
    if architecture.startswith('local-dir:'):
        file = Path(architecture.removeprefix('local-dir:'), _CONFIG)
        return json.loads(file.read_text(encoding='utf-8'))
    return [architecture, tag]
