"""Former module names, so that what was written with them still opens.

Dumped configs, checkpoints and other projects name classes by the module that held them. A module
of these tables is the one that took its place, or has the public names of those that took it
together; importing it under the former name warns. A last table has names that MMEngine expects of
every project; these do not.
"""

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

__all__ = ['DIVIDED', 'EXPECTED', 'MOVED', 'install_former_names']

#: Former name -> name, both below ``mmtbps``.
MOVED = {
    'commands.audit_page': 'commands.edits.audit_page',
    'commands.command_names': 'commands.wording.command_names',
    'commands.command_process': 'commands.process.command_process',
    'commands.detector_options': 'commands.options.detector',
    'commands.exit_codes': 'commands.process.exit_codes',
    'commands.gallery_options': 'commands.options.gallery',
    'commands.index_options': 'commands.options.index',
    'commands.judged_edits': 'commands.edits.judged_edits',
    'commands.licence_notice': 'commands.wording.licence_notice',
    'commands.model_options': 'commands.options.model',
    'commands.printing': 'commands.wording.printing',
    'commands.process_group': 'commands.process.process_group',
    'commands.query_options': 'commands.options.query',
    'commands.stop_signals': 'commands.process.stop_signals',
    'commands.user_errors': 'commands.wording.user_errors',
    'datasets.cuhk_pedes': 'datasets.readers.cuhk_pedes',
    'datasets.drawn_pedes': 'datasets.readers.drawn_pedes',
    'datasets.icfg_pedes': 'datasets.readers.icfg_pedes',
    'datasets.packing_images': 'datasets.write_packed',
    'datasets.rstp_reid': 'datasets.readers.rstp_reid',
    'datasets.transforms.packing': 'datasets.transforms.pack_inputs',
    'evaluation.chance': 'evaluation',
    'evaluation.counting': 'evaluation.rank_accumulation',
    'evaluation.inputs': 'evaluation.ranking',
    'evaluation.walk': 'evaluation.rank_accumulation',
    'generation.captions': 'lexicon.color_switching',
    'generation.color_votes': 'generation.color.votes',
    'generation.colorspace': 'generation.color.colorspace',
    'generation.attention': 'generation.diffusion.attention',
    'generation.controls': 'generation.quality.negative_controls',
    'generation.editors': 'generation.editing.prompt_to_prompt',
    'generation.finetune': 'generation.diffusion.finetune',
    'generation.gates': 'generation.quality.gates',
    'generation.instruct': 'generation.editing.instruct',
    'generation.inversion': 'generation.diffusion.inversion',
    'generation.manifest': 'generation.runs.manifest',
    'generation.merge': 'generation.runs.merge',
    'generation.planner': 'generation.planning.planner',
    'generation.planning.caption_edits': 'lexicon.color_switching',
    'generation.planning.edit_spans': 'lexicon.edit_spans',
    'generation.progress': 'generation.runs.progress',
    'generation.quality.proportions': 'proportions',
    'generation.recolor': 'generation.editing.recolor',
    'generation.report': 'generation.runs.report',
    'generation.requests': 'generation.editing.base',
    'generation.retelling.base': 'generation.rewriting.base',
    'generation.retelling.faithful': 'generation.rewriting.faithful',
    'generation.retelling.recorded': 'generation.rewriting.recorded',
    'generation.retelling.rules': 'generation.rewriting.rules',
    'generation.retelling.transformers_rewriter': 'generation.rewriting.transformers_rewriter',
    'generation.runner': 'generation.runs.runner',
    'generation.sharding': 'fileio.shards',
    'generation.summary': 'generation.runs.run_summary',
    'generation.tokens': 'generation.diffusion.tokens',
    'generation.toy': 'generation.diffusion.toy',
    'generation.upscalers': 'generation.editing.upscalers',
    'models.backbones.first_token': 'models.backbones.cls_last_layer',
    'models.batch_augment': 'models.batch_augments',
    'models.checkpointing': 'models.grad_cache',
    'models.feature_mixup': 'models.mixup',
    'models.lora': 'models.peft',
    'models.retriever': 'models.retrievers.dual_encoder',
    'models.weights': 'models.converters',
    'search.answer': 'search.result_files',
    'search.detection': 'search.media.detector',
    'search.encoders.device': 'devices',
    'search.explain': 'search.encoders.explain',
    'search.export': 'search.encoders.onnx_export',
    'search.filters': 'search.galleries.filters',
    'search.frames': 'search.media.videos',
    'search.galleries.files': 'fileio.durable',
    'search.galleries.opening': 'search.galleries.factory',
    'search.images': 'search.media.images',
    'search.intake': 'search.indexing.writer',
    'search.metadata': 'search.indexing.metadata',
    'search.model_folder': 'search.encoders.saved_model',
    'search.onnx_encoder': 'search.encoders.onnx_encoder',
    'search.origin': 'search.galleries.provenance',
    'search.page': 'search.webui',
    'search.page.api': 'search.webui.api',
    'search.page.cards': 'search.webui.html',
    'search.page.desk': 'search.webui.service',
    'search.page.gate': 'search.webui.middleware',
    'search.page.layout': 'search.webui.layout',
    'search.page.serving': 'search.webui.server',
    'search.page.style': 'search.webui.style',
    'search.page.uploads': 'search.webui.uploads',
    'search.page.visit': 'search.webui.views',
    'search.scope': 'search.indexing.selection',
    'search.torch_encoder': 'search.encoders.torch_encoder',
    'search.tracking': 'search.media.tracker',
    'search.video': 'search.media.people',
}
#: Former name -> names of the modules that have its parts now.
DIVIDED = {
    'generation.retelling': ('generation.rewriting', 'generation.runs.retell_runner',
                             'generation.planning.retell_planner'),
    'generation.retelling.runner': ('generation.runs.retell_runner',
                                    'generation.planning.retell_planner'),
}
#: Name that MMEngine looks for in a project -> name, both below ``mmtbps``.
EXPECTED = {'utils': 'register_modules'}
_PACKAGE = __name__.partition('.')[0]


