"""The fine-tuning of CLIP that most research code does, written straightforwardly in plain torch.

Learning Transferable Visual Models From Natural Language Supervision,
https://arxiv.org/abs/2103.00020: two Transformers whose norms come first, QuickGELU, InfoNCE of a
learned temperature. Attention is an explicit softmax, every caption has 77 tokens, and all layers
compute all tokens. Biases learn twice as fast as weights and do not decay, as in IRRA's code.
"""

import math
import re

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from .plain_training import PlainInputs, attend, contrastive_loss

# Names of our state dict, and what the same weights are called here.
RENAMINGS = (
    (r'^(image|text)_neck\.projection\.', r'\1_projection.'),
    (r'^heads\.contrastive\.', ''),
    (r'^(image|text)_backbone\.', r'\1.'),
    (r'\.transformer\.resblocks\.', '.blocks.'),
    (r'\.attn\.in_proj[_.]', '.qkv.'),
    (r'\.attn\.out_proj\.', '.proj.'),
    (r'\.mlp\.c_fc\.', '.widen.'),
    (r'\.mlp\.c_proj\.', '.narrow.'),
    (r'\.ln_([12])\.', r'.norm\1.'),
    (r'\.ln_(post|final)\.', '.norm.'),
)


class Block(nn.Module):
    """A layer of either tower."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, hidden: Tensor, blocked: Tensor | None = None) -> Tensor:
        """``(N, L, D)`` to the same."""
        query, key, value = self.qkv(self.norm1(hidden)).chunk(3, dim=-1)
        hidden = hidden + self.proj(attend(query, key, value, self.heads, blocked))
        inner = self.widen(self.norm2(hidden))
        return hidden + self.narrow(inner * torch.sigmoid(1.702 * inner))


class ImageTower(nn.Module):
    """Vision Transformer; the feature is the normalised class token."""

    def __init__(self, width: int, depth: int, heads: int, patch: int, stride: int,
                 grid: tuple[int, int]):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, patch, stride, bias=False)
        self.class_embedding = nn.Parameter(torch.zeros(width))
        self.positional_embedding = nn.Parameter(torch.zeros(1 + grid[0] * grid[1], width))
        self.ln_pre, self.norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))

    def forward(self, images: Tensor) -> Tensor:
        """``(N, 3, H, W)`` to ``(N, D)``."""
        patches = self.conv1(images).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(len(images), 1, -1)
        hidden = torch.cat([first, patches], dim=1) + self.positional_embedding
        return self.norm(self.blocks(self.ln_pre(hidden)))[:, 0]


class TextTower(nn.Module):
    """Causal Transformer; the feature is the normalised end token, which has the largest id."""

    def __init__(self, width: int, depth: int, heads: int, vocabulary: int, positions: int):
        super().__init__()
        self.token_embedding = nn.Embedding(vocabulary, width)
        self.positional_embedding = nn.Parameter(torch.zeros(positions, width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, input_ids: Tensor, mask: Tensor) -> Tensor:
        """``(N, L)`` tokens to ``(N, D)``; what comes after the end token is never read."""
        length = input_ids.shape[1]
        hidden = self.token_embedding(input_ids) + self.positional_embedding[:length]
        blocked = torch.full((length, length), -math.inf, dtype=hidden.dtype,
                             device=hidden.device).triu(1)
        for block in self.blocks:
            hidden = block(hidden, blocked)
        rows = torch.arange(len(hidden), device=hidden.device)
        return self.norm(hidden)[rows, input_ids.argmax(dim=-1)]


class PlainCLIP(nn.Module):
    """Both towers, their projections, and InfoNCE.

    Args:
        image: keyword arguments of :class:`ImageTower`.
        text: keyword arguments of :class:`TextTower`.
        dims: of the common space.
        min_temperature: floor of the learned temperature.
    """

    inputs = PlainInputs(mean=(0.48145466, 0.4578275, 0.40821073),
                         std=(0.26862954, 0.26130258, 0.27577711),
                         resample=Image.BILINEAR, length=77)

    def __init__(self, image: dict, text: dict, dims: int, min_temperature: float):
        super().__init__()
        self.image, self.text = ImageTower(**image), TextTower(**text)
        self.image_projection = nn.Linear(image['width'], dims, bias=False)
        self.text_projection = nn.Linear(text['width'], dims, bias=False)
        self.log_temperature = nn.Parameter(torch.tensor(0.))
        self.min_temperature = min_temperature

    @classmethod
    def like(cls, ours: nn.Module) -> 'PlainCLIP':
        """The same sizes as our ``TextImageRetriever`` of CLIP's towers."""
        sizes = {side: dict(width=tower.out_dims, depth=tower.depth,
                            heads=tower.layers[0].attn.heads)
                 for side, tower in (('image', ours.image_backbone), ('text', ours.text_backbone))}
        conv1, words = ours.image_backbone.conv1, ours.text_backbone.token_embedding
        sizes['image'].update(patch=conv1.kernel_size[0], stride=conv1.stride[0],
                              grid=ours.image_backbone.grid)
        sizes['text'].update(vocabulary=words.num_embeddings,
                             positions=len(ours.text_backbone.positional_embedding))
        return cls(sizes['image'], sizes['text'], ours.image_neck.projection.out_features,
                   ours.heads.contrastive.min_temperature)

    def load_ours(self, state: dict[str, Tensor]) -> None:
        """Copy the weights of our ``TextImageRetriever``."""
        renamed = {}
        for name, value in state.items():
            for pattern, replacement in RENAMINGS:
                name = re.sub(pattern, replacement, name)
            renamed[name] = value
        self.load_state_dict(renamed)

    def weight_groups(self, lr: float, weight_decay: float) -> list[dict]:
        """Groups for the optimizer: biases learn twice as fast and do not decay."""
        biases = [weight for name, weight in self.named_parameters() if 'bias' in name]
        others = [weight for name, weight in self.named_parameters() if 'bias' not in name]
        return [dict(params=others, lr=lr, weight_decay=weight_decay),
                dict(params=biases, lr=2 * lr, weight_decay=0.)]

    def forward(self, images: Tensor, input_ids: Tensor, mask: Tensor) -> Tensor:
        """The loss of a batch of pairs."""
        with torch.no_grad():
            self.log_temperature.clamp_(min=math.log(self.min_temperature))
        image = F.normalize(self.image_projection(self.image(images)), dim=-1)
        text = F.normalize(self.text_projection(self.text(input_ids, mask)), dim=-1)
        return contrastive_loss(image, text, self.log_temperature.exp())
