"""Text towers of every family on weights that spread features."""


import pytest
import torch
import transformers
from tiny_models import TINY_BERT
from transformers import AutoConfig, AutoModel

from mmtbps.models import BERTBackbone

ROBERTA = dict(TINY_BERT, max_position_embeddings=70)
SIZES = dict(
    bert=TINY_BERT, roberta=ROBERTA, camembert=ROBERTA, mpnet=ROBERTA,
    electra=dict(TINY_BERT, embedding_size=8),
    distilbert=dict(vocab_size=50, dim=16, n_layers=2, n_heads=2, hidden_dim=32,
                    max_position_embeddings=64, dropout=0.0, attention_dropout=0.0),
    # Layers 1 and 3 read two places to either side, the others all tokens.
    modernbert=dict(vocab_size=50, hidden_size=16, num_hidden_layers=4, num_attention_heads=2,
                    intermediate_size=32, max_position_embeddings=64, pad_token_id=0,
                    bos_token_id=2, cls_token_id=2, eos_token_id=3, sep_token_id=3,
                    local_attention=4, global_attn_every_n_layers=2),
    **{'xlm-roberta': ROBERTA})
WITH_POOLER = {'bert', 'roberta', 'camembert', 'mpnet', 'xlm-roberta'}
DROPOUTS = dict(
    modernbert=('attention_dropout', 'mlp_dropout', 'embedding_dropout'),
    distilbert=('dropout', 'attention_dropout'))
if 'modernbert' not in transformers.CONFIG_MAPPING:  # before transformers 4.48
    SIZES.pop('modernbert')
PAIRS = [(family, pooling) for family in sorted(SIZES) for pooling in ('pooler', 'cls', 'mean')
         if pooling != 'pooler' or family in WITH_POOLER]

families = pytest.mark.parametrize('family', sorted(SIZES))


def config_of(family, **options):
    return {**SIZES[family], 'model_type': family, **options}


def spread(module, seed=0):
    """Weights so large that every layer, head and place counts."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.normal_(0, 0.4, generator=generator)
            if parameter.ndim == 1 and name.endswith('weight'):  # of a norm
                parameter.add_(1)
    return module


def tower(family, pooling='cls', seed=0, **options):
    return spread(BERTBackbone(config=config_of(family, **options), pooling=pooling), seed).eval()


def library_model(backbone, family, **options):
    model = AutoModel.from_config(AutoConfig.for_model(**config_of(family, **options)))
    model.load_state_dict(backbone.bert.state_dict(), strict=False)
    return model.to(backbone.bert.dtype).train(backbone.training)
