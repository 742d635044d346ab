"""Images or captions on their way through a tower and its neck."""

from torch import Tensor

from mmtbps.models.backbones import Tokens, Tower
from mmtbps.models.heads import EncodedSide
from mmtbps.models.necks import BaseNeck

__all__ = ['encode_some', 'finish']


def finish(tower: Tower, neck: BaseNeck, tokens: Tokens, read_only: bool) -> EncodedSide:
    """Run the layers that are left, then the neck.

    Args:
        tower: of the tokens.
        neck: behind it.
        tokens: states between two layers.
        read_only: compute the pooled token alone; heads cannot ask for others then.
    """
    tokens = tower.run(tokens, tokens.layer, read_only=read_only)
    parts = neck(tower, tokens)
    parts = {name: parts[name] for name in neck.parts}
    if read_only:
        return EncodedSide(parts, tokens.mask)
    return EncodedSide(
        parts, tokens.mask, lambda: neck.tokens(tower, tokens),
        lambda: tower.token_features(tokens),
        lambda: neck.project(tower.single_token_features(tokens.step_back())), tower.grid)


def encode_some(tower: Tower, neck: BaseNeck, images: Tensor, kept: Tensor) -> EncodedSide:
    """Encode images of which only some tokens go through the layers.

    A part that needs all tokens, such as that of a token selection, is not computed.

    Args:
        tower: of the images.
        neck: behind it.
        images: ``(N, 3, H, W)``, normalised.
        kept: ``(N, K)`` places of tokens, the first that of the pooled one.

    Returns:
        The part ``global``, and tokens ``(N, K, D)`` in its space.

    Raises:
        TypeError: the tower has no tokens before its layers, or merges them on the way.
    """
    tokens = tower.embed(images)
    if tower.grid and tokens.hidden.ndim == 3 and (
            tokens.hidden.shape[1] >= 4 * tower.grid[0] * tower.grid[1]):
        raise TypeError(f'{type(tower).__name__} merges neighbouring tokens and can leave none '
                        'out: take a Transformer whose layers keep their number')
    tokens = tower.run(tokens.keep(kept))
    return EncodedSide({'global': neck.project(tower.pool(tokens))}, tokens.mask,
                       lambda: neck.tokens(tower, tokens))
