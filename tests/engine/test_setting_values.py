"""Settings of loaders that torch would refuse with a traceback."""

import pytest

from mmtbps.engine.setting_values import find_wrong_values


@pytest.mark.parametrize(('loader', 'said'), [
    (dict(batch_sampler=dict(type='B'), drop_last=True), ['drop_last does not go with batch_']),
    (dict(sampler=dict(type='S'), shuffle=True), ['shuffle does not go with sampler']),
    (dict(sampler=dict(type='S'), batch_sampler=dict(type='B'), shuffle=True, drop_last=True),
     ['drop_last does', 'shuffle does not go with sampler', 'shuffle does not go with batch']),
    (dict(sampler=dict(type='S'), drop_last=True), []), (dict(batch_sampler=dict(type='B')), []),
    (dict(batch_sampler=dict(type='B'), sampler=dict(type='S'), drop_last=False), [])])
@pytest.mark.parametrize('name', ['train', 'val', 'test'])
def test_what_a_sampler_decides_is_not_set_twice(loader, said, name):
    rest = dict(train_cfg={}, optim_wrapper={}) if name == 'train' else {}
    faults = [str(fault) for fault in find_wrong_values({f'{name}_dataloader': loader, **rest})]
    assert len(faults) == len(said) and all(
        fault.startswith(f'{name}_dataloader.{words}')
        for fault, words in zip(faults, said, strict=True))
