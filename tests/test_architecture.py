"""The package layout, proved from the source: layers, sub-packages, circles, fences."""

import re

import pytest
from source_tree import (
    PACKAGE,
    ROOT,
    SOURCES,
    circles,
    file_of,
    import_graph,
    imports_of,
    inside,
)

from mmtbps.commands.wording.command_names import COMMANDS

# Lowest layer first; a part imports only of lines before its own, neighbours never each other.
LAYERS = [
    ['version', 'errors', 'moved', 'quantities'],
    ['fileio', 'lexicon', 'stack', 'torchvision_stub'],
    ['compat', 'registry', 'config_inheritance'],
    ['letterbox', 'devices', 'markup', 'proportions', 'clusters'],
    ['records', 'merged_pairs', 'pretrained', 'hub', 'catalog', 'config_file',
     'unknown_types', 'register_modules'],
    ['datasets', 'models', 'evaluation', 'generation', 'drawing', 'visualization'],
    ['engine', 'search', 'robustness'],
    ['commands'],
    ['__main__'],
]
# The same inside a part: what stands in one line are neighbours.
SUB_PACKAGES = {
    'models': [['finite_weights', 'setting_sizes', 'complexity'],
               ['backbones', 'losses', 'grad_cache', 'batch_augments', 'preprocessor',
                'weights_hash', 'trained_inputs'],
               ['dual_encoders', 'necks', 'mixup', 'heads', 'peft'], ['retrievers'],
               ['loading', 'converters', 'exporters', 'publishing'], ['pretrained_init']],
    'search': [['encoders', 'galleries', 'presence'],
               ['media', 'captioning'], ['indexing', 'feature_files'],
               ['presentation', 'results'], ['grouped_search', 'reranking'], ['answers'],
               ['inferencer', 'registration', 'result_files', 'watching'], ['webui']],
    'generation': [['color', 'templates', 'turns'], ['diffusion'], ['evidence'],
                   ['editing', 'rewriting'], ['quality'], ['runs'], ['planning']],
    'commands': [['process'], ['wording'], ['options', 'edits', 'trials'], ['main', 'torchrun'],
                 sorted(name.replace('-', '_') for name in COMMANDS)],
}
# Who may import what of the outside; a name not listed is free for all.
FENCES = {
    'mmpretrain.models': ('models/backbones/vit.py',),
    # dual_encoders: whole models as the library has them, with its own preprocessing.
    'transformers': ('models/backbones/bert.py', 'models/backbones/bert_families.py',
                     'models/backbones/library_models.py', 'models/backbones/siglip_models.py',
                     'models/dual_encoders/hugging_face.py',
                     'models/dual_encoders/transformers_parts.py',
                     'datasets/transforms/tokenize.py', 'generation/', 'search/media/detector.py',
                     'search/encoders/hub_folders/', 'compat.py'),
    'open_clip': ('models/dual_encoders/open_clip.py',),
    'trackers': ('search/media/tracker.py',),
    'supervision': ('search/media/tracker.py',),
    'diffusers': ('generation/',), 'peft': ('generation/', 'models/peft/lora.py'),
    'torchvision': ('compat.py',),
    'ai_edge_litert': ('generation/evidence/tflite_model.py',),
    'lancedb': ('search/galleries/lance.py', 'search/galleries/lance_table.py'),
    'pyarrow': ('search/galleries/lance_table.py', 'datasets/conversion/parquet_files.py',
                'datasets/table_files.py', 'fileio/parquet_images.py'),
    'pymilvus': ('search/galleries/milvus.py', 'search/galleries/milvus_columns.py'),
    'fsspec': ('fileio/object_stores.py', 'fileio/packed_files.py'),
    'prometheus_client': ('search/webui/metrics.py', 'search/indexing/run_metrics.py'),
    'psycopg': ('search/galleries/postgres.py', 'search/galleries/postgres_errors.py',
                'search/galleries/postgres_table.py'),
    'psycopg_pool': ('search/galleries/postgres.py', 'search/galleries/postgres_errors.py'),
    'pgvector': ('search/galleries/postgres.py', 'search/galleries/postgres_errors.py'),
    'ray': ('clusters/ray_pool.py',),
    'watchdog': ('search/watching/sources.py',), 'httpx': ('search/watching/webhook.py',),
    'paho': ('search/watching/mqtt.py',),
    'torch': ('models/', 'datasets/transforms/', 'datasets/samplers.py',
              'datasets/random_count_sampler.py', 'evaluation/', 'engine/',
              'generation/', 'search/', 'visualization/', 'compat.py', 'devices.py',
              'torchvision_stub.py', 'fileio/checkpoint_files.py', 'commands/benchmark.py',
              'commands/convert.py', 'commands/generate.py', 'commands/torchrun.py',
              'commands/visualize.py'),
}


