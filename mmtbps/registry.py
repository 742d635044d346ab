"""Child registries of MMEngine's roots, scope ``mmtbps``.

There is one child for every registry name of mmpretrain, so that a text config
with ``default_scope = 'mmtbps'`` resolves each type it may name: a part of ours,
of MMEngine or mmcv, or of mmpretrain, in this order. The parents' ``locations``
are repeated because MMEngine does not import them while it searches a child.
"""

from mmengine import registry as roots
from mmengine.registry import Registry

__all__ = [
    'RUNNERS', 'RUNNER_CONSTRUCTORS', 'LOOPS', 'HOOKS', 'LOG_PROCESSORS', 'OPTIMIZERS',
    'OPTIM_WRAPPERS', 'OPTIM_WRAPPER_CONSTRUCTORS', 'PARAM_SCHEDULERS', 'DATASETS',
    'DATA_SAMPLERS', 'TRANSFORMS', 'MODELS', 'MODEL_WRAPPERS', 'WEIGHT_INITIALIZERS',
    'BATCH_AUGMENTS', 'TASK_UTILS', 'METRICS', 'EVALUATORS', 'VISUALIZERS', 'VISBACKENDS'
]


class LendingRegistry(Registry):
    """Registry that looks last in mmpretrain's of the same kind.

    A part of mmpretrain that is made of others, such as ``RandAugment`` of its preset policies,
    looks them up in the scope of the config, which is ours.
    """

    def get(self, key: str) -> type | None:
        """Get the class of a name, a part of mmpretrain where nothing else has it.

        >>> TRANSFORMS.get('RandAugment').__module__
        'mmpretrain.datasets.transforms.auto_augment'
        """
        found = super().get(key)
        scope, name = self.split_scope_key(key)
        if found is not None or scope not in (None, self.scope, 'mmpretrain'):
            return found
        lender = self.lender()
        return None if lender is None else lender.get(name)  # an empty registry is false

    def lender(self) -> Registry | None:
        """Find mmpretrain's registry of this kind; importing it loads its inferencers."""
        from mmpretrain import registry as theirs
        return next((known for known in vars(theirs).values() if isinstance(known, Registry)
                     and known.name == self.name and known.scope == 'mmpretrain'), None)


def _child(parent: Registry, *own_locations: str) -> Registry:
    # One without locations would be reported as "mmtbps is not installed".
    return LendingRegistry(parent.name, parent=parent, scope='mmtbps',
                           locations=[*parent._locations, *own_locations] or ['mmtbps.registry'])


RUNNERS = _child(roots.RUNNERS)
RUNNER_CONSTRUCTORS = _child(roots.RUNNER_CONSTRUCTORS)
LOOPS = _child(roots.LOOPS)
HOOKS = _child(roots.HOOKS, 'mmtbps.engine')
LOG_PROCESSORS = _child(roots.LOG_PROCESSORS)

OPTIMIZERS = _child(roots.OPTIMIZERS)
OPTIM_WRAPPERS = _child(roots.OPTIM_WRAPPERS, 'mmtbps.engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child(roots.OPTIM_WRAPPER_CONSTRUCTORS, 'mmtbps.engine')
PARAM_SCHEDULERS = _child(roots.PARAM_SCHEDULERS, 'mmtbps.engine')

DATASETS = _child(roots.DATASETS, 'mmtbps.datasets')
DATA_SAMPLERS = _child(roots.DATA_SAMPLERS, 'mmtbps.datasets')
TRANSFORMS = _child(roots.TRANSFORMS, 'mmcv.transforms', 'mmtbps.datasets')

# The image backbone stands apart: importing it loads mmpretrain's model zoo,
# a price that `import mmtbps.models` alone must not ask.
MODELS = _child(roots.MODELS, 'mmtbps.models', 'mmtbps.models.backbones.vit')
MODEL_WRAPPERS = _child(roots.MODEL_WRAPPERS)
WEIGHT_INITIALIZERS = _child(roots.WEIGHT_INITIALIZERS, 'mmtbps.models')
BATCH_AUGMENTS = LendingRegistry('batch augment', scope='mmtbps',
                                 locations=['mmtbps.registry'])
TASK_UTILS = _child(roots.TASK_UTILS, 'mmtbps.generation', 'mmtbps.search.registration',
                    'mmtbps.search.reranking')

METRICS = _child(roots.METRICS, 'mmtbps.evaluation.registration')
EVALUATORS = _child(roots.EVALUATOR)
VISUALIZERS = _child(roots.VISUALIZERS)
VISBACKENDS = _child(roots.VISBACKENDS)
