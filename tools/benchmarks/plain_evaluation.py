"""Evaluator as in most research code: sort everything, keep everything."""

import torch
import torch.nn.functional as F
from torch import Tensor


@torch.no_grad()
def plain_evaluation(query_features: Tensor, query_ids: Tensor, gallery_features: Tensor,
                     gallery_ids: Tensor) -> dict[str, float]:
    """Compute the six measures of ``evaluate_ranking`` from one full similarity matrix.

    The matrix, its argsort, the matches and their running sum are all held whole,
    ``(Q, N)`` each; every query needs a positive.
    """
    queries, gallery = F.normalize(query_features, dim=1), F.normalize(gallery_features, dim=1)
    similarity = queries @ gallery.T
    order = torch.argsort(similarity, dim=1, descending=True, stable=True)
    matches = gallery_ids[order] == query_ids[:, None]
    hits = matches.cumsum(1)
    places = torch.arange(1, len(gallery) + 1)
    positives = matches.sum(1)

    precision = hits / places
    before = (hits - 1) / (places - 1).clamp(min=1)
    before[:, 0] = 1
    results = {f'R{k}': (hits[:, k - 1] > 0).float().mean() for k in (1, 5, 10)}
    results['mAP'] = ((precision * matches).sum(1) / positives).mean()
    results['mAP_trapz'] = (((precision + before) / 2 * matches).sum(1) / positives).mean()
    results['mINP'] = (positives / (matches * places).amax(1)).mean()
    return {name: 100 * value.item() for name, value in results.items()}
