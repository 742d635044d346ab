"""The fast config trains the recipe it is named after; only speed may differ."""

from pathlib import Path

from mmengine.config import Config

CONFIGS = Path(__file__).resolve().parent.parent / 'configs' / 'tbps'
FOR_SPEED = {'model.data_preprocessor.batch_augments', 'optim_wrapper.dtype', 'custom_hooks',
             'train_dataloader.batch_size', 'train_dataloader.num_workers',
             'train_dataloader.persistent_workers', 'train_dataloader.dataset.pipeline',
             'auto_scale_lr.enable'}


def flat(node, prefix=''):
    """Every setting by its dotted name; lists are one value."""
    for key, value in node.items():
        if isinstance(value, dict):
            yield from flat(value, f'{prefix}{key}.')
        else:
            yield f'{prefix}{key}', value


def settings(name):
    return dict(flat(Config.fromfile(CONFIGS / f'{name}.py').to_dict()))


def test_only_speed_differs():
    fast, plain = settings('vit_bert_fast_cuhk'), settings('vit_bert_pdg_cuhk')
    different = {key for key in fast.keys() | plain.keys() if fast.get(key) != plain.get(key)}
    assert different <= FOR_SPEED, different - FOR_SPEED


def test_what_left_the_pipeline_is_on_the_device():
    fast, plain = settings('vit_bert_fast_cuhk'), settings('vit_bert_pdg_cuhk')
    flip, crop = fast['model.data_preprocessor.batch_augments']
    pipeline = plain['train_dataloader.dataset.pipeline']
    left = [step for step in pipeline if step not in fast['train_dataloader.dataset.pipeline']]
    assert [step for step in pipeline if step not in left] == (
        fast['train_dataloader.dataset.pipeline'])
    assert [step['type'].split('.')[-1] for step in left] == ['RandomFlip', 'RandomCrop']
    assert (flip['prob'], crop['padding']) == (left[0]['prob'], left[1]['padding'])
    size = fast['model.image_backbone.img_size']
    assert tuple(left[1]['crop_size']) == tuple(size), 'a crop of another size is no shift'
