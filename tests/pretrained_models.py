"""Tiny random dual encoders of transformers, saved to folders as the hub has them."""

import json

import torch
import transformers
from PIL import Image
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

WORDS = ('a an the man woman person with in and black white red blue green coat shirt trousers '
         'shoes bag hat backpack photo of wears carries walks long short hair left right').split()
#: Two commits of a model of the hub.
COMMITS = 'a' * 40, 'b' * 40
LETTERS = list('abcdefghijklmnopqrstuvwxyz0123456789.,-')
SIDE, PATCH = 32, 8
VISION = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
              image_size=SIDE, patch_size=PATCH)
TEXT = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2)
SQUARE = dict(height=SIDE, width=SIDE)
CLIP_PIXELS = dict(image_processor_type='CLIPImageProcessor', size=dict(shortest_edge=SIDE),
                   crop_size=SQUARE)
SENTENCES = ['a man in a red coat', 'a woman with a black bag and long hair, in white shoes',
             'a person']
#: Every family and a second kind of one: model_type, class, then what makes the config.
KINDS = ('clip', 'siglip', 'siglip2_fixed', 'siglip2', 'metaclip_2', 'chinese_clip', 'altclip',
         'aimv2', 'align', 'blip', 'tipsv2')


def save_tiny(folder, kind, seed=0):
    """Save a random model of a family with its processor; return the folder."""
    words = _tokenizer(kind)
    settings = dict(_CONFIGS[kind](len(words)))
    config = getattr(transformers, _CONFIG_CLASSES[kind])(**settings)
    torch.manual_seed(seed)
    network = getattr(transformers, _MODEL_CLASSES[kind])(config).eval()
    spread(network)
    network.save_pretrained(folder)
    words.save_pretrained(folder)
    (folder / 'preprocessor_config.json').write_text(json.dumps(_PIXELS.get(kind, CLIP_PIXELS)))
    return folder


def spread(network):
    """Give weights that keep inputs apart: norms near 1, biases near 0, 1.2 / sqrt(fan in)."""
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.ndim >= 2:
                fan_in = weight[0].numel() if 'embed' not in name else weight.shape[-1] / 9
                weight.normal_(0, 1.2 / max(fan_in, 1) ** .5)
            elif 'lambda' in name or 'layer_scale' in name:
                weight.fill_(1)
            elif weight.ndim == 1 and name.endswith('weight'):
                weight.normal_(1, .1)
            elif weight.ndim == 1:
                weight.normal_(0, .05)
        for name, number in (('logit_scale', 2.), ('logit_bias', -3.), ('temperature', .5)):
            if getattr(network, name, None) is not None:
                getattr(network, name).fill_(number)


def _tokenizer(kind):
    return dict(clip=_pairs, aimv2=_pairs, siglip=_sentence, siglip2_fixed=_sentence,
                siglip2=_gemma, tipsv2=_sentence, metaclip_2=_roberta, altclip=_roberta,
                chinese_clip=_bert, align=_bert, blip=_bert)[kind](kind)


def _pairs(kind):
    """A tokenizer of CLIP: letters, and words of their merges."""
    vocabulary = ['!', *LETTERS, *(f'{letter}</w>' for letter in LETTERS)]
    merges = []
    for word in WORDS:
        parts = [*word[:-1], f'{word[-1]}</w>']
        while len(parts) > 1:
            pair, joined = tuple(parts[:2]), parts[0] + parts[1]
            if pair not in merges:
                merges.append(pair)
            vocabulary.append(joined)
            parts[:2] = [joined]
    vocabulary = [*dict.fromkeys(vocabulary), '<|startoftext|>', '<|endoftext|>']
    return transformers.CLIPTokenizer(
        vocab={token: i for i, token in enumerate(vocabulary)}, merges=merges,
        model_max_length=16)


def _bert(kind):
    vocabulary = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', *WORDS, *LETTERS,
                  *(f'##{letter}' for letter in LETTERS)]
    return transformers.BertTokenizer(
        vocab={token: i for i, token in enumerate(dict.fromkeys(vocabulary))},
        model_max_length=16)


def _unigram(special, template=None):
    pieces = [*special, *(f'▁{word}' for word in WORDS), *LETTERS, '▁']
    tokenizer = Tokenizer(models.Unigram([(piece, -float(i % 7) - 1) for i, piece in
                                          enumerate(pieces)], unk_id=special.index('<unk>')))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = template and processors.TemplateProcessing(**template)
    return tokenizer


def _sentence(kind):
    """A tokenizer as SigLIP's: an end token, padding to the full length, no mask."""
    special = ['<pad>', '</s>', '<unk>']
    inner = _unigram(special, None if kind == 'tipsv2' else dict(
        single='$A </s>', special_tokens=[('</s>', 1)]))
    names = ['input_ids', 'attention_mask'] if kind == 'tipsv2' else ['input_ids']
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token='<pad>', eos_token='</s>', unk_token='<unk>',
        model_max_length=64, model_input_names=names)


def _gemma(kind):
    """A tokenizer of SigLIP 2: whole words where letters merge, as of Gemma."""
    special = ['<pad>', '<eos>', '<bos>', '<unk>', '<mask>']
    tokens, merges = [*special, '▁', *LETTERS], []
    for word in WORDS:
        parts = [*word]
        while len(parts) > 1:
            if (pair := tuple(parts[:2])) not in merges:
                merges.append(pair)
            parts[:2] = [parts[0] + parts[1]]
            tokens.append(parts[0])
    return transformers.Siglip2Tokenizer(
        vocab={token: i for i, token in enumerate(dict.fromkeys(tokens))}, merges=merges,
        padding_side='right', model_max_length=64)


