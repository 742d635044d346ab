"""State that a process holds for everybody, put back: no test finds what another one left."""

import logging
import multiprocessing
import os
import random
from collections import OrderedDict
from contextlib import contextmanager

import cv2
import torch
from mmengine.utils import ManagerMixin


def kept_by_name():
    """Every class of MMEngine's that keeps instances under names: loggers, hubs, scopes, ..."""
    classes = [ManagerMixin]
    for cls in classes:
        classes += cls.__subclasses__()
    return classes


@contextmanager
def no_instances():
    """As in a new process: no logger, message hub, visualizer or default scope is there.

    What there was comes back afterwards; the log files opened in between are closed.
    """
    before = {cls: cls._instance_dict for cls in kept_by_name()}
    for cls in before:
        cls._instance_dict = OrderedDict()
    try:
        yield
    finally:
        for cls in kept_by_name():
            for instance in cls._instance_dict.values():
                for handler in getattr(instance, 'handlers', ()):
                    if isinstance(handler, logging.FileHandler):
                        handler.close()
            cls._instance_dict = before.get(cls, OrderedDict())


@contextmanager
def same_environment():
    """Variables and working directory are afterwards what they were."""
    variables, folder = dict(os.environ), os.getcwd()
    try:
        yield
    finally:
        os.chdir(folder)
        for name in os.environ.keys() - variables.keys():
            del os.environ[name]
        os.environ.update(variables.items() - os.environ.items())


@contextmanager
def same_settings():
    """Numbers of threads, the types of new tensors and of new processes are what they were."""
    threads, cv2_threads = torch.get_num_threads(), cv2.getNumThreads()
    dtype, method = torch.get_default_dtype(), multiprocessing.get_start_method(allow_none=True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        cv2.setNumThreads(cv2_threads)
        torch.set_default_dtype(dtype)
        multiprocessing.set_start_method(method, force=True)


#: Without a GPU the generator of the CPU is the only one, and seeded in a moment.
seed_torch = (torch.manual_seed if torch.cuda.is_available()
              else torch.default_generator.manual_seed)


@contextmanager
def fresh_state():
    """All of the above; torch draws by the seed that pytest-randomly gave to ``random``."""
    with no_instances(), same_environment(), same_settings():
        seed_torch(random.getrandbits(32))
        yield
