"""Libraries that a folder can be made for."""

__all__ = ['FORMATS']

FORMATS = ('transformers', 'sentence-transformers', 'transformers.js')
