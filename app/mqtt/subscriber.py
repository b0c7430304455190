"""One subscription to a broker: QoS 1, a session that the broker keeps, each publication acknowledged once the door has it.

paho-mqtt has the network in a thread of its own, and connects anew by itself. What happens there is handed to the event
loop in its order. MQTT wants acknowledgements in the order of the publications (MQTT 5.0 section 4.6): the posts run side
by side, and the oldest is waited for. What was not acknowledged when a connection ended, the broker gives again.
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

from app.mqtt.account import Account
from app.mqtt.posting import AT_ONCE, Posting, Publication

#: Publications that the broker may give ahead of our acknowledgements (MQTT 5), and those of QoS 0, which no
#: acknowledgement holds back, that wait at most.
WINDOW, UNHELD = 128, 10_000
#: Seconds that the broker keeps the session while nobody is there (MQTT 5; in 3.1.1 it decides by itself).
SESSION = 7 * 86_400
#: Seconds between beats; before a connection is tried again, at first and at most; for what is under way at the end.
BEAT, AGAIN, AT_MOST, GRACE = 30, 1, 60, 5.0
#: Publications whose ids are remembered, for the broker to give them again.
REMEMBERED = 4096

log = structlog.get_logger("mqtt")


class Subscriber:
    """Runs one account's subscription."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._five = account.version == "5"
        self._client = self._made()
        self._connection = 0
        self._unheld = 0
        self._stopping = False
        self._under_way: asyncio.Queue[tuple[Publication, asyncio.Task[None]]] = asyncio.Queue()
        self._tasks: dict[asyncio.Task[None], Publication] = {}
        self._ids: OrderedDict[tuple[int, str, bytes], str] = OrderedDict()

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set; then what is under way may end, and what does not is the broker's to give again."""
        self._loop = asyncio.get_running_loop()
        async with httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_connections=AT_ONCE)) as http:
            self._posting = Posting(self._account, http)
            acknowledging = asyncio.create_task(self._acknowledge())
            self._client.connect_async(self._account.host, self._account.port, BEAT, **self._session())
            self._client.loop_start()
            try:
                await stop.wait()
                self._stopping = True
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._under_way.join(), GRACE)
            finally:
                self._client.disconnect()
                await asyncio.to_thread(self._client.loop_stop)
                for task in (*self._tasks, acknowledging):
                    task.cancel()
                await asyncio.gather(*self._tasks, acknowledging, return_exceptions=True)

    def _made(self) -> Client:
        account = self._account
        client = Client(
            CallbackAPIVersion.VERSION2,
            account.client_id,
            clean_session=None if self._five else False,
            protocol=MQTTProtocolVersion.MQTTv5 if self._five else MQTTProtocolVersion.MQTTv311,
            manual_ack=True,
        )
        client.reconnect_delay_set(AGAIN, AT_MOST)
        if account.username is not None:
            client.username_pw_set(account.username, account.password)
        if account.tls is not None:
            client.tls_set_context(account.tls)
        client.on_connect, client.on_disconnect = self._connected, self._lost
        client.on_connect_fail, client.on_subscribe = self._unreachable, self._subscribed
        client.on_message = self._came
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
            log.error("the broker refuses us", source=self._account.source, reason=str(code), hint=hint)
            return
        kept = flags.session_present
        log.info("connected", source=self._account.source, host=self._account.host, session_kept=kept)
        # Always: the filters may be others than those of the session. Only a new one is to show what is retained.
        options = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
        if self._five:
            client.subscribe([(each, options) for each in self._account.filters])
        else:
            client.subscribe([(each, 1) for each in self._account.filters])

    def _subscribed(self, client: Client, _: Any, mid: int, codes: list[ReasonCode], properties: Any) -> None:
        for each, code in zip(self._account.filters, codes, strict=False):
            if code.is_failure:
                log.error("the broker refuses the filter", source=self._account.source, filter=each, reason=str(code))

    def _unreachable(self, client: Client, _: Any) -> None:
        log.warning("the broker cannot be reached; trying again", source=self._account.source, host=self._account.host)

    def _lost(self, client: Client, _: Any, flags: DisconnectFlags, code: ReasonCode, properties: Any) -> None:
        self._connection += 1
        if not self._stopping:
            log.warning("the connection ended; connecting anew", source=self._account.source, reason=str(code))
        self._loop.call_soon_threadsafe(self._let_go, self._connection)

    def _came(self, client: Client, _: Any, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:  # which the standard forbids; paho's thread must not end by it
            log.error("dropped: the topic is not UTF-8", source=self._account.source)
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
                log.error("dropped: too many of QoS 0 wait", source=self._account.source, topic=one.topic[:200])
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

    def _let_go(self, connection: int) -> None:
        """Leave alone what came by a connection that has ended: the broker gives it again."""
        for task, one in self._tasks.items():
            if one.qos and one.connection < connection:
                task.cancel()

    async def _acknowledge(self) -> None:
        while True:
            one, task = await self._under_way.get()
            await asyncio.wait([task])
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("not acknowledged", source=self._account.source, error=repr(error))
            elif not task.cancelled() and one.connection == self._connection:
                self._client.ack(one.mid, one.qos)
            self._under_way.task_done()
