"""Cross-encoders by their published names: random checkpoints, features and scores of pairs.

Nothing of mmtbps is imported: all is computed with torch.nn.functional, pair by pair.
"""

import torch
import torch.nn.functional as F
from clip_reference import attend, linear
from published_checkpoints import CLIP_COLORS, Draw
from swin_reference import published_swin, swin_tokens

TEXT, IMAGE, JOINT, PATCH, HEADS = 128, 128, 24, 16, 2
CUHK_COLORS = (.38901278, .3651612, .34836376), (.24344306, .23738699, .23368555)
SWIN = dict(depths=(2, 2, 2), heads=(2, 4, 8), window=4, patch=4)


def norm(states, state, name, eps):
    weight, bias = state[f'{name}.weight'], state[f'{name}.bias']
    return F.layer_norm(states, weight.shape, weight, bias, eps)


# ------------------------------------------------------------------ checkpoints
def published_bert(draw, prefix, words, depth, fused, image_dims, segments=2, places=80):
    """BERT with cross-attention in the layers from ``fused`` on."""
    state = {f'{prefix}embeddings.word_embeddings.weight': draw.table(words, TEXT),
             f'{prefix}embeddings.position_embeddings.weight': draw.table(places, TEXT),
             f'{prefix}embeddings.position_ids': torch.arange(places)[None],
             **draw.norm(f'{prefix}embeddings.LayerNorm', TEXT)}
    if segments:
        state[f'{prefix}embeddings.token_type_embeddings.weight'] = draw.table(segments, TEXT)
    for i in range(depth):
        layer = f'{prefix}encoder.layer.{i}'
        for part, width in (('attention', TEXT), ('crossattention', image_dims)):
            if part == 'attention' or i >= fused:
                state |= {**draw.linear(f'{layer}.{part}.self.query', TEXT, TEXT),
                          **draw.linear(f'{layer}.{part}.self.key', TEXT, width),
                          **draw.linear(f'{layer}.{part}.self.value', TEXT, width),
                          **draw.linear(f'{layer}.{part}.output.dense', TEXT, TEXT),
                          **draw.norm(f'{layer}.{part}.output.LayerNorm', TEXT)}
        state |= {**draw.linear(f'{layer}.intermediate.dense', 2 * TEXT, TEXT),
                  **draw.linear(f'{layer}.output.dense', TEXT, 2 * TEXT),
                  **draw.norm(f'{layer}.output.LayerNorm', TEXT)}
    return state


def published_vit(draw, prefix, places):
    """A ViT under timm's names."""
    state = {f'{prefix}cls_token': draw.table(1, 1, IMAGE),
             f'{prefix}pos_embed': draw.table(1, places, IMAGE),
             f'{prefix}patch_embed.proj.weight': draw.matrix(IMAGE, 3, PATCH, PATCH),
             f'{prefix}patch_embed.proj.bias': draw.bias(IMAGE),
             **draw.norm(f'{prefix}norm', IMAGE)}
    for i in range(2):
        block = f'{prefix}blocks.{i}'
        state |= {**draw.norm(f'{block}.norm1', IMAGE), **draw.norm(f'{block}.norm2', IMAGE),
                  **draw.linear(f'{block}.attn.qkv', 3 * IMAGE, IMAGE),
                  **draw.linear(f'{block}.attn.proj', IMAGE, IMAGE),
                  **draw.linear(f'{block}.mlp.fc1', 4 * IMAGE, IMAGE),
                  **draw.linear(f'{block}.mlp.fc2', IMAGE, 4 * IMAGE)}
    return state


def aptm_state(words, windows=(4, 4, 2), seed=0):
    """A whole APTM with its head of masked words; its windows are for images of 64 x 32."""
    draw = Draw(seed)
    return {**published_swin(draw, 'vision_encoder.', depths=SWIN['depths'], heads=SWIN['heads'],
                             windows=windows),
            **published_bert(draw, 'text_encoder.bert.', words, 4, 2, image_dims=32),
            **draw.linear('text_encoder.cls.predictions.transform.dense', TEXT, TEXT),
            'text_encoder.cls.predictions.bias': draw.bias(words),
            **draw.linear('vision_proj', JOINT, 32), **draw.linear('text_proj', JOINT, TEXT),
            'temp': torch.tensor(.07),
            **draw.linear('itm_head.0', 2 * TEXT, TEXT), **draw.norm('itm_head.1', 2 * TEXT),
            **draw.linear('itm_head.3', 2, 2 * TEXT)}


def albef_heads(draw):
    return {**draw.linear('vision_proj', JOINT, IMAGE), **draw.linear('text_proj', JOINT, TEXT),
            **draw.linear('itm_head', 2, TEXT), 'temp': torch.tensor(.07)}


def rasa_state(words, seed=1):
    """A whole RaSa for images of 64 x 64, with its momentum copy, queues and heads."""
    draw = Draw(seed)
    towers = {**published_vit(draw, 'visual_encoder.', 17),
              **published_bert(draw, 'text_encoder.bert.', words, 4, 2, IMAGE)}
    heads = albef_heads(draw)
    copies = {key.replace('.', '_m.', 1): value + 1 for key, value in {**towers, **heads}.items()
              if key.startswith(('visual', 'text', 'vision'))}
    return {**towers, **heads, **copies,
            'image_queue': torch.zeros(JOINT, 8), 'text_queue': torch.zeros(JOINT, 8),
            'idx_queue': torch.zeros(1, 8), 'queue_ptr': torch.zeros(1, dtype=torch.long),
            **draw.linear('prd_head', 2, TEXT), **draw.linear('mrtd_head', 2, TEXT),
            'text_encoder.cls.predictions.bias': draw.bias(words)}


