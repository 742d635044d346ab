"""One module a sub-command of ``mmtbps benchmark``."""
