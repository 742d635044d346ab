"""The table of the model zoo: made of the metafiles, and as they are."""

import importlib.util

import pytest
from doc_blocks import ROOT


@pytest.fixture(scope='module')
def zoo():
    """The module that writes the table."""
    path = ROOT / 'docs/draw_model_zoo.py'
    spec = importlib.util.spec_from_file_location('draw_model_zoo', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_that_of_the_metafiles(zoo):
    page = zoo.PAGE.read_text('utf-8')
    assert page == zoo.write_page(page, zoo.read_models()), 'run python docs/draw_model_zoo.py'


def test_every_model_says_its_recipe_and_no_number_is_odd(zoo):
    for model in zoo.read_models():
        numbers = [*(model['Metadata'].get('Paper') or {}).values(),
                   *(value for result in model['Results']
                     for value in (result['Metrics'] or {}).values())]
        assert model['Metadata']['Recipe'] and all(0 < number < 100 for number in numbers)


def test_a_row_has_the_numbers_that_there_are(zoo):
    model = dict(Name='a', Config='configs/a/a.py', Results=[dict(Metrics=dict(R1=3.))],
                 Metadata=dict(Parameters=1234, Recipe='loss', Paper=dict(R1=71.5, mAP=60.25)))
    model['Metadata']['Training Data'] = 'D'
    assert zoo.write_table([model]).splitlines()[2:] == [
        '| [a](../configs/a/a.py) | D | loss | 1,234 | 71.50 / 60.25 | 3.00 |']
    model['Metadata'].pop('Paper')
    model['Results'][0]['Metrics'] = None
    assert zoo.write_table([model]).splitlines()[2].endswith('| 1,234 | | |')


def test_a_page_without_the_place_is_refused(zoo):
    with pytest.raises(ValueError, match='must have one'):
        zoo.write_page('no table', [])
