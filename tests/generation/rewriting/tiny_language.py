"""Tiny random models of the real classes of transformers, with tokenizers, in folders."""

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BlipConfig,
    BlipForConditionalGeneration,
    BlipImageProcessor,
    BlipProcessor,
    BlipTextConfig,
    BlipVisionConfig,
    CLIPImageProcessor,
    CLIPVisionConfig,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

WORDS = 'a the man woman in red blue coat jeans wears and black shoes user assistant'.split()
SPECIAL = ['<unk>', '<s>', '</s>', '<pad>', '<image>']
TEMPLATE = ("{% for m in messages %}{{ m['role'] }} {% if m['content'] is string %}"
            "{{ m['content'] }}{% else %}{% for part in m['content'] %}"
            "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %} "
            "{% endfor %}{% endif %}{% endfor %}"
            "{% if add_generation_prompt %} assistant{% endif %}")


def tokenizer(template=TEMPLATE):
    words = Tokenizer(models.WordLevel({w: i for i, w in enumerate([*SPECIAL, *WORDS])}, '<unk>'))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token='<unk>', bos_token='<s>', eos_token='</s>',
        pad_token='<pad>', additional_special_tokens=['<image>'], chat_template=template)


def llama_config():
    return LlamaConfig(
        vocab_size=len(SPECIAL) + len(WORDS), hidden_size=16, intermediate_size=32,
        num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2,
        max_position_embeddings=256, bos_token_id=1, eos_token_id=2, pad_token_id=3)


def save_llama(folder, template=TEMPLATE):
    torch.manual_seed(0)
    LlamaForCausalLM(llama_config()).save_pretrained(folder)
    tokenizer(template).save_pretrained(folder)
    return str(folder)


def save_llava(folder):
    torch.manual_seed(0)
    vision = CLIPVisionConfig(hidden_size=16, intermediate_size=32, num_hidden_layers=2,
                              num_attention_heads=2, image_size=16, patch_size=8,
                              projection_dim=16)
    config = LlavaConfig(vision_config=vision, text_config=llama_config(), image_token_index=4,
                         vision_feature_layer=-1, vision_feature_select_strategy='default')
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    size = dict(height=16, width=16)
    LlavaProcessor(
        CLIPImageProcessor(size=dict(shortest_edge=16), crop_size=size), tokenizer(), patch_size=8,
        vision_feature_select_strategy='default', chat_template=TEMPLATE, image_token='<image>',
        num_additional_image_tokens=1).save_pretrained(folder)
    return str(folder)


def save_blip(folder, seed=0):
    torch.manual_seed(seed)
    sizes = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2)
    text = BlipTextConfig(vocab_size=len(SPECIAL) + len(WORDS), encoder_hidden_size=16,
                          bos_token_id=1, eos_token_id=2, sep_token_id=2, pad_token_id=3,
                          max_position_embeddings=64, initializer_range=1., **sizes)
    vision = BlipVisionConfig(image_size=16, patch_size=8, initializer_range=1., **sizes)
    BlipForConditionalGeneration(BlipConfig(text_config=text.to_dict(),
                                            vision_config=vision.to_dict())).save_pretrained(folder)
    BlipProcessor(BlipImageProcessor(size=dict(height=16, width=16)),
                  tokenizer(None)).save_pretrained(folder)
    return str(folder)
