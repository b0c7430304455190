"""Runs a subscription with QoS 1 and a persistent session, and acknowledges each publication once the door has kept it.

paho-mqtt runs the network in its own thread and reconnects. Its callbacks are passed to the event loop in order. MQTT requires
acknowledgements in the order of publications (MQTT 5.0 section 4.6), so posts run concurrently and are awaited in order. The
broker redelivers what was not acknowledged when a connection ended.
"""

import asyncio
import contextlib
from collections import OrderedDict
from hashlib import sha256
from typing import Any

import httpx
import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from webhooks.mqtt.posting import AT_ONCE, Posting, Publication
from webhooks.mqtt.subscription import Subscription

#: Publications that the broker may send before acknowledgements (MQTT 5), and the most publications of QoS 0 that wait,
#: which are not acknowledged.
WINDOW, UNHELD = 128, 10_000
#: Seconds for which the broker keeps the session of a disconnected client (MQTT 5; in 3.1.1 the broker decides).
SESSION = 7 * 86_400
#: Seconds between keep-alives; before a reconnect, at first and at most; and for posts in progress at shutdown.
BEAT, AGAIN, AT_MOST, GRACE = 30, 1, 60, 5.0
#: Publications whose ids are kept, in case the broker redelivers them.
REMEMBERED = 4096

log = structlog.get_logger("mqtt")


class Subscriber:
    """Runs one subscription."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        self._five = subscription.version == "5"
        self._client = self._make_client()
        self._connection = 0
        self._unheld = 0
        self._stopping = False
        self._under_way: asyncio.Queue[tuple[Publication, asyncio.Task[None]]] = asyncio.Queue()
        self._tasks: dict[asyncio.Task[None], Publication] = {}
        self._ids: OrderedDict[tuple[int, str, bytes], str] = OrderedDict()

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set, then wait for posts in progress. The broker redelivers those that do not finish."""
        self._loop = asyncio.get_running_loop()
        async with httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_connections=AT_ONCE)) as http:
            self._posting = Posting(self._subscription, http)
            acknowledging = asyncio.create_task(self._acknowledge())
            self._client.connect_async(self._subscription.host, self._subscription.port, BEAT, **self._session())
            self._client.loop_start()
            try:
                await stop.wait()
                self._stopping = True
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(GRACE):
                        await self._under_way.join()
            finally:
                self._client.disconnect()
                await asyncio.to_thread(self._client.loop_stop)
                for task in (*self._tasks, acknowledging):
                    task.cancel()
                await asyncio.gather(*self._tasks, acknowledging, return_exceptions=True)

    def _make_client(self) -> Client:
        subscription = self._subscription
        client = Client(
            CallbackAPIVersion.VERSION2,
            subscription.client_id,
            clean_session=None if self._five else False,
            protocol=MQTTProtocolVersion.MQTTv5 if self._five else MQTTProtocolVersion.MQTTv311,
            manual_ack=True,
        )
        client.reconnect_delay_set(AGAIN, AT_MOST)
        if subscription.username is not None:
            client.username_pw_set(subscription.username, subscription.password)
        if subscription.tls is not None:
            client.tls_set_context(subscription.tls)
        client.on_connect, client.on_disconnect = self._connected, self._lost
        client.on_connect_fail, client.on_subscribe = self._unreachable, self._subscribed
        client.on_message = self._received
        return client

    def _session(self) -> dict[str, Any]:
        if not self._five:
            return {}
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval, properties.ReceiveMaximum = SESSION, WINDOW
        return {"clean_start": False, "properties": properties}

    # In paho's thread:

    def _connected(
        self, client: Client, _: Any, flags: ConnectFlags, code: ReasonCode, properties: Properties | None
    ) -> None:
        if code.is_failure:
            hint = "for a broker without MQTT 5 set protocol to 3.1.1" if "rotocol" in str(code) else None
            log.error(
                "the broker refuses the connection", source=self._subscription.source, reason=str(code), hint=hint
            )
            return
        kept = flags.session_present
        log.info("connected", source=self._subscription.source, host=self._subscription.host, session_kept=kept)
        # Always, since the filters may have changed. Only a new subscription gets retained messages.
        options = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
        if self._five:
            client.subscribe([(each, options) for each in self._subscription.filters])
        else:
            client.subscribe([(each, 1) for each in self._subscription.filters])

    def _subscribed(self, client: Client, _: Any, mid: int, codes: list[ReasonCode], properties: Any) -> None:
        for each, code in zip(self._subscription.filters, codes, strict=False):
            if code.is_failure:
                log.error(
                    "the broker refuses the filter", source=self._subscription.source, filter=each, reason=str(code)
                )

    def _unreachable(self, client: Client, _: Any) -> None:
        log.warning(
            "the broker cannot be reached; retrying", source=self._subscription.source, host=self._subscription.host
        )

    def _lost(self, client: Client, _: Any, flags: DisconnectFlags, code: ReasonCode, properties: Any) -> None:
        self._connection += 1
        if not self._stopping:
            log.warning("the connection ended; reconnecting", source=self._subscription.source, reason=str(code))
        self._loop.call_soon_threadsafe(self._cancel_lost, self._connection)

    def _received(self, client: Client, _: Any, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:  # the standard forbids this; it must not end paho's thread
            log.error("dropped: the topic is not UTF-8", source=self._subscription.source)
            client.ack(message.mid, message.qos)
            return
        given = getattr(message.properties, "UserProperty", None) or []
        one = Publication(
            topic, bytes(message.payload), message.qos, message.mid, self._connection, message.retain, list(given)
        )
        self._loop.call_soon_threadsafe(self._take, one, message.dup)

    # In the event loop:

    def _take(self, one: Publication, again: bool) -> None:
        if self._stopping:
            return
        if one.qos == 0:
            if self._unheld >= UNHELD:
                log.error(
                    "dropped: too many publications of QoS 0 are waiting",
                    source=self._subscription.source,
                    topic=one.topic[:200],
                )
                return
            self._unheld += 1
        else:
            key = (one.mid, one.topic, sha256(one.payload).digest())
            if again and (id := self._ids.get(key)) is not None:
                one.id = id
            self._ids[key] = one.id
            if len(self._ids) > REMEMBERED:
                self._ids.popitem(last=False)
        task = asyncio.create_task(self._posting.post(one))
        self._tasks[task] = one
        task.add_done_callback(self._done)
        if one.qos:
            self._under_way.put_nowait((one, task))

    def _done(self, task: asyncio.Task[None]) -> None:
        if self._tasks.pop(task).qos == 0:
            self._unheld -= 1

    def _cancel_lost(self, connection: int) -> None:
        """Cancel posts of publications from an ended connection, since the broker redelivers them."""
        for task, one in self._tasks.items():
            if one.qos and one.connection < connection:
                task.cancel()

    async def _acknowledge(self) -> None:
        while True:
            one, task = await self._under_way.get()
            await asyncio.wait([task])
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("not acknowledged", source=self._subscription.source, error=repr(error))
            elif not task.cancelled() and one.connection == self._connection:
                self._client.ack(one.mid, one.qos)
            self._under_way.task_done()
