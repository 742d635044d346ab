"""Sizes of towers that compute in no time."""

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
    size, tokenizer = (32, 16), str(data_root / 'tokenizer')
    cfg.model.image_backbone.update(arch=TINY_VIT, img_size=size, patch_size=8, stride=6,
                                    init_cfg=None)
    cfg.model.text_backbone.pop('model', None)
    cfg.model.text_backbone.update(config=dict(TINY_BERT, vocab_size=2048))
    for augment in cfg.model.data_preprocessor.get('batch_augments', []):
        if 'padding' in augment:
            augment.padding = 1
    for hook in cfg.custom_hooks:
        if 'backend' in hook:  # graphs are made, but no code of them
            hook.backend = 'eager'
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = cfg[name]
        loader.update(num_workers=0, persistent_workers=False, batch_size=8)
        loader.dataset.update(type='DrawnPEDES', data_root=str(data_root))
        for step in loader.dataset.pipeline:
            if 'tokenizer' in step:
                step.tokenizer = tokenizer
            if 'scale' in step:
                step.scale = size[::-1]
            if 'crop_size' in step:
                step.update(crop_size=size, padding=1)
    return cfg
