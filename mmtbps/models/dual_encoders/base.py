"""Contract of a pretrained dual encoder: two towers with their own preprocessing."""

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from threading import Lock
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from mmtbps.errors import BadValue
from mmtbps.letterbox import letterbox
from mmtbps.lexicon.tokenizer_vocabulary import TokenizerVocabulary
from mmtbps.models.weights_hash import hash_weights
from mmtbps.pretrained import ASPECTS

__all__ = ['CutText', 'DualEncoder', 'ensemble', 'match_probability']

_PLAIN = ('{}', )


class CutText(NamedTuple):
    """A sentence that is longer than a model reads.

    Args:
        text: the sentence.
        read: its beginning, which is all that the model reads.
    """

    text: str
    read: str


def ensemble(features: Tensor, count: int) -> Tensor:
    """Average the unit features of ``count`` prompts of each text, and bring them to length 1.

    Learning Transferable Visual Models From Natural Language Supervision,
    https://arxiv.org/abs/2103.00020, section 3.1.4.

    Args:
        features: ``(N * count, D)`` of any length; all prompts of a text, then those of the next.
        count: prompts of a text.

    Returns:
        ``(N, D)`` unit features.

    Example:
        >>> ensemble(torch.tensor([[2., 0.], [0., 3.]]), 2)
        tensor([[0.7071, 0.7071]])
    """
    features = F.normalize(features.float(), dim=-1)
    return F.normalize(features.view(-1, count, features.shape[-1]).mean(1), dim=-1)


def match_probability(cosines: Tensor, scale: float, bias: float) -> Tensor:
    """Compute the probability that image and text belong together, ``sigmoid(scale * cos + bias)``.

    Sigmoid Loss for Language Image Pre-Training, https://arxiv.org/abs/2303.15343, equation 1. It
    means something only for a model that was trained by that loss.

    Example:
        >>> match_probability(torch.tensor([0., .1]), 100., -10.)
        tensor([4.5398e-05, 5.0000e-01])
    """
    return torch.sigmoid(scale * cosines + bias)


