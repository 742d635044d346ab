"""Gradio blocks of the page; imported where the page is built, since Gradio is optional."""

import logging
from typing import Any

from gradio import Blocks, Error

from mmtbps.errors import first_line, printable

from .private_folder import PrivateFolder

__all__ = ['PageBlocks']

_LOG = logging.getLogger('mmtbps.page')


class PageBlocks(Blocks):
    """Blocks whose tabs hold no connection open, and that leave nothing behind when closed.

    Attributes:
        private_folder: Removed with the page.
    """

    private_folder: PrivateFolder | None = None

    def get_config_file(self) -> Any:
        """Make the page's settings for the browser, without a stream that stays open.

        A browser has six connections to a host; with one of them held by each tab, the sixth tab
        would wait for ever, and with it all others.
        """
        return {**super().get_config_file(), 'connect_heartbeat': False}

    async def preprocess_data(self, block_fn: Any, inputs: Any, *arguments: Any,
                              **keywords: Any) -> Any:
        """Read the values of an event; those that no field of the page gives are refused."""
        try:
            return await super().preprocess_data(block_fn, inputs, *arguments, **keywords)
        except Exception as error:  # Gradio's fields raise nearly any type on odd values
            _LOG.warning('%s', printable(f'event {block_fn.api_name}: refused: '
                                         f'{type(error).__name__}: {first_line(error)}'))
            said = str(error) if isinstance(error, Error) else (
                'The values are not those of the fields of this page.')
            raise Error(said, print_exception=False) from error

    def close(self, verbose: bool = True) -> None:
        """End the page and remove its private folder."""
        try:
            super().close(verbose)
        finally:
            if self.private_folder is not None:
                self.private_folder.remove()
