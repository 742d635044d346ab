"""Random checkpoints in the layouts that the field publishes, and their features.

Nothing of mmtbps is imported: the features are computed from the published names.
"""

import numpy as np
import torch
import torch.nn.functional as F
from clip_reference import image_feature, quick_gelu, text_feature

WIDTH, TEXT_WIDTH, JOINT, DEPTH, PATCH, WORDS, LENGTH = 128, 64, 48, 2, 16, 49408, 77
CLIP_COLORS = (.48145466, .4578275, .40821073), (.26862954, .26130258, .27577711)
IMAGENET_COLORS = (.485, .456, .406), (.229, .224, .225)
#: Captions and their tokens, by open_clip.
CAPTIONS = {'a man in a RED coat': [49406, 320, 786, 530, 320, 736, 7356, 49407],
            'Coat!': [49406, 7356, 256, 49407]}


class Draw:
    """Random weights that keep rows apart: norms near 1, biases near 0, matrices of 1.2."""

    def __init__(self, seed=0):
        self.generator = torch.Generator().manual_seed(seed)

    def matrix(self, *shape, fan_in=None):
        fan_in = fan_in or int(np.prod(shape[1:]))
        return torch.randn(*shape, generator=self.generator) * 1.2 * fan_in**-0.5

    def table(self, *shape):
        return torch.randn(*shape, generator=self.generator) * 0.7

    def bias(self, size):
        return torch.randn(size, generator=self.generator) * 0.1

    def norm(self, name, size):
        return {f'{name}.weight': 1 + self.bias(size), f'{name}.bias': self.bias(size)}

    def linear(self, name, out, size):
        return {f'{name}.weight': self.matrix(out, size), f'{name}.bias': self.bias(out)}

    def blocks(self, prefix, width, depth=None):
        state = {}
        for i in range(depth or DEPTH):
            block = f'{prefix}transformer.resblocks.{i}'
            state |= {f'{block}.attn.in_proj_weight': self.matrix(3 * width, width),
                      f'{block}.attn.in_proj_bias': self.bias(3 * width),
                      **self.linear(f'{block}.attn.out_proj', width, width),
                      **self.norm(f'{block}.ln_1', width),
                      **self.linear(f'{block}.mlp.c_fc', 4 * width, width),
                      **self.linear(f'{block}.mlp.c_proj', width, 4 * width),
                      **self.norm(f'{block}.ln_2', width)}
        return state


def image_half(draw, places, prefix='visual.'):
    """The image half under OpenAI's names."""
    return {f'{prefix}class_embedding': draw.table(WIDTH),
            f'{prefix}positional_embedding': draw.table(places, WIDTH),
            f'{prefix}proj': draw.matrix(WIDTH, JOINT, fan_in=WIDTH),
            f'{prefix}conv1.weight': draw.matrix(WIDTH, 3, PATCH, PATCH),
            **draw.norm(f'{prefix}ln_pre', WIDTH), **draw.norm(f'{prefix}ln_post', WIDTH),
            **draw.blocks(prefix, WIDTH)}


def text_half(draw, prefix='', words=WORDS):
    """The text half under OpenAI's names."""
    return {f'{prefix}positional_embedding': draw.table(LENGTH, TEXT_WIDTH),
            f'{prefix}text_projection': draw.matrix(TEXT_WIDTH, JOINT, fan_in=TEXT_WIDTH),
            f'{prefix}token_embedding.weight': draw.table(words, TEXT_WIDTH),
            **draw.norm(f'{prefix}ln_final', TEXT_WIDTH), **draw.blocks(prefix, TEXT_WIDTH)}


def clip_state(places, image='visual.', text='', seed=0):
    """A whole CLIP."""
    draw = Draw(seed)
    return image_half(draw, places, image) | text_half(draw, text)


def irra_heads(people=5):
    """Weights that IRRA adds for training."""
    draw = Draw(9)
    state = {**draw.linear('classifier', people, JOINT),
             'cross_attn.in_proj_weight': draw.matrix(3 * JOINT, JOINT),
             'cross_attn.in_proj_bias': draw.bias(3 * JOINT),
             **draw.linear('cross_attn.out_proj', JOINT, JOINT),
             **draw.linear('mlm_head.dense', JOINT, JOINT), **draw.norm('mlm_head.ln', JOINT),
             **draw.linear('mlm_head.fc', 7, JOINT)}
    for name in ('ln_pre_t', 'ln_pre_i', 'ln_post'):
        state |= draw.norm(name, JOINT)
    return state | draw.blocks('cross_modal_', JOINT, depth=4)


