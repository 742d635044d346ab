"""The benchmark of deployment on models of the catalog: rows, who shares them, who is left out."""

import argparse
import importlib
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from mmtbps.errors import BadValue


@pytest.fixture
def measured(monkeypatch):
    """A function that runs the benchmark at tiny size, here and not in a process for each model."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / 'tools')
    deployment = importlib.import_module('benchmarks.deployment')
    built = []
    build = deployment.build
    monkeypatch.setattr(deployment, 'build', lambda model, **options: built.append(
        model.title) or build(model, **options))
    # In this thread: torch's own threads were seen to wait for ever in another one.
    here = SimpleNamespace(submit=lambda call, *arguments: SimpleNamespace(
        result=lambda: call(*arguments)))
    monkeypatch.setattr(deployment, 'ProcessPoolExecutor',
                        lambda count, mp_context: nullcontext(here))

    def run(*models, size='tiny'):
        return deployment.run(argparse.Namespace(
            models=models, size=size, runs=1, threads=torch.get_num_threads())), built
    return run


def test_each_architecture_is_measured_once_and_the_largest_is_left_out(measured, capsys):
    rows, built = measured('NAM', 'CLIP B/16', 'MetaCLIP 2 H/14', 'IRRA')
    assert [(row['model'], row['tower']) for row in rows] == [
        (model, tower) for model in ('NAM', 'CLIP B/16', 'IRRA') for tower in ('image', 'text')]
    assert built == ['NAM', 'CLIP B/16']
    assert [{**row, 'model': 'IRRA'} for row in rows[:2]] == rows[4:]
    assert all(row['CPU ms an input'] > 0 and row['least cosine'] == 1 for row in rows)
    said = capsys.readouterr().err
    assert 'MetaCLIP 2 H/14 is left out: it has over 1 billion parameters' in said


def test_the_catalog_is_all_of_its_models(measured, monkeypatch):
    asked = []
    deployment = importlib.import_module('benchmarks.deployment')
    monkeypatch.setattr(deployment, 'measure_model', lambda title, threads, runs, layers:
                        asked.append((title, layers)) or [dict(model=title)])
    rows, _ = measured('catalog', size='full')
    left_out = [title for title, model in deployment.CATALOG.items() if model.parameters > 1e9]
    assert {row['model'] for row in rows} == set(deployment.CATALOG) - set(left_out)
    assert len(asked) == 21 and {layers for _, layers in asked} == {None}


def test_a_model_that_cannot_be_built_is_left_out_with_its_reason(measured, capsys):
    with pytest.raises(BadValue, match='every model that was asked for is left out'):
        measured('PE-Core T/16')
    assert 'PE-Core T/16 is left out: the layers of a model of open_clip' in capsys.readouterr().err


def test_a_tiny_model_has_one_layer_a_tower_and_reads_its_whole_input(measured):
    models = importlib.import_module('benchmarks.catalog_models')
    catalog = importlib.import_module('benchmarks.deployment').CATALOG
    naflex = models.build(catalog['SigLIP 2 B/16 NaFlex'], 'meta', layers=1)
    assert len(naflex.network.vision_model.encoder.layers) == 1
    patches = models.person_patches(16)
    rows, columns = patches['spatial_shapes'][0].tolist()
    assert rows == 2.5 * columns and patches['pixel_attention_mask'].sum() == rows * columns
    nam = models.build(catalog['NAM'], layers=1)
    features = nam.encode['text'](**nam.inputs['text'])
    assert features.shape == (1, catalog['NAM'].dimensions) and features.norm() > 0.9