def blip_state(words, seed=2):
    """A whole BLIP for images of 64 x 64, with its momentum copy and queues."""
    draw = Draw(seed)
    state = {**published_vit(draw, 'visual_encoder.', 17), **albef_heads(draw),
             **published_bert(draw, 'text_encoder.', words, 3, 0, IMAGE, segments=0)}
    copies = {key.replace('.', '_m.', 1): value + 1 for key, value in state.items()
              if key.startswith(('visual', 'text', 'vision'))}
    return {**state, **copies, 'image_queue': torch.zeros(JOINT, 8),
            'text_queue': torch.zeros(JOINT, 8), 'idx_queue': torch.zeros(1, 8),
            'ptr_queue': torch.zeros(1, dtype=torch.long), **draw.linear('itm_local_head', 2, TEXT),
            'text_decoder.cls.predictions.bias': draw.bias(words)}


# ------------------------------------------------------------------ towers
def bert_states(states, state, layers, image=None):
    """States after some layers; ``image`` ``(1, P, D)`` is read where it is given."""
    for i in layers:
        layer = f'encoder.layer.{i}'
        states = attention(states, states, state, f'{layer}.attention')
        if image is not None:
            states = attention(states, image, state, f'{layer}.crossattention')
        hidden = F.gelu(linear(states, state, f'{layer}.intermediate.dense'))
        states = norm(states + linear(hidden, state, f'{layer}.output.dense'), state,
                      f'{layer}.output.LayerNorm', 1e-12)
    return states


def attention(states, read, state, name):
    mixed = attend(*(linear(source, state, f'{name}.self.{part}') for part, source in (
        ('query', states), ('key', read), ('value', read))), HEADS)
    return norm(states + linear(mixed, state, f'{name}.output.dense'), state,
                f'{name}.output.LayerNorm', 1e-12)


def embedded(ids, state):
    """Words of one caption, ``(1, L, D)``."""
    states = F.embedding(torch.tensor([ids]), state['embeddings.word_embeddings.weight'])
    states = states + state['embeddings.position_embeddings.weight'][:len(ids)]
    segments = state.get('embeddings.token_type_embeddings.weight')
    states = states if segments is None else states + segments[0]
    return norm(states, state, 'embeddings.LayerNorm', 1e-12)


def vit_tokens(pixels, state):
    """All tokens of a timm ViT after its final norm."""
    states = F.conv2d(pixels, state['patch_embed.proj.weight'], state['patch_embed.proj.bias'],
                      stride=PATCH).flatten(2).transpose(1, 2)
    first = state['cls_token'].expand(len(states), -1, -1)
    states = torch.cat([first, states], 1) + state['pos_embed']
    for i in range(2):
        block = f'blocks.{i}'
        read = linear(norm(states, state, f'{block}.norm1', 1e-6), state, f'{block}.attn.qkv')
        states = states + linear(attend(*read.chunk(3, -1), HEADS), state, f'{block}.attn.proj')
        hidden = F.gelu(linear(norm(states, state, f'{block}.norm2', 1e-6), state,
                               f'{block}.mlp.fc1'))
        states = states + linear(hidden, state, f'{block}.mlp.fc2')
    return norm(states, state, 'norm', 1e-6)


# ------------------------------------------------------------------ whole models
def inside(state, prefix):
    return {key.removeprefix(prefix): value for key, value in state.items()
            if key.startswith(prefix)}


def both_scores(images, rows, state, bert, text_layers, depth, fusion_token=None):
    """Unit features of images and captions, and the logit of every pair, ``(K, N)``."""
    bert = inside(state, bert)
    texts, scores = [], torch.empty(len(images), len(rows))
    for column, ids in enumerate(rows):
        states = bert_states(embedded(ids, bert), bert, range(text_layers))
        texts.append(linear(states[0, 0], state, 'text_proj'))
        first = text_layers
        if fusion_token is not None:
            states, first = embedded([fusion_token, *ids[1:]], bert), 0
        for row, image in enumerate(images):
            fused = bert_states(states, bert, range(first, depth), image[None])[0, 0]
            if 'itm_head.weight' in state:
                logits = linear(fused, state, 'itm_head')
            else:
                hidden = norm(linear(fused, state, 'itm_head.0'), state, 'itm_head.1', 1e-5)
                logits = linear(F.gelu(hidden), state, 'itm_head.3')
            scores[row, column] = logits[1]
    image = F.normalize(linear(images[:, 0], state, 'vision_proj'), dim=-1)
    return image, F.normalize(torch.stack(texts), dim=-1), scores


def aptm(pixels, rows, state):
    tokens = swin_tokens(pixels, inside(state, 'vision_encoder.'), **SWIN)
    return both_scores(tokens, rows, state, 'text_encoder.bert.', 2, 4)


def rasa(pixels, rows, state):
    tokens = vit_tokens(pixels, inside(state, 'visual_encoder.'))
    return both_scores(tokens, rows, state, 'text_encoder.bert.', 2, 4)


def blip(pixels, rows, state):
    words = len(state['text_encoder.embeddings.word_embeddings.weight'])
    tokens = vit_tokens(pixels, inside(state, 'visual_encoder.'))
    return both_scores(tokens, rows, state, 'text_encoder.', 3, 3, fusion_token=words - 1)


#: By kind: makes a checkpoint, computes its scores, (height, width), colors.
LAYOUTS = dict(aptm=(aptm_state, aptm, (64, 32), CUHK_COLORS),
               rasa=(rasa_state, rasa, (64, 64), CLIP_COLORS),
               blip=(blip_state, blip, (64, 64), CLIP_COLORS))
