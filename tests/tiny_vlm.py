"""A tiny random LLaVA, saved as the hub has one, and a tiny random vision transformer."""

import torch
import transformers
from pretrained_models import CLIP_PIXELS, PATCH, SIDE, VISION, WORDS, spread
from tokenizers import Tokenizer, models, pre_tokenizers

SPECIAL = ['<unk>', '<pad>', '<s>', '</s>', '<image>']
TALK = ['yes', 'no', 'Yes', 'No', 'Is', 'Did', 'USER', 'ASSISTANT', ':', '?', '.', 'anything',
        'change', 'picture', 'Answer', 'or', 'Say', 'why', 'one', 'sentence']
TEMPLATE = ("{% for message in messages %}USER : {% for part in message['content'] %}"
            "{% if part['type'] == 'image' %}<image> {% else %}{{ part['text'] }} {% endif %}"
            "{% endfor %}{% endfor %}{% if add_generation_prompt %}ASSISTANT :{% endif %}")


def save_vlm(folder, seed=0, template=TEMPLATE, talk=tuple(TALK)):
    """Save a random LLaVA with its processor; return the folder."""
    vocabulary = dict.fromkeys([*SPECIAL, *talk, *WORDS])
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(vocabulary)}, '<unk>'))
    words.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(),
                                                   pre_tokenizers.Punctuation()])
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token='<unk>', pad_token='<pad>', bos_token='<s>',
        eos_token='</s>', extra_special_tokens=dict(image_token='<image>'))
    pixels = transformers.CLIPImageProcessorPil(size=CLIP_PIXELS['size'],
                                                crop_size=CLIP_PIXELS['crop_size'])
    transformers.LlavaProcessor(
        image_processor=pixels, tokenizer=tokenizer, patch_size=PATCH, image_token='<image>',
        vision_feature_select_strategy='default', num_additional_image_tokens=1,
        chat_template=template).save_pretrained(folder)
    config = transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(**VISION),
        text_config=transformers.LlamaConfig(
            vocab_size=len(vocabulary), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
            num_attention_heads=2, max_position_embeddings=256, bos_token_id=2, eos_token_id=3,
            pad_token_id=1),
        image_token_id=SPECIAL.index('<image>'))
    torch.manual_seed(seed)
    network = transformers.LlavaForConditionalGeneration(config).eval()
    spread(network)
    network.save_pretrained(folder)
    return folder


def save_vision(folder, kind='vit', seed=0):
    """Save a random ViT or ResNet with its processor; return the folder."""
    config = transformers.ViTConfig(**VISION) if kind == 'vit' else transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type='basic')
    torch.manual_seed(seed)
    network = dict(vit=transformers.ViTModel, resnet=transformers.ResNetModel)[kind](config).eval()
    spread(network)
    network.save_pretrained(folder)
    transformers.ViTImageProcessorPil(size=dict(height=SIDE, width=SIDE)).save_pretrained(folder)
    return folder