FILES = {inside(path) for path in SOURCES}


def first_word(words: list[str], depth: int) -> str:
    return words[depth] if len(words) > depth else '__init__'


def rank_in(layers: list[list[str]], name: str) -> int | None:
    return next((rank for rank, names in enumerate(layers) if name in names), None)


def wrong_way(layers: list[list[str]], importer: str, imported: str) -> bool:
    """Check for an import that runs upwards or between neighbours."""
    if importer in ('__init__', imported):
        return False
    own, other = rank_in(layers, importer), rank_in(layers, imported)
    return own is None or other is None or other >= own


def layer_violations(file: str, source: str) -> list[str]:
    """Imports of ours that the layers of the package, or those inside a part, do not allow."""
    own, wrong = file.removesuffix('.py').split('/'), []
    for name in imports_of(source, PACKAGE / file):
        target = file_of(name, FILES) if name.split('.')[0] == 'mmtbps' else None
        words = target.removesuffix('.py').split('/') if target else name.split('.')[1:]
        if name.split('.')[0] != 'mmtbps' or words in (['__init__'], []):
            continue
        if wrong_way(LAYERS, own[0], words[0]):
            wrong.append(f'{file} imports {name}')
        elif own[0] == words[0] and own[0] in SUB_PACKAGES and wrong_way(
                SUB_PACKAGES[own[0]], first_word(own, 1), first_word(words, 1)):
            wrong.append(f'{file} imports {name}, which is not to its left in {own[0]}')
    return wrong


def fence_violations(file: str, source: str) -> list[str]:
    """Imports of the outside that only certain files may make."""
    return [f'{file} imports {name}' for name in imports_of(source, PACKAGE / file)
            for fenced, allowed in FENCES.items()
            if (name == fenced or name.startswith(fenced + '.')) and not file.startswith(allowed)]


@pytest.mark.parametrize('path', SOURCES, ids=inside)
def test_imports_run_down_the_layers(path):
    source = path.read_text(encoding='utf-8')
    assert not layer_violations(inside(path), source) + fence_violations(inside(path), source)


@pytest.mark.parametrize('file, line', [
    ('models/x.py', 'from mmtbps.datasets import TBPSDataset'),
    ('datasets/x.py', 'from ..engine import EpochSeedHook'),
    ('registry.py', 'from . import records'),
    ('evaluation/x.py', 'import mmtbps.models.retrievers'),
    ('drawing/x.py', 'def f():\n    from mmtbps import registry, search'),
    ('engine/x.py', 'from mmtbps.search import load_encoder'),
    ('search/x.py', 'from mmtbps.commands.wording.user_errors import fail'),
    ('unheard_of.py', 'from mmtbps.errors import UserError'),
    ('search/galleries/x.py', 'from ..indexing import writer'),
    ('search/encoders/x.py', 'from ..galleries.base import BaseGallery'),
    ('search/media/x.py', 'def f():\n    from mmtbps.search.inferencer import X'),
    ('generation/color/x.py', 'from ..editing.base import EditRequest'),
    ('generation/runs/x.py', 'from ..planning.planner import Planner'),
    ('generation/rewriting/x.py', 'from ..editing.base import EditRequest'),
    ('models/backbones/x.py', 'from mmtbps.models.necks import ProjectionNeck'),
    ('commands/train.py', 'from .test import run'),
    ('models/heads/x.py', 'from mmtbps.models.retrievers.dual_encoder import TextImageRetriever'),
])
def test_the_layer_check_can_fail(file, line):
    assert layer_violations(file, line)