class DualEncoder(nn.Module):
    """A pretrained pair of towers with its own preprocessing, tokenizer and weights.

    A subclass fills in ``process_images``, ``process_texts``, ``image_features``,
    ``text_features``, ``token_spans`` and ``preprocessing``.

    Args:
        name: with its scheme; a folder by its absolute path.
        revision: of the weights on the hub; ``None`` for a folder.
        image_size: (height, width) of the image tower's input; ``None`` if the tower takes every
            picture in its own shape.
        max_tokens: longest text that is read, special tokens included.
        mean: color of the margins of a letterbox, the model's own mean, three numbers of 0-1.
        positions: how the position table meets the picture, for the protocol line.
        scale: factor of the cosines in the model's own score.
        bias: summand of it.
        probability: whether ``sigmoid(scale * cos + bias)`` is a probability, because the model
            was trained for it.
        aspect: ``'letterbox'`` pads a crop to the shape of the input with the model's mean color,
            then the processor does the rest; ``'stretch'`` brings it to that shape; with
            ``'processor'`` the library's own processor crops as it always does. By default
            ``'letterbox'``, or ``'processor'`` where the tower keeps every shape.
        prompts: templates with one ``{}``, whose features are averaged; by default the bare text.

    Raises:
        BadValue: aspect or a prompt is none of these.
    """

    def __init__(self, name: str, revision: str | None, image_size: tuple[int, int] | None,
                 max_tokens: int, mean: Sequence[float] = (.5, .5, .5),
                 positions: str = 'as trained', scale: float | None = None,
                 bias: float | None = None, probability: bool = False,
                 aspect: str | None = None, prompts: Sequence[str] | None = None) -> None:
        super().__init__()
        self.name, self.revision = name, revision
        self.image_size, self.max_tokens = image_size, max_tokens
        self.aspect = _check_aspect(aspect, image_size, name)
        self.prompts = check_prompts(prompts)
        self.positions, self.mean = positions, tuple(mean)
        self.scale, self.bias, self.probability = scale, bias, probability
        self._one_at_a_time = Lock()

    # ------------------------------------------------------------------ a subclass has these
    @abstractmethod
    def process_images(self, images: Sequence[Image.Image]) -> dict[str, Tensor]:
        """Turn RGB images, of the input's shape or not, into the image tower's inputs."""

    @abstractmethod
    def process_texts(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """Turn texts into the text tower's inputs, padded and cut as the model was trained."""

    @abstractmethod
    def image_features(self, **inputs: Tensor) -> Tensor:
        """Compute ``(N, D)`` features of images, of any length."""

    @abstractmethod
    def text_features(self, **inputs: Tensor) -> Tensor:
        """Compute ``(N, D)`` features of texts, of any length."""

    @abstractmethod
    def read_part(self, text: str) -> str:
        """Return the part of a text that the model reads: all of it, or its beginning."""

    @abstractmethod
    def preprocessing(self) -> dict[str, Any]:
        """Return all that pixels and tokens depend on, in JSON types, for the fingerprint."""

    def vocabulary(self) -> TokenizerVocabulary | None:
        """Return the words that the tokenizer knows; None if it does not tell."""
        return None

    # ------------------------------------------------------------------ all have these
    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return next(self.parameters()).device

    @cached_property
    def dim(self) -> int:
        """The length of a feature."""
        return self.encode_texts(['a person']).shape[1]

    @property
    def address(self) -> str:
        """The name by which the same weights are loaded again, wherever one stands."""
        return self.name + (f'@{self.revision}' if self.revision else '')

    def encode_images(self, images: Sequence[Image.Image]) -> Tensor:
        """Encode PIL images of any size into ``(N, D)`` float32 unit features."""
        shaped = [self._shape(image.convert('RGB')) for image in images]
        with self._one_at_a_time:  # a processor may keep a state, as a tokenizer does
            inputs = self.process_images(shaped)
        features = self.image_features(**self._to_device(inputs))
        return F.normalize(features.float(), dim=-1)

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Encode sentences into ``(N, D)`` float32 unit features, in all prompts."""
        asked = [in_prompt(prompt, text) for text in texts for prompt in self.prompts]
        with self._one_at_a_time:  # a tokenizer refuses to be used by two threads at once
            inputs = self.process_texts(asked)
        return ensemble(self.text_features(**self._to_device(inputs)), len(self.prompts))

    def cut(self, texts: Sequence[str]) -> list[CutText]:
        """List the sentences that are longer than the model reads, with the part that it reads."""
        long = []
        with self._one_at_a_time:
            for text in texts:
                for prompt in self.prompts:
                    asked = in_prompt(prompt, text)
                    if (read := self.read_part(asked)) != asked:
                        long.append(CutText(asked, read))
                        break
        return long

    @cached_property
    def weights_hash(self) -> str:
        """The SHA-256 of all weights."""
        return hash_weights(self.state_dict())

    def describe(self) -> dict[str, Any]:
        """Describe the model for a note or a protocol, in JSON types."""
        return dict(name=self.name, revision=self.revision, weights=self.weights_hash,
                    aspect=self.aspect, positions=self.positions, prompts=list(self.prompts),
                    tokens=self.max_tokens, scale=self.scale, bias=self.bias,
                    probability=self.probability)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != '_one_at_a_time'}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._one_at_a_time = Lock()  # a lock cannot be copied

    def _shape(self, image: Image.Image) -> Image.Image:
        """Bring an RGB image to the shape of the input, as ``aspect`` says."""
        if self.aspect == 'letterbox':
            return letterbox(image, self.image_size, [round(255 * part) for part in self.mean])
        if self.aspect == 'stretch':
            return image.resize(self.image_size[::-1], Image.Resampling.BICUBIC)
        return image

    def _to_device(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        return {key: value.to(self.device) for key, value in inputs.items()}


def in_prompt(prompt: str, text: str) -> str:
    """Put a text into a prompt; braces in the text stay what they are.

    Example:
        >>> in_prompt('a photo of {}.', 'a man {left}')
        'a photo of a man {left}.'
    """
    return prompt.replace('{}', text, 1)


def check_prompts(prompts: Sequence[str] | None) -> tuple[str, ...]:
    """Check that every prompt has one place for the text.

    Raises:
        BadValue: one has none, or several.

    Example:
        >>> check_prompts(None), check_prompts(['a photo of {}'])
        (('{}',), ('a photo of {}',))
    """
    prompts = (prompts, ) if isinstance(prompts, str) else tuple(prompts or _PLAIN)
    for prompt in prompts:
        if prompt.count('{}') != 1:
            raise BadValue(f'a prompt needs {{}} once, where the sentence goes; got {prompt!r}')
    return prompts


def _check_aspect(aspect: str | None, image_size: tuple[int, int] | None, name: str) -> str:
    if aspect not in (None, *ASPECTS):
        raise BadValue(f'aspect must be one of {", ".join(ASPECTS)}, got {aspect!r}')
    if image_size is None and aspect not in (None, 'processor'):
        raise BadValue(f'{name} takes every picture in its own shape; leave aspect={aspect} out')
    return aspect or ('processor' if image_size is None else 'letterbox')