def _roberta(kind):
    special = ['<s>', '<pad>', '</s>', '<unk>']
    inner = _unigram(special, dict(single='<s> $A </s>', pair='<s> $A </s> </s> $B </s>',
                                   special_tokens=[('<s>', 0), ('</s>', 2)]))
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token='<s>', cls_token='<s>', pad_token='<pad>',
        eos_token='</s>', sep_token='</s>', unk_token='<unk>', model_max_length=64,
        model_input_names=['input_ids', 'attention_mask'])


def _clip(size):
    ends = dict(bos_token_id=size - 2, eos_token_id=size - 1, pad_token_id=size - 1)
    return dict(text_config=dict(TEXT, vocab_size=size, max_position_embeddings=16, **ends),
                vision_config=VISION, projection_dim=24)


def _siglip(size):
    return dict(text_config=dict(TEXT, vocab_size=size, max_position_embeddings=20,
                                 projection_size=32, pad_token_id=0, eos_token_id=1,
                                 bos_token_id=1),
                vision_config=VISION)


def _siglip2(size):
    return dict(_siglip(size), vision_config=dict(
        {key: value for key, value in VISION.items() if key != 'image_size'}, num_patches=16))


def _metaclip_2(size):
    ends = dict(bos_token_id=0, eos_token_id=2, pad_token_id=1)
    return dict(text_config=dict(TEXT, vocab_size=size, max_position_embeddings=16, **ends),
                vision_config=VISION, projection_dim=24)


def _chinese_clip(size):
    return dict(text_config=dict(TEXT, vocab_size=size, max_position_embeddings=16),
                vision_config=VISION, projection_dim=24)


def _altclip(size):
    return dict(text_config=dict(TEXT, vocab_size=size, max_position_embeddings=18,
                                 project_dim=24, pad_token_id=1, bos_token_id=0, eos_token_id=2),
                vision_config=VISION, projection_dim=24)


def _aimv2(size):
    return dict(text_config=dict(TEXT, vocab_size=size, max_position_embeddings=16,
                                 eos_token_id=size - 1),
                vision_config=VISION, projection_dim=24)


def _align(size):
    few = dict(kernel_sizes=[3, 3], in_channels=[32, 16], out_channels=[16, 24], strides=[1, 2],
               num_block_repeats=[1, 1], expand_ratios=[1, 2], depthwise_padding=[],
               width_coefficient=1., depth_coefficient=1., depth_divisor=8, hidden_dim=24,
               image_size=SIDE)
    return dict(text_config=dict(TEXT, vocab_size=size, max_position_embeddings=64),
                vision_config=few, projection_dim=24, temperature_init_value=.5)


def _blip(size):
    return dict(text_config=dict(TEXT, vocab_size=size, max_position_embeddings=16,
                                 encoder_hidden_size=32, bos_token_id=2, eos_token_id=3,
                                 pad_token_id=0, sep_token_id=3),
                vision_config=VISION, image_text_hidden_size=24)


def _tipsv2(size):
    return dict(text_config=dict(TEXT, vocab_size=size, max_position_embeddings=20,
                                 pad_token_id=0),
                vision_config=dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
                                   mlp_ratio=2, image_size=SIDE, patch_size=PATCH))


_CONFIGS = dict(clip=_clip, siglip=_siglip, siglip2_fixed=_siglip, siglip2=_siglip2,
                metaclip_2=_metaclip_2, chinese_clip=_chinese_clip, altclip=_altclip,
                aimv2=_aimv2, align=_align, blip=_blip, tipsv2=_tipsv2)
_CONFIG_CLASSES = dict(
    clip='CLIPConfig', siglip='SiglipConfig', siglip2_fixed='SiglipConfig',
    siglip2='Siglip2Config', metaclip_2='MetaClip2Config', chinese_clip='ChineseCLIPConfig',
    altclip='AltCLIPConfig', aimv2='Aimv2Config', align='AlignConfig', blip='BlipConfig',
    tipsv2='Tipsv2Config')
_MODEL_CLASSES = {kind: name.replace('Config', 'Model') for kind, name in _CONFIG_CLASSES.items()}
_MODEL_CLASSES['blip'] = 'BlipForImageTextRetrieval'
_PIXELS = dict(
    siglip=dict(image_processor_type='SiglipImageProcessor', size=SQUARE),
    siglip2_fixed=dict(image_processor_type='SiglipImageProcessor', size=SQUARE, resample=2),
    siglip2=dict(image_processor_type='Siglip2ImageProcessor', patch_size=PATCH,
                 max_num_patches=24),
    chinese_clip=dict(image_processor_type='ChineseCLIPImageProcessor', size=SQUARE,
                      do_center_crop=False),
    align=dict(image_processor_type='EfficientNetImageProcessor',
               size=dict(height=36, width=36), crop_size=SQUARE, do_center_crop=True,
               rescale_offset=True, rescale_factor=1 / 127.5, do_normalize=False,
               include_top=False, resample=2),
    blip=dict(image_processor_type='BlipImageProcessor', size=SQUARE),
    tipsv2=dict(image_processor_type='Tipsv2ImageProcessor', size=SQUARE, do_normalize=False))


def read_crops(folder):
    return [Image.open(path) for path in sorted(folder.iterdir())]
