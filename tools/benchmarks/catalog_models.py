"""Models of the catalog with random weights, built from the installed libraries' own configs.

On the meta device they have shapes without weights, which is how the tests check the catalog. Sizes
of CLIP's towers are those that OpenAI published; settings of transformers' models are the library's
defaults but for what a published ``config.json`` says otherwise; models of open_clip are built from
that library's own config.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mmtbps.catalog import CatalogModel
from mmtbps.compat import torchvision_or_stub
from mmtbps.errors import BadValue, MissingPackage
from mmtbps.models.converters import KINDS, ConversionOptions
from mmtbps.models.converters.source import Source
from mmtbps.models.dual_encoders.families import FAMILIES, longest_text
from mmtbps.registry import MODELS

from .cross_encoder_shapes import aptm_shapes, blip_shapes, rasa_shapes

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


class RandomModel(NamedTuple):
    """A model that was built, with what its towers read.

    Args:
        network: both towers.
        encode: the function of a tower from its inputs to features ``(1, D)``, by ``'image'`` and
            ``'text'``.
        inputs: of one image and of one sentence of the longest length, by the same names.
        image_size: (height, width) of the input; ``None`` for a tower that takes every shape.
    """

    network: nn.Module
    encode: dict[str, Callable[..., Tensor]]
    inputs: dict[str, dict[str, Tensor]]
    image_size: tuple[int, int] | None


def architecture(model: CatalogModel) -> str:
    """Name the architecture of a row: rows that differ in their weights alone share it.

    Example:
        >>> from mmtbps.catalog import list_models
        >>> architecture(list_models('person')[0])
        'irra'
    """
    if model.family == 'person':
        return model.name.split()[0]
    return model.name.rpartition('/')[0] if model.name.startswith('open_clip:') else model.name


def build(model: CatalogModel, device: str = 'cpu', layers: int | None = None) -> RandomModel:
    """Build the model of a row.

    Args:
        model: the row.
        device: of weights and inputs.
        layers: of each tower; by default as many as published.

    Raises:
        MissingPackage: the library of the model is not installed, or too old for it.
        BadValue: the layers of a model of open_clip were asked for.
    """
    torch.manual_seed(0)
    if model.family == 'person':
        return build_person(architecture(model), device, layers)
    scheme, name = architecture(model).split(':', 1)
    make = build_open_clip if scheme == 'open_clip' else build_transformers
    return make(name, device, layers)


def build_transformers(name: str, device: str, layers: int | None) -> RandomModel:
    """Build a model of transformers from a config."""
    import transformers
    class_name, settings = SETTINGS[name]
    kind = getattr(transformers, class_name, None)
    if kind is None:
        raise MissingPackage(f'this version of transformers has no {class_name}')
    config = kind.config_class(**settings)
    for part in (config.text_config, config.vision_config):
        part.num_hidden_layers = layers or part.num_hidden_layers
    family = FAMILIES[config.model_type]
    tokens = longest_text(family, config.text_config.max_position_embeddings, int(1e30))
    size = None if family.own_shape else (config.vision_config.image_size, ) * 2
    with torch.device(device):
        network = kind(config).eval()
        inputs = dict(
            image=dict(pixel_values=torch.randn(1, 3, *size)) if size else person_patches(
                config.vision_config.patch_size),
            text=dict(input_ids=torch.zeros(1, tokens, dtype=torch.long)))
    encode = dict(image=network.get_image_features, text=network.get_text_features)
    return RandomModel(network, {tower: lambda method=method, **inputs: features(method(**inputs))
                                 for tower, method in encode.items()}, inputs, size)


def person_patches(side: int) -> dict[str, Tensor]:
    """Return what SigLIP 2 NaFlex reads of a person, 2.5 times as high as wide: 25 x 10 patches."""
    rows, columns, places = 25, 10, 256
    return dict(pixel_values=torch.randn(1, places, 3 * side ** 2),
                pixel_attention_mask=(torch.arange(places) < rows * columns).long()[None],
                spatial_shapes=torch.tensor([[rows, columns]]))


def build_open_clip(name: str, device: str, layers: int | None) -> RandomModel:
    """Build a model of open_clip from the config of its architecture."""
    if layers:
        raise BadValue('the layers of a model of open_clip stand in its own config')
    with torchvision_or_stub() as kind:
        try:
            if kind == 'stub':
                raise ImportError
            import open_clip
        except ImportError:
            raise MissingPackage('open_clip and torchvision are not installed') from None
    with torch.device(device):
        network = open_clip.create_model(name, device=device, load_weights=False).eval()
        size = network.visual.image_size
        size = size if isinstance(size, tuple) else (size, size)
        inputs = dict(image=dict(image=torch.randn(1, 3, *size)),
                      text=dict(text=torch.zeros(1, network.context_length, dtype=torch.long)))
    return RandomModel(network, dict(image=network.encode_image, text=network.encode_text),
                       inputs, size)


def build_person(kind: str, device: str, layers: int | None) -> RandomModel:
    """Convert the shapes of a published layout, and build what they convert to."""
    depth = layers or 12
    state = dict(
        irra=lambda: clip_shapes('base_model.visual.', 'base_model.', 24 * 8, depth),
        rde=lambda: clip_shapes('base_model.visual.', 'base_model.', 24 * 8, depth) | rde_shapes(),
        tbps_clip=lambda: clip_shapes('visual.', 'encode_text.', 14 * 14, depth),
        aptm=lambda: aptm_shapes(depth), rasa=lambda: rasa_shapes(depth),
        blip=lambda: blip_shapes(depth))[kind]()
    with torch.device('meta'):
        state = {key: torch.empty(shape) for key, shape in state.items()}
        conversion = KINDS[kind].convert(Source(kind, state), ConversionOptions())
    assert conversion.complete
    size = tuple(conversion.model['image_backbone']['img_size'])
    with torch.device(device):
        network = MODELS.build(conversion.model).eval()
        length = next(step['max_length'] for step in conversion.pipeline if 'max_length' in step)
        ids = torch.ones(1, length, dtype=torch.long)
        inputs = dict(image=dict(images=torch.randn(1, 3, *size)),
                      text=dict(input_ids=ids, attention_mask=ids.bool()))
    return RandomModel(network, dict(image=network.encode_image, text=network.encode_text),
                       inputs, size)


def clip_shapes(image: str, text: str, patches: int, layers: int) -> dict[str, tuple[int, ...]]:
    """List the shapes of CLIP B/16 under OpenAI's names."""
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
        for i in range(layers):
            block = f'{prefix}transformer.resblocks.{i}'
            shapes |= {f'{block}.attn.in_proj_weight': (3 * width, width),
                       f'{block}.attn.in_proj_bias': (3 * width, )}
            for name, out, size in (('attn.out_proj', width, width), ('mlp.c_fc', 4 * width, width),
                                    ('mlp.c_proj', width, 4 * width)):
                shapes |= {f'{block}.{name}.weight': (out, size), f'{block}.{name}.bias': (out, )}
            for norm in ('ln_1', 'ln_2'):
                shapes |= {f'{block}.{norm}.{part}': (width, ) for part in ('weight', 'bias')}
    return shapes


def rde_shapes() -> dict[str, tuple[int, ...]]:
    """List the shapes of RDE's two embedding layers."""
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


def features(output: Tensor | object) -> Tensor:
    """Return the features, of a tensor (transformers 4) or of an object (5)."""
    return output if torch.is_tensor(output) else output.pooler_output
