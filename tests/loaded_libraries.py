"""Libraries that most processes of tests need, for a server of forks to load once.

None of our own parts is among them but the package itself, which cures some: a forked process
imports what it needs of ours, as one that is started anew does.
"""

import gc
from contextlib import suppress

import mmengine.runner  # noqa: F401
import mmengine.visualization  # noqa: F401
import transformers.modeling_utils  # noqa: F401

import mmtbps  # noqa: F401

with suppress(ImportError):
    import mmpretrain.datasets
    import mmpretrain.evaluation
    import mmpretrain.models  # noqa: F401

gc.collect()
gc.freeze()  # nothing of this is garbage, and pages that nobody writes to are shared
