"""Registration of galleries in ``TASK_UTILS``, for configs that name them.

Apart, because a gallery itself needs no MMEngine.
"""

from inspect import isabstract, isclass

from mmtbps.registry import TASK_UTILS

from . import galleries

__all__ = ['KINDS']

#: Every kind of gallery that the sub-package exports.
KINDS = tuple(part for part in map(galleries.__dict__.get, galleries.__all__)
              if isclass(part) and issubclass(part, galleries.BaseGallery) and not isabstract(part))

for kind in KINDS:
    TASK_UTILS.register_module(module=kind)
