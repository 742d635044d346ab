"""Options of commands whose work a cluster of Ray may share."""

import argparse
import contextlib
from collections.abc import Iterator

from mmtbps.clusters import ActorNeeds, RayPool, check_ray
from mmtbps.errors import BadValue
from mmtbps.fileio import JobShard

__all__ = ['add_cluster_options', 'check_cluster', 'open_pool']

_SIZES = dict(ray_actors='--ray-actors', ray_cpus='--ray-cpus', ray_gpus='--ray-gpus')


def add_cluster_options(command: argparse.ArgumentParser) -> None:
    """Add ``--ray`` and the size of its actors."""
    command.add_argument('--ray', nargs='?', const='', metavar='HOST:PORT', help='share the work '
                         'among the actors of a Ray cluster: that of this address, else the one '
                         'that runs on this machine, else one of this machine alone')
    command.add_argument('--ray-actors', type=int, metavar='N', help='actors, each with a model '
                         '(default: as many as there is room for)')
    command.add_argument('--ray-cpus', type=float, metavar='N', help='CPUs of an actor '
                         '(default: 1)')
    command.add_argument('--ray-gpus', type=float, metavar='N', help='GPUs of an actor, or a share '
                         'of one (default: 0)')


def check_cluster(args: argparse.Namespace, shard: JobShard | tuple[int, int]) -> None:
    """Check the options of a cluster before anything is loaded.

    Args:
        args: Of the command line.
        shard: That it names, or a Slurm array or torchrun.

    Raises:
        BadValue: A cluster and a shard are both named, or a size and no cluster.
        MissingPackage: Ray is not installed.
    """
    if args.ray is None:
        if named := [option for key, option in _SIZES.items() if getattr(args, key) is not None]:
            raise BadValue(f'{named[0]} is about the actors of --ray; name both')
        return
    if shard != (0, 1) or getattr(args, 'shard', None):
        raise BadValue(f'--ray shares out all of the work, and shard {shard[0]}/{shard[1]} is a '
                       'part of it (--shard, a Slurm array or torchrun): leave one of them out')
    _needs(args)
    check_ray(args.ray or None)


@contextlib.contextmanager
def open_pool(args: argparse.Namespace) -> Iterator[RayPool | None]:
    """Open the cluster of a command line; None where none is named."""
    if args.ray is None:
        yield None
    else:
        with RayPool(args.ray or None, _needs(args)) as pool:
            yield pool


def _needs(args: argparse.Namespace) -> ActorNeeds:
    cpus = 1 if args.ray_cpus is None else args.ray_cpus
    return ActorNeeds(cpus, args.ray_gpus or 0, args.ray_actors)
