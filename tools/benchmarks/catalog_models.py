"""Every model of the catalog on the meta device: its shapes without its weights.

Sizes of CLIP's towers are those that OpenAI published; settings of transformers' models are the
library's defaults but for what a published ``config.json`` says otherwise; models of open_clip are
built from that library's own config.
"""

from typing import NamedTuple

import pytest
import torch

from mmtbps.compat import torchvision_or_stub
from mmtbps.models.converters import KINDS, ConversionOptions
from mmtbps.models.converters.source import Source
from mmtbps.models.dual_encoders.families import FAMILIES, longest_text
from mmtbps.registry import MODELS

PATCH16, SIGLIP2_WORDS = dict(patch_size=16), dict(vocab_size=256000)
#: Class and settings of a model of transformers, by its name on the hub.
SETTINGS = {
    'google/siglip2-base-patch16-naflex': ('Siglip2Model', dict(text_config=SIGLIP2_WORDS)),
    'google/siglip2-base-patch16-224': ('SiglipModel', dict(text_config=SIGLIP2_WORDS)),
    'google/siglip-base-patch16-224': ('SiglipModel', {}),
    'openai/clip-vit-base-patch16': ('CLIPModel', dict(vision_config=PATCH16)),
    'openai/clip-vit-large-patch14': ('CLIPModel', dict(
        projection_dim=768,
        vision_config=dict(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16,
                           intermediate_size=4096, patch_size=14),
        text_config=dict(hidden_size=768, num_attention_heads=12, intermediate_size=3072))),
    'OFA-Sys/chinese-clip-vit-base-patch16': ('ChineseCLIPModel', dict(
        vision_config=PATCH16, text_config=dict(vocab_size=21128)))}


class Built(NamedTuple):
    """Sizes of a built model, as the model itself has them."""

    parameters: int
    dimensions: int
    tokens: int
    image_size: tuple[int, int] | None


def build(model):
    """Build the model of a row."""
    if model.family == 'person':
        return build_person(model.name.split()[0])
    scheme, name = model.name.split(':', 1)
    return build_open_clip(name) if scheme == 'open_clip' else build_transformers(name)


def build_transformers(name):
    """Build a model of transformers from a config."""
    import transformers
    kind, settings = SETTINGS[name]
    kind = getattr(transformers, kind, None) or pytest.skip(f'transformers has no {kind}')
    config = kind.config_class(**settings)
    with torch.device('meta'):
        network = kind(config)
        family = FAMILIES[config.model_type]
        tokens = longest_text(family, config.text_config.max_position_embeddings, int(1e30))
        texts = network.get_text_features(input_ids=torch.zeros(1, tokens, dtype=torch.long))
        size = None if family.own_shape else (config.vision_config.image_size, ) * 2
        dims = features(texts).shape[1]
        if size:
            images = network.get_image_features(pixel_values=torch.zeros(1, 3, *size))
            assert features(images).shape == (1, dims)
    return Built(count(network), dims, tokens, size)


def build_open_clip(name):
    """Build a model of open_clip from the config of its architecture."""
    with torchvision_or_stub() as kind:
        if kind == 'stub':
            pytest.skip('torchvision is not installed')
        open_clip = pytest.importorskip('open_clip')
    with torch.device('meta'):
        network = open_clip.create_model(name.split('/')[0], device='meta', load_weights=False)
        size = network.visual.image_size
        size = size if isinstance(size, tuple) else (size, size)
        images = network.encode_image(torch.zeros(1, 3, *size))
        tokens = network.context_length
        texts = network.encode_text(torch.zeros(1, tokens, dtype=torch.long))
    assert images.shape == texts.shape
    return Built(count(network), images.shape[1], tokens, size)


def build_person(kind):
    """Convert the shapes of CLIP B/16 in a published layout, and build what they convert to."""
    state = dict(
        irra=lambda: clip_shapes('base_model.visual.', 'base_model.', 24 * 8),
        rde=lambda: clip_shapes('base_model.visual.', 'base_model.', 24 * 8) | rde_shapes(),
        tbps_clip=lambda: clip_shapes('visual.', 'encode_text.', 14 * 14))[kind]()
    with torch.device('meta'):
        state = {key: torch.empty(shape) for key, shape in state.items()}
        conversion = KINDS[kind].convert(Source(kind, state), ConversionOptions())
        network = MODELS.build(conversion.model).eval()
        size = tuple(conversion.model['image_backbone']['img_size'])
        tokens = conversion.model['text_backbone']['context_length']
        ids = torch.ones(1, tokens, dtype=torch.long)
        images = network.encode_image(torch.zeros(1, 3, *size))
        texts = network.encode_text(ids, ids.bool())
    assert images.shape == texts.shape and conversion.complete
    return Built(count(network), images.shape[1], tokens, size)


def clip_shapes(image, text, patches):
    """Shapes of CLIP B/16 under OpenAI's names."""
    vision, words, joint = 768, 512, 512
    shapes = {f'{image}conv1.weight': (vision, 3, 16, 16), f'{image}class_embedding': (vision, ),
              f'{image}positional_embedding': (patches + 1, vision),
              f'{image}proj': (vision, joint), f'{text}positional_embedding': (77, words),
              f'{text}token_embedding.weight': (49408, words),
              f'{text}text_projection': (words, joint)}
    for norm, width in ((f'{image}ln_pre', vision), (f'{image}ln_post', vision),
                        (f'{text}ln_final', words)):
        shapes |= {f'{norm}.weight': (width, ), f'{norm}.bias': (width, )}
    for prefix, width in ((image, vision), (text, words)):
        for i in range(12):
            block = f'{prefix}transformer.resblocks.{i}'
            shapes |= {f'{block}.attn.in_proj_weight': (3 * width, width),
                       f'{block}.attn.in_proj_bias': (3 * width, )}
            for name, out, size in (('attn.out_proj', width, width), ('mlp.c_fc', 4 * width, width),
                                    ('mlp.c_proj', width, 4 * width)):
                shapes |= {f'{block}.{name}.weight': (out, size), f'{block}.{name}.bias': (out, )}
            for norm in ('ln_1', 'ln_2'):
                shapes |= {f'{block}.{norm}.{part}': (width, ) for part in ('weight', 'bias')}
    return shapes


def rde_shapes():
    """Shapes of RDE's two embedding layers."""
    shapes = {}
    for side, shortcuts in (('visul', ('linear', 'fc')), ('texual', ('linear', ))):
        layer = f'{side}_emb_layer'
        for name, out in (*((shortcut, 1024) for shortcut in shortcuts), ('mlp.layers.0', 512),
                          ('mlp.layers.1', 1024)):
            shapes |= {f'{layer}.{name}.weight': (out, 512), f'{layer}.{name}.bias': (out, )}
        for norm, size in (('mlp.bns.0', 512), ('mlp.bns.1', 1024)):
            shapes |= {f'{layer}.{norm}.{part}': (size, )
                       for part in ('weight', 'bias', 'running_mean', 'running_var')}
            shapes[f'{layer}.{norm}.num_batches_tracked'] = ()
    return shapes


def features(output):
    return output if torch.is_tensor(output) else output.pooler_output


def count(network):
    return sum(weight.numel() for weight in network.parameters())
