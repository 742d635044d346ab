"""Measure how often a model gives garments the color that its caption names.

Draws people in every basic color and prints the share of upper and lower garments that have the
color asked for, beside the share that the same measure gives on the images of the data set.

Examples:
    python projects/toy_diffusion/evaluate.py mmtbps://generation/assets/toy data/DrawnBalanced
    python projects/toy_diffusion/evaluate.py work_dirs/toy_model data/DrawnBalanced --samples 96
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch  # noqa: E402

from mmtbps.commands.wording.user_errors import one_line_errors  # noqa: E402
from mmtbps.generation.diffusion.latent_diffusion import LatentDiffusion  # noqa: E402
from mmtbps.generation.diffusion.pipelines import load_pipeline  # noqa: E402
from mmtbps.generation.diffusion.toy import IMAGE_SIZE  # noqa: E402
from toy_diffusion.data import load_pairs  # noqa: E402
from toy_diffusion.measure import (  # noqa: E402
    color_prompts,
    color_share,
    draw_samples,
    share_of_images,
)


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('model', help='folder of the model')
    parser.add_argument('data_root', help='data set whose captions are drawn')
    for option, kind, default, text in (
            ('--split', str, 'val', 'whose captions and images'),
            ('--samples', int, 48, 'images to draw; a multiple of 12 asks for each color evenly'),
            ('--steps', int, 20, 'sampling steps'),
            ('--guidance', float, 4., 'scale of classifier-free guidance'),
            ('--seed', int, 0, 'of the noise')):
        parser.add_argument(option, type=kind, default=default,
                            help=f'{text} (default: %(default)s)')
    return parser.parse_args(argv)


def evaluate(args: argparse.Namespace) -> str:
    """Return a Markdown table: region or region and color, drawn images, images of the data set."""
    pairs = load_pairs(args.data_root, args.split, IMAGE_SIZE)
    pipeline = load_pipeline('StableDiffusionPipeline', args.model, torch.float32,
                             safety_checker=None, requires_safety_checker=False)
    model = LatentDiffusion(pipeline.unet, pipeline.vae, pipeline.text_encoder,
                            pipeline.tokenizer, pipeline.scheduler)
    prompts = color_prompts([texts[0] for texts in pairs.captions], args.samples)
    drawn = color_share(draw_samples(model, [prompt.text for prompt in prompts], IMAGE_SIZE,
                                     args.guidance, args.steps, args.seed), prompts)
    real = share_of_images(pairs)
    rows = [f'| {key} | {_percent(drawn.get(key))} | {_percent(real.get(key))} |'
            for key in sorted(drawn.keys() | real.keys())]
    return '\n'.join([f'| garment | {len(prompts)} drawn | data set |', '|---|---|---|', *rows])


def main(argv: list[str] | None = None) -> None:
    """Print the table."""
    args = parse_args(argv)
    with one_line_errors():
        print(evaluate(args))


def _percent(share: float | None) -> str:
    return '' if share is None else f'{100 * share:.1f} %'


if __name__ == '__main__':
    main()
