"""Trials: the same training over several seeds, each run kept, and tables of them."""

__all__ = []
