"""LoRA fine-tuning of a diffusion model on images and their captions."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.model import BaseDataPreprocessor, BaseModel, is_model_wrapper
from torch import Tensor, nn

from mmtbps.errors import BadValue, MissingPackage
from mmtbps.registry import HOOKS, MODELS

from .latent_diffusion import DTYPES, check_dtype, check_source, move_parts
from .pipelines import check_stable_diffusion, load_pipeline
from .prior import PriorOptions, read_prior, text_distillation, update_norm

__all__ = ['CaptionedImages', 'DiffusionFinetuner', 'SaveLoraHook', 'denoising_loss']


def denoising_loss(predicted: Tensor, target: Tensor, level: Tensor, velocity: bool = False,
                   gamma: float | None = 5.) -> Tensor:
    """Compute the squared error, weighted so that no noise level dominates.

    Min-SNR weighting, https://arxiv.org/abs/2303.09556: ``min(SNR, gamma)`` over the SNR, or over
    SNR + 1 where the model predicts velocity.

    Args:
        predicted: ``(N, C, H, W)``.
        target: Like ``predicted``: the noise, or the velocity.
        level: Cumulative alpha of each sample, ``(N,)``.
        velocity: The target is the velocity, not the noise.
        gamma: ``None`` weighs all levels alike.

    >>> one = torch.ones(1, 1, 1, 1)
    >>> denoising_loss(one, 0 * one, torch.tensor([.9]))  # SNR 9, limited to 5
    tensor(0.5556)
    """
    error = (predicted.float() - target.float()).square().mean((1, 2, 3))
    if gamma is None:
        return error.mean()
    snr = level / (1 - level)
    return (error * snr.clamp(max=gamma) / (snr + velocity)).mean()


@MODELS.register_module()
class CaptionedImages(BaseDataPreprocessor):
    """Preprocessor of batches of the data sets for a diffusion model.

    Takes what ``PackTextImage`` and ``pseudo_collate`` make (uint8 BGR images, captions in the
    data samples' metainfo) and gives ``images`` ``(N, 3, H, W)``, RGB in [-1, 1], and
    ``captions``, one of each image.

    Args:
        size: (height, width) to resize to on the device.
    """

    def __init__(self, size: tuple[int, int] = (640, 256)) -> None:
        super().__init__()
        self.size = tuple(size)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Take one caption an image: a random one of several in training, else the first."""
        images = self.cast_data(torch.stack(list(data['inputs']['image'])))
        images = images.flip(1).float() / 127.5 - 1
        captions = [sample.captions[int(torch.randint(len(sample.captions), ())) if training else 0]
                    for sample in data['data_samples']]
        if images.shape[2:] != self.size:
            images = F.interpolate(images, self.size, mode='bicubic', antialias=True).clamp(-1, 1)
        return dict(images=images, captions=captions)


@MODELS.register_module()
class DiffusionFinetuner(BaseModel):
    """Text-to-image model of which low-rank updates of the UNet's attention are trained.

    Low-Rank Adaptation, https://arxiv.org/abs/2106.09685. Everything else is frozen, and
    checkpoints hold the updates alone. It trains like any model of MMEngine, with `SaveLoraHook`;
    ``P2PEditor(weights=dict(lora=...))`` then edits with it.

    Args:
        pretrained: Folder of a diffusers ``StableDiffusionPipeline``, or a hub name.
        pipeline: The loaded model instead: any object with ``unet``, ``vae``, ``text_encoder``,
            ``tokenizer`` and ``scheduler``.
        size: (height, width) to train at.
        rank: Of the updates.
        targets: Names of the layers that are updated.
        caption_dropout: Share of captions left out, so that guidance keeps working.
        gamma: See `denoising_loss`.
        prior: Losses that keep the model near its start, or their keys, see `PriorOptions`.
        dtype: Type of the frozen weights: ``bf16``, ``fp16`` or ``fp32``.
        data_preprocessor: `CaptionedImages` of ``size`` by default.

    Raises:
        MissingPackage: If diffusers or peft is not installed.
        MissingFile: If ``pretrained`` is a path to nothing.
        BadValue: Unless exactly one of ``pretrained`` and ``pipeline`` is given; on an unknown
            dtype; if the model is not of Stable Diffusion 1 or 2; as `PriorOptions`.
    """

    def __init__(self, pretrained: str | None = None, pipeline: Any = None,
                 size: tuple[int, int] = (640, 256), rank: int = 8,
                 targets: Sequence[str] = ('to_q', 'to_k', 'to_v', 'to_out.0'),
                 caption_dropout: float = .1, gamma: float | None = 5., dtype: str = 'fp32',
                 data_preprocessor: dict | None = None,
                 prior: PriorOptions | Mapping[str, Any] | None = None) -> None:
        if (pretrained is None) == (pipeline is None):
            raise BadValue('give either pretrained or pipeline')
        check_dtype(dtype)
        super().__init__(MODELS.build(data_preprocessor or dict(type=CaptionedImages, size=size)))
        check_stable_diffusion(pipeline or check_source(pretrained), type(self).__name__)
        if pipeline is None:
            pipeline = load_pipeline('StableDiffusionPipeline', pretrained, DTYPES[dtype],
                                     safety_checker=None, requires_safety_checker=False)
            check_stable_diffusion(pipeline, type(self).__name__)
        self.unet, self.vae = pipeline.unet, pipeline.vae
        self.text_encoder, self.tokenizer = pipeline.text_encoder, pipeline.tokenizer
        self.caption_dropout, self.gamma = caption_dropout, gamma
        self.prior = read_prior(prior)
        self.velocity = pipeline.scheduler.config.prediction_type == 'v_prediction'
        self.register_buffer('levels', pipeline.scheduler.alphas_cumprod.float(), persistent=False)
        for part in (self.unet, self.vae, self.text_encoder):
            part.requires_grad_(False)
        move_parts((self.unet, self.vae, self.text_encoder), 'cpu', DTYPES[dtype])
        _add_updates(self.unet, rank, list(targets))
        self._register_state_dict_hook(_keep_updates)
        self._register_load_state_dict_pre_hook(self._fill_in)

    def train(self, mode: bool = True) -> 'DiffusionFinetuner':
        """Set the mode of the UNet; the other parts stay in evaluation."""
        super().train(mode)
        self.vae.eval()
        self.text_encoder.eval()
        return self

    def forward(self, images: Tensor, captions: Sequence[str], mode: str = 'tensor'
                ) -> dict[str, Tensor] | tuple[Tensor, Tensor]:
        """Predict the noise of images at one random level each.

        Args:
            images: ``(N, 3, H, W)`` in [-1, 1].
            captions: One of each image.
            mode: ``'loss'`` for ``{'loss': ()}``, and the losses of the prior beside it;
                ``'tensor'`` for prediction and target.

        Raises:
            ValueError: On another mode.
        """
        if mode not in ('loss', 'tensor'):
            raise ValueError(f"mode must be 'loss' or 'tensor', got {mode!r}")
        clean, context = self._encode(images, captions)
        steps = torch.randint(len(self.levels), (len(images),), device=images.device)
        level = self.levels[steps]
        signal, spread = level.sqrt().view(-1, 1, 1, 1), (1 - level).sqrt().view(-1, 1, 1, 1)
        noise = torch.randn_like(clean)
        noisy = (signal * clean + spread * noise).to(self.unet.dtype)
        predicted = self.unet(noisy, steps, encoder_hidden_states=context).sample
        target = signal * noise - spread * clean if self.velocity else noise
        if mode == 'tensor':
            return predicted, target
        loss = denoising_loss(predicted, target, level, self.velocity, self.gamma)
        prior = self._prior_losses(clean.shape)
        return dict(loss_denoising=loss, **prior) if prior else dict(loss=loss)

    def _prior_losses(self, size: torch.Size) -> dict[str, Tensor]:
        """Compute what keeps the model near its start; nothing by default."""
        prior, losses = self.prior, {}
        if prior.l2:
            losses['loss_prior_l2'] = prior.l2 * update_norm(self.unet)
        if prior.distill:
            chosen = torch.randint(len(prior.captions), (size[0],)).tolist()
            context = self._encode_texts([prior.captions[i] for i in chosen])
            losses['loss_prior_distill'] = prior.distill * text_distillation(
                self.unet, context, size[1:], self.levels, self.velocity)
        return losses

    @torch.no_grad()
    def _encode(self, images: Tensor, captions: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Encode to latents in float32 and text features, some of them those of no caption."""
        code = self.vae.encode(images.to(self.vae.dtype)).latent_dist.sample()
        dropped = torch.rand(len(captions)) < self.caption_dropout * self.training
        texts = ['' if drop else caption for caption, drop in zip(captions, dropped, strict=True)]
        return code.float() * self.vae.config.scaling_factor, self._encode_texts(texts)

    @torch.no_grad()
    def _encode_texts(self, texts: Sequence[str]) -> Tensor:
        ids = self.tokenizer(list(texts), padding='max_length', truncation=True,
                             return_tensors='pt',
                             max_length=self.tokenizer.model_max_length).input_ids
        context = self.text_encoder(ids.to(self.text_encoder.device))[0]
        return context.to(self.unet.dtype)

    def _fill_in(self, state: dict[str, Tensor], prefix: str, *_: Any) -> None:
        """Complete a checkpoint of the updates by the model's own frozen weights."""
        for part in ('unet', 'vae', 'text_encoder'):
            for name, value in getattr(self, part).state_dict(prefix=f'{prefix}{part}.').items():
                if not _is_update(name):
                    state.setdefault(name, value)

    def save_lora(self, folder: str | Path) -> None:
        """Write the updates in diffusers' format, for ``pipeline.load_lora_weights(folder)``."""
        from diffusers import StableDiffusionPipeline
        from diffusers.utils import convert_state_dict_to_diffusers
        from peft import get_peft_model_state_dict
        layers = convert_state_dict_to_diffusers(get_peft_model_state_dict(self.unet))
        StableDiffusionPipeline.save_lora_weights(folder, unet_lora_layers=layers)


@HOOKS.register_module()
class SaveLoraHook(Hook):
    """Hook that writes the low-rank updates at the end of the training, and now and then before.

    Args:
        out_dir: Folder of ``pytorch_lora_weights.safetensors``; by default ``lora`` in the work
            folder of the run.
        interval: Iterations between two writings; ``None`` only at the end.
    """

    priority = 'LOW'   # after the optimizer's step

    def __init__(self, out_dir: str | None = None, interval: int | None = None) -> None:
        self.out_dir, self.interval = out_dir, interval

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None,
                         outputs: Any = None) -> None:
        """Write the updates, if it is time."""
        if self.interval and self.every_n_train_iters(runner, self.interval):
            self._save(runner)

    def after_train(self, runner: Any) -> None:
        """Write the updates of the end."""
        self._save(runner)

    def _save(self, runner: Any) -> None:
        if not is_main_process():
            return
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        folder = Path(self.out_dir or Path(runner.work_dir) / 'lora')
        model.save_lora(folder)
        runner.logger.info(f'low-rank updates: {folder}')


def _add_updates(unet: nn.Module, rank: int, targets: list[str]) -> None:
    try:
        from peft import LoraConfig
    except ImportError as error:
        raise MissingPackage('fine-tuning needs peft: pip install "mmtbps[pdg]"') from error
    # The saved file holds no alpha, and who loads it takes the rank for it.
    unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, init_lora_weights='gaussian',
                                target_modules=targets))
    for parameter in unet.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()   # small steps get lost in half precision


def _is_update(name: str) -> bool:
    return '.lora_' in name


def _keep_updates(_: nn.Module, state: dict[str, Tensor], prefix: str, *__: Any) -> None:
    for name in [name for name in state if name.startswith(prefix) and not _is_update(name)]:
        del state[name]
