"""The dual encoder."""

import torch.nn.functional as F
from mmengine.model import BaseModel
from mmpretrain.structures import DataSample
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from mmtbps.registry import MODELS

from ..grad_cache import encode_in_chunks
from ..losses import gather


@MODELS.register_module()
class TextImageRetriever(BaseModel):
    """Image tower, text tower, head: the dual Transformer and its relatives.

    Contrastive Transformer Learning with Proximity Data Generation for TBPS,
    https://arxiv.org/abs/2311.09084. The way of the data, with all shapes, is in
    ``docs/concepts/data_flow.md``.

    Args:
        image_backbone: module with ``out_dims``, ``embed`` and ``encode``.
        text_backbone: the same for captions.
        head: module with ``loss``, ``image_projection`` and ``text_projection``.
        mixup: ``FeatureMixup``, ``PixelMixup`` or none; acts in ``loss`` mode only.
        chunk_size: pairs encoded at once while training, see
            :func:`~mmtbps.models.grad_cache.encode_in_chunks`; ``None`` for the whole batch.
            Large batches fit by it, with the same gradients, for a second forward pass.
        data_preprocessor: usually ``TextImagePreprocessor``.
        init_cfg: as in every MMEngine module.

    Raises:
        ValueError: ``chunk_size`` is not positive, or a tower has batch statistics, which differ
            from chunk to chunk.
    """

    def __init__(self,
                 image_backbone: dict,
                 text_backbone: dict,
                 head: dict,
                 mixup: dict | None = None,
                 chunk_size: int | None = None,
                 data_preprocessor: dict | None = None,
                 init_cfg: dict | list | None = None):
        if isinstance(data_preprocessor, dict):
            data_preprocessor = MODELS.build(data_preprocessor)
        super().__init__(data_preprocessor, init_cfg)
        self.image_backbone = MODELS.build(image_backbone)
        self.text_backbone = MODELS.build(text_backbone)
        self.head = MODELS.build(head)
        self.mixup = MODELS.build(mixup) if mixup else None
        self.chunk_size = chunk_size
        if chunk_size is not None:
            _check_chunks(chunk_size, self)

    def encode_image(self, images: Tensor) -> Tensor:
        """``(N, 3, H, W)`` normalised images to ``(N, D)`` float32 unit features."""
        hidden = self.image_backbone.embed(images)
        features = self.head.image_projection(self.image_backbone.encode(hidden))
        return F.normalize(features.float(), dim=-1)

    def encode_text(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """``(K, L)`` tokens and bool mask to ``(K, D)`` float32 unit features."""
        hidden = self.text_backbone.embed(input_ids, attention_mask)
        features = self.head.text_projection(self.text_backbone.encode(hidden, attention_mask))
        return F.normalize(features.float(), dim=-1)

    def forward(self,
                images: Tensor | None = None,
                input_ids: Tensor | None = None,
                attention_mask: Tensor | None = None,
                data_samples: list | None = None,
                mode: str = 'tensor') -> dict | list:
        """One batch in one of MMEngine's three modes.

        Args:
            images: ``(N, 3, H, W)``, normalised.
            input_ids: ``(K, L)``; K = N in ``loss`` mode, else each image's captions in order.
            attention_mask: ``(K, L)`` bool.
            data_samples: N samples with ``person_id`` and ``num_captions``.
            mode: ``'tensor'``: dict of unit features of what was given; ``'loss'``: dict of
                losses; ``'predict'``: the samples, with ``image_feature`` ``(D,)`` and
                ``text_features`` ``(k, D)``.

        Raises:
            ValueError: another mode, or a training batch that is not made of pairs.
        """
        if mode == 'loss':
            return self.loss(images, input_ids, attention_mask, data_samples)
        if mode not in ('tensor', 'predict'):
            raise ValueError(f"mode must be 'tensor', 'loss' or 'predict', got {mode!r}")
        features = self.extract_feat(images, data_samples, input_ids, attention_mask)
        return features if mode == 'tensor' else _attach(features, data_samples)

    def loss(self, images: Tensor, input_ids: Tensor, attention_mask: Tensor,
             data_samples: list) -> dict[str, Tensor]:
        """Losses of a batch of (image, caption) pairs."""
        if len(images) != len(input_ids):
            raise ValueError(f'training needs one caption an image, got {len(images)} images and '
                             f'{len(input_ids)} captions; is the data set in test mode?')
        mask, mixing = attention_mask, ()
        if self.mixup:
            mixing = self.mixup.draw(len(images), images.device)
            images, input_ids, mask = self.mixup.mix_inputs(images, input_ids, mask, *mixing)

        def encode(images: Tensor, start: int, stop: int) -> tuple[Tensor, Tensor]:
            rows, local = slice(start, stop), ()
            if self.mixup:
                rows, *local = self.mixup.rows_of(start, stop, *mixing)
            return self._encode_pairs(images[rows], input_ids[rows], mask[rows], *local)

        if self.chunk_size is None or self.chunk_size >= len(images):
            features = self._encode_pairs(images, input_ids, mask, *mixing)
        else:
            features = encode_in_chunks(encode, images, self.chunk_size)
        return self.head.loss(*features, data_samples)

    def _encode_pairs(self, images: Tensor, input_ids: Tensor, mask: Tensor,
                      *mixing: Tensor) -> tuple[Tensor, Tensor]:
        """Features of both towers, not normalised, mixed half-way if ``mixing`` says how."""
        layer = self.mixup.layer if self.mixup else 0
        image = self.image_backbone.embed(images, layer=layer)
        text = self.text_backbone.embed(input_ids, mask, layer=layer)
        if mixing:
            image, text, mask = self.mixup.mix_hidden(image, text, mask, *mixing)
        return (self.image_backbone.encode(image, layer=layer),
                self.text_backbone.encode(text, mask, layer=layer))

    def extract_feat(self,
                     images: Tensor | None = None,
                     data_samples: list | None = None,
                     input_ids: Tensor | None = None,
                     attention_mask: Tensor | None = None) -> dict[str, Tensor]:
        """Unit features of what is given, as mmpretrain's retrieval models call it.

        Args:
            images: ``(N, 3, H, W)``, normalised.
            data_samples: samples of text without an image carry its tokens, see ``PackTextImage``;
                those of images carry none and add nothing.
            input_ids: ``(K, L)``; goes before the tokens of the samples.
            attention_mask: ``(K, L)`` bool.

        Returns:
            ``image_feat`` ``(N, D)``, ``text_feat`` ``(K, D)``, or one of them.
        """
        if input_ids is None and data_samples and all('input_ids' in s for s in data_samples):
            input_ids, attention_mask = self.data_preprocessor.pad(
                [sample.input_ids for sample in data_samples],
                [sample.caption_lengths for sample in data_samples])
        features = {}
        if images is not None:
            features['image_feat'] = self.encode_image(images)
        if input_ids is not None:
            features['text_feat'] = self.encode_text(input_ids, attention_mask)
        return features

    def predict_all(self,
                    feats: dict[str, Tensor],
                    data_samples: list | None,
                    num_images: int | None = None,
                    num_texts: int | None = None,
                    cal_i2t: bool = True,
                    cal_t2i: bool = True) -> tuple[list, ...]:
        """Score images against texts, as mmpretrain's retrieval inferencers and loops call it.

        Features of several processes are joined, each must bring the same number.

        Args:
            feats: ``image_feat`` ``(N, D)`` and ``text_feat`` ``(K, D)``, from `extract_feat`.
            data_samples: of the queries, in their order; not changed. One with k captions stands
                for k text queries.
            num_images: size of the joined gallery of images, without padding; default: all.
            num_texts: the same for texts.
            cal_i2t: search texts by each image.
            cal_t2i: search images by each text.

        Returns:
            For each direction asked for, image to text first, one sample a query, with
            ``pred_score`` ``(gallery,)`` of cosine similarities and ``pred_label``, the best.
        """
        images, texts = feats['image_feat'], feats['text_feat']
        samples = None if data_samples is None else [s.metainfo for s in data_samples]
        directions = []
        if cal_i2t:
            scores = images @ gather(texts)[:num_texts].T
            directions.append(_predict(samples, scores))
        if cal_t2i:
            scores = texts @ gather(images)[:num_images].T
            directions.append(_predict(samples and _one_a_caption(samples), scores))
        return tuple(directions)


def _one_a_caption(samples: list[dict]) -> list[dict]:
    return [dict(sample, captions=[caption], num_captions=1)
            for sample in samples for caption in sample['captions']]


def _predict(samples: list[dict] | None, scores: Tensor) -> list[DataSample]:
    """A new sample for each row of ``scores``, with the metainfo of the query's own."""
    samples = [{}] * len(scores) if samples is None else samples
    return [DataSample(metainfo=sample).set_pred_score(row).set_pred_label(row.argmax())
            for sample, row in zip(samples, scores, strict=True)]


def _attach(features: dict[str, Tensor], data_samples: list) -> list:
    """Put each image's feature and its captions' features on its sample."""
    texts = features['text_feat'].split([sample.num_captions for sample in data_samples])
    for sample, image, text in zip(data_samples, features['image_feat'], texts, strict=True):
        sample.set_field(image, 'image_feature')
        sample.set_field(text, 'text_features')
    return data_samples


def _check_chunks(chunk_size: int, model: BaseModel) -> None:
    if chunk_size < 1:
        raise ValueError(f'chunk_size must be positive, got {chunk_size}')
    for name, module in model.named_modules():
        if isinstance(module, _BatchNorm):
            raise ValueError(f'chunk_size needs towers without batch statistics, but {name} is a '
                             f'{type(module).__name__}; leave chunk_size out')
