"""Sizes of towers that compute in no time."""

from inspect import isclass, signature

from mmtbps.registry import MODELS

TINY_VIT = dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32)
TINY_BERT = dict(vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
                 intermediate_size=32, max_position_embeddings=64,
                 hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)


def shrink(cfg, data_root, work_dir):
    """Make any config of ours small: a drawn micro set, tiny towers, no workers.

    What the config is about (parts, losses, schedules, transforms) stays as it is.
    """
    cfg.work_dir = str(work_dir)
    cfg.experiment_name = f'test_{work_dir.name}'
    cfg.load_from = None
    size, tokenizer = (32, 16), str(data_root / 'tokenizer')
    for name in ('image_backbone', 'text_backbone'):
        kind = cfg.model[name].type
        tower = kind if isclass(kind) else MODELS.get(kind)
        cfg.model[name] = tower.tiny_settings(cfg.model[name])
    shrink_features(cfg.model)
    for augment in cfg.model.data_preprocessor.get('batch_augments', []):
        if 'padding' in augment:
            augment.padding = 1
    for hook in cfg.custom_hooks:
        if 'backend' in hook:  # graphs are made, but no code of them
            hook.backend = 'eager'
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = cfg[name]
        loader.update(num_workers=0, persistent_workers=False)
        set_batch_size(loader, 8)
        loader.dataset.update(type='DrawnPEDES', data_root=str(data_root))
        loader.dataset.pop('pairs_root', None)  # of the full data set
        if 'retold' in str(loader.dataset.get('ann_file')):  # likewise
            del loader.dataset['ann_file'], loader.dataset['data_prefix']
        for step in loader.dataset.pipeline:
            shrink_step(step, size, tokenizer)
    return cfg


def shrink_features(model):
    """Project to few dimensions where a model projects, and make its heads fit."""
    necks = [neck for neck in (model.get('image_neck'), model.get('text_neck')) if neck]
    if not any('out_dims' in neck for neck in necks):
        for head in model.get('heads', {}).values():
            if 'in_dims' in head:
                head.in_dims = model.image_backbone.out_dims
        return
    for neck in necks:
        neck.update(out_dims=16, **(dict(selection_dims=32) if 'side' in neck else {}))
    for head in model.heads.values():
        accepted = signature(head.type if isclass(head.type) else MODELS.get(head.type)).parameters
        small = dict(in_dims=16, dims=16, hidden_dims=8, num_layers=1, num_heads=2,
                     patch_size=8, stride=6)  # of the tiny towers
        head.update({name: value for name, value in small.items() if name in accepted})
        if 'vocab_size' in accepted and 'vocab_size' in model.text_backbone:
            head.vocab_size = model.text_backbone.vocab_size


def shrink_step(step, size, tokenizer):
    """Make a transform small, and those inside it."""
    if 'mmtbps://' not in step.get('tokenizer', 'mmtbps://'):
        step.tokenizer = tokenizer
    if 'scale' in step:  # (height, width) in crops of mmpretrain, else (width, height)
        step.scale = size if 'crop_ratio_range' in step else size[::-1]
    if 'crop_size' in step:
        step.update(crop_size=size, padding=1)
    for inner in [*step.get('transforms', []), *filter(None, [step.get('tokenize')])]:
        for one in inner if isinstance(inner, list) else [inner]:
            shrink_step(one, size, tokenizer)


def set_batch_size(loader, batch_size):
    """Set the batch size of a dataloader, and with it the people in a P x K batch."""
    loader.batch_size = batch_size
    if 'num_persons' in loader.sampler:
        loader.sampler.num_persons = batch_size // loader.sampler.num_instances
