"""The head of self-supervision on two augmentations of the images."""

from collections import OrderedDict

from torch import Tensor, nn

from mmtbps.models.losses import gather_with_grad, simclr_loss
from mmtbps.registry import MODELS

from .pairs import Pairs
from .part_head import PartHead


@MODELS.register_module()
class SimCLRHead(PartHead):
    """Contrast of two augmentations of each image, behind an MLP; see :func:`simclr_loss`.

    SLIP, https://arxiv.org/abs/2112.12750, as in TBPS-CLIP, which weighs it 0.4. The MLP's output
    is normalised inside. Images of one person are each other's negatives.

    Args:
        in_dims: width of the part.
        hidden_dims: of the MLP; its output is as wide as its input.
        views: names of the two augmentations in the batch, which the transform ``ImageView`` makes.
        temperature: positive number.
        part: the part of the image features that the MLP takes.
        loss_weight: factor of the loss.
        init_cfg: as in every MMEngine module.

    Example:
        >>> SimCLRHead().needs
        ('image_2', 'image_3')
    """

    heeds_weights = True

    def __init__(self, in_dims: int = 512, hidden_dims: int = 128,
                 views: tuple[str, str] = ('image_2', 'image_3'), temperature: float = 0.1,
                 part: str = 'global', loss_weight: float = 1.0,
                 init_cfg: dict | list | None = None):
        super().__init__(part, loss_weight, init_cfg)
        self.needs, self.temperature = tuple(views), temperature
        # Numbers as in published files: simclr_mlp.0 and simclr_mlp.2.
        self.simclr_mlp = nn.Sequential(OrderedDict({
            '0': nn.Linear(in_dims, hidden_dims), '1': nn.ReLU(),
            '2': nn.Linear(hidden_dims, in_dims)}))

    def forward(self, pairs: Pairs, samples: list) -> dict[str, Tensor]:
        """Compute ``loss_simclr`` of the joined batch of all processes."""
        first, second = (self.simclr_mlp(self.part_of(pairs.encode_image(pairs.inputs[name])))
                         for name in self.needs)
        return self.named('simclr', simclr_loss(
            first, second, self.temperature, gather_with_grad(first), gather_with_grad(second),
            pairs.gathered(self.part).first_row, pairs.weights))