@pytest.mark.parametrize('file, line', [
    ('engine/x.py', 'from mmtbps.registry import HOOKS\nfrom mmtbps.models import Tower'),
    ('search/indexing/x.py', 'from ..galleries.base import BaseGallery'),
    ('search/galleries/x.py', 'if TYPE_CHECKING:\n    from ..indexing import writer'),
    ('generation/planning/x.py', 'from ..runs.plan import Job\nfrom ..color import votes'),
    ('generation/planning/x.py', 'from ..rewriting.base import CaptionRewriter'),
    ('models/heads/x.py', 'from mmtbps.models.losses import info_nce\nfrom .base import BaseHead'),
])
def test_what_runs_down_is_allowed(file, line):
    assert not layer_violations(file, line)


@pytest.mark.parametrize('file, line', [
    ('models/heads/x.py', 'from mmpretrain.models import VisionTransformer'),
    ('evaluation/x.py', 'import transformers'),
    ('drawing/x.py', 'import torch'),
    ('datasets/x.py', 'def f():\n    import torchvision.ops'),
    ('search/galleries/memory.py', 'import lancedb'),
])
def test_the_fence_check_can_fail(file, line):
    assert fence_violations(file, line)
    assert not fence_violations('models/backbones/vit.py',
                                'from mmpretrain.models import VisionTransformer')


def test_fences_and_layers_name_only_what_exists():
    named = {path for paths in FENCES.values() for path in paths}
    named |= {f'{part}/{name}' for part, layers in SUB_PACKAGES.items()
              for names in layers for name in names}
    named |= {name for names in LAYERS for name in names}
    missing = [name for name in named if not (PACKAGE / name).exists()
               and not (PACKAGE / f'{name}.py').exists()]
    assert not missing


def test_everything_has_its_layer():
    parts = {inside(path).removesuffix('.py').split('/')[0] for path in SOURCES} - {'__init__'}
    assert parts == {name for names in LAYERS for name in names}
    for part, layers in SUB_PACKAGES.items():
        inner = {inside(path).removesuffix('.py').split('/')[1] for path in SOURCES
                 if inside(path).startswith(f'{part}/')} - {'__init__'}
        assert inner == {name for names in layers for name in names}, part


def test_no_files_import_each_other():
    graph = import_graph({inside(path): path.read_text(encoding='utf-8') for path in SOURCES})
    assert not circles(graph)
    assert sum(map(len, graph.values())) > len(graph)  # the graph is not empty


def test_the_circle_check_can_fail():
    pair = {'search/a.py': 'from .b import x', 'search/b.py': 'def f():\n    from . import a'}
    assert circles(import_graph(pair)) == [['search/a.py', 'search/b.py']]
    round_trip = {'a.py': 'from mmtbps import b', 'b.py': 'from .c import x',
                  'c.py': 'from mmtbps.a import y', 'd.py': 'from . import a'}
    assert circles(import_graph(round_trip)) == [['a.py', 'b.py', 'c.py']]
    tree = {'a.py': 'from . import b, c', 'b.py': 'from . import c', 'c.py': ''}
    assert not circles(import_graph(tree))
    typing = dict(pair, **{'search/b.py': 'if TYPE_CHECKING:\n    from . import a'})
    assert not circles(import_graph(typing))


def test_the_layers_that_contributors_read_are_these():
    text = (ROOT / 'CONTRIBUTING.md').read_text(encoding='utf-8')
    block = re.search(r'<!-- layers -->\s*```\n(.*?)```', text, re.DOTALL)[1]
    read = [sorted(re.findall(r'[a-z_]+', line.strip().split('  ')[0]))
            for line in block.splitlines() if line.strip()]
    assert read[::-1][:len(LAYERS)] == [sorted(names) for names in LAYERS]
