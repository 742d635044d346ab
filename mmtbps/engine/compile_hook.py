"""Hook that compiles the Transformer layers of a model before training."""

import codecs
import locale

import numpy as np
import torch
from mmengine.hooks import Hook

from mmtbps.errors import UserError, first_line
from mmtbps.models import Tower
from mmtbps.registry import HOOKS

from .inner_model import inner_model

__all__ = ['CompileHook', 'find_layers']


def find_layers(model: torch.nn.Module,
                names: tuple[str, ...] | None = None) -> list[torch.nn.Module]:
    """Collect the repeated layers of a model.

    Args:
        model: the model, not wrapped.
        names: dotted names of the modules that hold the layers, usually of ``ModuleList``; by
            default the model's towers are asked for theirs.

    Returns:
        All layers, in the order of the names.

    Raises:
        ValueError: there is no such module, or it holds no layers.

    Example:
        >>> model = torch.nn.ModuleDict({'tower': torch.nn.Sequential(torch.nn.ReLU())})
        >>> find_layers(model, ('tower',))
        [ReLU()]
    """
    if names is None:
        layers = [*dict.fromkeys(  # a tower may be part of another
            layer for part in model.modules() if isinstance(part, Tower) for layer in part.layers)]
        if not layers:
            raise ValueError(f'CompileHook: {type(model).__name__} has no tower with layers; set '
                             'layers=(...) to the names of the lists that hold its layers')
        return layers
    layers = []
    for name in names:
        try:
            children = list(model.get_submodule(name).children())
        except AttributeError:
            children = []
        if not children:
            raise ValueError(f'CompileHook: {type(model).__name__} has no layers in {name!r}; set '
                             'layers=(...) to the names of the lists that hold its layers')
        layers += children
    return layers


class NoCompiler(UserError, RuntimeError):
    """A backend of ``torch.compile`` that does not work on this machine."""


@HOOKS.register_module()
class CompileHook(Hook):
    """Hook that compiles the Transformer layers of both towers in place, by ``torch.compile``.

    Layers of a tower differ in nothing but their weights, so one compilation serves all of them
    (regional compilation), and captions of changing length cost one more, not one each. What is
    between the layers stays Python: mixup, the loss and its exchange between processes, logging;
    so does the last layer of a tower where only one token of it is computed.
    Names of weights stay as they are, a checkpoint fits with and without compilation, and the copy
    of ``EMAHook`` is an ordinary model.

    MMEngine's own ``compile`` key of a config hands over the whole ``train_step``, with optimizer
    and all. It becomes dozens of graphs, which change when anything in it does, and fails on the
    parameter groups that ``paramwise_cfg`` makes.

    Args:
        backend: as of ``torch.compile``; ``'inductor'`` needs a compiler, see the error.
        mode: as of ``torch.compile``.
        dynamic: as of ``torch.compile``; by default a size is fixed until it changes.
        layers: names of the modules that hold the layers; by default those of the towers.

    Raises:
        NoCompiler: the backend does not work on this machine; raised before training.
        ValueError: a named module is missing or holds no layers.
    """

    def __init__(self,
                 backend: str = 'inductor',
                 mode: str | None = None,
                 dynamic: bool | None = None,
                 layers: tuple[str, ...] | None = None):
        self.options = dict(backend=backend, mode=mode, dynamic=dynamic)
        self.layers = layers

    def before_train(self, runner) -> None:
        """Mark each layer to be compiled when it is first called."""
        model = inner_model(runner)
        layers = find_layers(model, self.layers)
        self._try(next(model.parameters()).device)
        # DDP would cut each layer where one of its buckets ends; a layer is small enough.
        torch._dynamo.config.optimize_ddp = False
        for layer in layers:
            _unwrap_numpy(layer)
            layer.compile(**self.options)
        runner.logger.info(f'{len(layers)} layers are compiled by {self.options["backend"]} when '
                           'first called: the first steps are slow')

    def _try(self, device: torch.device) -> None:
        encoding = codecs.lookup(locale.getpreferredencoding(False)).name
        if encoding == 'ascii' and self.options['backend'] != 'eager':
            # torch reads its own templates in this encoding, and they hold more than ASCII.
            raise NoCompiler('CompileHook: torch.compile does not work where Python reads text as '
                             'ASCII; set LC_ALL=C.UTF-8 or PYTHONUTF8=1, or train without '
                             '--compile or this hook')
        try:
            torch.compile(lambda x: x.sin() + 1, **self.options)(torch.ones(8, device=device))
        except Exception as error:
            raise NoCompiler(
                f'CompileHook: the backend {self.options["backend"]!r} of torch.compile does not '
                f'work on {device.type} here: {first_line(error, 500).rstrip(".")}. inductor needs '
                'a C++ compiler (`apt install g++`), on a GPU also triton and the headers of '
                'Python (`apt install python3-dev`). Install them, or train without --compile or '
                'this hook') from error


def _unwrap_numpy(layer: torch.nn.Module) -> None:
    """Turn numbers of NumPy into Python's own; the rates of mmpretrain's stochastic depth are such.

    The compiler takes them for tensors, whose value it cannot ask for, and would cut the layer.
    """
    for module in layer.modules():
        for name, value in list(vars(module).items()):
            if isinstance(value, np.number):
                setattr(module, name, value.item())
