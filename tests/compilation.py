"""Mark of the tests that compile."""

import codecs
import locale

import pytest

#: Of a test that needs `torch.compile`.
compiles = pytest.mark.skipif(codecs.lookup(locale.getpreferredencoding(False)).name == 'ascii',
                              reason='torch reads its own templates in the encoding of the locale')
