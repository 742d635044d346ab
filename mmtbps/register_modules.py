"""All parts of this package in the registries, for MMEngine's hub and other projects."""

from mmengine import registry as roots

from . import registry

__all__ = ['register_all_modules']


def register_all_modules(init_default_scope: bool = True) -> None:
    """Register every part in the registries of this package.

    MMEngine's hub and other projects call it as ``mmtbps.utils.register_all_modules``, a name
    that every project of OpenMMLab has.

    Args:
        init_default_scope: look up names without a prefix in the scope ``mmtbps`` from now on.

    Example:
        >>> register_all_modules(init_default_scope=False)
        >>> 'TextImageRetriever' in registry.MODELS.module_dict
        True
    """
    for name in registry.__all__:
        getattr(registry, name).import_from_location()
    if init_default_scope:
        roots.init_default_scope('mmtbps')
