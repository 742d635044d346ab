"""Muon: steps in which no direction of a weight matrix drowns the others."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn
from torch.distributed.fsdp import FullyShardedDataParallel
from torch.nn.modules.conv import _ConvNd
from torch.optim import Optimizer
from torch.optim.adamw import adamw

from mmtbps.errors import BadValue
from mmtbps.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIMIZERS

from .merged_groups import MergedGroupsConstructor

__all__ = ['MuonAdamW', 'MuonConstructor', 'count_matrices', 'orthogonalize']

# The quintic of the Newton-Schulz iteration: steep at 0, between 0.7 and 1.2 around 1.
_QUINTIC = (3.4445, -4.7750, 2.0315)


def orthogonalize(matrices: Tensor, steps: int = 5) -> Tensor:
    r"""Bring all singular values of matrices near one: about :math:`U V^T` of :math:`U S V^T`.

    The Newton-Schulz iteration of Muon, https://kellerjordan.github.io/posts/muon, with
    :math:`X \leftarrow a X + (b X X^T + c (X X^T)^2) X`. Two iterations at a time are done on
    :math:`X X^T`, of which each is a polynomial: less to compute where matrices are wide. It is
    taken anew from X then, since rounding makes small eigenvalues negative, and they would grow.

    Args:
        matrices: ``(..., R, C)``.
        steps: iterations; after five, singular values from a hundredth of the Frobenius norm on lie
            between 0.6 and 1.3.

    Returns:
        As ``matrices``.

    Example:
        >>> wide = torch.diag(torch.tensor([5., .5])) @ torch.eye(2, 3)
        >>> orthogonalize(wide).round(decimals=1)
        tensor([[0.7000, 0.0000, 0.0000],
                [0.0000, 0.7000, 0.0000]])
    """
    if matrices.shape[-2] > matrices.shape[-1]:
        return orthogonalize(matrices.mT, steps).mT
    size = torch.linalg.matrix_norm(matrices, keepdim=True)
    scaled = matrices / size.clamp_min(torch.finfo(matrices.dtype).tiny)
    for first in range(0, steps, 2):
        gram = scaled @ scaled.mT
        factor = _iteration(gram)
        if first + 1 < steps:
            factor = _iteration(factor @ gram @ factor) @ factor
        scaled = factor @ scaled
    return scaled


def _iteration(gram: Tensor) -> Tensor:
    """Return what one iteration multiplies X by, of ``gram``, its product with itself."""
    a, b, c = _QUINTIC
    one = torch.eye(gram.shape[-1], device=gram.device, dtype=gram.dtype)
    return a * one + b * gram + c * gram @ gram


@OPTIMIZERS.register_module()
class MuonAdamW(Optimizer):
    r"""Muon for matrices, AdamW for everything else.

    Muon, https://kellerjordan.github.io/posts/muon, takes the running mean of a matrix's gradients
    (Nesterov's) and sets off with the same step in each of its directions (:func:`orthogonalize`).
    What few pictures show has a small gradient, and moves as fast as what all show. The step is
    :math:`0.2 \sqrt{\max(R, C)}` times that (https://arxiv.org/abs/2502.16982), so that its numbers
    are as large as AdamW's: learning rate and weight decay are those of AdamW.

    Which weights are matrices, groups of parameters say: ``matrices=0`` stands for AdamW, any other
    number tells of how many matrices the rows of each weight consist. `MuonConstructor` writes
    that for a model.

    Args:
        params: groups of weights.
        lr: learning rate.
        betas: of AdamW.
        eps: of AdamW.
        weight_decay: decoupled, of both.
        momentum: of Muon.
        newton_schulz_steps: of :func:`orthogonalize`.
        matrices: of groups that do not tell.
        fused: of AdamW: one kernel for many weights.

    Raises:
        BadValue: no group has matrices; or a weight has rows that cannot be divided into so many,
            or no rows, as a share of one that FSDP makes.

    Example:
        >>> weight = nn.Parameter(torch.zeros(2, 3))
        >>> optimizer = MuonAdamW([dict(params=[weight], matrices=1)], lr=.01)
        >>> weight.grad = torch.tensor([[9., 0., 0.], [0., 1., 0.]])
        >>> optimizer.step()
        >>> weight.detach().abs().amax(1) > .002
        tensor([True, True])
    """

    def __init__(self, params: Iterable[Any], lr: float = 1e-3,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 1e-2, momentum: float = 0.95, newton_schulz_steps: int = 5,
                 matrices: int = 0, fused: bool | None = None) -> None:
        super().__init__(params, dict(
            lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, momentum=momentum,
            newton_schulz_steps=newton_schulz_steps, matrices=matrices, fused=fused))
        if not any(group['matrices'] for group in self.param_groups):
            raise BadValue('no weight is a matrix to MuonAdamW, which would be AdamW alone: it '
                           'takes constructor=MuonConstructor beside it in optim_wrapper, or '
                           'matrices= in groups of weights, and a model with such layers')

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group, and see that its weights are of as many matrices as it says."""
        super().add_param_group(param_group)
        count = self.param_groups[-1]['matrices']
        for weight in self.param_groups[-1]['params']:
            if count and (count < 0 or weight.ndim < 2 or not weight.numel() or weight.is_complex()
                          or weight.shape[0] % count or hasattr(weight, 'device_mesh')):
                raise BadValue(
                    f'matrices={count} of a group with a weight of shape {tuple(weight.shape)}, '
                    'whose rows are not so many matrices of real numbers. Muon needs whole '
                    'weights; with FSDP, take AdamW')

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Set one step off."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [weight for weight in group['params'] if weight.grad is not None]
            if group['matrices']:
                for weight in weights:
                    self._muon(weight, group)
            elif weights:
                self._adamw(weights, group)
        return loss

    def _muon(self, weight: Tensor, group: dict[str, Any]) -> None:
        state, momentum = self.state[weight], group['momentum']
        if not state:
            state['mean'] = torch.zeros_like(weight)
        mean = state['mean'].lerp_(weight.grad, 1 - momentum)
        ahead = weight.grad.lerp(mean, momentum).reshape(
            group['matrices'], weight.shape[0] // group['matrices'], -1)
        step = orthogonalize(ahead, group['newton_schulz_steps'])
        weight.mul_(1 - group['lr'] * group['weight_decay'])
        weight.add_(step.reshape(weight.shape),
                    alpha=-group['lr'] * 0.2 * max(step.shape[-2:]) ** 0.5)

    def _adamw(self, weights: list[Tensor], group: dict[str, Any]) -> None:
        for weight in weights:
            if not self.state[weight]:
                self.state[weight].update(
                    step=torch.zeros((), device=weight.device if group['fused'] else 'cpu'),
                    exp_avg=torch.zeros_like(weight), exp_avg_sq=torch.zeros_like(weight))
        states = [self.state[weight] for weight in weights]
        adamw(weights, [weight.grad for weight in weights], [one['exp_avg'] for one in states],
              [one['exp_avg_sq'] for one in states], [], [one['step'] for one in states],
              fused=group['fused'], amsgrad=False, beta1=group['betas'][0],
              beta2=group['betas'][1], lr=group['lr'], weight_decay=group['weight_decay'],
              eps=group['eps'], maximize=False)


def count_matrices(model: nn.Module) -> dict[str, int]:
    """Count of how many matrices each weight of a model consists.

    A linear layer's weight is one, and so is that of a convolution, whose kernels are its rows;
    one with groups, or with ``bands`` of kernels of their own, has one for each, and an attention
    of torch three in one weight. A weight of one row or one column is none, nor is one that an
    embedding shares, or that is computed from others (``torch.nn.utils.parametrizations``).

    Args:
        model: of any layers, whole.

    Returns:
        Name of each weight that is made of matrices, and their number.

    Example:
        >>> count_matrices(nn.Sequential(nn.Linear(4, 3), nn.Conv2d(4, 6, 3, groups=2)))
        {'0.weight': 1, '1.weight': 2}
    """
    counts = {}
    words = {layer.weight for layer in model.modules() if isinstance(layer, nn.Embedding)}
    for prefix, layer in model.named_modules():
        name, count = 'weight', 1
        if isinstance(layer, _ConvNd):
            count = layer.groups * getattr(layer, 'bands', 1)
        elif isinstance(layer, nn.MultiheadAttention):
            name, count = 'in_proj_weight', 3
        elif not isinstance(layer, nn.Linear):
            continue
        weight = dict(layer.named_parameters(recurse=False)).get(name)
        if weight is not None and weight not in words and (
                weight.shape[0] > count and weight.numel() > weight.shape[0]):
            counts[f'{prefix}.{name}'.lstrip('.')] = count
    return counts


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MuonConstructor(MergedGroupsConstructor):
    """Constructor that tells `MuonAdamW` which weights are matrices.

    Those of :func:`count_matrices` are, but for heads: a classifier has thousands of rows, and is
    usually left to AdamW. Embeddings, norms and biases are AdamW's, and so are adapters that are no
    layers of torch.

    Goes into the field ``constructor`` of ``optim_wrapper``. ``paramwise_cfg`` is MMEngine's, and
    ``adamw_keys`` in it is a list of parts of names, with a dot ahead of each name, whose weights
    are AdamW's (default: ``['.heads.', '.match_head.']``).

    Raises:
        BadValue: ``paramwise_cfg`` has ``rules``, which are `ParameterRulesConstructor`'s, or
            ``adamw_keys`` that are no list; or the model is wrapped by FSDP, which makes shares of
            weights.

    Example:
        >>> constructor = MuonConstructor(
        ...     dict(type='OptimWrapper', optimizer=dict(type=MuonAdamW, lr=.1)))
        >>> wrapper = constructor(nn.Linear(2, 3))
        >>> [(group['matrices'], len(group['params'])) for group in wrapper.optimizer.param_groups]
        [(1, 1), (0, 1)]
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None) -> None:
        # MMEngine asks for the options of single weights only where there are some.
        default = dict(adamw_keys=['.heads.', '.match_head.'], bypass_duplicate=True)
        super().__init__(optim_wrapper_cfg, default | (paramwise_cfg or {}))

    def _validate_cfg(self) -> None:
        super()._validate_cfg()
        if 'rules' in self.paramwise_cfg:
            raise BadValue('MuonConstructor knows no rules of parameters, which are those of '
                           'ParameterRulesConstructor: say it by paramwise_cfg of MMEngine, or '
                           'keep that constructor and its optimizer')
        keys = self.paramwise_cfg['adamw_keys']
        if not isinstance(keys, list | tuple) or not all(isinstance(key, str) for key in keys):
            raise BadValue(f'adamw_keys must be a list of parts of names, got {keys!r}')

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Make the wrapper of a model, which may be wrapped for several processes.

        Raises:
            BadValue: it is wrapped by FSDP.
        """
        if isinstance(model, FullyShardedDataParallel):
            raise BadValue('Muon needs whole weights, of which FSDP makes shares: take AdamW, or '
                           'another strategy')
        return super().__call__(model)

    def complete(self, groups: list[dict], model: nn.Module) -> None:
        """Write into each group of how many matrices its weight consists."""
        keys = self.paramwise_cfg['adamw_keys']
        counts = {model.get_parameter(name): count for name, count in count_matrices(model).items()
                  if not any(key in f'.{name}' for key in keys)}
        for group in groups:
            group.setdefault('matrices', counts.get(group['params'][0], 0))
