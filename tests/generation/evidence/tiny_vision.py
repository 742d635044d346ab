"""Tiny random vision models of transformers, saved as model folders."""

import json

import torch
import transformers

ATR = ('Background', 'Hat', 'Hair', 'Sunglasses', 'Upper-clothes', 'Skirt', 'Pants', 'Dress',
       'Belt', 'Left-shoe', 'Right-shoe', 'Face', 'Left-leg', 'Right-leg', 'Left-arm', 'Right-arm',
       'Bag', 'Scarf')


def named(labels):
    return dict(id2label=dict(enumerate(labels)), label2id={n: i for i, n in enumerate(labels)})


def save(folder, build, config, seed, noise=.3, **preprocessing):
    """Save a network with noisy weights, so that it sees something everywhere."""
    torch.manual_seed(seed)
    network = build(config)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=noise)
    network.eval().save_pretrained(folder)
    (folder / 'preprocessor_config.json').write_text(json.dumps(preprocessing))
    return str(folder)


def segformer(folder, labels=ATR, seed=0):
    config = transformers.SegformerConfig(
        num_encoder_blocks=2, depths=[1, 1], sr_ratios=[2, 1], hidden_sizes=[8, 16],
        patch_sizes=[7, 3], strides=[4, 2], num_attention_heads=[1, 2], mlp_ratios=[2, 2],
        decoder_hidden_size=16, **named(labels))
    return save(folder, transformers.SegformerForSemanticSegmentation, config, seed,
                image_processor_type='SegformerImageProcessor',
                do_resize=True, size=dict(height=64, width=64), do_rescale=True,
                rescale_factor=1 / 255, do_normalize=True, do_reduce_labels=False,
                image_mean=[.5] * 3, image_std=[.25] * 3, resample=2)


def mask2former(folder, labels=ATR, seed=0):
    backbone = transformers.SwinConfig(
        embed_dim=8, depths=[1] * 4, num_heads=[1, 1, 2, 2], image_size=64, window_size=4,
        out_features=['stage1', 'stage2', 'stage3', 'stage4'])
    config = transformers.Mask2FormerConfig(
        backbone_config=backbone, feature_size=32, mask_feature_size=32, hidden_dim=32,
        encoder_feedforward_dim=16, encoder_layers=1, decoder_layers=2, num_attention_heads=2,
        dim_feedforward=16, num_queries=8, **named(labels))
    return save(folder, transformers.Mask2FormerForUniversalSegmentation, config, seed,
                image_processor_type='Mask2FormerImageProcessor',
                do_resize=True, size=dict(shortest_edge=64, longest_edge=160), size_divisor=32,
                do_rescale=True, rescale_factor=1 / 255, do_normalize=True, ignore_index=255,
                do_reduce_labels=False, image_mean=[.5] * 3, image_std=[.25] * 3, resample=2)


def rt_detr(folder, labels=('person', 'bicycle', 'car'), seed=18):
    backbone = transformers.RTDetrResNetConfig(
        embedding_size=8, layer_type='basic', depths=[1] * 4, hidden_sizes=[8] * 4,
        out_features=['stage2', 'stage3', 'stage4'])
    config = transformers.RTDetrConfig(
        backbone_config=backbone, encoder_in_channels=[8, 8, 8], encoder_hidden_dim=16,
        encoder_ffn_dim=16, encoder_attention_heads=2, d_model=16, num_queries=12,
        decoder_in_channels=[16, 16, 16], decoder_ffn_dim=16, decoder_layers=2,
        decoder_attention_heads=2, decoder_n_points=2, num_denoising=0, **named(labels))
    return save(folder, transformers.RTDetrForObjectDetection, config, seed, noise=.4,
                image_processor_type='RTDetrImageProcessor',
                do_normalize=False, do_pad=False, do_resize=True, do_rescale=True,
                rescale_factor=1 / 255, resample=2, size=dict(height=64, width=64))


def vit_pose(folder, joints=17, experts=1, seed=0):
    config = transformers.VitPoseConfig(
        backbone_config=transformers.VitPoseBackboneConfig(
            image_size=[64, 48], patch_size=[16, 16], hidden_size=16, num_hidden_layers=1,
            num_attention_heads=2, mlp_ratio=2, num_experts=experts,
            part_features=4 if experts > 1 else 0, out_features=['stage1']), num_labels=joints)
    return save(folder, transformers.VitPoseForPoseEstimation, config, seed,
                image_processor_type='VitPoseImageProcessor',
                do_affine_transform=True, do_rescale=True, rescale_factor=1 / 255,
                do_normalize=True, image_mean=[.5] * 3, image_std=[.25] * 3,
                size=dict(height=64, width=48))
