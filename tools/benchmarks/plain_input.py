"""Data set as in most research code: Pillow, floats and padding in the worker, tokens in Python."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

MEAN, STD = (.485, .456, .406), (.229, .224, .225)
HEIGHT, WIDTH, PADDING = 384, 128, 10
CAPTION_LENGTH = 64


class PlainInput(torch.utils.data.Dataset):
    """Data set of (image, tokens, mask, person), resized, cropped and normalised on the CPU.

    Args:
        items: (path of an image, caption, person). An index may bring a seed, which is ignored.
        vocabulary: A ``vocab.txt`` of BERT's kind, lower case.
    """

    def __init__(self, items: Sequence[tuple[str, str, int]], vocabulary: Path):
        self.items = items
        words = vocabulary.read_text(encoding='utf-8').split('\n')
        self.ids = {word: number for number, word in enumerate(words)}

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int | tuple[int, int]) -> tuple[Tensor, Tensor, Tensor, int]:
        path, caption, person = self.items[index[0] if isinstance(index, tuple) else index]
        image = Image.open(path).convert('RGB').resize((WIDTH, HEIGHT), Image.BICUBIC)
        if torch.rand(()) < .5:
            image = ImageOps.mirror(image)
        image = ImageOps.expand(image, PADDING)
        left, top = torch.randint(2 * PADDING + 1, (2,)).tolist()
        image = image.crop((left, top, left + WIDTH, top + HEIGHT))
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float().div(255)
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
        tokens = self.tokenize(caption)
        padded = tokens + [self.ids['[PAD]']] * (CAPTION_LENGTH - len(tokens))
        mask = [1] * len(tokens) + [0] * (CAPTION_LENGTH - len(tokens))
        return (pixels - mean) / std, torch.tensor(padded), torch.tensor(mask), person

    def tokenize(self, caption: str) -> list[int]:
        """Split a caption into ids by WordPiece: the longest known piece, then the rest."""
        pieces = []
        for word in re.findall(r'[a-z0-9]+|[^\sa-z0-9]', caption.lower()):
            pieces += self._pieces(word)
        return [self.ids['[CLS]'], *pieces[:CAPTION_LENGTH - 2], self.ids['[SEP]']]

    def _pieces(self, word: str) -> list[int]:
        found, start = [], 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = ('##' if start else '') + word[start:end]
                if piece in self.ids:
                    found.append(self.ids[piece])
                    start = end
                    break
            else:
                return [self.ids['[UNK]']]
        return found
