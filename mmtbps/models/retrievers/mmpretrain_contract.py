"""Methods by which mmpretrain's retrieval inferencers and loops call a model."""

from mmpretrain.structures import DataSample
from torch import Tensor

from mmtbps.models.losses import gather

__all__ = ['MMPretrainRetrieval']


class MMPretrainRetrieval:
    """Mixin of a model with ``encode_image``, ``encode_text``, towers and ``data_preprocessor``."""

    def extract_feat(self,
                     images: Tensor | None = None,
                     data_samples: list | None = None,
                     input_ids: Tensor | None = None,
                     attention_mask: Tensor | None = None) -> dict[str, Tensor]:
        """Compute unit features of what is given.

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
        if images is not None and input_ids is not None and not len(input_ids):
            features['text_feat'] = features['image_feat'][:0]  # images that nobody described
        elif input_ids is not None:
            features['text_feat'] = self.encode_text(input_ids, attention_mask)
        return features

    def get_layer_depth(self, param_name: str, prefix: str = '') -> tuple[int, int]:
        """Return the depth of a weight in its tower; necks and heads are as the last depth.

        mmpretrain's ``LearningRateDecayOptimWrapperConstructor`` asks for it.

        Args:
            param_name: of the weight.
            prefix: of the names of this model's weights in another one.

        Returns:
            Depth, and the number of depths of that tower.
        """
        name = next((name for name in ('image_backbone', 'text_backbone')
                     if param_name.startswith(f'{prefix}{name}.')), 'image_backbone')
        return getattr(self, name).get_layer_depth(param_name, f'{prefix}{name}.')

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
