"""Models of transformers that look at pictures, loaded by name."""

import hashlib
import json
import os
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import nn

from mmtbps.devices import move_to_device
from mmtbps.errors import BadValue, MissingFile, MissingPackage, first_line
from mmtbps.hub import hub_options
from mmtbps.pretrained import parse_model_name, resolve_pretrained

from ..diffusion.latent_diffusion import fingerprint

__all__ = ['TransformersModel']

#: What of a preprocessing changes pixels; other keys come and go with versions of transformers.
_PREPROCESSING = ('size', 'do_resize', 'resample', 'do_rescale', 'rescale_factor', 'do_normalize',
                  'image_mean', 'image_std', 'do_pad', 'pad_size', 'do_center_crop', 'crop_size',
                  'do_affine_transform', 'normalize_factor')


class TransformersModel:
    """Network and preprocessing of a model of transformers, loaded at their first use.

    Weights are read from safetensors only, and code that comes with a model is never run.

    Args:
        pretrained: Folder with ``config.json``, ``preprocessor_config.json`` and
            ``model.safetensors``, or the name of such a model on a hub, ``owner/name`` or
            ``hf:owner/name@REVISION``.
        classes: Classes of transformers to load it with: the first that knows it is taken.
        device: ``'cpu'``, ``'cuda'``, ``'cuda:1'``; by default CUDA if there is one.

    Raises:
        MissingFile: If ``pretrained`` is a path to no folder.
        BadValue: If it is a name of another library.
    """

    def __init__(self, pretrained: str, classes: Sequence[str], device: str | None = None) -> None:
        name = parse_model_name(str(pretrained))
        if name.scheme not in ('', 'hf'):
            raise BadValue(f'{pretrained}: only models of transformers are loaded here')
        self.pretrained, self.revision = str(pretrained), name.revision
        self.classes, self.source = classes, resolve_pretrained(name.name)
        self.device = device or ('cuda' if torch.cuda.is_available() else 'cpu')

    @cached_property
    def network(self) -> nn.Module:
        """Network, on its device.

        Raises:
            MissingFile: If neither folder, hub nor cache gives the model.
            BadValue: If it is a model for another task, or its weights are not those of its
                config, or no numbers.
        """
        from safetensors import SafetensorError
        try:
            network, report = self._class().from_pretrained(
                self.source, use_safetensors=True, output_loading_info=True,
                ignore_mismatched_sizes=True, **self._options)
        except (OSError, SafetensorError) as error:
            raise MissingFile(self._not_loaded(error)) from error
        except BadValue:
            raise
        except ValueError as error:
            raise BadValue(self._not_loaded(error)) from error
        other_shape = [key for key, *_ in report['mismatched_keys']]
        if wrong := sorted({*report['missing_keys'], *other_shape}):
            raise BadValue(f'{self.pretrained}: weights and config.json do not belong together: '
                           f'{len(wrong)} are missing or of another shape, such as {wrong[0]}')
        if broken := [key for key, value in network.state_dict().items()
                      if not torch.isfinite(value).all()]:
            raise BadValue(f'{self.pretrained}: {broken[0]} holds NaN or infinity')
        move_to_device(network, self.device)
        return network.eval().requires_grad_(False)

    @cached_property
    def processor(self) -> Any:
        """Preprocessing of pictures.

        Raises:
            MissingFile: If there is none.
            MissingPackage: If it needs a package that is not installed.
        """
        from transformers import AutoImageProcessor
        try:
            return AutoImageProcessor.from_pretrained(self.source, **self._options)
        except ImportError as error:
            raise MissingPackage(f'{self.pretrained}: its preprocessing needs a package that is '
                                 f'not installed ({first_line(error)})') from error
        except (OSError, ValueError) as error:
            raise MissingFile(self._not_loaded(error)) from error

    @cached_property
    def digest(self) -> str:
        """Hexadecimal digits that tell weights, labels and preprocessing from others."""
        preprocessing = {key: value for key, value in self.processor.to_dict().items()
                         if key in _PREPROCESSING}
        text = json.dumps([fingerprint(self.network), self.network.config.id2label,
                           preprocessing], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def _options(self) -> dict[str, Any]:
        return dict(trust_remote_code=False, revision=self.revision or 'main',
                    **hub_options(self.source))

    def _class(self) -> Any:
        import transformers
        config = transformers.AutoConfig.from_pretrained(self.source, **self._options)
        for known in (getattr(transformers, name) for name in self.classes):
            mapping = getattr(known, '_model_mapping', [getattr(known, 'config_class', None)])
            if type(config) in mapping:
                return known
        raise BadValue(f'{self.pretrained}: a model of type {config.model_type!r} is none of '
                       f'{" or ".join(self.classes)}')

    def _not_loaded(self, error: Exception) -> str:
        where = 'folder' if os.path.isdir(self.source) else 'hub'
        return (f'{self.pretrained}: not loaded from the {where} ({first_line(error)}). It should '
                'be a model of transformers: config.json, preprocessor_config.json and '
                'model.safetensors')
