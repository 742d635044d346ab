"""The catalog of models: every stored cell against the built model, names, licences, notices."""

import dataclasses
import importlib
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mmtbps.catalog import FAMILIES, kind_notice, list_models, model_notice
from mmtbps.commands.wording.licence_notice import print_model_notice, print_notice
from mmtbps.compat import torchvision_or_stub
from mmtbps.errors import MissingPackage
from mmtbps.models.converters import KINDS
from mmtbps.models.dual_encoders import load_dual_encoder
from mmtbps.pretrained import SCHEMES, parse_model_name
from mmtbps.search import load_encoder

sys.path.append(str(Path(__file__).resolve().parents[1] / 'tools'))
from benchmarks.catalog_models import SETTINGS, architecture, build  # noqa: E402

ALLOWED = {'MIT': 'yes', 'Apache-2.0': 'yes', 'apple-amlr': 'no', 'CC-BY-NC-4.0': 'no', '-': '-'}
GENERAL, PERSON = list_models('general'), list_models('person')
RESTRICTED = [model.name for model in GENERAL if model.commercial == 'no']
FREE = [model.name for model in GENERAL if model.commercial != 'no']


def computed(model):
    return {name: getattr(model, name)
            for name in ('parameters', 'dimensions', 'tokens', 'image_size')}


def sizes_of(built):
    """Sizes of a built model, as the model itself has them."""
    with torch.device('meta'):
        texts = built.encode['text'](**built.inputs['text'])
        if built.image_size:
            assert built.encode['image'](**built.inputs['image']).shape == texts.shape
    return dict(parameters=sum(weight.numel() for weight in built.network.parameters()),
                dimensions=texts.shape[1], image_size=built.image_size,
                tokens=next(iter(built.inputs['text'].values())).shape[1])


@pytest.fixture(autouse=True)
def new_command():
    """Nothing has been printed yet."""
    print_notice.cache_clear()


@pytest.fixture
def no_weights(monkeypatch):
    """Loading gives the name in place of a model."""
    factory = importlib.import_module('mmtbps.models.dual_encoders.factory')
    for scheme in SCHEMES:
        monkeypatch.setitem(factory._LOADERS, scheme, lambda name, aspect, prompts: str(name))


@pytest.mark.parametrize('model', list_models(), ids=lambda model: model.title)
def test_computed_cells_are_those_of_the_built_model(model):
    try:
        built = sizes_of(build(model, 'meta'))
    except MissingPackage as error:
        pytest.skip(str(error))
    assert computed(model) == built
    for field in built:  # the comparison sees each of them
        other = (1, 1) if field == 'image_size' else 1
        assert computed(dataclasses.replace(model, **{field: other})) != built


@pytest.mark.parametrize('model', GENERAL, ids=lambda model: model.title)
def test_a_general_model_has_a_name_that_commands_take(model):
    parsed = parse_model_name(model.name)
    assert parsed.scheme in SCHEMES and parsed.revision is None
    assert '/' in parsed.name and (parsed.scheme != 'hf' or parsed.name in SETTINGS)
    assert model.aspect == ('kept' if model.image_size is None else 'padded')
    assert model.commercial == ALLOWED[model.licence]
    place = model.fetch.removeprefix('huggingface.co/')
    if parsed.scheme == 'hf':
        assert place == parsed.name
        return
    with torchvision_or_stub() as kind:
        library = pytest.importorskip('open_clip') if kind != 'stub' else pytest.skip('torchvision')
    architecture, tag = parsed.name.split('/')
    assert library.get_pretrained_cfg(architecture, tag)['hf_hub'].strip('/') == place


@pytest.mark.parametrize('model', PERSON, ids=lambda model: model.title)
def test_a_person_model_has_kind_and_source_as_converting_takes_them(model):
    kind, source = model.name.split()
    assert model.title in KINDS[kind].serves and source
    assert model.commercial == 'ask' and 'research only' in kind_notice(kind)
    assert model.aspect == 'stretched' and not {'yes', 'no'} & {model.licence}


