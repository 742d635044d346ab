"""One module a sub-command of ``tools/benchmark.py``."""
