"""Judgement of edits by eye: a page for one sample, and bounds for the gates out of it."""

__all__ = []
