"""Several processes of one gloo group that each run a function of a test."""

import os

import torch
from forked_processes import start_ranks


def run_in_group(function, world, folder, *args):
    """Run ``function(rank, *args)`` in ``world`` processes; return what each returned, by rank.

    The function stands on the level of its module and returns what ``torch.load`` reads safely.
    """
    start_ranks(_join_and_run, (function, world, str(folder), args), world)
    return [torch.load(os.path.join(folder, f'{rank}.pt')) for rank in range(world)]


def _join_and_run(rank, function, world, folder, args):
    torch.distributed.init_process_group('gloo', init_method=f'file://{folder}/meet', rank=rank,
                                         world_size=world)
    torch.save(function(rank, *args), os.path.join(folder, f'{rank}.pt'))
    torch.distributed.barrier()  # who leaves early may leave the others waiting for ever
    torch.distributed.destroy_process_group()
