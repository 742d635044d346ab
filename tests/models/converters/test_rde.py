"""Checkpoints of RDE through the command, against its score from the published names."""

import pytest
import torch
import torch.nn.functional as F
from clip_reference import end_places, image_tokens, linear, norm, run_blocks, text_tokens
from PIL import Image
from published_checkpoints import (
    CAPTIONS,
    CLIP_COLORS,
    JOINT,
    LENGTH,
    PATCH,
    TEXT_WIDTH,
    WIDTH,
    Draw,
    clip_state,
    half,
    pixels_of,
)

SELECTED = 40
IRRA = dict(image='base_model.visual.', text='base_model.')
TEXTS = [*CAPTIONS, 'a coat !/ hat',
         'red, blue and green striped shirt with a wide brown belt, light jeans, black shoes and '
         'socks, carrying a large grey backpack and one small umbrella']
#: By open_clip; "!" within a word of signs is 0, as the padding is.
IDS = [*CAPTIONS.values(), [49406, 320, 7356, 0, 270, 3801, 49407],
       [49406, 736, 267, 1746, 537, 1901, 22192, 2523, 593, 320, 3184, 2866, 7373, 267, 1395, 10157,
        267, 1449, 4079, 537, 8774, 267, 9920, 320, 3638, 5046, 14894, 537, 637, 2442, 17143,
        49407]]


