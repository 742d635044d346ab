"""MQTT: alarms published to a broker, with quality of service 1."""

import os
import threading
import time
from typing import Any
from urllib.parse import unquote

from mmtbps.errors import BadValue, MissingPackage

from .alarms import Alarm
from .receivers import NotReceived, Receiver, split_address

__all__ = ['MQTT_PASSWORD', 'MqttReceiver']

#: Variable of the environment.
MQTT_PASSWORD = 'MMTBPS_MQTT_PASSWORD'
_PORTS = dict(mqtt=1883, mqtts=8883)
_TICK = .1  # seconds between two looks at the connection


class MqttReceiver(Receiver):
    """Receiver that publishes an alarm; the broker's answer (PUBACK) acknowledges it.

    A user of the address has the password of ``MMTBPS_MQTT_PASSWORD``.

    Args:
        address: ``mqtt://host:1883/topic``, or ``mqtts://`` with TLS.
        timeout: Seconds until a broker that does not answer has not received an alarm.

    Raises:
        BadValue: It is no such address, or has a password or no topic to publish to.
        MissingPackage: paho-mqtt is missing.
    """

    kind = 'mqtt'

    def __init__(self, address: str, timeout: float = 10.) -> None:
        parts = split_address(address, tuple(_PORTS), '--mqtt', MQTT_PASSWORD)
        self._topic = unquote(parts.path.lstrip('/'))
        if not self._topic or set(self._topic) & set('+#\0'):
            raise BadValue(f'--mqtt: mqtt://{parts.hostname}/TOPIC needs a topic, without + and #')
        try:
            import paho.mqtt.client
        except ImportError as error:
            raise MissingPackage('MQTT needs paho-mqtt: pip install "mmtbps[watch]"') from error
        self._paho: Any = paho.mqtt.client
        self._parts, self._port = parts, parts.port or _PORTS[parts.scheme]
        self._timeout = timeout
        self.name = f'mqtt {parts.hostname}:{self._port}'
        self._client: Any = None

    def send(self, alarm: Alarm) -> None:
        """Publish an alarm, with a new connection where there is none."""
        try:
            if self._client is None or not self._client.is_connected():
                self.close()
                self._client = self._connect()
            told = self._client.publish(self._topic, alarm.text.encode(), qos=1)
            until = time.monotonic() + self._timeout
            while not told.is_published() and time.monotonic() < until and (
                    self._client.is_connected()):
                told.wait_for_publish(_TICK)
            if not told.is_published():
                raise NotReceived(f'{self.name}: no answer')
        except (OSError, RuntimeError, ValueError) as error:
            # What this client has kept of it must not come after the next one.
            self.close()
            if isinstance(error, NotReceived):
                raise
            raise NotReceived(f'{self.name}: {error}') from error

    def close(self) -> None:
        """Take leave of the broker."""
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
            self._client = None

    def _connect(self) -> Any:
        client = self._paho.Client(self._paho.CallbackAPIVersion.VERSION2,
                                   reconnect_on_failure=False)
        if self._parts.username:
            client.username_pw_set(unquote(self._parts.username), os.environ.get(MQTT_PASSWORD))
        if self._parts.scheme == 'mqtts':
            client.tls_set()
        answered, said = threading.Event(), []

        def on_connect(client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
            said.append(reason)
            answered.set()

        client.on_connect = on_connect
        client.connect_timeout = self._timeout
        client.connect(self._parts.hostname, self._port, keepalive=60)
        client.loop_start()
        if not answered.wait(self._timeout) or said[0].is_failure:
            client.disconnect()
            client.loop_stop()
            raise NotReceived(f'{self.name}: ' + (str(said[0]) if said else 'no answer'))
        return client
