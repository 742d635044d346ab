"""Train the arms of an ablation over several seeds and write the table.

Every finished run is kept; the same command goes on where it was stopped. The run that was cut off
starts anew, so that the table comes out the same.

Examples:
    python tools/ablation.py configs/tbps/ablation_drawn.py --seeds 3
    python tools/ablation.py configs/tbps/ablation_drawn.py --arms baseline renderer --seeds 3
    python tools/ablation.py configs/clip/ablation_losses_drawn.py --work-dir work_dirs/losses
    python tools/ablation.py configs/tbps/ablation_drawn.py --out work_dirs/ablation/table.md
"""

import argparse
import json
import re
import shutil
from copy import deepcopy
from pathlib import Path
from statistics import mean, stdev

from mmengine.config import Config

import mmtbps  # noqa: F401  the cures come first
from mmtbps.commands.tool_process import run_tool
from mmtbps.commands.user_errors import one_line_errors
from mmtbps.config_file import read_config
from mmtbps.drawing import draw_dataset
from mmtbps.drawing.edited_pairs import draw_edited_pairs
from mmtbps.errors import BadValue
from mmtbps.evaluation import random_ranks
from mmtbps.fileio import check_writable, write_durably

TOOLS = Path(__file__).resolve().parent
MEASURES = ('R1', 'R5', 'R10', 'mAP')


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='a config with `arms` and `drawn_size`')
    parser.add_argument('--seeds', type=int, default=3, help='runs of each arm')
    parser.add_argument('--arms', nargs='+', metavar='WORDS',
                        help='only arms whose name holds one of these words')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/ablation'))
    parser.add_argument('--out', type=Path, help='write the table there, too')
    return parser.parse_args(argv)


def generated_pairs(kind: str, data_root: Path) -> Path:
    """Make generated pairs on first use; return their annotation file."""
    folder = data_root.with_name(f'{data_root.name}-{kind}')
    if kind == 'renderer':
        return draw_edited_pairs(data_root, folder)
    target = folder / 'pdg_pairs.jsonl'
    if not target.is_file():
        for command in ('plan', 'run', 'merge'):
            run_tool(TOOLS / 'generate.py', command, f'configs/generation/pdg_{kind}.py',
                     '--cfg-options', f'dataset.data_root={data_root}',
                     f'generation.runner.out_dir={folder}')
    return target


def arm_config(path: str, arm: dict, seed: int, data_root: Path) -> Config:
    """Build the config of one run: the arm's overrides and pairs, and the seed."""
    cfg = Config.fromfile(path)
    if arm.get('pairs'):
        pairs = generated_pairs(arm['pairs'], data_root).resolve()
        folder = pairs.parent / 'imgs' if arm['pairs'] == 'renderer' else pairs.parent
        cfg.train_dataloader.dataset.update(
            ann_file=['reid_raw.json', str(pairs)],
            data_prefix=dict(img_path=['imgs', str(folder)]))
    options = deepcopy(arm.get('options') or {})  # merging takes `_delete_` out
    cfg.merge_from_dict(dict(options, **{'randomness.seed': seed}))
    for key in ('arms', 'drawn_size', 'text_generation', 'feature_mixup'):
        cfg.pop(key, None)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        for step in loader.dataset.pipeline:
            if step.get('tokenizer', '').startswith('./'):  # drawn with the data
                step.tokenizer = f'./{data_root}/tokenizer'
    return cfg


def run_arm(path: str, arm: dict, seed: int, work_dir: Path, data_root: Path) -> dict:
    """Train, pick the checkpoint on val, test; or read what a former call left.

    Raises:
        BadValue: A former call had other settings.
    """
    folder = work_dir / re.sub(r'\W+', '_', arm['name']).strip('_') / f'seed{seed}'
    config, metrics = folder.with_suffix('.py'), folder / 'metrics.json'
    settings = arm_config(path, arm, seed, data_root).pretty_text
    if not metrics.is_file():
        shutil.rmtree(folder, ignore_errors=True)  # of a run that was cut off
        folder.mkdir(parents=True)
        write_durably(config, settings)
        run_tool(TOOLS / 'train.py', config, '--work-dir', folder)
        best = max(folder.glob('best_*.pth'), key=lambda file: file.stat().st_mtime)
        run_tool(TOOLS / 'test.py', config, best, '--work-dir', folder, '--out', metrics)
    elif config.read_text(encoding='utf-8') != settings:
        raise BadValue(f'{folder}: this run had other settings than {path} has now; choose another '
                       '--work-dir')
    return json.loads(metrics.read_text(encoding='utf-8'))


def table(results: dict[str, list[dict]], chance: dict[str, float]) -> str:
    """Write mean and spread of each arm as Markdown."""
    lines = ['| arm | ' + ' | '.join(MEASURES) + ' | n |', '|---' * (len(MEASURES) + 2) + '|']
    for name, runs in results.items():
        cells = []
        for measure in MEASURES:
            values = [run[f't2i/{measure}'] for run in runs]
            spread = f' ± {stdev(values):.1f}' if len(values) > 1 else ''
            cells.append(f'{mean(values):.1f}{spread}')
        lines.append(f'| {name} | ' + ' | '.join(cells) + f' | {len(runs)} |')
    cells = [f'{chance[measure]:.1f}' if measure in chance else '' for measure in MEASURES]
    lines.append('| chance | ' + ' | '.join(cells) + ' | |')
    return '\n'.join(lines)


def chosen_arms(cfg: Config, words: list[str] | None) -> list[dict]:
    """Choose the arms whose name holds one of the words; all without words.

    Raises:
        BadValue: There is none.
    """
    arms = [arm for arm in cfg.arms if not words or any(word in arm['name'] for word in words)]
    if not arms:
        raise BadValue(f'no arm has a name with {words}; there are: ' +
                       ', '.join(arm['name'] for arm in cfg.arms))
    return arms


def run_ablation(args: argparse.Namespace) -> None:
    if args.seeds < 1:
        raise BadValue(f'--seeds must be at least 1, got {args.seeds}')
    cfg = read_config(args.config, 'arms', 'drawn_size')
    check_writable(args.work_dir, folder=True)
    if args.out:
        check_writable(args.out)
    arms = chosen_arms(cfg, args.arms)
    data_root = draw_dataset(cfg.test_dataloader.dataset.data_root, size=cfg.drawn_size)
    results: dict[str, list[dict]] = {arm['name']: [] for arm in arms}
    for seed in range(args.seeds):
        for arm in arms:
            results[arm['name']].append(
                run_arm(args.config, arm, seed, args.work_dir, data_root))
    test = [r for r in json.loads((data_root / 'reid_raw.json').read_text(encoding='utf-8'))
            if r['split'] == 'test']
    chance = random_ranks([r['id'] for r in test for _ in r['captions']], [r['id'] for r in test])
    text = table(results, chance)
    print(text)
    if args.out:
        write_durably(args.out, text + '\n')


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    with one_line_errors('interrupted; the same command goes on'):
        run_ablation(args)


if __name__ == '__main__':
    main()
