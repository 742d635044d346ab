"""Sizes of towers that compute in no time."""

TINY_VIT = dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32)
TINY_BERT = dict(vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
                 intermediate_size=32, max_position_embeddings=64,
                 hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
