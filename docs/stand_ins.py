"""Models that take the place of published ones where there is no network.

    python docs/stand_ins.py FOLDER DRAWN

writes files and folders in the published layouts with random weights, at full size where a config
asks for it: what a model knows is left out, and all else is the real thing. Photographs are drawn
people of the folder DRAWN, side by side. `docs/record_hour.py`
starts it in the environment that it makes.
"""

import json
import sys
from pathlib import Path

import torch
import transformers
from PIL import Image
from safetensors.torch import save_file

TESTS = Path(__file__).resolve().parents[1] / 'tests'
sys.path[:0] = [str(TESTS), str(TESTS / 'generation/evidence')]

import published_checkpoints as layouts  # noqa: E402
from pretrained_models import save_tiny  # noqa: E402
from tiny_vision import rt_detr  # noqa: E402

WIDTH, DEPTH, SIDE = 768, 12, 384  # of a ViT-B/16 at 384 pixels


def save_person_model(file: Path) -> None:
    """Save an IRRA, small."""
    state = layouts.clip_state(193, 'base_model.visual.', 'base_model.') | layouts.irra_heads()
    torch.save(dict(model=state), file)


def save_clip(file: Path) -> None:
    """Save a CLIP ViT-B/16 of full size under OpenAI's names."""
    layouts.WIDTH, layouts.TEXT_WIDTH, layouts.JOINT, layouts.DEPTH = WIDTH, 512, 512, DEPTH
    torch.save(layouts.clip_state(1 + 14 * 14), file)


def save_vit(folder: Path) -> None:
    """Save a ViT-B/16 of full size under timm's names."""
    draw, state = layouts.Draw(1), {}
    for i in range(DEPTH):
        block = f'blocks.{i}'
        state |= {**draw.norm(f'{block}.norm1', WIDTH), **draw.norm(f'{block}.norm2', WIDTH),
                  **draw.linear(f'{block}.attn.qkv', 3 * WIDTH, WIDTH),
                  **draw.linear(f'{block}.attn.proj', WIDTH, WIDTH),
                  **draw.linear(f'{block}.mlp.fc1', 4 * WIDTH, WIDTH),
                  **draw.linear(f'{block}.mlp.fc2', WIDTH, 4 * WIDTH)}
    state |= {'cls_token': draw.table(1, 1, WIDTH), **draw.norm('norm', WIDTH),
              'pos_embed': draw.table(1, 1 + (SIDE // 16) ** 2, WIDTH),
              'patch_embed.proj.weight': draw.matrix(WIDTH, 3, 16, 16),
              'patch_embed.proj.bias': draw.bias(WIDTH), **draw.linear('head', 1000, WIDTH)}
    folder.mkdir(parents=True)
    save_file(state, folder / 'model.safetensors')
    (folder / 'config.json').write_text(json.dumps(dict(architecture='vit_base_patch16_384')))


def save_bert(folder: Path, vocabulary: Path) -> None:
    """Save a BERT as wide as BERT-base, with two layers and the words of the drawn captions."""
    folder.mkdir(parents=True)
    words = transformers.BertTokenizerFast(vocab=str(vocabulary))
    words.save_pretrained(folder)
    (folder / 'vocab.txt').write_bytes(vocabulary.read_bytes())
    config = transformers.BertConfig(vocab_size=len(words), num_hidden_layers=2)
    transformers.BertModel(config).save_pretrained(folder)


def save_street(folder: Path, crops: list[Path]) -> None:
    """Save two pictures with three people each."""
    folder.mkdir()
    for number in range(2):
        street = Image.new('RGB', (320, 200), (150, 160, 150))
        for place, crop in enumerate(crops[3 * number:3 * number + 3]):
            street.paste(Image.open(crop).resize((60, 150)), (20 + 100 * place, 40))
        street.save(folder / f'{number}.jpg')


def fill_cache(cache: Path, name: str, save) -> None:
    """Put a model where the library of the hub looks for one that it has downloaded."""
    repository, commit = cache / 'hub' / f'models--{name.replace("/", "--")}', '0' * 40
    (repository / 'snapshots' / commit).mkdir(parents=True)
    (repository / 'refs').mkdir()
    (repository / 'refs/main').write_text(commit)
    save(repository / 'snapshots' / commit)


def main(folder: Path, drawn: Path) -> None:
    """Write all of them."""
    torch.manual_seed(0)
    folder.mkdir(parents=True)
    fill_cache(folder / 'cache', 'google/siglip2-base-patch16-naflex',
               lambda place: save_tiny(place, 'siglip2'))
    fill_cache(folder / 'cache', 'PekingU/rtdetr_r18vd', rt_detr)
    save_person_model(folder / 'best0.pth')
    save_bert(folder / 'bert-base-uncased', drawn / 'tokenizer/vocab.txt')
    save_street(folder / 'street', sorted((drawn / 'imgs').rglob('*.jpg')))
    save_vit(folder / 'timm')
    save_clip(folder / 'ViT-B-16.pt')


if __name__ == '__main__':
    main(Path(sys.argv[1]), Path(sys.argv[2]))
