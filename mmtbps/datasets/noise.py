"""Noisy correspondence: captions that belong to another image.

Protocol of RDE, `Noisy-Correspondence Learning for Text-to-Image Person Re-identification
<https://arxiv.org/abs/2308.09911>`_: only captions of the training split move; the image keeps
its identity label.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmtbps.errors import BadValue, MissingFile, first_line


def noisy_order(length: int, rate: float, seed: int) -> np.ndarray:
    """Make a permutation that shuffles a random ``rate`` of the positions among themselves.

    A chosen position may by chance keep its place, as in the published index files.

    >>> (noisy_order(1000, 0.5, seed=0) != np.arange(1000)).sum() <= 500
    np.True_
    """
    if not 0 <= rate <= 1:
        raise BadValue(f'noise_rate must lie between 0 and 1, got {rate}')
    rng = np.random.default_rng(seed)
    chosen = rng.choice(length, int(rate * length), replace=False)
    order = np.arange(length)
    order[chosen] = rng.permutation(chosen)
    return order


def load_noisy_order(path: str | Path, length: int) -> np.ndarray:
    """Read a published ``.npy`` index: caption ``i`` of the split is replaced by ``index[i]``.

    Raises:
        MissingFile: If there is no such file.
        BadValue: If it is no plain array of numbers (a pickled one is never run), or no permutation
            of all ``length`` captions of the split.
    """
    if not Path(path).is_file():
        raise MissingFile(f'noise_index {path}: no such file')
    try:
        order = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:  # each of another kind of broken file
        raise BadValue(f'noise_index {path} is no array of numbers in a .npy file '
                       f'({first_line(error)})') from error
    if not isinstance(order, np.ndarray) or order.dtype.kind not in 'iuf':
        kind = getattr(order, 'dtype', 'an archive of several arrays')
        raise BadValue(f'noise_index {path} holds no integers but {kind}')
    if order.shape != (length,):
        raise BadValue(
            f'noise_index {path} has shape {order.shape}, but the split has {length} captions '
            '(empty ones count); people held out of train shorten it: set holdout=0')
    if not np.array_equal(np.sort(order), np.arange(length)):
        raise BadValue(f'noise_index {path} is no permutation of 0..{length - 1}')
    return order.astype(np.int64)  # of whole numbers, as was just seen, though perhaps floats


def reorder_captions(captions: Sequence[Sequence[str]], order: np.ndarray) -> list[tuple[str, ...]]:
    """Move captions between images; every image keeps its number of captions.

    >>> reorder_captions([('a', 'b'), ('c',)], np.array([2, 1, 0]))
    [('c', 'b'), ('a',)]
    """
    flat = [caption for group in captions for caption in group]
    moved = iter([flat[i] for i in order])
    return [tuple(next(moved) for _ in group) for group in captions]
