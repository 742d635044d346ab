"""Write the table of configs in the model zoo: ``python docs/draw_model_zoo.py``."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / 'docs/model_zoo.md'
_PLACE = re.compile(r'(?<=<!-- configs -->\n).*?(?=<!-- end of configs -->)', re.DOTALL)
_HEADER = ('config', 'data', 'training', 'parameters', "paper's R1 / mAP", 'ours')


def read_models() -> list[dict[str, Any]]:
    """Read the models of all metafiles, in the order of ``model-index.yml``."""
    files = yaml.safe_load((ROOT / 'model-index.yml').read_text('utf-8'))['Import']
    return [model for file in files
            for model in yaml.safe_load((ROOT / file).read_text('utf-8'))['Models']]


def write_table(models: list[dict[str, Any]]) -> str:
    """Write a line for each config; numbers are empty where there are none.

    Args:
        models: of metafiles. ``Metadata`` has ``Parameters``, ``Training Data``, ``Recipe`` and
            perhaps ``Paper``, the numbers that the paper prints; ``Results`` has ours.
    """
    rows = [_HEADER, ['---'] * len(_HEADER)]
    for model in models:
        data = model['Metadata']
        ours = [result['Metrics'] for result in model['Results']]
        rows.append([f'[{model["Name"]}](../{model["Config"]})', data['Training Data'],
                     data['Recipe'], f'{data["Parameters"]:,}', _numbers(data.get('Paper')),
                     _numbers(ours[0] if ours else None)])
    return ''.join('|' + '|'.join(f' {cell} ' if cell else ' ' for cell in row) + '|\n'
                   for row in rows).replace('| --- ', '|---').replace('--- |', '---|')


def write_page(page: str, models: list[dict[str, Any]]) -> str:
    """Replace the table of a page.

    Raises:
        ValueError: the page has no place for it.
    """
    new, count = _PLACE.subn(lambda _: write_table(models), page)
    if count != 1:
        raise ValueError(f'{PAGE.name} must have one <!-- configs --> with its end')
    return new


def _numbers(metrics: dict[str, float] | None) -> str:
    if not metrics:
        return ''
    return ' / '.join(f'{metrics[key]:.2f}' if metrics.get(key) is not None else ''
                      for key in ('R1', 'mAP')).removesuffix(' / ')


if __name__ == '__main__':
    PAGE.write_text(write_page(PAGE.read_text('utf-8'), read_models()), encoding='utf-8')
