"""Webhook: alarms posted to an HTTP server."""

import os

from mmtbps.errors import MissingPackage

from .alarms import Alarm
from .receivers import NotReceived, Receiver, split_address

__all__ = ['WEBHOOK_PASSWORD', 'WEBHOOK_TOKEN', 'WebhookReceiver']

#: Variables of the environment.
WEBHOOK_PASSWORD, WEBHOOK_TOKEN = 'MMTBPS_WEBHOOK_PASSWORD', 'MMTBPS_WEBHOOK_TOKEN'


class WebhookReceiver(Receiver):
    """Receiver that posts an alarm as JSON; any answer of 200 to 299 acknowledges it.

    The header ``Idempotency-Key`` has the id. A user of the address has the password of
    ``MMTBPS_WEBHOOK_PASSWORD``; a token in ``MMTBPS_WEBHOOK_TOKEN`` is sent as ``Bearer``.

    Args:
        address: ``http://`` or ``https://``.
        timeout: Seconds until a server that does not answer has not received an alarm.

    Raises:
        BadValue: It is no such address, or has a password.
        MissingPackage: httpx is missing.
    """

    kind = 'webhook'

    def __init__(self, address: str, timeout: float = 10.) -> None:
        parts = split_address(address, ('http', 'https'), '--webhook', WEBHOOK_PASSWORD)
        try:
            import httpx
        except ImportError as error:
            raise MissingPackage('a webhook needs httpx: pip install "mmtbps[watch]"') from error
        # Path and query of a webhook are often its secret.
        self.name = f'webhook {parts.scheme}://{parts.hostname}' + (
            f':{parts.port}' if parts.port else '')
        self._errors = httpx.HTTPError
        token, password = os.environ.get(WEBHOOK_TOKEN), os.environ.get(WEBHOOK_PASSWORD)
        headers = {'Content-Type': 'application/json'}
        if token:
            headers['Authorization'] = f'Bearer {token}'
        auth = (parts.username, password or '') if parts.username and not token else None
        if parts.username:
            address = address.replace(f'{parts.netloc}', parts.netloc.rpartition('@')[2], 1)
        self._address = address
        # No proxy or password of the environment or of .netrc that nobody has named here.
        self._client = httpx.Client(timeout=timeout, headers=headers, auth=auth, trust_env=False)

    def send(self, alarm: Alarm) -> None:
        """Post an alarm."""
        try:
            answer = self._client.post(self._address, content=alarm.text.encode(),
                                       headers={'Idempotency-Key': alarm.id})
        except self._errors as error:
            raise NotReceived(f'{self.name}: {type(error).__name__}') from error
        if not answer.is_success:
            raise NotReceived(f'{self.name}: answered {answer.status_code}')

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
