"""The head of a fused modality that teaches images and captions."""

import torch
from torch import Tensor, nn

from mmtbps.errors import BadValue
from mmtbps.models.backbones.clip_layers import Float32LayerNorm
from mmtbps.models.losses import GatheredPairs, gather_with_grad, sdm_loss, transfer_loss
from mmtbps.registry import MODELS

from .pairs import Pairs
from .part_head import PartHead


@MODELS.register_module()
class FusionTeacherHead(PartHead):
    """A feature fused of caption and image, from which both sides learn.

    After the idea of Cross-Modal Feature Fusion-Based Knowledge Transfer for Text-Based Person
    Search, IEEE Signal Processing Letters 2024, of which an abstract is known and no code: captions
    say less than images show, so that a modality between them, of features that say who a person
    is, is made by fusion and teaches both. All else is our interpretation:

    - an image token counts by a gate, the sigmoid of an MLP on it and on the pooled feature;
    - the caption's feature reads the gated tokens in one cross attention, which is added to it;
    - the fused feature is trained by SDM against images and against captions (``loss_fusion``);
    - what it thinks of all images, captions should think, and of all captions images
      (``loss_transfer``), without gradient to it.

    It trains beside a head on the features themselves, and is no part of a search.

    Args:
        dims: width of the part ``global``.
        num_heads: heads of the attention; ``None`` for one every 64 dims.
        temperature: of both losses.
        transfer_weight: factor of ``loss_transfer``.
        loss_weight: factor of both losses.
        init_cfg: as in every MMEngine module.

    Raises:
        BadValue: an option is out of its range.

    Example:
        >>> head = FusionTeacherHead(dims=8, num_heads=2)
        >>> head.fuse(torch.zeros(2, 8), torch.zeros(2, 8), torch.zeros(2, 5, 8)).shape
        torch.Size([2, 8])
    """

    needs_tokens = True
    heeds_weights = True

    def __init__(self, dims: int = 512, num_heads: int | None = None, temperature: float = 0.02,
                 transfer_weight: float = 1.0, loss_weight: float = 1.0,
                 init_cfg: dict | list | None = None):
        super().__init__('global', loss_weight, init_cfg)
        num_heads = num_heads or max(1, dims // 64)
        if dims % num_heads or temperature <= 0 or transfer_weight < 0:
            raise BadValue('the heads must divide dims, temperature be positive and '
                           f'transfer_weight not negative, got {num_heads} and {dims}, '
                           f'{temperature}, {transfer_weight}')
        self.temperature, self.transfer_weight = temperature, transfer_weight
        self.gate = nn.Sequential(nn.Linear(2 * dims, dims // 2), nn.ReLU(),
                                  nn.Linear(dims // 2, 1))
        self.ln_text, self.ln_image, self.ln_fused = (Float32LayerNorm(dims) for _ in range(3))
        self.cross_attn = nn.MultiheadAttention(dims, num_heads, batch_first=True)

    def fuse(self, image: Tensor, text: Tensor, tokens: Tensor) -> Tensor:
        """Fuse both sides.

        Args:
            image: ``(N, D)`` features of images.
            text: ``(N, D)`` of their captions.
            tokens: ``(N, P, D)`` of the images.

        Returns:
            ``(N, D)``, not normalised.
        """
        pooled = image[:, None].expand_as(tokens)
        gated = torch.sigmoid(self.gate(torch.cat([tokens, pooled], dim=-1))) * tokens
        gated, query = self.ln_image(gated), self.ln_text(text)[:, None]
        read = self.cross_attn(query, gated, gated, need_weights=False)[0][:, 0]
        return self.ln_fused(text + read)

    def forward(self, pairs: Pairs, samples: list) -> dict[str, Tensor]:
        """Compute ``loss_fusion`` and ``loss_transfer`` of the joined batch of all processes."""
        image, text, people = self.features(pairs)
        everyone = pairs.gathered(self.part)
        fused = self.fuse(image, text, pairs.image.tokens)
        fused_everyone = gather_with_grad(fused)
        fusion = transfer = 0
        for own, candidates, other in ((image, everyone.image, text), (text, everyone.text, image)):
            joined = GatheredPairs(fused_everyone, candidates, everyone.person_ids,
                                   everyone.first_row)
            fusion = fusion + sdm_loss(fused, own, people, self.temperature, gathered=joined,
                                       pair_weights=pairs.weights)
            transfer = transfer + transfer_loss(fused, other, candidates, self.temperature,
                                                pairs.weights)
        return dict(self.named('fusion', fusion),
                    **self.named('transfer', self.transfer_weight * transfer))
