"""The pooled token, projected or as it is."""

from torch import Tensor, nn

from mmtbps.models.backbones.base import Tokens, Tower
from mmtbps.registry import MODELS

from .base import BaseNeck


@MODELS.register_module()
class ProjectionNeck(BaseNeck):
    """A linear layer on the pooled token, as in CLIP, or none.

    Learning Transferable Visual Models From Natural Language Supervision,
    https://arxiv.org/abs/2103.00020.

    Args:
        in_dims: width of the tower's feature; a retriever fills it in.
        out_dims: width of the part ``global``; ``None`` leaves the feature as it is.
        bias: whether the layer has a bias.
        init_cfg: as in every MMEngine module.

    Example:
        >>> ProjectionNeck(in_dims=768, out_dims=512).projection
        Linear(in_features=768, out_features=512, bias=False)
    """

    def __init__(self, in_dims: int, out_dims: int | None = None, bias: bool = False,
                 init_cfg: dict | list | None = None):
        super().__init__(init_cfg)
        self.dims = {'global': out_dims or in_dims}
        self.projection = nn.Linear(in_dims, out_dims, bias=bias) if out_dims else nn.Identity()

    def forward(self, tower: Tower, tokens: Tokens) -> dict[str, Tensor]:
        """Pool and project: ``global`` ``(N, D)``."""
        return {'global': self.project(tower.pool(tokens))}

    def project(self, features: Tensor) -> Tensor:
        """Apply the linear layer to ``(..., D)`` features."""
        return self.projection(features)