def up_person_parts(length=3, rank=2, reduction=8):
    """Weights that UP-Person adds; `up` of its adapters is small, see `up_person_reference`."""
    draw, state = Draw(11), {}
    for side, width in (('image', WIDTH), ('text', TEXT_WIDTH)):
        kind = dict(image='vit', text='text')[side]
        tower = dict(image='base_model.visual.', text='base_model.')[side]
        for i in range(DEPTH):
            block = f'{tower}transformer.resblocks.{i}'
            for j, place in enumerate(('msa', 'mlp')):
                name = f'{block}.adapter_ln_{place}'
                waist = width // reduction
                state |= {**draw.linear(f'{name}.down', waist, width),
                          f'{name}.up.weight': 0.2 * draw.matrix(width, waist),
                          f'{name}.up.bias': draw.bias(width),
                          f'{block}.scale_{j + 1}': 1 + draw.bias(())}
            lora = f'LORA_learner.lora_{side}.{i}'
            for j in (0, 1):
                state |= {f'{lora}.lora_A.{j}': draw.matrix(rank, width),
                          f'{lora}.lora_B.{j}': 0.4 * draw.matrix(width, rank),
                          f'{lora}.scale.{j}.scale': 1 + draw.bias(())}
            prefix = f'{kind}_prefix_learner.{kind}_prefix.{i}'
            own = {'scale_to_grad': 2.5 + draw.bias(())}
            for part in ('key', 'val'):
                own |= {f'{part}.tokens': draw.table(length, width),
                        f'{part}.scaler.scale': 1 + draw.bias(())}
            state |= {f'{prefix}.{name}': value for name, value in own.items()}
            state |= {f'{block}.attn.prefix.{name}': value for name, value in own.items()}
    return state


def transformers_state(state):
    """A whole CLIP under transformers' names, from one under OpenAI's."""
    renamed = {'logit_scale': torch.tensor(4.6)}
    names = {'visual.class_embedding': 'vision_model.embeddings.class_embedding',
             'visual.conv1.weight': 'vision_model.embeddings.patch_embedding.weight',
             'visual.positional_embedding': 'vision_model.embeddings.position_embedding.weight',
             'visual.proj': 'visual_projection.weight', 'text_projection': 'text_projection.weight',
             'token_embedding.weight': 'text_model.embeddings.token_embedding.weight',
             'positional_embedding': 'text_model.embeddings.position_embedding.weight'}
    parts = {'visual.ln_pre': 'vision_model.pre_layrnorm', 'ln_1': 'layer_norm1',
             'visual.ln_post': 'vision_model.post_layernorm', 'ln_2': 'layer_norm2',
             'ln_final': 'text_model.final_layer_norm', 'mlp.c_fc': 'mlp.fc1',
             'mlp.c_proj': 'mlp.fc2', 'attn.out_proj': 'self_attn.out_proj',
             'visual.transformer.resblocks': 'vision_model.encoder.layers'}
    for key, value in state.items():
        if key in names:
            renamed[names[key]] = value.T.contiguous() if 'proj' in key else value
            continue
        name = key
        for theirs, library in parts.items():
            name = name.replace(theirs, library)
        if name.startswith('transformer.resblocks'):
            name = name.replace('transformer.resblocks', 'text_model.encoder.layers')
        if '.attn.in_proj_' in name:
            for part, third in zip('qkv', value.chunk(3), strict=True):
                renamed[name.replace('.attn.in_proj_', f'.self_attn.{part}_proj.')] = third
        else:
            renamed[name] = value
    return renamed


def half(state, prefix):
    inside = {key.removeprefix(prefix): value for key, value in state.items()
              if key.startswith(prefix)}
    return {key: value for key, value in inside.items() if not key.startswith('visual.')}


def expected_images(pixels, state, prefix='visual.', stride=PATCH, activation=quick_gelu):
    """Unit features of ``(N, 3, H, W)`` normalised pixels."""
    own = half(state, prefix)
    tokens = image_feature(pixels, own, stride=stride, heads=WIDTH // 64, activation=activation)
    return F.normalize(tokens @ own['proj'], dim=-1)


def expected_texts(captions, state, prefix='', activation=quick_gelu):
    """Unit features of captions, each padded by zeros to all places."""
    own = half(state, prefix)
    ids = torch.zeros(len(captions), LENGTH, dtype=torch.long)
    for row, caption in zip(ids, captions, strict=True):
        row[:len(CAPTIONS[caption])] = torch.tensor(CAPTIONS[caption])
    tokens = text_feature(ids, own, heads=TEXT_WIDTH // 64, activation=activation)
    return F.normalize(tokens @ own['text_projection'], dim=-1)


def pixels_of(images, size, resample, colors):
    """Published preprocessing: resize by Pillow, 0-1, less the mean, by the standard deviation."""
    mean, std = (torch.tensor(values)[:, None, None] for values in colors)
    arrays = [np.asarray(image.resize(size[::-1], resample), dtype=np.float32) for image in images]
    return torch.stack([(torch.from_numpy(array).permute(2, 0, 1) / 255 - mean) / std
                        for array in arrays])
