"""Room for actors on a cluster: counted one by one."""

import math
import random

import pytest

from mmtbps.clusters import ActorNeeds, Node, plan_actors
from mmtbps.errors import BadValue


def slow_room(nodes, needs):
    """Put actors on machines until none fits, or the CPU for reading would go."""
    left, count = [list(node) for node in nodes], 0
    while sum(cpus for cpus, _ in left) - needs.cpus >= 1:
        place = next((node for node in left
                      if node[0] >= needs.cpus and node[1] >= needs.gpus), None)
        if place is None:
            break
        place[0] -= needs.cpus
        place[1] -= needs.gpus
        count += 1
    return count


def test_room_is_that_of_actors_placed_one_by_one():
    draw, full = random.Random(3), 0
    for _ in range(300):
        nodes = [Node(draw.randint(0, 9), draw.choice([0, 1, 4]))
                 for _ in range(draw.randint(1, 4))]
        needs = ActorNeeds(draw.choice([.25, .5, 1, 2, 3]), draw.choice([0, 0, .5, 1]))
        room = slow_room(nodes, needs)
        if room:
            assert plan_actors(nodes, needs) == room
        else:
            full += 1
            with pytest.raises(BadValue, match='room for 0 actors'):
                plan_actors(nodes, needs)
    assert 0 < full < 200


def test_two_of_nine_tenths_on_two_cpus_are_refused():
    with pytest.raises(BadValue, match='2 CPUs on 1 machines, room for 1 actors of 0.9 CPUs'):
        plan_actors([Node(2)], ActorNeeds(cpus=.9, count=2))
    assert plan_actors([Node(2)], ActorNeeds(cpus=.9)) == 1
    assert plan_actors([Node(2)], ActorNeeds(cpus=.5, count=2)) == 2


@pytest.mark.parametrize('wrong, said', [
    (dict(cpus=0), 'more than 0 CPUs'), (dict(cpus=math.nan), 'more than 0 CPUs'),
    (dict(gpus=-1), '0 GPUs or more'), (dict(count=0), 'at least 1 actor')])
def test_impossible_needs(wrong, said):
    with pytest.raises(BadValue, match=said):
        ActorNeeds(**wrong)
