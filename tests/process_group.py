"""Several processes of one gloo group that each run a function of a test."""

import os

import torch
import torch.multiprocessing as processes


def run_in_group(function, world, folder, *args):
    """Run ``function(rank, *args)`` in ``world`` processes; return what each returned, by rank.

    The function stands on the level of its module and returns what ``torch.load`` reads safely.
    """
    # One server imports torch and is forked: an import for each process would take much longer.
    processes.get_context('forkserver').set_forkserver_preload(['mmtbps.models'])
    processes.start_processes(_join_and_run, (function, world, str(folder), args), nprocs=world,
                              start_method='forkserver')
    return [torch.load(os.path.join(folder, f'{rank}.pt')) for rank in range(world)]


def _join_and_run(rank, function, world, folder, args):
    torch.distributed.init_process_group('gloo', init_method=f'file://{folder}/meet', rank=rank,
                                         world_size=world)
    torch.save(function(rank, *args), os.path.join(folder, f'{rank}.pt'))
    torch.distributed.barrier()  # who leaves early may leave the others waiting for ever
    torch.distributed.destroy_process_group()
