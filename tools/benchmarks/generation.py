"""Generation: what one edited image costs by the presets, and by the method as published.

All methods edit the same image with the same model of random weights, once at the size of their
preset and once at one size for all. Passes of the UNet are counted where they happen, a row of a
batch as one pass; their FLOPs are counted by PyTorch; a forward equivalent is the FLOPs of one
forward pass at that size. The reconstruction error is that of the source beside which the target
is sampled, as mean squared error of the latents. Time is that of inversion and sampling;
super-resolution, autoencoder and text tower are left out.
"""

import argparse
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from PIL import Image

from mmtbps.generation import EditRequest, NegativePromptInversion, P2PEditor
from mmtbps.generation.diffusion import Schedule, images_to_tensor, trace_attention
from mmtbps.generation.editing import sample_edit

from .published_null_text import PublishedSchedule, invert_as_published, superfluous_passes
from .random_diffusion import SHAPES, PassCost, PassMeter, build_parts, pass_cost

PRESETS = Path(__file__).parents[2] / 'configs' / 'generation'
CAPTIONS = ('A man in a red shirt and blue jeans.', 'A man in a green shirt and blue jeans.')


class Method(NamedTuple):
    """A preset of the editor, what is changed in it, and whether the official passes are made."""

    preset: str
    changes: dict[str, Any]
    as_published: bool = False


