"""Encoder of a trained retriever in torch: a config's own test pipeline, then its two towers."""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from huggingface_hub import ModelCard, ModelHubMixin, snapshot_download
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from PIL import Image
from torch import Tensor, nn

from mmtbps.devices import move_to_device
from mmtbps.errors import BadValue
from mmtbps.hub import naming_the_hub
from mmtbps.lexicon.tokenizer_vocabulary import TokenizerVocabulary
from mmtbps.models import Tower
from mmtbps.models.loading import load_strictly
from mmtbps.models.retrievers.former_settings import with_former_head
from mmtbps.models.trained_inputs import describe_inputs
from mmtbps.models.weights_hash import hash_settings, hash_weights

from .base import Fingerprint, check_images, check_texts, encode_in_batches
from .model_card import CARD, card_facts, carry_notices
from .saved_model import (
    FILES,
    find_model_source,
    inference_weights,
    portable_model,
    portable_pipeline,
    portable_training_model,
    write_saved_model,
)

__all__ = ['TorchEncoder']

class TorchEncoder(ModelHubMixin, library_name='mmtbps', model_card_template=CARD,
                   tags=['text-based-person-search', 'text-to-image-retrieval']):
    """Encoder of a model of ours, in torch.

    `save_pretrained`, `from_pretrained` and `push_to_hub` are those of ``huggingface_hub``.

    Args:
        model: Name of one of our configs (``'vit_bert_pdg_drawn'``), path of a config, folder
            written by `save_pretrained`, or a built model that has its config as ``_config``, as
            mmpretrain's ``get_model`` leaves it.
        weights: A checkpoint (``.pth``, ``.safetensors``), loaded without running code that it
            carries, or a state dict; ``'random'`` leaves the weights as they are built. May be left
            out for a folder, which has its own, and for a built model.
        device: ``'cpu'``, ``'cuda'``, ``'cuda:1'``; by default the best there is.
        batch_size: Images or texts at a time.

    Attributes:
        model: The retriever, in evaluation mode.
        checkpoint: The file of its weights; None where they were given or built.
        dim: Length of a feature.
        steps: The test pipeline, in order.

    Raises:
        MissingFile: Config, folder or checkpoint are missing.
        BadValue: No weights are named, they do not fit the model, they were trained with another
            vocabulary or normalisation, or it is no retriever.
        UserError: The checkpoint is damaged, or holds more than weights; or there is no such
            device.
    """

    def __init__(self, model: str | Path | Config | nn.Module,
                 weights: str | Path | Mapping[str, Tensor] | None = None,
                 device: str | None = None, batch_size: int = 64) -> None:
        if batch_size < 1:
            raise ValueError(f'batch_size must be at least 1, got {batch_size}')
        built = model if isinstance(model, nn.Module) else None
        if built is not None and not isinstance(getattr(built, '_config', None), Config):
            raise ValueError(f'{type(built).__name__} has no config: set model._config to the one '
                             'it was built from, for its test pipeline')
        self._source = find_model_source(model if built is None else built._config)
        weights = self._source.weights if weights is None else weights
        if weights is None and built is None:
            raise BadValue(f"{self._source.name}: no weights are named; give a checkpoint, or "
                           "weights='random' to try things out")
        self.model = self._source.build_model() if built is None else built
        _check_retriever(self.model)
        self._heads: Mapping[str, Tensor] = {}
        self.steps = self._source.build_pipeline()
        self.checkpoint = Path(weights) if isinstance(weights, (str, Path)) else None
        if weights is not None and weights != 'random':
            self._heads = load_strictly(self.model, weights, inputs=self.inputs).heads
        self.device = str(device or get_device())
        move_to_device(self.model, self.device)
        self.model.eval()
        self.batch_size = batch_size
        self._one_at_a_time = Lock()
        self._image_steps = _steps_for(dict(img=np.zeros((8, 8, 3), np.uint8)), self.steps)
        self._text_steps = _steps_for(dict(text='a person'), self.steps)
        with torch.inference_mode():
            self.dim: int = self.model.encode_text(*self.prepare_texts(['a person'])).shape[1]

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Encode images of any size into ``(N, dim)`` float32 unit features.

        Raises:
            TypeError: One of them is no PIL image.
        """
        check_images(images)
        return self._encode(images, lambda batch: self.model.encode_image(
            self.prepare_images(batch)))

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Encode sentences into ``(N, dim)`` float32 unit features.

        Words beyond the model's length are cut off.

        Raises:
            BadValue: A sentence is empty.
            TypeError: One is no string.
        """
        check_texts(texts)
        return self._encode(texts, lambda batch: self.model.encode_text(
            *self.prepare_texts(batch)))

    def prepare_images(self, images: Sequence[Image.Image]) -> Tensor:
        """Preprocess PIL images into ``(N, 3, H, W)``, normalised, on the device."""
        items = [_run(self._image_steps, dict(_read(image))) for image in images]
        return self.model.data_preprocessor(pseudo_collate(items))['images']

    def prepare_texts(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Tokenize sentences into ``(K, L)`` ids and their bool mask, on the device."""
        with self._one_at_a_time:  # a tokenizer refuses to be used by two threads at once
            samples = [_run(self._text_steps, dict(text=text))['data_samples'] for text in texts]
        return self.model.data_preprocessor.pad([sample.input_ids for sample in samples],
                                                [sample.caption_lengths for sample in samples])

    def cut(self, texts: Sequence[str]) -> list[tuple[str, str]]:
        """List the sentences that are longer than the model reads, with the part that it reads.

        Both are cleaned as the model's captions are.
        """
        if not hasattr(self.tokenize, 'read_part'):  # a transform of another project
            return []
        asked = [self.tokenize.clean_text(text) for text in texts]
        with self._one_at_a_time:
            read = [self.tokenize.read_part(text) for text in asked]
        return [pair for pair in zip(asked, read, strict=True) if pair[0] != pair[1]]

    @property
    def inputs(self) -> dict[str, Any]:
        """Vocabulary and normalisation, as `describe_inputs` words them."""
        return describe_inputs(self.steps, getattr(self.model, 'data_preprocessor', None))

    @property
    def folder(self) -> Path | None:
        """The folder of `save_pretrained` that the model came from; None for a config."""
        return None if self._source.weights is None else self._source.weights.parent

    @cached_property
    def vocabulary(self) -> TokenizerVocabulary | None:
        """The words that the tokenizer knows; None for a transform that does not tell."""
        return getattr(self.tokenize, 'vocabulary', None)

    @cached_property
    def tokenize(self) -> Callable[[dict], dict]:
        """The transform of the pipeline that holds the tokenizer."""
        return next(step for step in self._text_steps if hasattr(step, 'tokenizer_state'))

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """Hashes of towers, necks, pipeline and tokenizer: equal wherever the same model lies."""
        settings = portable_model(self._source, self.model)
        preprocessing = settings.pop('data_preprocessor', None)
        return Fingerprint(
            dict(version=2, model=_hash_model(settings, inference_weights(self.model)),
                 pipeline=self._hash_pipeline(preprocessing), dim=self.dim),
            lambda: self.former_fingerprints)

    @cached_property
    def former_fingerprints(self) -> tuple[dict[str, Any], ...]:
        """The fingerprints of this model in galleries of earlier versions.

        Version 1 hashed the one head too, as settings and as weights.
        """
        if self._source.former_fingerprints:
            return self._source.former_fingerprints
        settings = portable_training_model(self._source, self.model)
        preprocessing = settings.pop('data_preprocessor', None)
        towers = [part for part in self.model.children() if isinstance(part, Tower)]
        former = with_former_head(settings, {**self._heads, **self.model.state_dict()},
                                  [tower.out_dims for tower in towers])
        return () if former is None else (
            dict(model=_hash_model(*former), pipeline=self._hash_pipeline(preprocessing),
                 dim=self.dim), )

    def _hash_pipeline(self, preprocessing: Any) -> str:
        return hash_settings([preprocessing, portable_pipeline(self._source),
                      self.tokenize.tokenizer_state()])

    @torch.inference_mode()
    def _encode(self, inputs: Sequence, encode: Callable[[Sequence], Tensor]) -> np.ndarray:
        return encode_in_batches(inputs, lambda batch: encode(batch).cpu().numpy(),
                                 self.batch_size, self.dim)

    def _save_pretrained(self, save_directory: Path) -> None:
        write_saved_model(save_directory, self._source, self.model, self.steps,
                          self.former_fingerprints)
        carry_notices(self.folder, save_directory)

    def generate_model_card(self, **known: Any) -> ModelCard:
        """Write the card of the model: data, metrics, protocol and licence, as far as known.

        Args:
            known: ``license``, a name of the hub's; and further values of the template.
        """
        known = card_facts(self) | known
        card_data = copy(self._hub_mixin_info.model_card_data)
        card_data.license = known.pop('license', None) or card_data.license
        return ModelCard.from_template(card_data, template_str=CARD, **known)

    def push_to_hub(self, repo_id: str, **options: Any) -> str:
        """Push weights, settings, tokenizer, card and licence files to the hub.

        Args:
            repo_id: ``owner/name``.
            options: those of ``huggingface_hub``, such as ``private`` and ``token``.

        Returns:
            The address of the commit.

        Raises:
            HubUnreachable: no connection can be made.
        """
        with naming_the_hub(f'pushing {repo_id}'):
            return super().push_to_hub(repo_id, **options)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **options: Any
                        ) -> 'TorchEncoder':
        """Load a model from a folder, or from the hub by its name.

        Args:
            pretrained_model_name_or_path: the folder or the name.
            options: ``device``, ``batch_size``, and those of ``huggingface_hub``.

        Raises:
            UserError: it is no folder of a model, or its files are damaged.
        """
        if Path(pretrained_model_name_or_path).is_dir():
            # The hub's mixin reads the settings first, and says neither file nor reason.
            find_model_source(Path(pretrained_model_name_or_path))
        return super().from_pretrained(pretrained_model_name_or_path, **options)

    @classmethod
    def _from_pretrained(cls, *, model_id: str, device: str | None = None, batch_size: int = 64,
                         **hub: Any) -> 'TorchEncoder':
        if not Path(model_id).is_dir():
            model_id = snapshot_download(model_id, allow_patterns=list(FILES), **hub)
        return cls(model_id, device=device, batch_size=batch_size)


def _check_retriever(model: nn.Module) -> None:
    if not all(hasattr(model, name) for name in ('encode_image', 'encode_text')):
        raise BadValue(f'{type(model).__name__} cannot be searched with: it has no encode_image '
                       'and encode_text, as TextImageRetriever has')


def _steps_for(probe: dict[str, Any], steps: list[Callable]) -> list[Callable]:
    """Choose the steps that an item can take; a step that misses a key is for the other side."""
    kept = []
    for step in steps:
        try:
            probe = step(probe)
        except KeyError:
            continue
        kept.append(step)
    if 'data_samples' not in probe:
        raise BadValue('the test pipeline does not pack an image or a text alone: it should end '
                       'with PackTextImage')
    return kept


def _run(steps: list[Callable], item: dict[str, Any]) -> dict[str, Any]:
    for step in steps:
        item = step(item)
    return item


def _read(image: Image.Image) -> dict[str, Any]:
    """Convert an image to what ``LoadImageFromFile`` gives."""
    pixels = np.ascontiguousarray(np.asarray(image.convert('RGB'))[..., ::-1])
    return dict(img=pixels, img_shape=pixels.shape[:2], ori_shape=pixels.shape[:2])


def _hash_model(settings: Mapping[str, Any], state: Mapping[str, Tensor]) -> str:
    return hash_weights(state, hash_settings(settings))
