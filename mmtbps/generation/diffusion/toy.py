"""Text-to-image latent diffusion model small enough for one CPU core.

It has the classes, the folder layout and the scheduler of Stable Diffusion 1.5, so every step of
proximity data generation runs on it unchanged: a KL autoencoder with f = 4, a cross-attention
U-Net in its latent space, and a text tower. The text tower is a small BERT that was taught to
*read* (which colour, which garment) before the U-Net looked at it, as
CLIP was before Stable Diffusion. It knows drawn people of 64 x 24 pixels and nothing else.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from mmtbps.errors import MissingPackage
from mmtbps.lexicon import colors

if TYPE_CHECKING:
    from diffusers import (
        AutoencoderKL,
        DDIMScheduler,
        StableDiffusionPipeline,
        UNet2DConditionModel,
    )
    from transformers import BertModel, PreTrainedTokenizerFast

__all__ = ['IMAGE_SIZE', 'build_autoencoder', 'build_scheduler', 'build_text_encoder',
           'build_tokenizer', 'build_toy', 'build_unet', 'encode_text', 'save_toy']

IMAGE_SIZE = (64, 24)
LATENT_CHANNELS = 8
MAX_TOKENS = 64
TEXT_WIDTH = 64
_SPECIAL = dict(pad_token='[PAD]', unk_token='[UNK]', cls_token='[CLS]', sep_token='[SEP]')


def require_diffusers() -> None:
    """Check that diffusers is there.

    Raises:
        MissingPackage: If diffusers cannot be imported.
    """
    try:
        import diffusers  # noqa: F401
    except ImportError as error:
        raise MissingPackage(
            'generating pairs needs diffusers: pip install "mmtbps[pdg]"') from error


def build_tokenizer(captions: Iterable[str]) -> 'PreTrainedTokenizerFast':
    """Build a word tokenizer with character offsets, of ``captions`` and the basic colours.

    >>> tokenizer = build_tokenizer(['A man in a dark-blue shirt.'])
    >>> tokenizer.tokenize('A RED shirt, dark-blue hat')
    ['a', 'red', 'shirt', '[UNK]', 'dark', '-', 'blue', '[UNK]']
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast
    counts = Counter(word for text in captions
                     for word in re.findall(r'[a-z0-9]+|[^\sa-z0-9]', text.lower()))
    words = [word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    basic = sorted({color.name for color in colors().values()})
    vocabulary = {word: i for i, word in
                  enumerate(dict.fromkeys([*_SPECIAL.values(), *words, *basic]))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=_SPECIAL['unk_token']))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single='[CLS] $A [SEP]',
        special_tokens=[(token, vocabulary[token]) for token in ('[CLS]', '[SEP]')])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=MAX_TOKENS,
                                   **_SPECIAL)


def build_text_encoder(vocabulary: int) -> 'BertModel':
    """Build the text tower: two layers, 64 wide, no dropout; word vectors start far apart."""
    from transformers import BertConfig, BertModel
    model = BertModel(BertConfig(
        vocab_size=vocabulary, hidden_size=TEXT_WIDTH, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=2 * TEXT_WIDTH, max_position_embeddings=MAX_TOKENS, pad_token_id=0,
        hidden_dropout_prob=0., attention_probs_dropout_prob=0.))
    with torch.no_grad():
        model.embeddings.word_embeddings.weight.normal_(0, 1)
        model.embeddings.position_embeddings.weight.normal_(0, .3)
    return model


def build_autoencoder() -> 'AutoencoderKL':
    """Build the autoencoder: (3, 64, 24) <-> (8, 16, 6), 0.43 M parameters."""
    from diffusers import AutoencoderKL
    return AutoencoderKL(
        block_out_channels=(16, 32, 48), layers_per_block=1, norm_num_groups=8,
        down_block_types=('DownEncoderBlock2D',) * 3, up_block_types=('UpDecoderBlock2D',) * 3,
        latent_channels=LATENT_CHANNELS, sample_size=IMAGE_SIZE[0])


def build_unet() -> 'UNet2DConditionModel':
    """Build the U-Net: two resolutions with cross-attention at both, 1.1 M parameters.

    The coarse one, 8 x 3 cells, does the reading. Without cross-attention there the model draws
    people, but after 5,000 steps none of the colours that its captions name.
    """
    from diffusers import UNet2DConditionModel
    return UNet2DConditionModel(
        sample_size=(IMAGE_SIZE[0] // 4, IMAGE_SIZE[1] // 4), in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS, layers_per_block=1, block_out_channels=(32, 64),
        norm_num_groups=8, down_block_types=('CrossAttnDownBlock2D',) * 2,
        up_block_types=('CrossAttnUpBlock2D',) * 2, cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=4)


def build_scheduler() -> 'DDIMScheduler':
    """Build the noise schedule of Stable Diffusion 1.5 with the right last step."""
    from diffusers import DDIMScheduler
    return DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule='scaled_linear',
                         clip_sample=False, set_alpha_to_one=False, steps_offset=1)


def build_toy(captions: Iterable[str], seed: int = 0) -> 'StableDiffusionPipeline':
    """Build the untrained model, with a tokenizer for the words of ``captions``.

    Raises:
        MissingPackage: If diffusers is not installed.
    """
    require_diffusers()
    from diffusers import StableDiffusionPipeline
    tokenizer = build_tokenizer(captions)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        parts = dict(text_encoder=build_text_encoder(len(tokenizer)).eval(),
                     vae=build_autoencoder().eval(), unet=build_unet().eval())
    pipeline = StableDiffusionPipeline(
        tokenizer=tokenizer, scheduler=build_scheduler(), safety_checker=None,
        feature_extractor=None, requires_safety_checker=False, **parts)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def encode_text(pipeline: 'StableDiffusionPipeline', texts: list[str]) -> torch.Tensor:
    """Encode texts to word features, (N, 64, 64), padded to full length as the pipeline does."""
    ids = pipeline.tokenizer(texts, padding='max_length', truncation=True,
                             max_length=pipeline.tokenizer.model_max_length,
                             return_tensors='pt').input_ids
    return pipeline.text_encoder(ids)[0]


def save_toy(pipeline: 'StableDiffusionPipeline', folder: str | Path,
             recipe: dict[str, Any] | None = None) -> Path:
    """Write the diffusers folder, in half precision but for the small text tower.

    Args:
        pipeline: The model.
        folder: The folder to write.
        recipe: The numbers it was made with, for ``recipe.json``, where the sha256 of the weight
            files stand beside them.
    """
    folder = Path(folder)
    for part in (pipeline.unet, pipeline.vae):
        part.half()
    pipeline.tokenizer.backend_tokenizer.no_padding()       # left over from the last call
    pipeline.tokenizer.backend_tokenizer.no_truncation()
    pipeline.save_pretrained(folder, safe_serialization=True)
    for part in (pipeline.unet, pipeline.vae):
        part.float()
    for path in (folder / 'model_index.json', folder / 'tokenizer' / 'tokenizer_config.json'):
        text = path.read_text(encoding='utf-8')   # the name that transformers 4 knows as well
        path.write_text(text.replace('TokenizersBackend', 'PreTrainedTokenizerFast'), 'utf-8')
    sums = {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob('*.safetensors'))}
    text = json.dumps(dict(recipe=recipe or {}, sha256=sums), indent=2) + '\n'
    (folder / 'recipe.json').write_text(text, encoding='utf-8')
    return folder
