"""Mark of pictures that show the answer to a question, so that they are not indexed."""

from PIL.PngImagePlugin import PngInfo

__all__ = ['HEAD', 'answer_mark', 'is_answer']

_KEY, _WORDS = 'Software', 'mmtbps: answer to a question'
#: Bytes at the beginning of a file in which Pillow writes it.
HEAD = 512


def answer_mark() -> PngInfo:
    """Make the mark for Pillow's PNG writer, as ``pnginfo``."""
    mark = PngInfo()
    mark.add_text(_KEY, _WORDS)
    return mark


def is_answer(data: bytes) -> bool:
    """Tell by the content of a file, or its beginning, whether it has the mark.

    Example:
        >>> is_answer(b'any other image')
        False
    """
    return f'{_KEY}\0{_WORDS}'.encode() in data[:HEAD]
