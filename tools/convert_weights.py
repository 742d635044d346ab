"""Convert pretrained weights of other projects into ours.

Examples:
    python tools/convert_weights.py timm vit_base_patch16_384.pth weights/vit_base_patch16_384.pth
    python tools/convert_weights.py timm augreg_B_16-i21k.npz weights/vit_base_patch16_384.pth
    python tools/convert_weights.py ctlg official_checkpoint.pth weights/ctlg_cuhk.pth
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from mmtbps.commands.user_errors import one_line_errors
from mmtbps.compat import load_checkpoint_file
from mmtbps.errors import BadValue, MissingFile
from mmtbps.fileio import write_durably
from mmtbps.models.converters import (
    Conversion,
    retriever_from_ctlg,
    vit_from_augreg,
    vit_from_timm,
)


def read_state(path: Path) -> dict:
    """The state dict inside a checkpoint, whatever key it hides under."""
    state = load_checkpoint_file(path, map_location='cpu')
    for key in ('state_dict', 'model', 'model_state_dict', 'network'):
        if isinstance(state.get(key), dict):
            return state[key]
    return state


def convert(kind: str, source: Path) -> Conversion:
    """Read and convert one file of a kind."""
    if not source.is_file():
        raise MissingFile(
            f'{source}: no such file; docs/guides/prepare_data.md says where to get it')
    try:
        if source.suffix == '.npz':
            with np.load(source, allow_pickle=False) as arrays:
                return vit_from_augreg({key: arrays[key] for key in arrays.files})
        return (vit_from_timm if kind == 'timm' else retriever_from_ctlg)(read_state(source))
    except ValueError as error:
        raise BadValue(f'{source}: {error}') from error


def save(state: dict, target: Path) -> None:
    """Write the weights; a stopped conversion leaves no half file."""
    if target.suffix == '.safetensors':
        from safetensors.torch import save
        write_durably(target, save({key: value.contiguous() for key, value in state.items()}))
    else:
        write_durably(target, lambda path: torch.save(dict(state_dict=state), path))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('kind', choices=['timm', 'ctlg'],
                        help='timm: a ViT of timm or augreg; ctlg: a whole official model')
    parser.add_argument('source', type=Path, help='.pth, .safetensors or (timm) .npz')
    parser.add_argument('target', type=Path, help='.pth or .safetensors')
    args = parser.parse_args()
    conversion = convert(args.kind, args.source)
    print(conversion.report())
    if conversion.missing:
        raise BadValue(f'{args.source}: incomplete, nothing written')
    save(conversion.state_dict, args.target)
    print(f'wrote {args.target}')


if __name__ == '__main__':
    with one_line_errors():
        main()
