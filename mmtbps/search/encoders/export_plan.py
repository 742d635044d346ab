"""Plan of an export: the towers, and the steps before them that need no torch."""

from typing import Any, NamedTuple

from torch import nn

__all__ = ['ExportPlan']


class ExportPlan(NamedTuple):
    """Parts of an export.

    Args:
        image: Of the manifest: size, filter, and colour of the margins.
        text: Of the manifest: lengths, padding and prompts.
        score: Of the manifest: scale and bias, where the score is a probability.
        tokenizer: As JSON.
        towers: Modules by name, ``image`` and ``text``.
        shape: (height, width), of which the quotient counts, of the pictures that the graph agrees
            with torch on; None for any.
    """

    image: dict[str, Any]
    text: dict[str, Any]
    score: dict[str, float] | None
    tokenizer: str
    towers: dict[str, nn.Module]
    shape: tuple[int, int] | None = None
