"""Scorers: models that say how well texts, questions or other pictures fit pictures.

All are called alike, ``scorer(images, queries) -> (len(images), len(queries))``, so that a gate
takes any of them, or a function of one's own. Models are those of transformers, from a folder or a
hub, loaded at their first use; no code of a model is run.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from mmtbps.errors import BadValue, MissingFile, MissingPackage, first_line
from mmtbps.hub import hub_options
from mmtbps.registry import TASK_UTILS

from ..diffusion.latent_diffusion import fingerprint
from ..evidence.transformers_model import TransformersModel

__all__ = ['BaseScorer', 'CLIPScorer', 'FeatureScorer', 'VLMScorer']

_YES, _NO = ('yes', 'Yes', ' yes', ' Yes', 'YES'), ('no', 'No', ' no', ' No', 'NO')
#: Families that were trained with all texts padded to one length, and read the padding too.
_PADDED = ('siglip', 'siglip2')


class BaseScorer(ABC):
    """Model that scores pictures by queries.

    Args:
        pretrained: Folder or name on a hub, as `TransformersModel` takes it.
        device: CUDA where there is one by default.

    Raises:
        MissingFile: If it is a path to no folder, or, at the first use, cannot be loaded.
    """

    #: Classes of transformers for the network.
    classes: tuple[str, ...]

    def __init__(self, pretrained: str, device: str | None = None) -> None:
        self.model = TransformersModel(pretrained, self.classes, device)

    @abstractmethod
    def __call__(self, images: Sequence[Any], queries: Sequence[Any]) -> np.ndarray:
        """Score every image by every query, (images, queries), higher for what fits better."""

    def reason(self, image: Any, query: Any) -> str:
        """Say in a sentence why the query fits the image or does not; empty if it cannot tell."""
        return ''

    @property
    def digest_fields(self) -> dict[str, Any]:
        """Class and model, for the manifest's digest."""
        return dict(type=type(self).__name__, model=self.model.pretrained,
                    weights=fingerprint(self.model.source))

    def _part(self, load: Callable[..., Any]) -> Any:
        """Load a tokenizer or processor of the model."""
        model = self.model
        try:
            return load(model.source, trust_remote_code=False, revision=model.revision or 'main',
                        **hub_options(model.source))
        except ImportError as error:
            raise MissingPackage(f'{model.pretrained}: {first_line(error)}') from error
        except (OSError, ValueError) as error:
            raise MissingFile(f'{model.pretrained}: its texts and pictures cannot be prepared '
                              f'({first_line(error)})') from error


@TASK_UTILS.register_module()
class FeatureScorer(BaseScorer):
    """Scorer of pictures by pictures: cosine of the features of a vision model.

    A model of re-identification or of faces serves best; one that was trained without labels, such
    as DINOv2, tells other people and places apart, too. The feature is the first token of the
    last layer, or the pooled map of a convolutional network.
    """

    classes = ('AutoModel', )

    def __call__(self, images: Sequence[Image.Image], queries: Sequence[Image.Image]) -> np.ndarray:
        return _cosines(self.features(images), self.features(queries))

    @torch.inference_mode()
    def features(self, images: Sequence[Image.Image]) -> Tensor:
        """Compute the feature of every picture, (N, D)."""
        network = self.model.network
        inputs = self.model.processor(images=_rgb(images), return_tensors='pt').to(network.device)
        output = network(**inputs)
        hidden = output.last_hidden_state
        return hidden[:, 0] if hidden.ndim == 3 else output.pooler_output.flatten(1)


@TASK_UTILS.register_module()
class CLIPScorer(BaseScorer):
    """Scorer of pictures by texts or pictures: cosine of the features of a CLIP-like model.

    Served are all models of transformers with features of image and text, such as CLIP, SigLIP,
    SigLIP 2 and ALIGN.
    """

    classes = ('AutoModel', )

    def __call__(self, images: Sequence[Image.Image], queries: Sequence[str | Image.Image]
                 ) -> np.ndarray:
        texts = [query for query in queries if isinstance(query, str)]
        if texts and len(texts) < len(queries):
            raise ValueError('queries must be all texts or all pictures')
        other = self.text_features(texts) if texts else self.features(queries)
        return _cosines(self.features(images), other)

    @torch.inference_mode()
    def features(self, images: Sequence[Image.Image]) -> Tensor:
        """Compute the feature of every picture, (N, D)."""
        network = self._network
        inputs = self.model.processor(images=_rgb(images), return_tensors='pt').to(network.device)
        return _pooled(network.get_image_features(**inputs))

    @torch.inference_mode()
    def text_features(self, texts: Sequence[str]) -> Tensor:
        """Compute the feature of every text, (N, D)."""
        network = self._network
        padded = network.config.model_type in _PADDED
        longest = min(network.config.get_text_config().max_position_embeddings,
                      self._tokenizer.model_max_length)
        inputs = self._tokenizer(
            list(texts), padding='max_length' if padded else True, truncation=True,
            max_length=longest, return_tensors='pt').to(network.device)
        names = ['input_ids'] if padded else ['input_ids', 'attention_mask']
        return _pooled(network.get_text_features(
            **{name: inputs[name] for name in names if name in inputs}))

    @property
    def _network(self) -> Any:
        network = self.model.network
        if not hasattr(network, 'get_text_features'):
            raise BadValue(f'{self.model.pretrained}: a model of type '
                           f'{network.config.model_type!r} has no features of texts')
        return network

    @cached_property
    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer
        return self._part(AutoTokenizer.from_pretrained)


