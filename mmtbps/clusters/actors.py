"""Number of actors that a cluster has room for."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mmtbps.errors import BadValue

__all__ = ['ActorNeeds', 'Node', 'plan_actors']

#: CPUs of the cluster that no actor takes. Where actors take all, a task that reads waits for
#: ever, and Ray says so in lines of INFO alone.
_FOR_READING = 1


class Node(NamedTuple):
    """Resources of one machine of a cluster.

    Args:
        cpus: Logical CPUs.
        gpus: GPUs.
    """

    cpus: float
    gpus: float = 0


@dataclass(frozen=True)
class ActorNeeds:
    """Resources that one actor takes, and how many actors are wanted.

    Args:
        cpus: Logical CPUs of an actor.
        gpus: GPUs of an actor, or a share of one.
        count: Actors; by default as many as there is room for.

    Raises:
        BadValue: A number is out of its range.
    """

    cpus: float = 1
    gpus: float = 0
    count: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.cpus < math.inf:
            raise BadValue(f'an actor takes more than 0 CPUs, got {self.cpus}')
        if not 0 <= self.gpus < math.inf:
            raise BadValue(f'an actor takes 0 GPUs or more, got {self.gpus}')
        if self.count is not None and self.count < 1:
            raise BadValue(f'there must be at least 1 actor, got {self.count}')


def plan_actors(nodes: Sequence[Node], needs: ActorNeeds) -> int:
    """Choose a number of actors that all find room, and leave a CPU for reading.

    Args:
        nodes: Machines of the cluster; an actor is on one of them.
        needs: Of an actor.

    Raises:
        BadValue: There is no room for one, or not for those that are wanted.

    Example:
        >>> plan_actors([Node(4), Node(8)], ActorNeeds(cpus=2))
        5
    """
    total = sum(node.cpus for node in nodes)
    room = min(sum(_room_on(node, needs) for node in nodes),
               _whole((total - _FOR_READING) / needs.cpus))
    wanted = needs.count or 1
    if room < wanted:
        gpus = f' and {sum(node.gpus for node in nodes):g} GPUs' if needs.gpus else ''
        takes = f'{needs.cpus:g} CPUs' + (f' and {needs.gpus:g} GPUs' if needs.gpus else '')
        raise BadValue(
            f'the cluster has {total:g} CPUs{gpus} on {len(nodes)} machines, room for '
            f'{max(room, 0)} actors of {takes} beside the CPU that reads, and {wanted} are wanted: '
            'take fewer or smaller ones, or start Ray with a larger --num-cpus')
    return needs.count or room


def _room_on(node: Node, needs: ActorNeeds) -> int:
    rooms = [_whole(node.cpus / needs.cpus)]
    return min(rooms + ([_whole(node.gpus / needs.gpus)] if needs.gpus else []))


def _whole(number: float) -> int:
    return math.floor(number + 1e-9)  # 0.9 / 0.3 is a little less than 3
