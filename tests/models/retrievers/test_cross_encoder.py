"""The cross-encoder: scores of pairs, whole, in chunks, padded, against BERT of transformers."""

import pytest
import torch
from cross_encoders import BOTH, LENGTHS, build, captions
from transformers import BertConfig, BertModel

from mmtbps.models import BERTBackbone, CrossEncoderRetriever
from mmtbps.models.backbones.vit import OverlapViT

IMAGES = torch.randn(4, 3, 32, 16, generator=torch.Generator().manual_seed(2))


def reference(model, options):
    """Scores by BertModel of transformers, pair by pair, without padding."""
    bert = model.text_backbone
    config = BertConfig(
        vocab_size=60, hidden_size=16, num_hidden_layers=4, num_attention_heads=2,
        intermediate_size=24, max_position_embeddings=9, layer_norm_eps=1e-12,
        is_decoder=False, attn_implementation='eager')
    twin = BertModel(config, add_pooling_layer=False).eval()
    state = {key: value for key, value in bert.state_dict().items() if 'crossattention' not in key}
    state.setdefault('embeddings.token_type_embeddings.weight', torch.zeros(2, 16))
    missing, unexpected = twin.load_state_dict(state, strict=False)
    assert not unexpected and not [key for key in missing if 'position_ids' not in key]
    tower = model.image_backbone
    images = tower.ln1(tower.run(tower.embed(IMAGES)).hidden)
    ids, mask = captions()
    scores = torch.empty(len(images), len(ids))
    alone = []
    for column, (row, count) in enumerate(zip(ids, LENGTHS, strict=True)):
        words = row[:count][None]
        text_layers = options['text_layers'] or 4
        states = twin.embeddings(words)
        for layer in twin.encoder.layer[:text_layers]:
            states = first_of(layer(states))
        alone.append(states[0, 0])
        if options['text_layers'] is None:
            words = words.clone()
            words[0, 0] = 59
            states = twin.embeddings(words)
        for line, image in enumerate(images):
            fused = states
            for i in range(options['text_layers'] or 0, 4):
                layer = twin.encoder.layer[i]
                fused = first_of(layer.attention(fused))
                fused = cross(bert.encoder.layer[i].crossattention, fused, image[None])
                fused = layer.output(layer.intermediate(fused), fused)
            scores[line, column] = model.match_head(fused[:, 0])[0, 1]
    return scores, torch.nn.functional.normalize(torch.stack(alone), dim=-1)


def first_of(output):
    return output[0] if isinstance(output, tuple) else output


def cross(layer, states, image):
    """Cross-attention head by head."""
    query, key, value = (layer.self[name](source) for name, source in (
        ('query', states), ('key', image), ('value', image)))
    width, parts = query.shape[-1] // 2, []
    for head in range(2):
        own = slice(head * width, (head + 1) * width)
        shares = (query[..., own] @ key[..., own].transpose(1, 2) / width**0.5).softmax(-1)
        parts.append(shares @ value[..., own])
    return layer.output.LayerNorm(states + layer.output.dense(torch.cat(parts, -1)))


@BOTH
@torch.no_grad()
def test_scores_equal_bert_of_transformers_with_cross_attention(options):
    model = build(options)
    scores = model.match(IMAGES, *captions())
    expected, texts = reference(model, options)
    assert scores.shape == (4, 5) and scores.dtype == torch.float32
    assert expected.std(0).min() > 0.05 and expected.std(1).min() > 0.05
    torch.testing.assert_close(scores, expected, rtol=0, atol=2e-5)
    torch.testing.assert_close(model.encode_text(*captions()), texts, rtol=0, atol=1e-5)


@BOTH
@torch.no_grad()
def test_neither_chunks_nor_padding_change_a_score(options):
    model = build(options)
    whole = model.match(IMAGES, *captions())
    for chunk in (1, 3, 7, 20):
        model.match_chunk_size = chunk
        torch.testing.assert_close(model.match(IMAGES, *captions()), whole, rtol=0, atol=1e-5)
    torch.testing.assert_close(model.match(IMAGES, *captions(9)), whole, rtol=0, atol=1e-5)
    seen, (ids, mask) = model.image_tokens(IMAGES), captions()
    words = model.text_tokens(ids, mask)
    rows, columns = torch.tensor([3, 0, 2]), torch.tensor([1, 4, 4])
    torch.testing.assert_close(model.match_tokens(seen[rows], words[columns], mask[columns]),
                               whole[rows, columns], rtol=0, atol=1e-5)


@torch.no_grad()
def test_no_pairs_have_no_scores():
    model = build()
    ids, mask = captions()
    assert model.match(IMAGES[:0], ids, mask).shape == (0, 5)
    assert model.match(IMAGES, ids[:0], mask[:0]).shape == (4, 0)
    seen = model.image_tokens(IMAGES)
    assert model.match_tokens(seen[:0], model.text_tokens(ids, mask)[:0], mask[:0]).shape == (0,)


def test_parts_that_cannot_compare_are_refused():
    vit = OverlapViT(dict(embed_dims=8, num_layers=1, num_heads=2, feedforward_channels=8),
                     img_size=(32, 16), stride=16)
    bert = BERTBackbone(config=dict(vocab_size=10, hidden_size=8, num_hidden_layers=1,
                                    num_attention_heads=2, intermediate_size=8))
    with pytest.raises(TypeError, match='BERTBackbone is no FusionTower'):
        CrossEncoderRetriever(vit, bert)
    with pytest.raises(ValueError, match='match_chunk_size must be positive, got 0'):
        build(match_chunk_size=0)
    with pytest.raises(ValueError, match='takes no mixup'):
        build(mixup=dict(type='PixelMixup'))
