"""Base of the modules that are trained beside a tower's own."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from .merging import LORA_SCALING

__all__ = ['TuningPart', 'adapters_set_aside', 'kept_parts']


class TuningPart(nn.Module):
    """Base of modules that stand in the place of one of a tower's, with weights beside it.

    A part has the module of the tower as ``base_layer``, frozen, or is empty but for its own
    weights where it takes the place of a function.

    Attributes:
        title: what it is, for messages.
        merges: whether its weights can be merged into those of a plain tower.
    """

    title: str = ''
    merges: bool = False

    def begin_training(self) -> None:
        """Let the part's own weights be trained; those of the tower stay as they are."""
        for name, weight in self.named_parameters():
            if not name.startswith('base_layer.'):
                weight.requires_grad_(True)


def kept_parts(model: nn.Module) -> list[str]:
    """List the titles of the parts of a model that no plain tower can hold.

    Example:
        >>> kept_parts(nn.Linear(2, 2))
        []
    """
    return [*dict.fromkeys(part.title for part in model.modules()
                           if isinstance(part, TuningPart) and not part.merges)]


@contextmanager
def adapters_set_aside(model: nn.Module) -> Iterator[None]:
    """Put plain layers in the place of adapted ones, until the context ends.

    For code that draws or loads the weights of every layer that it finds.
    """
    adapted = [(parent, name, child) for parent in model.modules()
               for name, child in parent.named_children()
               if isinstance(child, TuningPart) or hasattr(child, LORA_SCALING)]
    for parent, name, child in adapted:
        parent._modules[name] = _plain(child)
    try:
        yield
    finally:
        for parent, name, child in adapted:
            parent._modules[name] = child


def _plain(module: nn.Module) -> nn.Module:
    """Return the innermost layer that an adapted one goes around; an empty one if there is none."""
    while isinstance(module, TuningPart) or hasattr(module, LORA_SCALING):
        module = getattr(module, 'base_layer', nn.Identity())
    return module
