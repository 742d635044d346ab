"""Command lines, the top of the package: nothing else imports this."""

__all__ = []
