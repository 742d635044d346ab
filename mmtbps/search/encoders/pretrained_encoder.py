"""Encoder of a pretrained dual encoder of another library, by its name."""

import os
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from mmengine.device import get_device
from PIL import Image
from torch import Tensor

from mmtbps.devices import move_to_device
from mmtbps.lexicon.tokenizer_vocabulary import TokenizerVocabulary
from mmtbps.models.dual_encoders import (
    CutText,
    DualEncoder,
    load_dual_encoder,
    match_probability,
)
from mmtbps.models.weights_hash import hash_settings

from .base import Fingerprint, check_images, check_texts, encode_in_batches

__all__ = ['PretrainedEncoder']

#: Inputs at a time: the cache of a CPU does not hold the states of a large model for many.
_ON_CPU, _ELSEWHERE = 8, 32


class PretrainedEncoder:
    """Encoder of a pretrained dual encoder of another library: CLIP, SigLIP 2 and others.

    Args:
        model: a name such as ``'hf:openai/clip-vit-base-patch16@REVISION'``, ``'hf:FOLDER'`` or
            ``'open_clip:ViT-B-16/TAG'``, a folder of transformers, or a loaded `DualEncoder`.
        device: ``'cpu'``, ``'cuda'``, ``'cuda:1'``; by default the best there is.
        batch_size: Images or texts at a time; by default 8 on a CPU, else 32.
        aspect: ``'letterbox'``, ``'stretch'`` or ``'processor'``, see `DualEncoder`.
        prompts: Templates with one ``{}``, whose features are averaged.
        notify: Is handed the name before anything is loaded.

    Attributes:
        network: The dual encoder.
        dim: Length of a feature.

    Raises:
        BadValue: The name, the aspect or a prompt is none.
        UserError: The model cannot be loaded, or there is no such device; the message says why.
    """

    def __init__(self, model: str | os.PathLike | DualEncoder, device: str | None = None,
                 batch_size: int | None = None, aspect: str | None = None,
                 prompts: Sequence[str] | None = None,
                 notify: Callable[[str], None] | None = None) -> None:
        if batch_size is not None and batch_size < 1:
            raise ValueError(f'batch_size must be at least 1, got {batch_size}')
        self.network = model if isinstance(model, DualEncoder) else load_dual_encoder(
            model, aspect, prompts, notify)
        self.device = str(device or get_device())
        self.batch_size = batch_size or (_ON_CPU if self.device == 'cpu' else _ELSEWHERE)
        move_to_device(self.network, self.device)
        self.network.eval()
        with torch.inference_mode():
            self.dim: int = self.network.dim

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Encode images of any size into ``(N, dim)`` float32 unit features.

        Raises:
            TypeError: One of them is no PIL image.
        """
        check_images(images)
        return self._encode(images, self.network.encode_images)

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Encode sentences into ``(N, dim)`` float32 unit features.

        Words beyond the model's length are cut off; `cut` names such sentences.

        Raises:
            BadValue: A sentence is empty.
            TypeError: One is no string.
        """
        check_texts(texts)
        return self._encode(texts, self.network.encode_texts)

    def cut(self, texts: Sequence[str]) -> list[CutText]:
        """List the sentences that are longer than the model reads, with the part that it reads."""
        return self.network.cut(texts)

    @cached_property
    def vocabulary(self) -> TokenizerVocabulary | None:
        """The words that the tokenizer knows; None for one that does not tell."""
        return self.network.vocabulary()

    def probability(self, score: float) -> float | None:
        """Return the probability that an image and a sentence of this cosine belong together.

        Returns:
            A number of 0-1; None if the model was not trained for it.
        """
        if not self.network.probability:
            return None
        return float(match_probability(torch.tensor(score), self.network.scale,
                                       self.network.bias))

    @property
    def address(self) -> str:
        """The name by which the same weights are loaded again."""
        return self.network.address

    @cached_property
    def description(self) -> dict[str, Any]:
        """Name, revision, hash of the weights, aspect, prompts and score, in JSON types."""
        return self.network.describe()

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """The hashes of weights and preprocessing, with name, revision, aspect and prompts.

        A folder has no name here: it may lie elsewhere tomorrow.
        """
        known, network = self.description, self.network
        hub = dict(name=known['name'], revision=known['revision']) if known['revision'] else {}
        return Fingerprint(dict(
            version=2, model=known['weights'], pipeline=hash_settings(network.preprocessing()),
            aspect=known['aspect'], prompts=known['prompts'], dim=self.dim, **hub))

    def __repr__(self) -> str:
        return f'PretrainedEncoder({self.network.name!r}, aspect={self.network.aspect!r})'

    @torch.inference_mode()
    def _encode(self, inputs: Sequence, encode: Callable[[Sequence], Tensor]) -> np.ndarray:
        return encode_in_batches(inputs, lambda batch: encode(batch).cpu().numpy(),
                                 self.batch_size, self.dim)
