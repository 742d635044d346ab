"""List the pretrained models worth trying: sizes, licences of the weights, published numbers.

Person models are converted once (mmtbps convert KIND SOURCE FOLDER), general ones are
taken by name (--model NAME). Nothing is downloaded and no model loaded.

Examples:
    mmtbps models
    mmtbps models person
    mmtbps models general --commercial
    mmtbps models --json > models.json
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict

from mmtbps.catalog import FAMILIES, CatalogModel, list_models, speed_conditions

from .wording.command_names import as_typed
from .wording.json_answers import add_json, answer

__all__ = ['add_arguments', 'run']

HEADINGS = dict(
    person='Person models: mmtbps convert NAME FOLDER, then --model FOLDER',
    general='General dual encoders: --model NAME')
#: Cells that are sentences stand below the table.
SENTENCES = dict(fetch='Weights', published='Published rank-1 on people, text to image, percent')
NOTE = """size: weights of both towers. aspect: a crop of a person is kept in its shape, padded to
the input (--aspect stretch or processor do otherwise) or stretched to it. licence, commercial: of
the weights. "-": not known here, so look at the publisher's page. No weights were tried for this
table; numbers on people are those of others."""
SPEED = """ms: CPU time of one image / one sentence of full length, random weights, fastest of
{runs} runs; {machine}, {threads} thread, {software}, {date}, by
mmtbps benchmark deployment --models catalog --threads {threads} --runs {runs}"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the filters, and the choice of JSON."""
    parser.add_argument('family', nargs='?', choices=FAMILIES, help='default: both')
    parser.add_argument('--commercial', action='store_true',
                        help='only models whose licence allows commercial use')
    add_json(parser)


def word_table(models: Sequence[CatalogModel]) -> str:
    """Word a table of models, and below it the cells that are sentences."""
    rows = [model.cells() for model in models]
    columns = [name for name in rows[0] if name not in SENTENCES]
    widths = {name: max(len(name), *(len(row[name]) for row in rows)) for name in columns}
    lines = ['  '.join(cell.ljust(widths[name]) for name, cell in zip(columns, cells, strict=True))
             for cells in (columns, *([row[name] for name in columns] for row in rows))]
    for column, heading in SENTENCES.items():
        known = [f'  {row["model"].ljust(widths["model"])}  {row[column]}' for row in rows
                 if row[column] != '-']
        lines += ['', heading, *known] if known else []
    return '\n'.join(line.rstrip() for line in lines)


def run(args: argparse.Namespace) -> None:
    """Print the models."""
    models = [model for model in list_models(args.family)
              if not args.commercial or model.commercial == 'yes']
    if args.json:
        return answer([model.record() for model in models])
    for family, heading in HEADINGS.items():
        if chosen := [model for model in models if model.family == family]:
            print(f'{as_typed(heading)}\n\n{word_table(chosen)}\n')
    if not models:
        print('no such model')
        return
    print(f'{NOTE}\n\n{as_typed(SPEED.format_map(asdict(speed_conditions())))}')
