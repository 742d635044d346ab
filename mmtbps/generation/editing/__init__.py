"""Editors: one garment of a person in another color."""

from .base import BaseEditor, BaseUpscaler, EditRequest, EditResult

__all__ = ['BaseEditor', 'BaseUpscaler', 'EditRequest', 'EditResult']
