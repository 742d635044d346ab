"""Options that several commands share, and what is made of them."""

__all__ = []
