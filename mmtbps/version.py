"""The version of mmtbps, read by the build and by users."""

__version__ = '0.2.0.dev0'
