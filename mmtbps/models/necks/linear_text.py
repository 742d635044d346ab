"""A linear map of text features, as a neck and for features of any frozen encoder."""

import torch
from torch import Tensor, nn

from mmtbps.errors import BadValue
from mmtbps.models.losses import info_nce, text_negatives_loss
from mmtbps.registry import MODELS

from .projection import ProjectionNeck

__all__ = ['LinearTextNeck', 'fit_text_map']


@MODELS.register_module()
class LinearTextNeck(ProjectionNeck):
    """A neck of captions with one more linear map, which starts as the identity.

    CLIP Behaves like a Bag-of-Words Model Cross-modally but not Uni-modally (LABCLIP),
    https://arxiv.org/abs/2502.03566 (formula by its abstract): the features of frozen towers know
    which color is on what; one linear map of the text features, trained with permuted attributes as
    negatives, makes it show in the cosines. Weights of a model without the map load as if it had
    the identity, which computes the same. :func:`fit_text_map` fits such a map without a config.

    Args:
        in_dims: width of the tower's feature; a retriever fills it in.
        out_dims: width of the part ``global``; ``None`` leaves the feature as it is.
        bias: whether the projection before the map has a bias.
        init_cfg: as in every MMEngine module.

    Example:
        >>> neck = LinearTextNeck(in_dims=4)
        >>> bool((neck.project(torch.eye(4)) == torch.eye(4)).all())
        True
    """

    def __init__(self, in_dims: int, out_dims: int | None = None, bias: bool = False,
                 init_cfg: dict | list | None = None):
        super().__init__(in_dims, out_dims, bias, init_cfg)
        width = self.dims['global']
        self.text_map = nn.Linear(width, width, bias=False)
        nn.init.eye_(self.text_map.weight)
        self._register_load_state_dict_pre_hook(self._start_as_identity)

    def _start_as_identity(self, state_dict: dict[str, Tensor], prefix: str, *_) -> None:
        """Give the weights of a model without the map that which changes nothing."""
        state_dict.setdefault(f'{prefix}text_map.weight', torch.eye(self.dims['global']))

    def project(self, features: Tensor) -> Tensor:
        """Apply the projection, then the map, to ``(..., D)`` features."""
        return self.text_map(super().project(features))


def fit_text_map(image: Tensor, text: Tensor, negatives: Tensor, real: Tensor,
                 temperature: float = 0.02, steps: int = 200, learning_rate: float = 1e-3,
                 batch_size: int = 256, seed: int = 0) -> Tensor:
    """Fit a linear map of text features on frozen features of any encoder.

    The loss is :func:`~mmtbps.models.losses.info_nce` of the pairs of a batch plus
    :func:`~mmtbps.models.losses.text_negatives_loss` of each image with its own negatives.

    Args:
        image: ``(N, D)`` features of pictures.
        text: ``(N, D)`` of their captions.
        negatives: ``(N, K, D)`` of captions that are wrong of them.
        real: ``(N, K)`` bool, False for fillers.
        temperature: of both losses.
        steps: of Adam.
        learning_rate: of Adam.
        batch_size: pairs of a step.
        seed: of the choice of the pairs.

    Returns:
        ``(D, D)`` map ``W``: a caption's new feature is ``text @ W.T``, to be normalised.

    Raises:
        BadValue: a number is below 1, or there are no pairs.

    Example:
        >>> image, text = torch.eye(2), torch.tensor([[.6, .8], [.8, .6]])
        >>> wrong, real = text.flip(0)[:, None], torch.ones(2, 1).bool()
        >>> W = fit_text_map(image, text, wrong, real, learning_rate=.05)
        >>> bool(((text @ W.T).argmax(1) == torch.arange(2)).all())
        True
    """
    if min(steps, batch_size) < 1 or not len(image):
        raise BadValue('steps and batch_size must be at least 1, and there must be pairs; got '
                       f'{steps}, {batch_size} and {len(image)} pairs')
    weight = torch.eye(text.shape[1], device=text.device, requires_grad=True)
    optimizer = torch.optim.Adam([weight], lr=learning_rate)
    choose = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        rows = torch.randperm(len(image), generator=choose)[:batch_size].to(text.device)
        captions, wrong = text[rows] @ weight.T, negatives[rows] @ weight.T
        loss = info_nce(image[rows], captions, temperature) + text_negatives_loss(
            image[rows], captions, wrong, real[rows], temperature)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return weight.detach()