@TASK_UTILS.register_module()
class VLMScorer(BaseScorer):
    """Scorer of pictures by questions: probability of yes, by a model that talks about pictures.

    An image may be several that are shown together, such as before and after. The probability is
    that of the next token, between all ways to write yes and no.

    Args:
        pretrained: As `BaseScorer` takes it.
        device: CUDA where there is one by default.
        max_new_tokens: Of a reason.
    """

    classes = ('AutoModelForImageTextToText', )

    def __init__(self, pretrained: str, device: str | None = None, max_new_tokens: int = 48
                 ) -> None:
        super().__init__(pretrained, device)
        self.max_new_tokens = max_new_tokens

    @torch.inference_mode()
    def __call__(self, images: Sequence[Image.Image | Sequence[Image.Image]],
                 queries: Sequence[str]) -> np.ndarray:
        return np.array([[self._yes(image, query) for query in queries] for image in images])

    @torch.inference_mode()
    def reason(self, image: Image.Image | Sequence[Image.Image], query: str) -> str:
        inputs = self._inputs(image, f'{query} Say in one sentence why.')
        tokens = self.model.network.generate(**inputs, max_new_tokens=self.max_new_tokens,
                                             do_sample=False)
        new = tokens[0, inputs['input_ids'].shape[1]:]
        return ' '.join(self._processor.tokenizer.decode(new, skip_special_tokens=True).split())

    def _yes(self, image: Image.Image | Sequence[Image.Image], query: str) -> float:
        logits = self.model.network(**self._inputs(image, f'{query} Answer yes or no.')
                                    ).logits[0, -1].double()
        yes, no = (logits[list(ids)].logsumexp(0) for ids in self._answers)
        return torch.sigmoid(yes - no).item()

    def _inputs(self, image: Image.Image | Sequence[Image.Image], text: str) -> Any:
        images = _rgb([image] if isinstance(image, Image.Image) else image)
        content = [*(dict(type='image') for _ in images), dict(type='text', text=text)]
        prompt = self._processor.apply_chat_template(
            [dict(role='user', content=content)], add_generation_prompt=True)
        return self._processor(images=images, text=prompt, return_tensors='pt').to(
            self.model.network.device)

    @cached_property
    def _answers(self) -> tuple[set[int], set[int]]:
        """Tokens that begin a yes and a no; those of both are left out."""
        tokenizer = self._processor.tokenizer
        yes, no = ({tokenizer.encode(word, add_special_tokens=False)[0] for word in words}
                   for words in (_YES, _NO))
        if not (yes - no and no - yes):
            raise BadValue(f'{self.model.pretrained}: its tokenizer does not tell yes from no')
        return yes - no, no - yes

    @cached_property
    def _processor(self) -> Any:
        from transformers import AutoProcessor
        processor = self._part(AutoProcessor.from_pretrained)
        if getattr(processor, 'chat_template', None) is None:
            raise BadValue(f'{self.model.pretrained}: it has no chat template, so that no question '
                           'can be asked; take a model that follows instructions')
        return processor


def _rgb(images: Sequence[Image.Image]) -> list[Image.Image]:
    return [image.convert('RGB') for image in images]


def _cosines(first: Tensor, second: Tensor) -> np.ndarray:
    first, second = (F.normalize(features.double(), dim=-1) for features in (first, second))
    return (first @ second.T).cpu().numpy()


def _pooled(output: Any) -> Tensor:
    """Take the feature: transformers 4 returns it, transformers 5 an object that holds it."""
    return output if torch.is_tensor(output) else output.pooler_output
