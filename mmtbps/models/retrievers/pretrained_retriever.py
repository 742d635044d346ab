"""Retriever of a pretrained dual encoder, for MMEngine's test loop."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.logging import print_log
from mmengine.model import BaseModel
from PIL import Image

from mmtbps.models.dual_encoders import load_dual_encoder
from mmtbps.registry import MODELS

__all__ = ['PretrainedRetriever']


@MODELS.register_module()
class PretrainedRetriever(BaseModel):
    """A pretrained dual encoder, evaluated as a trained model is: same data, protocol, metric.

    The batch holds PIL images and captions, as ``PackPicture`` makes them; the model preprocesses
    both by itself. It has no loss: it is evaluated as it is.

    Args:
        model: a name, see :func:`~mmtbps.models.dual_encoders.load_dual_encoder`.
        aspect: as in :class:`~mmtbps.models.dual_encoders.DualEncoder`.
        prompts: as in :class:`~mmtbps.models.dual_encoders.DualEncoder`.

    Raises:
        UserError: the model cannot be loaded; the message says why.
    """

    def __init__(self, model: str, aspect: str | None = None,
                 prompts: Sequence[str] | None = None) -> None:
        super().__init__()
        self.network = load_dual_encoder(model, aspect, prompts)
        self._said_cut = False

    def forward(self, image: Sequence[Image.Image], data_samples: list,
                mode: str = 'predict') -> list:
        """Attach unit features to the samples of a batch.

        Args:
            image: N images.
            data_samples: N samples with ``captions`` and ``num_captions``.
            mode: ``'predict'``.

        Returns:
            The samples, with ``image_feature`` ``(D,)`` and ``text_features`` ``(k, D)``.

        Raises:
            ValueError: another mode.
        """
        if mode != 'predict':
            raise ValueError(f"mode must be 'predict', got {mode!r}: a pretrained dual encoder is "
                             'not trained here')
        captions = [caption for sample in data_samples for caption in sample.captions]
        self._say_cut(captions)
        images = self.network.encode_images(image)
        texts = self.network.encode_texts(captions) if captions else images[:0]
        texts = texts.split([sample.num_captions for sample in data_samples])
        for sample, feature, features in zip(data_samples, images, texts, strict=True):
            sample.set_field(feature, 'image_feature')
            sample.set_field(features, 'text_features')
        return data_samples

    def test_step(self, data: Mapping[str, Any]) -> list:
        """Attach unit features to the samples of a collated batch."""
        return self(data['inputs']['image'], data['data_samples'], mode='predict')

    val_step = test_step

    def in_words(self) -> str:
        """Describe the model for the protocol line."""
        known = self.network.describe()
        prompts = ', '.join(map(repr, known['prompts']))
        revision = f'revision {known["revision"]}, ' if known['revision'] else ''
        return (f'model {known["name"]}, {revision}weights sha256 {known["weights"][:12]}, '
                f'aspect {known["aspect"]}, positions {known["positions"]}, prompt {prompts}, '
                f'reads {known["tokens"]} tokens')

    def _say_cut(self, captions: Sequence[str]) -> None:
        """Log the first caption that is longer than the model reads, once."""
        if self._said_cut:
            return
        for text, read in self.network.cut(captions)[:1]:
            self._said_cut = True
            print_log(f'a caption is longer than the {self.network.max_tokens} tokens that the '
                      f'model reads, others may be: {text!r}, read up to {read[-40:]!r}',
                      logger='current')
