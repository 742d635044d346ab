"""Matcher of sentences with pictures by a cross-encoder: the second stage of a search."""

import os
from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from mmtbps.datasets.images import read_picture
from mmtbps.errors import BadValue
from mmtbps.registry import TASK_UTILS

from ..encoders.loading import load_encoder

__all__ = ['PairMatcher']


@TASK_UTILS.register_module()
class PairMatcher:
    """Matcher that lets a cross-encoder see each picture together with the sentence.

    Pictures and sentences go through the model's own preprocessing, so it stands behind a first
    stage of any other model. Each picture of a call is encoded once, and so is each sentence; the
    pairs are compared in the chunks of the model.

    Args:
        model: a folder or config of a cross-encoder, as `load_encoder` takes it, or a loaded
            encoder of one.
        weights: checkpoint of a config.
        device: as for `load_encoder`.
        batch_size: pictures and sentences encoded at a time.

    Raises:
        BadValue: the model has towers alone.
    """

    def __init__(self, model: Any, weights: str | None = None, device: str | None = None,
                 batch_size: int = 32) -> None:
        named = isinstance(model, (str, os.PathLike))
        self.name = os.fspath(model) if named else type(model.model).__name__
        self.encoder = load_encoder(model, weights, device) if named else model
        self.model = getattr(self.encoder, 'model', None)
        if not hasattr(self.model, 'match_tokens'):
            raise BadValue(f'{self.name} compares features and cannot see a picture together with '
                           'a sentence; a second stage needs a cross-encoder, such as converted '
                           'weights of APTM, RaSa or BLIP')
        self.batch_size = batch_size

    @torch.inference_mode()
    def match(self, texts: Sequence[str], images: Sequence[str | os.PathLike | Image.Image],
              places: Tensor) -> Tensor:
        """Compute the score of each sentence with some of the pictures.

        Args:
            texts: Q sentences.
            images: N pictures or their paths, packed ones too; only those that are asked for are
                read.
            places: ``(Q, k)`` int64 places of pictures for each sentence.

        Returns:
            ``(Q, k)`` float32 on the CPU, the model's logits of "match".

        Raises:
            UnreadableImage: a picture is missing.
            UndecodableImage: a picture is broken.
        """
        scores = torch.empty(places.shape)
        if not scores.numel():
            return scores
        words, mask = self._encode_words(texts)
        wanted, pairs = places.unique(return_inverse=True)
        for start in range(0, len(wanted), self.batch_size):
            pictures = [_open(images[place]) for place in
                        wanted[start:start + self.batch_size].tolist()]
            seen = self.model.image_tokens(self.encoder.prepare_images(pictures))
            inside = (pairs >= start) & (pairs < start + len(pictures))
            rows, columns = inside.nonzero(as_tuple=True)
            for some in torch.arange(len(rows)).split(self.model.match_chunk_size):
                row, column = rows[some], columns[some]
                scores[row, column] = self.model.match_tokens(
                    seen[(pairs[row, column] - start).to(seen.device)],
                    words[row.to(words.device)], mask[row.to(words.device)]).float().cpu()
        return scores

    def _encode_words(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Compute the ``(Q, L, D)`` tokens of sentences and their ``(Q, L)`` mask."""
        ids, mask = self.encoder.prepare_texts(texts)
        return torch.cat([self.model.text_tokens(*part) for part in zip(
            ids.split(self.batch_size), mask.split(self.batch_size), strict=True)]), mask

    def __str__(self) -> str:
        return self.name


def _open(image: str | os.PathLike | Image.Image) -> Image.Image:
    return image if isinstance(image, Image.Image) else read_picture(image)
