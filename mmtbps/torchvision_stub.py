"""Stand-in for torchvision: the few names that mmpretrain touches while it is imported."""

import enum
import importlib.machinery
import types

__all__ = ['torchvision_stub']


def torchvision_stub() -> dict[str, types.ModuleType]:
    """Make modules of those names, by the name of each."""

    class InterpolationMode(enum.Enum):
        NEAREST = 'nearest'
        BILINEAR = 'bilinear'
        BICUBIC = 'bicubic'
        BOX = 'box'
        HAMMING = 'hamming'
        LANCZOS = 'lanczos'

    def pil_to_tensor(image):
        import numpy as np
        import torch
        array = np.array(image, copy=True)
        return torch.from_numpy(array if array.ndim == 3 else array[..., None]).permute(2, 0, 1)

    names = dict(InterpolationMode=InterpolationMode,
                 RandomResizedCrop=type('RandomResizedCrop', (), {}))
    contents = {
        'torchvision': {}, 'torchvision.ops': {}, 'torchvision.ops.boxes': {},
        'torchvision.transforms': names, 'torchvision.transforms.transforms': names,
        'torchvision.transforms.functional': dict(pil_to_tensor=pil_to_tensor)}
    modules = {}
    for name, attributes in contents.items():
        module = modules[name] = types.ModuleType(name)
        module.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
        module.__path__ = []
        module.__dict__.update(attributes)
        parent, _, child = name.rpartition('.')
        if parent:
            setattr(modules[parent], child, module)
    return modules