def embedding_layers(draw):
    """RDE's token selection, with the layers that are stored and never used."""
    state = {}
    for side in ('visul', 'texual'):
        prefix = f'{side}_emb_layer'
        state |= {**draw.linear(f'{prefix}.linear', SELECTED, JOINT),
                  **draw.linear(f'{prefix}.mlp.layers.0', SELECTED // 2, JOINT),
                  **draw.linear(f'{prefix}.mlp.layers.1', SELECTED, SELECTED // 2)}
        for i, size in enumerate((SELECTED // 2, SELECTED)):
            bn = f'{prefix}.mlp.bns.{i}'
            state |= {**draw.norm(bn, size), f'{bn}.running_mean': draw.bias(size),
                      f'{bn}.running_var': 1 + draw.bias(size).abs(),
                      f'{bn}.num_batches_tracked': torch.tensor(7)}
    return state | draw.linear('visul_emb_layer.fc', SELECTED, JOINT)


def last_attention(states, state, heads, causal):
    """Attention of the last block, the mean of its heads, ``(N, P, P)``."""
    depth = 1 + max(int(key.split('.')[2]) for key in state if 'resblocks' in key)
    last = f'transformer.resblocks.{depth - 1}'
    before = {key: value for key, value in state.items() if not key.startswith(last)}
    states = norm(run_blocks(states, before, heads, causal), state, f'{last}.ln_1')
    query, key, _ = F.linear(states, state[f'{last}.attn.in_proj_weight'],
                             state[f'{last}.attn.in_proj_bias']).chunk(3, -1)
    width, total = states.shape[-1] // heads, 0
    for head in range(heads):
        own = slice(head * width, (head + 1) * width)
        scores = query[..., own] @ key[..., own].transpose(1, 2) / width**0.5
        if causal:
            scores = scores + torch.full(scores.shape[-2:], float('-inf')).triu(1)
        total = total + scores.softmax(-1) / heads
    return total


def embed(rows, state, prefix):
    """Embeddings of the chosen tokens of one input, ``(D,)``.

    The shortcut is ``fc`` for images, ``linear`` for texts.
    """
    shortcut = 'fc' if prefix == 'visul_emb_layer' else 'linear'
    rows = rows / (rows.norm(dim=-1, keepdim=True) + 1e-8)
    hidden, bn = linear(rows, state, f'{prefix}.mlp.layers.0'), f'{prefix}.mlp.bns.0'
    hidden = ((hidden - state[f'{bn}.running_mean']) / (state[f'{bn}.running_var'] + 1e-5).sqrt()
              * state[f'{bn}.weight'] + state[f'{bn}.bias'])
    return (linear(hidden.clamp(min=0), state, f'{prefix}.mlp.layers.1')
            + linear(rows, state, f'{prefix}.{shortcut}')).amax(0)


def image_parts(pixels, state, share):
    own = half(state, IRRA['image'])
    tokens = image_tokens(pixels, own, stride=PATCH, heads=WIDTH // 64) @ own['proj']
    patches = F.conv2d(pixels, own['conv1.weight'], stride=PATCH).flatten(2).transpose(1, 2)
    first = own['class_embedding'].expand(len(pixels), 1, -1)
    states = norm(torch.cat([first, patches], 1) + own['positional_embedding'], own, 'ln_pre')
    attention = last_attention(states, own, WIDTH // 64, causal=False)[:, 0]
    attention[:, 0] = -1
    count = int((tokens.shape[1] - 1) * share)
    chosen = attention.argsort(dim=1, descending=True)[:, :count]
    return tokens[:, 0], torch.stack([embed(row[places], state, 'visul_emb_layer')
                                      for row, places in zip(tokens, chosen, strict=True)])


def text_parts(rows, state, share):
    own = half(state, IRRA['text'])
    ids = torch.zeros(len(rows), LENGTH, dtype=torch.long)
    for row, values in zip(ids, rows, strict=True):
        row[:len(values)] = torch.tensor(values)
    tokens = text_tokens(ids, own, heads=TEXT_WIDTH // 64) @ own['text_projection']
    states = F.embedding(ids, own['token_embedding.weight']) + own['positional_embedding']
    attention = last_attention(states, own, TEXT_WIDTH // 64, causal=True)
    whole, selected = [], []
    for i, end in enumerate(end_places(ids)):
        scores = attention[i, end].clone()
        scores[0] = scores[end] = -1
        scores = scores * (ids[i] != 0)
        count = min(int((LENGTH - 2) * share), int((ids[i] != 0).sum()) - 2)
        selected.append(embed(tokens[i, scores.argsort(descending=True)[:count]], state,
                              'texual_emb_layer'))
        whole.append(tokens[i, end])
    return torch.stack(whole), torch.stack(selected)


@pytest.fixture(scope='module')
def state():
    return clip_state(193, **IRRA) | embedding_layers(Draw(5))


@pytest.mark.parametrize('share', [0.3, 0.1])
def test_a_dot_product_is_rdes_score(share, state, convert, open_folder, crops, tmp_path):
    torch.save(dict(model=state), tmp_path / 'best.pth')
    (tmp_path / 'configs.yaml').write_text(f'img_size: [384, 128]\nselect_ratio: {share}\n')
    named = () if share == 0.3 else ('--config', tmp_path / 'configs.yaml')
    report = convert('rde', tmp_path / 'best.pth', tmp_path / 'person', *named)
    unused = 2 + 2 * 5
    assert f'used {len(state) - unused} keys, dropped {unused}, missing 0, unexpected 0' in report
    assert 'dropped (stored by RDE and never used): visul_emb_layer.linear.weight' in report
    encoder = open_folder(tmp_path / 'person')
    assert encoder.dim == JOINT + SELECTED

    assert min(map(len, IDS)) == 4 and max(map(len, IDS)) > 24
    pixels = pixels_of(crops, (384, 128), Image.BILINEAR, CLIP_COLORS)
    image, text = image_parts(pixels, state, share), text_parts(IDS, state, share)
    expected = sum(F.normalize(t, dim=-1) @ F.normalize(i, dim=-1).T
                   for t, i in zip(text, image, strict=True)) / 2
    assert expected.std() > 0.02
    images = torch.from_numpy(encoder.encode_images(crops))
    texts = torch.from_numpy(encoder.encode_texts(TEXTS))
    torch.testing.assert_close(texts @ images.T, expected, rtol=0, atol=1e-6)
    joined = torch.cat([F.normalize(part, dim=-1) for part in text], 1) / 2**0.5
    torch.testing.assert_close(texts, joined, rtol=0, atol=1e-5)
    for caption, feature in zip(TEXTS, texts, strict=True):  # without padding
        torch.testing.assert_close(torch.from_numpy(encoder.encode_texts([caption])[0]), feature,
                                   rtol=0, atol=1e-5)


def test_without_its_token_selection_it_is_refused(state, convert, tmp_path):
    torch.save(dict(model=clip_state(193, **IRRA)), tmp_path / 'best.pth')
    with pytest.raises(ValueError, match='no RDE.*those of kind irra'):
        convert('rde', tmp_path / 'best.pth', tmp_path / 'person')
    torch.save({key: value for key, value in state.items()
                if not key.endswith('bns.0.running_var')}, tmp_path / 'best.pth')
    with pytest.raises(ValueError, match='incomplete'):
        convert('rde', tmp_path / 'best.pth', tmp_path / 'person')
    assert not (tmp_path / 'person').exists()


@pytest.mark.parametrize('share', ['0', '1.5', 'many'])
def test_a_share_that_is_none_is_refused(share, convert, tmp_path):
    (tmp_path / 'configs.yaml').write_text(f'select_ratio: {share}\n')
    with pytest.raises(ValueError, match='no configs.yaml of IRRA'):
        convert('rde', tmp_path / 'best.pth', tmp_path / 'person', '--config',
                tmp_path / 'configs.yaml')
