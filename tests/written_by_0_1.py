"""Files that version 0.1.0 wrote, and the few ways in by which tests look at them.

Nothing here names a module of the package: what is old is opened as a user opens it, by the command
lines, the registries and ``mmtbps.search.TextToPersonInferencer``.
"""

import importlib.util
import shutil
import sys
from pathlib import Path

import torch
from mmpretrain.structures import DataSample

ROOT = Path(__file__).resolve().parents[1]
FIXTURES = ROOT / 'tests/fixtures/written_by_0_1'
SENTENCES = ['A man in a red coat and blue trousers.', 'a woman with a green bag',
             'The person wears a white shirt, black shoes and a yellow hat.', 'grey']


def copy_of(folder, *names):
    """Copy parts of the fixtures to a folder, which then stands where they were written."""
    for name in names:
        source, target = FIXTURES / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)
        for path in (target, *target.rglob('*')):  # those of a checkout may be read-only
            path.chmod(path.stat().st_mode | 0o200)
    return folder


def call(name, *words):
    """Run a command line of ``tools`` in this process."""
    path = ROOT / 'tools' / f'{name}.py'
    spec = importlib.util.spec_from_file_location(f'{name}_command', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    before = sys.argv
    sys.argv = [str(path), *map(str, words)]
    try:
        module.main()
    finally:
        sys.argv = before


def is_key_bias(name, value):
    """A mask of the entries whose true gradient is 0, so that Adam follows rounding there."""
    mask = torch.zeros_like(value, dtype=torch.bool)
    if name.endswith('attention.self.key.bias'):
        mask[:] = True
    if name.endswith('attn.qkv.bias'):
        mask[len(value) // 3:2 * len(value) // 3] = True
    return mask


# ------------------------------------------------------------------ numbers
def pictures(count, height, width):
    """``(N, 3, H, W)`` in [-1, 1]: slanting stripes, another slant each, by whole numbers alone."""
    y, x = torch.arange(height).view(-1, 1), torch.arange(width).view(1, -1)
    rows = [[(y * (3 + 5 * n) + x * (11 + 7 * ((n + c) % 4)) + 40 * c * n) % 256 for c in range(3)]
            for n in range(count)]
    return torch.stack([torch.stack(row) for row in rows]).double() / 127.5 - 1


def captions(count, length, vocabulary):
    """``(N, L)`` tokens and mask: a start, words, an end, another length each."""
    ids = torch.zeros(count, length, dtype=torch.long)
    for n in range(count):
        words = length - 2 - n % 4
        ids[n, :words] = 4 + (torch.arange(words) * (n + 3) + 5 * n) % (vocabulary - 4)
        ids[n, 0], ids[n, words - 1] = 2, 3
    return ids, ids != 0


def run_case(model, case):
    """Loss, gradients of all parameters, and features of a model on the batch of a case.

    Args:
        model: A retriever with its weights loaded, in training mode.
        case: ``size`` and ``people`` of the batch, ``vocabulary``, and ``seed`` of the mixing.
    """
    count, dtype = len(case['people']), next(model.parameters()).dtype
    images = pictures(count, *case['size']).to(dtype)
    ids, mask = captions(count, 10, case['vocabulary'])
    samples = [DataSample(metainfo=dict(person_id=person)) for person in case['people']]
    torch.manual_seed(case['seed'])
    losses = model(images=images, input_ids=ids, attention_mask=mask, data_samples=samples,
                   mode='loss')
    loss = sum(losses.values())
    loss.backward()
    model.eval()
    with torch.no_grad():
        features = model(images=images, input_ids=ids, attention_mask=mask, mode='tensor')
    gradients = {name: weight.grad for name, weight in model.named_parameters()}
    return loss.detach(), gradients, features
