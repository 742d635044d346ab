"""Clusters of machines: work in batches, spread over the actors of an engine."""

from .actors import ActorNeeds, Node, plan_actors
from .lost_work import lost_items, work_through
from .ray_pool import RayPool, check_ray
from .shared_places import check_shared

__all__ = ['ActorNeeds', 'Node', 'RayPool', 'check_ray', 'check_shared', 'lost_items',
           'plan_actors', 'work_through']
