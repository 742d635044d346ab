"""The dual encoder."""

from collections.abc import Mapping

from mmengine.logging import print_log
from mmengine.model import BaseModel
from torch import Tensor, nn

from mmtbps.models.backbones import Tower
from mmtbps.models.grad_cache import check_chunks, encode_in_chunks
from mmtbps.models.heads import BaseHead, EncodedSide, Pairs
from mmtbps.models.heads.base import name_unheeded_weights
from mmtbps.models.heads.pairs import average_losses
from mmtbps.models.mixup import Mixing
from mmtbps.models.necks import BaseNeck, ProjectionNeck, check_necks, unit_feature
from mmtbps.models.peft import (
    adapters_set_aside,
    collect_balance,
    count_trained,
    merge_adapters,
    tune_towers,
)
from mmtbps.registry import MODELS

from .encoding import encode_some, finish
from .former_settings import rename_former_keys, split_former_head
from .mmpretrain_contract import MMPretrainRetrieval
from .training_batch import TrainingBatch, join_halves


@MODELS.register_module()
class TextImageRetriever(MMPretrainRetrieval, BaseModel):
    """Two towers, their necks, and the heads that train them: the family of dual encoders.

    Contrastive Transformer Learning with Proximity Data Generation for TBPS,
    https://arxiv.org/abs/2311.09084, is one of them. The way of the data, with all shapes, is in
    ``docs/concepts/data_flow.md``. Features come from towers and necks alone: without ``heads``
    the model searches, exports and is tested all the same.

    Args:
        image_backbone: a :class:`~mmtbps.models.backbones.Tower` of images.
        text_backbone: one of captions.
        heads: heads by name, each a :class:`~mmtbps.models.heads.BaseHead`; needed in training.
        image_neck: a :class:`~mmtbps.models.necks.BaseNeck`; by default the pooled feature as it
            is. Its ``in_dims`` is filled in.
        text_neck: likewise; both have the same parts.
        mixup: ``FeatureMixup``, ``PixelMixup`` or none; acts in ``loss`` mode only.
        chunk_size: pairs encoded at once while training, see
            :func:`~mmtbps.models.grad_cache.encode_in_chunks`; ``None`` for the whole batch.
            Large batches fit by it, with the same gradients, for a second forward pass.
        data_preprocessor: usually ``TextImagePreprocessor``.
        init_cfg: as in every MMEngine module.
        head: the former way to name one head; read as ``heads=dict(contrastive=head)``.
        lora: low-rank adapters on both towers, ``dict(rank=8, alpha=16)``, see
            :func:`~mmtbps.models.peft.add_adapters`: they, necks and heads are trained, nothing
            else. A model without them takes the checkpoint merged.
        peft: further parts that are trained in the place of the towers, such as
            ``dict(prefix=dict(length=10))``, see :func:`~mmtbps.models.peft.add_parts`.

    Raises:
        TypeError: a tower, neck or head does not derive from its base class.
        ValueError: parts do not go together: necks of other parts or widths, a mixup beyond the
            last layer, a chunk size with a part that needs the whole batch or all tokens.
    """

    def __init__(self,
                 image_backbone: dict,
                 text_backbone: dict,
                 heads: dict[str, dict] | None = None,
                 image_neck: dict | None = None,
                 text_neck: dict | None = None,
                 mixup: dict | None = None,
                 chunk_size: int | None = None,
                 data_preprocessor: dict | None = None,
                 init_cfg: dict | list | None = None,
                 head: dict | None = None,
                 lora: dict | None = None,
                 peft: dict | None = None):
        if isinstance(data_preprocessor, dict):
            data_preprocessor = MODELS.build(data_preprocessor)
        super().__init__(data_preprocessor, init_cfg)
        if head is None and 'type' in (heads or {}):
            head, heads = heads, None  # the third argument was one head
        if head is not None:
            heads, image_neck, text_neck = split_former_head(head, heads, image_neck, text_neck)
        self.image_backbone = _build(image_backbone, Tower)
        self.text_backbone = _build(text_backbone, Tower)
        self._tuned = tune_towers(self._towers(), lora, peft)
        # Heads stand before necks: optimizer states count weights, and one head was all there was.
        self.heads = nn.ModuleDict({_check_name(name): _build_head(settings)
                                    for name, settings in (heads or {}).items()})
        self.image_neck = _build_neck(image_neck, self.image_backbone)
        self.text_neck = _build_neck(text_neck, self.text_backbone)
        self.mixup = MODELS.build(mixup) if mixup else None
        self.chunk_size = chunk_size
        self._check_parts()
        self._register_load_state_dict_pre_hook(self._fit_state)

    def init_weights(self) -> None:
        """Draw or load the weights as MMEngine does; adapters begin as they were made."""
        with adapters_set_aside(self):
            super().init_weights()
        if self._tuned:
            print_log(f'weights to train: {count_trained(self._towers())}', logger='current')

    def encode_image(self, images: Tensor) -> Tensor:
        """Encode ``(N, 3, H, W)`` normalised images to ``(N, D)`` float32 unit features."""
        return unit_feature(self._encode(self.image_backbone, self.image_neck, images,
                                         read_only=not self.image_neck.needs_tokens).parts)

    def encode_text(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Encode ``(K, L)`` tokens and their bool mask to ``(K, D)`` float32 unit features."""
        return unit_feature(self._encode(self.text_backbone, self.text_neck, input_ids,
                                         attention_mask,
                                         read_only=not self.text_neck.needs_tokens).parts)

    def forward(self,
                images: Tensor | None = None,
                input_ids: Tensor | None = None,
                attention_mask: Tensor | None = None,
                data_samples: list | None = None,
                mode: str = 'tensor',
                inputs: Mapping[str, Tensor] | None = None) -> dict | list:
        """Run one batch in one of MMEngine's three modes.

        Args:
            images: ``(N, 3, H, W)``, normalised.
            input_ids: ``(K, L)``; K = N in ``loss`` mode, else each image's captions in order.
            attention_mask: ``(K, L)`` bool.
            data_samples: N samples with ``person_id`` and ``num_captions``.
            mode: ``'tensor'``: dict of unit features of what was given; ``'loss'``: dict of
                losses; ``'predict'``: the samples, with ``image_feature`` ``(D,)`` and
                ``text_features`` ``(k, D)``.
            inputs: further inputs by name, for heads.

        Raises:
            ValueError: another mode, or a training batch that is not made of pairs.
        """
        if mode == 'loss':
            return self.loss(images, input_ids, attention_mask, data_samples, inputs)
        if mode not in ('tensor', 'predict'):
            raise ValueError(f"mode must be 'tensor', 'loss' or 'predict', got {mode!r}")
        features = self.extract_feat(images, data_samples, input_ids, attention_mask)
        return features if mode == 'tensor' else _attach(features, data_samples)

    def loss(self, images: Tensor, input_ids: Tensor, attention_mask: Tensor,
             data_samples: list, inputs: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        """Compute the losses of all heads on a batch of (image, caption) pairs.

        Args:
            images: ``(N, 3, H, W)``, normalised.
            input_ids: ``(N, L)``.
            attention_mask: ``(N, L)`` bool.
            data_samples: N samples with ``person_id``.
            inputs: further inputs by name.

        Raises:
            ValueError: the batch is not made of pairs, lacks an input that a head needs, there is
                no head, or two heads give a loss of one name.
        """
        batch = TrainingBatch(images, input_ids, attention_mask, data_samples, inputs or {})
        self._check_batch(batch)
        if self.mixup is None:
            return self._loss_of(batch)
        mixing = self.mixup.draw(len(images), images.device)
        if self.mixup.mode == 'replace':
            return self._loss_of(batch, mixing)
        originals = self._loss_of(batch.first(len(mixing.weight)))
        if not self.mixup.prob:  # switched off
            return originals
        return join_halves(originals, self._loss_of(batch, mixing))

    def _loss_of(self, batch: TrainingBatch, mixing: Mixing | None = None) -> dict[str, Tensor]:
        """Compute the losses of a batch; of the pairs that ``mixing`` mixes, with it."""
        images, input_ids, mask = batch.images, batch.input_ids, batch.mask
        weights, own = batch.weights, batch
        if mixing is not None:
            own = batch.first(len(mixing.weight))
            weights = mixing.mix_weights(weights)
            images, input_ids, mask = self.mixup.mix_inputs(images, input_ids, mask, mixing)
        image, text = self.encode_pairs(images, input_ids, mask, mixing)
        pairs = Pairs(image, text, own.person_ids, own.rows, own.inputs,
                      self._encode_image_again, self._encode_text_again,
                      lambda: (self._encode_image_again(own.images),
                               self._encode_text_again(own.input_ids, own.mask)),
                      weights, own.images, own.input_ids, own.mask)
        return self._run_heads(pairs, own)

    def _run_heads(self, pairs: Pairs, batch: TrainingBatch) -> dict[str, Tensor]:
        """Collect the losses of all heads; each is averaged over processes for the log."""
        losses = {}
        for name, head in self.heads.items():
            name_unheeded_weights(head, pairs, name)
            for key, value in average_losses(head(pairs, batch.samples)).items():
                if key in losses:
                    raise ValueError(f'two heads give {key!r}, {name} is the second; give one of '
                                     'them another name for it')
                losses[key] = value
        return {**losses, **average_losses(collect_balance(self))}

    def encode_pairs(self, images: Tensor, input_ids: Tensor, mask: Tensor,
                     mixing: Mixing | None = None) -> tuple[EncodedSide, EncodedSide]:
        """Encode both sides of a batch, mixed half-way if ``mixing`` says how; maybe in chunks."""
        count = len(mixing.weight) if mixing else len(images)
        if self.chunk_size is None or self.chunk_size >= count:
            return self._encode_both(images, input_ids, mask, mixing)

        def encode(_: Tensor, start: int, stop: int) -> tuple[Tensor, ...]:
            part = mixing.chunk(start, stop) if mixing else None
            rows = part.rows if part else slice(start, stop)
            sides = self._encode_both(images[rows], input_ids[rows], mask[rows], part)
            return tuple(value for side in sides for value in side.parts.values())

        values = encode_in_chunks(encode, images[:count], self.chunk_size)
        parts = self.image_neck.parts
        return (EncodedSide(dict(zip(parts, values[:len(parts)], strict=True))),
                EncodedSide(dict(zip(parts, values[len(parts):], strict=True))))

    def _encode_both(self, images: Tensor, input_ids: Tensor, mask: Tensor,
                     mixing: Mixing | None) -> tuple[EncodedSide, EncodedSide]:
        towers, necks = (self.image_backbone, self.text_backbone), (self.image_neck, self.text_neck)
        layer = mixing.layer or 0 if mixing else 0
        halves = [tower.run(tower.embed(*inputs), 0, layer) for tower, inputs in
                  zip(towers, ((images,), (input_ids, mask)), strict=True)]
        if mixing:
            halves = [mixing.mix_tokens(tokens) for tokens in halves]
        return tuple(finish(tower, neck, tokens, self._read_only(neck)) for tower, neck, tokens in
                     zip(towers, necks, halves, strict=True))

    def _encode(self, tower: Tower, neck: BaseNeck, *inputs: Tensor,
                read_only: bool) -> EncodedSide:
        return finish(tower, neck, tower.embed(*inputs), read_only)

    def _encode_image_again(self, images: Tensor, kept: Tensor | None = None) -> EncodedSide:
        """Encode images for a head, in chunks where the batch is, or of ``kept`` tokens alone."""
        tower, neck = self.image_backbone, self.image_neck
        if kept is not None:
            return encode_some(tower, neck, images, kept)
        return self._encode_again(tower, neck, images)

    def _encode_text_again(self, input_ids: Tensor, attention_mask: Tensor) -> EncodedSide:
        """Encode captions for a head, in chunks where the batch is."""
        return self._encode_again(self.text_backbone, self.text_neck, input_ids, attention_mask)

    def _encode_again(self, tower: Tower, neck: BaseNeck, *inputs: Tensor) -> EncodedSide:
        read_only = self._read_only(neck)
        if self.chunk_size is None or self.chunk_size >= len(inputs[0]):
            return self._encode(tower, neck, *inputs, read_only=read_only)

        def encode(first: Tensor, start: int, stop: int) -> tuple[Tensor, ...]:
            rows = [values[start:stop] for values in (first, *inputs[1:])]
            return tuple(self._encode(tower, neck, *rows, read_only=read_only).parts.values())

        values = encode_in_chunks(encode, inputs[0], self.chunk_size)
        return EncodedSide(dict(zip(neck.parts, values, strict=True)))

    def _towers(self) -> dict[str, Tower]:
        return dict(image_backbone=self.image_backbone, text_backbone=self.text_backbone)

    def _read_only(self, neck: BaseNeck) -> bool:
        return not (neck.needs_tokens or any(head.needs_tokens for head in self.heads.values()))

    def _check_parts(self) -> None:
        """Refuse parts that do not go together."""
        self._check_necks()
        for name, head in self.heads.items():
            if head.part not in (None, *self.image_neck.parts):
                raise ValueError(f'head {name!r} takes the part {head.part!r} of the feature; the '
                                 f'necks have {self.image_neck.parts}')
            if reason := head.misfit(self):
                raise ValueError(f'head {name!r}: {type(head).__name__} {reason}')
        for name in ('image_backbone', 'text_backbone'):
            depth, layer = getattr(self, name).depth, getattr(self.mixup, 'layer', None) or 0
            if 0 < depth < layer:
                raise ValueError(f'mixup.layer={layer}, but {name} has {depth} layers')
        if self.chunk_size is not None:
            check_chunks(self.chunk_size, self)

    def _check_necks(self) -> None:
        if self.heads:  # what is built to load weights is judged by them
            check_necks(self.image_neck, self.text_neck)

    def _check_batch(self, batch: TrainingBatch) -> None:
        if not self.heads:
            raise ValueError('training needs heads=dict(NAME=dict(type=...)); this retriever was '
                             'built without one, for search')
        if len(batch.images) != len(batch.input_ids):
            raise ValueError(f'training needs one caption an image, got {len(batch.images)} images '
                             f'and {len(batch.input_ids)} captions; is the data set in test mode?')
        for name, head in self.heads.items():
            if missing := [key for key in head.needs if key not in batch.inputs]:
                raise ValueError(
                    f'head {name!r} needs {missing[0]!r} in the batch (it has '
                    f'{sorted(batch.inputs) or "no further inputs"}): a transform must make it, '
                    'and PackTextImage(input_keys=...) must name it')

    def _fit_state(self, state_dict: dict[str, Tensor], prefix: str, *_) -> None:
        """Rename weights of a former head; pass over heads and adapters that were not built."""
        rename_former_keys(state_dict, prefix)
        merge_adapters(state_dict, kept={prefix + name for name in self.state_dict()})
        if not self.heads:
            for key in [key for key in state_dict if key.startswith(f'{prefix}heads.')]:
                del state_dict[key]


def _build(settings: dict | nn.Module, base: type[nn.Module]) -> nn.Module:
    part = settings if isinstance(settings, nn.Module) else MODELS.build(settings)
    if not isinstance(part, base):
        raise TypeError(f'{type(part).__name__} is no {base.__name__}: derive it from '
                        f'{base.__module__}.{base.__name__}, see docs/concepts/add_a_part.md')
    return part


def _build_head(settings: dict | nn.Module) -> BaseHead:
    head = _build(settings, BaseHead)
    if type(head).loss is not BaseHead.loss:  # as heads of version 0.1 had; nobody would call it
        raise TypeError(f'{type(head).__name__}.loss is not called any more: what it computes '
                        'belongs into forward(pairs, samples), see docs/concepts/add_a_part.md')
    return head


def _check_name(name: str) -> str:
    """Refuse the name of a head that torch would not take, or would hide by a method of its own."""
    if not isinstance(name, str) or not name.isidentifier() or hasattr(nn.ModuleDict, name):
        raise ValueError(f'heads: {name!r} cannot be the name of a head; take letters, digits and '
                         '"_", and no method of a dict')
    return name


def _build_neck(settings: dict | nn.Module | None, tower: Tower) -> BaseNeck:
    if settings is None:
        return ProjectionNeck(tower.out_dims)
    if isinstance(settings, Mapping):
        settings = {'in_dims': tower.out_dims, **settings}
    return _build(settings, BaseNeck)


def _attach(features: dict[str, Tensor], data_samples: list) -> list:
    """Put each image's feature and its captions' features on its sample."""
    texts = features['text_feat'].split([sample.num_captions for sample in data_samples])
    for sample, image, text in zip(data_samples, features['image_feat'], texts, strict=True):
        sample.set_field(image, 'image_feature')
        sample.set_field(text, 'text_features')
    return data_samples
