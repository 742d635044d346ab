"""The training that most research code does: the published procedure, written straightforwardly.

Contrastive Transformer Learning with Proximity Data Generation for TBPS,
https://arxiv.org/abs/2311.09084: a ViT on overlapping patches, BERT, InfoNCE between them. All of
it in plain torch: explicit softmax attention, captions padded to 64 tokens, pictures decoded and
normalised one by one, the optimizer's loop over single tensors, the loss read in every step.
"""

import math
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

# Names of our state dict, and what the same weights are called here.
RENAMINGS = (
    (r'^image_backbone\.', 'image.'),
    (r'^text_backbone\.bert\.', 'text.'),
    (r'^image\.ln1\.', 'image.norm.'),
    (r'\.patch_embed\.projection\.', '.patches.'),
    (r'\.ffn\.layers\.0\.0\.|\.intermediate\.dense\.', '.widen.'),
    (r'\.ffn\.layers\.1\.|(?<!attention)\.output\.dense\.', '.narrow.'),
    (r'\.(encoder\.layer|layers)\.(\d+)\.', r'.blocks.\2.'),
    (r'\.attn\.|\.attention\.self\.', '.'),
    (r'\.attention\.output\.dense\.', '.proj.'),
    (r'\.attention\.output\.LayerNorm\.|\.ln1\.', '.norm1.'),
    (r'(?<=\d)\.output\.LayerNorm\.|\.ln2\.', '.norm2.'),
    (r'\.embeddings\.(word|position|token_type)_embeddings\.', r'.\1.'),
    (r'\.embeddings\.LayerNorm\.', '.norm.'),
    (r'\.pooler\.dense\.', '.pooler.'),
)


