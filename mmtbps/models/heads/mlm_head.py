"""The head of masked words predicted with the help of the image: implicit relation reasoning."""

from collections import OrderedDict

from torch import Tensor, nn

from mmtbps.errors import BadValue
from mmtbps.models.backbones.clip_layers import (
    Float32LayerNorm,
    QuickGELU,
    ResidualAttentionBlock,
)
from mmtbps.models.losses import masked_language_loss
from mmtbps.registry import MODELS

from .pairs import Pairs
from .part_head import PartHead


@MODELS.register_module()
class MLMHead(PartHead):
    """Masked words of a caption, predicted from its other words and the image.

    Cross-Modal Implicit Relation Reasoning and Aligning for Text-to-Image Person Retrieval (IRRA),
    https://arxiv.org/abs/2303.12501, section 3.2. Masked captions go through text tower and neck a
    second time. Their tokens read the tokens of the image in one cross attention, nothing is added
    around it, then run through Transformer layers of CLIP's make, and a decoder gives a score to
    each word of the vocabulary. Tokens are in the space of the part ``global`` and not normalised.
    Sub-modules have the names of published files.

    The transform ``MaskCaption`` makes ``mlm_input_ids`` and ``mlm_labels``. As published, no
    token is masked in these layers: filler takes part, so a loss depends on how far the batch is
    padded. IRRA pads all captions to 77 tokens, ``pad_multiple=77`` of the preprocessor; so do
    several processes that are to equal one.

    On a GPU a step waits once for the number of masked words; that costs less than to decode every
    word.

    Args:
        vocab_size: entries of the tokenizer.
        dims: width of the part ``global``.
        num_layers: Transformer layers after the cross attention.
        num_heads: heads of each attention; ``None`` for one every 64 dims.
        ignored: label of words that are not masked.
        loss_weight: factor of the loss.
        init_cfg: as in every MMEngine module.

    Raises:
        BadValue: the heads do not divide the width.

    Example:
        >>> import torch
        >>> head = MLMHead(vocab_size=50, dims=8, num_layers=1, num_heads=2)
        >>> head.decode(torch.zeros(2, 5, 8), torch.zeros(2, 9, 8)).shape
        torch.Size([2, 5, 8])
    """

    needs_tokens, needs = True, ('mlm_input_ids', 'mlm_labels')
    heeds_weights = True

    def __init__(self, vocab_size: int = 49408, dims: int = 512, num_layers: int = 4,
                 num_heads: int | None = None, ignored: int = 0, loss_weight: float = 1.0,
                 init_cfg: dict | list | None = None):
        super().__init__('global', loss_weight, init_cfg)
        num_heads = num_heads or max(1, dims // 64)
        if dims % num_heads:
            raise BadValue(f'{num_heads} heads do not divide a width of {dims}')
        self.ignored = ignored
        self.cross_attn = nn.MultiheadAttention(dims, num_heads, batch_first=True)
        self.cross_modal_transformer = nn.Module()
        self.cross_modal_transformer.resblocks = nn.ModuleList(
            [ResidualAttentionBlock(dims, num_heads) for _ in range(num_layers)])
        self.ln_pre_t, self.ln_pre_i, self.ln_post = (Float32LayerNorm(dims) for _ in range(3))
        self.mlm_head = nn.Sequential(OrderedDict(
            dense=nn.Linear(dims, dims), gelu=QuickGELU(), ln=Float32LayerNorm(dims),
            fc=nn.Linear(dims, vocab_size)))
        self._draw_weights(dims, num_layers)

    def _draw_weights(self, dims: int, num_layers: int) -> None:
        added = dims**-0.5 * (2 * max(num_layers, 1))**-0.5
        for block in self.cross_modal_transformer.resblocks:
            block.init_weights(num_layers)
        for weight, std in ((self.cross_attn.in_proj_weight, dims**-0.5),
                            (self.cross_attn.out_proj.weight, added),
                            (self.mlm_head.dense.weight, (2 * dims)**-0.5),
                            (self.mlm_head.fc.weight, added)):
            nn.init.normal_(weight, std=std)

    def forward(self, pairs: Pairs, samples: list) -> dict[str, Tensor]:
        """Compute ``loss_mlm``, a mean over the masked words of all processes."""
        mask, labels = pairs.inputs['mlm_input_ids_mask'], pairs.inputs['mlm_labels']
        words = pairs.encode_text(pairs.inputs['mlm_input_ids'], mask)
        states = self.decode(words.tokens, pairs.image.tokens)
        masked = (labels != self.ignored) & mask  # labels may be padded with any id
        return self.named('mlm', masked_language_loss(
            self.mlm_head(states[masked]), labels[masked], pairs.weights_of(masked)))

    def misfit(self, retriever: nn.Module) -> str:
        """Return why the head cannot train a retriever: it may not know all words of the tower."""
        known, own = retriever.text_backbone.vocab_size, self.mlm_head.fc.out_features
        if known is not None and own < known:
            return f'scores {own} words, and the text tower knows {known}: set vocab_size={known}'
        return super().misfit(retriever)

    def decode(self, words: Tensor, image: Tensor) -> Tensor:
        """Let words ``(N, L, D)`` read tokens of an image ``(N, P, D)`` and each other."""
        image = self.ln_pre_i(image)
        states = self.cross_attn(self.ln_pre_t(words), image, image, need_weights=False)[0]
        for block in self.cross_modal_transformer.resblocks:
            states = block(states)
        return self.ln_post(states)