METHODS = {
    'direct inversion (pdg_fast)': Method('pdg_fast', {}),
    'direct inversion, 50 steps': Method('pdg_fast', dict(steps=50)),
    'negative-prompt inversion': Method(
        'pdg_official', dict(inversion=dict(type=NegativePromptInversion))),
    'null-text inversion (pdg_official)': Method('pdg_official', {}),
    'null-text inversion, as published': Method('pdg_official', {}, as_published=True)}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options beside ``--threads`` and ``--out``."""
    parser.add_argument('--size', choices=SHAPES, default='tiny',
                        help='model and images; sd15 is Stable Diffusion 1.5 at full size and '
                             'needs a GPU (default: tiny)')
    parser.add_argument('--device', default='cpu', help='cpu or cuda (default: cpu)')
    parser.add_argument('--batch', type=int, default=1,
                        help='images edited at once; the published method takes one (default: 1)')
    parser.add_argument('--fraction', type=float, default=1.,
                        help='share of the sampling steps, for a quick look (default: 1)')


def run(args: argparse.Namespace) -> list[dict]:
    """Measure every method at the size of its preset, then all at that of the first."""
    torch.set_num_threads(args.threads)
    parts = build_parts(SHAPES[args.size], list(CAPTIONS), args.device)
    equal, rows = preset_of(next(iter(METHODS.values())))['size'], []
    for at_equal in (False, True):
        for name, method in METHODS.items():
            own = preset_of(method)['size']
            if at_equal and own == equal:
                continue  # measured already
            print(f'{name} at {"x".join(map(str, equal if at_equal else own))} ...',
                  file=sys.stderr, flush=True)
            rows.append(measure(name, equal if at_equal else own, parts, args))
    return rows


def preset_of(method: Method) -> dict[str, Any]:
    """Return the options of the editor, out of their groups, without the weights."""
    editor = Config.fromfile(PRESETS / f'{method.preset}.py').generation.editor.to_dict()
    for key in ('type', 'pretrained', 'batch_size'):
        editor.pop(key)
    for group in ('weights', 'sampling', 'attention'):
        editor.update(editor.pop(group, {}))
    return {**editor, 'size': tuple(editor['size']), **method.changes}


def measure(name: str, size: tuple[int, int], parts: Any, args: argparse.Namespace) -> dict:
    """Measure one row of the table: a method at an image size (height, width) of the full model."""
    method, shape = METHODS[name], SHAPES[args.size]
    preset = preset_of(method)
    actual = tuple(side // shape.shrink for side in size)
    preset.update(size=actual, device=args.device,
                  steps=max(1, round(args.fraction * preset['steps'])),
                  dtype=preset['dtype'] if args.device == 'cuda' else 'fp32')
    batch = 1 if method.as_published else args.batch
    requests = [make_request(actual, seed) for seed in range(batch)]
    outcome = edit(P2PEditor(pipeline=parts, **preset), requests, method.as_published)
    forward, backward = (outcome[key] / batch for key in ('forward', 'backward'))

    def flops(cost: PassCost) -> float:
        each = cost.backward_with_weights if method.as_published else cost.backward
        return forward * cost.forward + backward * each

    cost, full_cost = cached_cost(args.size, actual), cached_cost('sd15', size)
    superfluous = superfluous_passes(preset['steps']) if method.as_published else 0
    return {
        'size': ' x '.join(map(str, actual)), 'method': name, 'steps': preset['steps'],
        'forward passes': round(forward), 'of these superfluous': superfluous,
        'backward passes': round(backward),
        'forward equivalents': round(flops(cost) / cost.forward),
        'UNet GFLOP': round(flops(cost) / 1e9, 2),
        'TFLOP with SD 1.5': round(flops(full_cost) / 1e12, 1),
        'reconstruction error': float(f'{outcome["error"]:.3g}'), 'batch': batch,
        'seconds a pair': round(outcome['seconds'] / batch, 2),
        'CPU seconds a pair': round(outcome['cpu_seconds'] / batch, 2),
        'pairs/s': float(f'{batch / outcome["seconds"]:.3g}')}


@cache
def cached_cost(shape: str, size: tuple[int, int]) -> PassCost:
    """Count once, see `pass_cost`."""
    return pass_cost(SHAPES[shape], size)


def edit(editor: P2PEditor, requests: list[EditRequest], as_published: bool) -> dict[str, float]:
    """Invert and sample; count passes, seconds and the error, all images together."""
    model, sampling, guidance = editor.model, editor.sampling, editor.sampling.guidance
    schedule = (PublishedSchedule if as_published else Schedule)(model.scheduler, sampling.steps)
    latents = model.encode_images(images_to_tensor([r.image for r in requests], sampling.size))
    source, target = (model.encode_text([getattr(r, key) for r in requests])
                      for key in ('source_caption', 'target_caption'))
    layers = trace_attention(model.unet, latents[:1].to(model.dtype), source[:1].to(model.dtype))
    session = editor.control_session(requests, sampling.steps, layers)
    begin, cpu_begin = _now(model.device), time.process_time()
    with PassMeter(model.unet) as meter:
        if as_published:
            inversion = invert_as_published(model, schedule, latents, source, guidance,
                                            editor.inversion.inner_steps)
        else:
            inversion = editor.inversion(model, schedule, latents, source, guidance,
                                         [r.seed for r in requests])
        reconstructed, _ = sample_edit(model, schedule, inversion, session, layers, source, target,
                                       guidance)
    seconds, cpu_seconds = _now(model.device) - begin, time.process_time() - cpu_begin
    model.unet.requires_grad_(False).zero_grad()  # the model is shared with the next method
    return dict(forward=meter.forward, backward=meter.backward, seconds=seconds,
                cpu_seconds=cpu_seconds, error=(reconstructed - latents).square().mean().item())


def make_request(size: tuple[int, int], seed: int) -> EditRequest:
    """Ask for a green shirt in the place of a red one, on a texture of (height, width)."""
    cells = torch.randint(0, 256, (8, 8, 3), dtype=torch.uint8,
                          generator=torch.Generator().manual_seed(seed))
    image = Image.fromarray(cells.numpy()).resize(size[::-1], Image.Resampling.BICUBIC)
    (old, new), start = ('red', 'green'), CAPTIONS[0].index('red')
    return EditRequest(
        job_id=f'job{seed}', image=image, source_captions=CAPTIONS[:1],
        target_captions=CAPTIONS[1:], caption_index=0, source_span=(start, start + len(old)),
        target_span=(start, start + len(new)), phrase_span=(start, start + len(f'{old} shirt')),
        target_phrase_span=(start, start + len(f'{new} shirt')), old_color=old, new_color=new,
        noun='shirt', region='upper', seed=seed)


def _now(device: torch.device) -> float:
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
    return time.perf_counter()
