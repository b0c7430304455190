"""Publishes to MQTT brokers: one shared connection for each broker and user; each publication waits for its PUBACK."""

import asyncio
import time

from adapters.contract import Publish, Response, Values
from agents.transport.addresses import Dialer
from agents.transport.links import Link
from agents.transport.unanswered import NoAnswer
from webhooks.mqtt.subscription import Broker, WrongSetting, broker_of

#: Seconds that an idle connection is kept.
KEPT = 300.0


class Publishing:
    """Publishes by one dialer."""

    def __init__(self, dialer: Dialer, *, timeout: float, connect_timeout: float, trusted: bool) -> None:
        self._dialer, self._timeout, self._connect_timeout, self._trusted = dialer, timeout, connect_timeout, trusted
        self._links: dict[Broker, Link] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def carry(self, publish: Publish, values: Values) -> Response:
        """Publish; return the reason code of the PUBACK, or of the CONNACK that refused the connection; for QoS 0,
        return 0 once written. Raises NoAnswer."""
        try:
            broker = broker_of("mqtt", values)
        except WrongSetting as error:
            raise NoAnswer(str(error), kind="setting") from error
        if broker.ca_file and not self._trusted:
            raise NoAnswer("ca_file names a file of this machine: only the operator may set it", kind="setting")
        self._sweep()
        link = self._links.get(broker)
        if link is None:
            link = self._links[broker] = Link(broker, self._dialer, self._connect_timeout)
        return await link.publish(publish, self._timeout)

    async def close(self) -> None:
        """Close all connections; publications in progress fail."""
        for broker in list(self._links):
            self._let_go(broker)
        await asyncio.gather(*self._closing)

    def _sweep(self) -> None:
        """Close connections that are lost or have been idle for too long."""
        now = time.monotonic()
        for broker, link in list(self._links.items()):
            if link.lost or (not link.waiting and now - link.used > KEPT):
                self._let_go(broker)

    def _let_go(self, broker: Broker) -> None:
        task = asyncio.create_task(self._links.pop(broker).close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