class PlainInputs(NamedTuple):
    """Pictures and captions as a model is given them.

    Args:
        mean: of the pixels, 0-1.
        std: of the pixels.
        resample: Pillow's number of the filter.
        length: tokens that every caption is padded to.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resample: int
    length: int


def attend(query: Tensor, key: Tensor, value: Tensor, heads: int,
           blocked: Tensor | None = None) -> Tensor:
    """Softmax of the scaled products, times the values; ``(N, L, D)`` each."""
    query, key, value = (part.unflatten(-1, (heads, -1)).transpose(1, 2)
                         for part in (query, key, value))
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    if blocked is not None:
        scores = scores + blocked
    return (scores.softmax(dim=-1) @ value).transpose(1, 2).flatten(2)


def contrastive_loss(image: Tensor, text: Tensor, temperature: float | Tensor) -> Tensor:
    """InfoNCE both ways of unit features ``(N, D)``."""
    logits = image @ text.t() / temperature
    own = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.t(), own)) / 2


class ImageBlock(nn.Module):
    """A layer of the ViT: norms come first."""

    def __init__(self, width: int, heads: int, inner: int):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = (nn.LayerNorm(width, eps=1e-6) for _ in range(2))
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, hidden: Tensor) -> Tensor:
        """``(N, L, D)`` to the same."""
        query, key, value = self.qkv(self.norm1(hidden)).chunk(3, dim=-1)
        hidden = hidden + self.proj(attend(query, key, value, self.heads))
        return hidden + self.narrow(F.gelu(self.widen(self.norm2(hidden))))


class ImageTower(nn.Module):
    """ViT on overlapping patches; the feature is the normalised class token."""

    def __init__(self, width: int, depth: int, heads: int, inner: int, patch: int, stride: int,
                 grid: tuple[int, int]):
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, stride)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + grid[0] * grid[1], width))
        self.blocks = nn.Sequential(*(ImageBlock(width, heads, inner) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, images: Tensor) -> Tensor:
        """``(N, 3, H, W)`` to ``(N, D)``."""
        hidden = self.patches(images).flatten(2).transpose(1, 2)
        hidden = torch.cat([self.cls_token.expand(len(hidden), -1, -1), hidden], dim=1)
        return self.norm(self.blocks(hidden + self.pos_embed))[:, 0]


class TextBlock(nn.Module):
    """A layer of BERT: norms come last."""

    def __init__(self, width: int, heads: int, inner: int):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.proj = (nn.Linear(width, width) for _ in range(4))
        self.norm1, self.norm2 = (nn.LayerNorm(width, eps=1e-12) for _ in range(2))
        self.widen, self.narrow = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, hidden: Tensor, blocked: Tensor) -> Tensor:
        """``(N, L, D)`` to the same."""
        context = attend(self.query(hidden), self.key(hidden), self.value(hidden), self.heads,
                         blocked)
        hidden = self.norm1(hidden + self.proj(context))
        return self.norm2(hidden + self.narrow(F.gelu(self.widen(hidden))))


class TextTower(nn.Module):
    """BERT without dropout; the feature is the first token, through the pooler if there is one."""

    def __init__(self, width: int, depth: int, heads: int, inner: int, vocabulary: int,
                 positions: int, pooled: bool):
        super().__init__()
        self.word, self.position = nn.Embedding(vocabulary, width), nn.Embedding(positions, width)
        self.token_type = nn.Embedding(2, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.blocks = nn.ModuleList(TextBlock(width, heads, inner) for _ in range(depth))
        self.pooler = nn.Linear(width, width) if pooled else None

    def forward(self, input_ids: Tensor, mask: Tensor) -> Tensor:
        """``(N, L)`` tokens and mask (1 where there is one) to ``(N, D)``."""
        places = torch.arange(input_ids.shape[1], device=input_ids.device)
        hidden = self.norm(self.word(input_ids) + self.position(places)
                           + self.token_type(torch.zeros_like(input_ids)))
        blocked = (1. - mask[:, None, None, :].to(hidden.dtype)) * torch.finfo(hidden.dtype).min
        for block in self.blocks:
            hidden = block(hidden, blocked)
        first = hidden[:, 0]
        return first if self.pooler is None else torch.tanh(self.pooler(first))


class PlainRetriever(nn.Module):
    """Both towers and InfoNCE.

    Args:
        image: keyword arguments of :class:`ImageTower`.
        text: keyword arguments of :class:`TextTower`.
        temperature: of the softmax over similarities.
    """

    inputs = PlainInputs(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225),
                         resample=Image.BICUBIC, length=64)

    def __init__(self, image: dict, text: dict, temperature: float):
        super().__init__()
        self.image, self.text = ImageTower(**image), TextTower(**text)
        self.temperature = temperature

    @classmethod
    def like(cls, ours: nn.Module) -> 'PlainRetriever':
        """The same sizes as our ``TextImageRetriever``, on the device that is the default."""
        vit, bert = ours.image_backbone, ours.text_backbone
        sizes = bert.bert.config
        projection = vit.patch_embed.projection
        image = dict(
            width=vit.embed_dims, depth=len(vit.layers), heads=vit.layers[0].attn.num_heads,
            inner=vit.layers[0].ffn.feedforward_channels, patch=projection.kernel_size[0],
            stride=projection.stride[0], grid=vit.patch_resolution)
        text = dict(
            width=sizes.hidden_size, depth=bert.depth, heads=sizes.num_attention_heads,
            inner=sizes.intermediate_size, vocabulary=sizes.vocab_size,
            positions=sizes.max_position_embeddings, pooled=bert.pooling == 'pooler')
        return cls(image, text, ours.heads.contrastive.temperature)

    def load_ours(self, state: dict[str, Tensor]) -> None:
        """Copy the weights of our ``TextImageRetriever``."""
        renamed = {}
        for name, value in state.items():
            for pattern, replacement in RENAMINGS:
                name = re.sub(pattern, replacement, name)
            renamed[name] = value
        self.load_state_dict(renamed)

    def weight_groups(self, lr: float, weight_decay: float) -> list[dict]:
        """Groups for the optimizer: norms and biases do not decay."""
        weights = list(self.parameters())
        return [dict(params=[weight for weight in weights if weight.ndim > 1], lr=lr,
                     weight_decay=weight_decay),
                dict(params=[weight for weight in weights if weight.ndim == 1], lr=lr,
                     weight_decay=0.)]

    def forward(self, images: Tensor, input_ids: Tensor, mask: Tensor) -> Tensor:
        """The loss of a batch of pairs."""
        image = F.normalize(self.image(images), dim=-1)
        text = F.normalize(self.text(input_ids, mask), dim=-1)
        return contrastive_loss(image, text, self.temperature)


class PlainPairs(torch.utils.data.Dataset):
    """(image, tokens, mask): decoded by PIL, normalised to floats, padded to one length.

    Args:
        items: (path of an image, caption).
        tokenizer: of transformers.
        size: height and width of the model's input.
        inputs: of the model.
    """

    def __init__(self, items: Sequence[tuple[str, str]], tokenizer: Callable,
                 size: tuple[int, int], inputs: PlainInputs = PlainRetriever.inputs):
        self.items, self.tokenizer, self.size, self.inputs = items, tokenizer, size, inputs

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        path, caption = self.items[index]
        image = Image.open(path).convert('RGB').resize(self.size[::-1], self.inputs.resample)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float().div(255)
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in self.inputs[:2])
        tokens = self.tokenizer(caption, truncation=True, max_length=self.inputs.length)
        input_ids = torch.zeros(self.inputs.length, dtype=torch.int64)  # 0 is the padding
        input_ids[:len(tokens['input_ids'])] = torch.tensor(tokens['input_ids'])
        mask = torch.arange(self.inputs.length) < len(tokens['input_ids'])
        return (pixels - mean) / std, input_ids, mask


def plain_optimizer(model: nn.Module, kind: type, lr: float, weight_decay: float = 0.,
                    **options) -> torch.optim.Optimizer:
    """An optimizer that goes from tensor to tensor, over the groups that the model names."""
    return kind(model.weight_groups(lr, weight_decay), foreach=False, fused=False, **options)


def plain_step(model: nn.Module, optimizer: torch.optim.Optimizer, max_norm: float | None,
               half: bool, device: str) -> Callable[[list[Tensor]], float]:
    """A function that trains on a batch and returns its loss.

    Args:
        model: on the device.
        optimizer: of the model.
        max_norm: longest gradient; ``None`` for no limit.
        half: use float16 where autocast allows it, with a scaled loss.
        device: name of the device.
    """
    scaler = torch.amp.GradScaler(device, enabled=half)

    def step(batch: list[Tensor]) -> float:
        images, input_ids, mask = (part.to(device) for part in batch)
        optimizer.zero_grad()
        with torch.autocast(device, torch.float16, enabled=half):
            loss = model(images, input_ids, mask)
        scaler.scale(loss).backward()
        if max_norm is not None:
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), max_norm, foreach=False)
        scaler.step(optimizer)
        scaler.update()
        return loss.item()

    return step