def test_titles_are_distinct_and_families_known():
    titles = [model.title for model in list_models()]
    assert len(set(titles)) == len(titles) and list_models() == PERSON + GENERAL
    assert FAMILIES == ('person', 'general')


def test_the_first_general_model_may_be_a_default():
    first = GENERAL[0]
    assert (first.commercial, first.licence, first.aspect) == ('yes', 'Apache-2.0', 'kept')


def test_numbers_say_whose_they_are():
    for model in list_models():
        if model.published:
            assert model.published['by'].startswith(('theirs', 'measured by others'))
            assert model.published['by'] in model.cells()['published']
    nam = next(model for model in PERSON if model.title == 'NAM')
    assert nam.cells()['published'] == (
        'R1 57.6 CUHK-PEDES, 38.4 ICFG-PEDES, 51.5 RSTPReid; without fine-tuning; theirs, epoch '
        'chosen on test')


def test_every_model_but_the_largest_has_a_speed_and_equal_architectures_the_same():
    speeds = {}
    for model in list_models():
        if model.parameters > 1e9 or architecture(model) in ('aptm', 'rasa', 'blip'):
            assert model.cpu_ms is None and model.cells()['ms'] == '-'
            continue
        assert set(model.cpu_ms) == {'image', 'text'} and min(model.cpu_ms.values()) > 0
        assert speeds.setdefault(architecture(model), model.cpu_ms) == model.cpu_ms
    assert len(speeds) == 18


@pytest.mark.parametrize('name', RESTRICTED)
def test_a_restricted_model_notifies_once(name, no_weights, capsys):
    revised = f'{name}@main'
    assert load_dual_encoder(name, notify=print_model_notice) == name
    first = capsys.readouterr().err
    licence = next(model.licence for model in GENERAL if model.name == name)
    assert first.startswith(f'licence: {name}: ') and first.count('\n') == 1
    assert licence.split('-')[0] in first
    load_dual_encoder(revised, notify=print_model_notice)
    load_dual_encoder(name, notify=print_model_notice)
    assert capsys.readouterr() == ('', '')


def test_an_encoder_hands_the_notice_on(monkeypatch, no_weights, capsys):
    monkeypatch.setattr('mmtbps.search.encoders.pretrained_encoder.move_to_device',
                        lambda *_: (_ for _ in ()).throw(InterruptedError))
    with pytest.raises(InterruptedError):
        load_encoder(RESTRICTED[0], notify=print_model_notice)
    assert capsys.readouterr().err.count('licence: ') == 1


@pytest.mark.parametrize('name', [*FREE, 'hf:apple/aimv2-large-patch14-224-lit', 'hf:dfn/clip'])
def test_other_models_notify_nothing(name, no_weights, capsys):
    load_dual_encoder(name, notify=print_model_notice)
    assert capsys.readouterr() == ('', '')


@pytest.mark.parametrize('name', [
    'hf:apple/DFN5B-CLIP-ViT-H-14-378', 'open_clip:ViT-H-14-378-quickgelu/dfn5b',
    'open_clip:hf-hub:apple/MobileCLIP-S1-OpenCLIP', 'open_clip:MobileCLIP-B/datacompdr_lt',
    'hf:facebook/metaclip-2-worldwide-huge-quickgelu@refs/pr/1',
    'hf:/data/somebody/metaclip-tuned'])
def test_models_beside_the_catalog_have_the_notice_of_their_family(name):
    assert model_notice(name).startswith(name.partition('@')[0])


def test_only_the_first_of_several_processes_prints(monkeypatch, capsys):
    monkeypatch.setenv('RANK', '1')
    print_model_notice(RESTRICTED[0])
    assert capsys.readouterr().err == ''
    print_notice.cache_clear()
    monkeypatch.setenv('RANK', '0')
    print_model_notice(RESTRICTED[0])
    assert capsys.readouterr().err.count('licence: ') == 1


def test_the_catalog_is_read_without_torch():
    code = ('import sys; from mmtbps.catalog import list_models; assert list_models(); '
            'print({"torch", "transformers", "mmengine"} & set(sys.modules) or "none")')
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == 'none'
