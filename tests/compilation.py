"""Compilation in tests: the mark of those that need it, and layers compiled for a while."""

import codecs
import contextlib
import locale
from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MMLogger
from torch._dynamo.utils import counters

from mmtbps.engine import CompileHook

#: Of a test that needs `torch.compile`.
compiles = pytest.mark.skipif(codecs.lookup(locale.getpreferredencoding(False)).name == 'ascii',
                              reason='torch reads its own templates in the encoding of the locale')


@contextlib.contextmanager
def compiled_layers(model):
    """Compile the layers of a model as training does, without a compiler of C++; gives counters."""
    torch._dynamo.reset()
    CompileHook(backend='eager').before_train(
        SimpleNamespace(model=model, logger=MMLogger.get_instance('compile')))
    counters.clear()
    yield counters
    torch._dynamo.reset()
