"""Maps of features: images and captions of a few people as points on a plane."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from mmtbps.errors import BadValue, MissingPackage

__all__ = ['draw_embedding_map', 'load_tsne', 'project_embeddings']

_MARKERS = {'image': dict(marker='o', s=42), 'caption': dict(marker='x', s=36, linewidths=1.6)}


def load_tsne() -> type:
    """Import the t-SNE class of scikit-learn, which is an optional package.

    Raises:
        MissingPackage: scikit-learn is missing; the message names the extra.
    """
    try:
        from sklearn.manifold import TSNE
    except ImportError as error:
        raise MissingPackage('a map of features needs scikit-learn: '
                             'pip install "mmtbps[visualize]"') from error
    return TSNE


def project_embeddings(features: np.ndarray, perplexity: float = 15, seed: int = 0) -> np.ndarray:
    """Lay features out on a plane by t-SNE of their cosine distances.

    Visualizing Data using t-SNE, https://jmlr.org/papers/v9/vandermaaten08a.html: neighbours
    stay neighbours; distances between groups, their sizes and the axes mean nothing.

    Args:
        features: ``(N, D)``, N at least 4.
        perplexity: about how many neighbours a point minds; lowered to a third of N if that is
            less.
        seed: of the layout.

    Returns:
        ``(N, 2)`` float32.

    Raises:
        MissingPackage: scikit-learn is missing.
        BadValue: too few features.
    """
    if len(features) < 4:
        raise BadValue(f'a map needs at least 4 features, got {len(features)}')
    tsne = load_tsne()(metric='cosine', init='random', random_state=seed,
                       perplexity=min(perplexity, len(features) / 3))
    return tsne.fit_transform(np.asarray(features, np.float32))


def draw_embedding_map(points: np.ndarray,
                       people: Sequence[int],
                       kinds: Sequence[str],
                       title: str = '') -> Image.Image:
    """Draw points on a plane: a color a person, discs for images, crosses for captions.

    Args:
        points: ``(N, 2)``.
        people: person of each point; colors repeat after twenty people.
        kinds: ``'image'`` or ``'caption'`` of each point.
        title: written above.

    Raises:
        ValueError: the lengths differ or a kind is unknown.

    Example:
        >>> draw_embedding_map([[0, 0], [1, 1]], [7, 7], ['image', 'caption']).size
        (900, 800)
    """
    points, people, kinds = np.asarray(points, float), np.asarray(people), np.asarray(kinds)
    if points.shape != (len(people), 2) or len(kinds) != len(people):
        raise ValueError(f'points of shape {points.shape} for {len(people)} people and '
                         f'{len(kinds)} kinds')
    if not set(kinds) <= set(_MARKERS):
        raise ValueError(f'kinds must be of {[*_MARKERS]}, got {sorted(set(kinds))}')
    return _to_image(_scatter(points, people, kinds, title))


def _scatter(points: np.ndarray, people: np.ndarray, kinds: np.ndarray, title: str):
    from matplotlib import colormaps  # a dependency of MMEngine; slow to import
    from matplotlib.figure import Figure  # without pyplot: no window, nothing global
    figure = Figure(figsize=(9, 8), dpi=100, layout='constrained')
    axes = figure.subplots()
    palette = colormaps['tab20'].colors
    for place, person in enumerate(np.unique(people)):
        for kind, style in _MARKERS.items():
            at = points[(people == person) & (kinds == kind)]
            label = f'{person}' if kind == 'image' else None
            axes.scatter(at[:, 0], at[:, 1], color=palette[place % len(palette)], label=label,
                         **style)
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, loc='left', fontsize=12, parse_math=False)
    axes.spines[:].set_color('#e2e5e9')
    axes.legend(title='person\n● image  × caption', loc='upper left', bbox_to_anchor=(1, 1),
                frameon=False, fontsize=9)
    return figure


def _to_image(figure) -> Image.Image:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert('RGB')