class _FormerNames(MetaPathFinder, Loader):
    """Finder and loader of the names of ``MOVED``, ``DIVIDED`` and ``EXPECTED``."""

    def find_spec(self, name: str, path: Sequence[str] | None = None,
                  target: ModuleType | None = None) -> ModuleSpec | None:
        package, _, rest = name.partition('.')
        known = package == _PACKAGE and (rest in MOVED or rest in DIVIDED or rest in EXPECTED)
        return ModuleSpec(name, self, is_package=rest in DIVIDED) if known else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        rest = spec.name.partition('.')[2]
        names = [f'{_PACKAGE}.{name}'
                 for name in DIVIDED.get(rest) or [EXPECTED.get(rest) or MOVED[rest]]]
        if rest not in EXPECTED:
            warnings.warn(f'{spec.name} is now {" and ".join(names)}', DeprecationWarning,
                          stacklevel=2)
        parts = [import_module(name) for name in names]
        if rest in DIVIDED:
            module = ModuleType(spec.name)
            vars(module).update({name: getattr(part, name)
                                 for part in parts for name in part.__all__},
                                __all__=[name for part in parts for name in part.__all__])
            return module
        spec.loader_state = parts[0].__spec__
        return parts[0]

    def exec_module(self, module: ModuleType) -> None:
        # The import system has put the former name's spec on the module; it keeps its own.
        if module.__spec__.loader_state is not None:
            module.__spec__ = module.__spec__.loader_state


def install_former_names() -> None:
    """Let modules be imported by their former names; a second call changes nothing."""
    if not any(type(finder).__name__ == _FormerNames.__name__ for finder in sys.meta_path):
        # First: a folder that git has emptied would be taken for a package without a file.
        sys.meta_path.insert(0, _FormerNames())
