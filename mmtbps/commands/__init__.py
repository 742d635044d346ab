"""Command lines, the top of the package: nothing else imports this."""

import warnings

__all__ = []

# mmcv-lite has no operators of its own, and no model of ours needs one.
warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformable')
