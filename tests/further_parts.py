"""Parts that the paper does not have, to prove the model contract: a head with a second pass over
masked captions made by a transform, a head that reads tokens, a neck of two parts."""

import numpy as np
import torch
import torch.nn.functional as F
from mmcv.transforms import BaseTransform
from torch import nn

from mmtbps.models import BaseHead, BaseNeck
from mmtbps.models.losses import gather, gather_with_grad, info_nce
from mmtbps.registry import MODELS, TRANSFORMS

MASK_TOKEN, IGNORED = 4, -100


@TRANSFORMS.register_module()
class MaskWords(BaseTransform):
    """Adds ``masked_ids`` and ``masked_labels`` to an item: some of its tokens hidden."""

    def __init__(self, prob=0.3):
        self.prob = prob

    def transform(self, results):
        masked, labels = [], []
        for ids in results['input_ids']:
            hidden = torch.from_numpy(np.random.rand(len(ids)) < self.prob)
            hidden[[0, -1]] = False
            masked.append(torch.where(hidden, MASK_TOKEN, ids))
            labels.append(torch.where(hidden, ids, IGNORED))
        return dict(results, masked_ids=masked, masked_labels=labels)


@MODELS.register_module()
class MaskedCaptionHead(BaseHead):
    """Brings masked captions, encoded a second time, to their images; has a weight of its own."""

    needs = ('masked_ids',)

    def __init__(self, dims, temperature=0.1):
        super().__init__()
        self.temperature = temperature
        self.turn = nn.Linear(dims, dims, bias=False)

    def forward(self, pairs, samples):
        ids, mask = pairs.inputs['masked_ids'], pairs.inputs['masked_ids_mask']
        text = self.turn(pairs.encode_text(ids, mask).parts['global'])
        everyone = pairs.gathered()
        value = info_nce(pairs.image.parts['global'], text, self.temperature,
                         all_image=everyone.image, all_text=gather_with_grad(text),
                         first_row=everyone.first_row)
        rows = gather(pairs.rows)
        assert len(rows.unique()) == len(rows), 'each row of the data set comes once'
        return dict(loss_masked=value)


@MODELS.register_module()
class MaskedWordHead(BaseHead):
    """Predicts masked words from the tokens of both sides, as masked language models do."""

    needs, needs_tokens = ('masked_ids', 'masked_labels'), True

    def __init__(self, dims, vocabulary):
        super().__init__()
        self.attend = nn.MultiheadAttention(dims, 2, batch_first=True)
        self.decode = nn.Linear(dims, vocabulary)

    def forward(self, pairs, samples):
        words = pairs.encode_text(pairs.inputs['masked_ids'], pairs.inputs['masked_ids_mask'])
        states, _ = self.attend(words.tokens, pairs.image.tokens, pairs.image.tokens)
        scores = self.decode(states).flatten(0, 1)
        labels = pairs.inputs['masked_labels'].flatten()
        return dict(loss_words=F.cross_entropy(scores, labels, ignore_index=IGNORED))


@MODELS.register_module()
class TwoPartNeck(BaseNeck):
    """The pooled feature, projected, and beside it the mean of all tokens."""

    parts, needs_tokens = ('global', 'mean'), True

    def __init__(self, in_dims, out_dims):
        super().__init__()
        self.projection = nn.Linear(in_dims, out_dims, bias=False)

    def forward(self, tower, tokens):
        states, mask = tower.token_features(tokens), tokens.mask
        mean = states.mean(1) if mask is None else (
            states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return {'mean': mean, 'global': self.project(tower.pool(tokens))}

    def project(self, features):
        return self.projection(features)
