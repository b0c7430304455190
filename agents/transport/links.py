"""Publishes over one connection to an MQTT broker, by paho-mqtt, which does its network I/O in a thread of its own.

It never reconnects: a publication that was in progress may have arrived, and only the caller may repeat it.
"""

import asyncio
import contextlib
import socket
import ssl
import time
from typing import Any
from uuid import uuid4

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from adapters.contract import Publish, Response
from agents.transport import fence
from agents.transport.addresses import Dialer
from agents.transport.unanswered import NoAnswer, failure_words
from webhooks.mqtt.subscription import Broker

#: Most publications without a PUBACK, as many as brokers accept by default; seconds of the keep-alive; most seconds for
#: disconnecting.
AT_ONCE, BEAT, GOODBYE = 20, 30, 2.0


class Link:
    """One connection. Its methods run in the event loop; paho's callbacks are passed to the loop in order."""

    def __init__(self, broker: Broker, dialer: Dialer, connect_timeout: float) -> None:
        self._broker, self._dialer, self._connect_timeout = broker, dialer, connect_timeout
        self._loop = asyncio.get_running_loop()
        self._greeted: asyncio.Future[int] = self._loop.create_future()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._answers: dict[int, asyncio.Future[int]] = {}
        self._client: Client | None = None
        #: A duplicate of the socket, to shut the connection down from outside, also when TLS has wrapped the first one.
        self._other: socket.socket | None = None
        self._opening = asyncio.create_task(self._open())
        self._opening.add_done_callback(
            lambda done: done.cancelled() or done.exception()
        )  # retrieved, as no task may be waiting
        self.lost, self.waiting, self.used = False, 0, time.monotonic()

    async def publish(self, publish: Publish, within: float) -> Response:
        """Publish; return the reason code. `within`: most seconds. Raises NoAnswer."""
        written = False
        self.waiting += 1
        try:
            async with asyncio.timeout(within):
                if code := await asyncio.shield(self._opening):
                    return Response(code)
                async with self._room:
                    answer = self._write(publish)
                    written = True
                    return Response(await answer)
        except asyncio.CancelledError:
            if self._opening.cancelled():  # not this task
                raise NoAnswer(f"{self._broker.host}: the connection is being closed") from None
            raise
        except TimeoutError as error:
            if written:  # a broker acknowledges in order, so no later one will be acknowledged either
                self._end()
            raise NoAnswer(f"{self._broker.host}: no acknowledgement", written, kind="timeout") from error
        finally:
            self.waiting -= 1
            self.used = time.monotonic()

    async def close(self) -> None:
        """Close the connection; disconnect first if it is still open."""
        self._opening.cancel()
        await asyncio.wait([self._opening])
        if self._client is not None:
            stopping = asyncio.ensure_future(asyncio.to_thread(self._stop, self._client))
            if not self.lost:
                await asyncio.wait([stopping], timeout=GOODBYE)
            self._end()
            await stopping
        self._end()
        if self._other is not None:
            self._other.close()

    async def _open(self) -> int:
        """Connect; return the reason code of the CONNACK, 0 if publishing is allowed. Raises NoAnswer."""
        broker, code = self._broker, None
        try:
            opened = await self._dialer.open(broker.host, broker.port)
            self._other = opened.dup()
            opened.settimeout(self._connect_timeout)
            client = self._client = self._made(opened)
            async with asyncio.timeout(self._connect_timeout):
                await asyncio.to_thread(client.connect, broker.host, broker.port, BEAT)
                client.loop_start()
                code = await self._greeted
            return code
        except (OSError, ValueError) as error:
            raise NoAnswer(f"{broker.host}: {failure_words(error, started=False)}"[:300]) from error
        finally:
            if code != 0:
                self._end()

    def _made(self, opened: socket.socket) -> Client:
        broker, five = self._broker, self._broker.version == "5"
        client = _Client(
            CallbackAPIVersion.VERSION2,
            # At most 23 characters, which every broker of MQTT 3.1.1 accepts (section 3.1.3.1).
            f"threadline-{uuid4().hex[:12]}",
            clean_session=None if five else True,
            protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        client.opened = opened
        client.connect_timeout = self._connect_timeout
        client.max_inflight_messages_set(AT_ONCE)
        if broker.username is not None:
            client.username_pw_set(broker.username, broker.password)
        if (tls := broker.context()) is not None:
            client.tls_set_context(tls)
        client.on_connect = lambda client, data, flags, code, properties: self._hand(self._welcome, code)
        client.on_disconnect = lambda client, data, flags, code, properties: self._hand(self._end)
        client.on_publish = lambda client, data, mid, code, properties: self._hand(self._acknowledged, mid, code)
        return client

    def _hand(self, what: Any, *arguments: Any) -> None:
        """Call `what` in the event loop, from paho's thread; do nothing if the loop has ended."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(what, *arguments)

    def _welcome(self, code: ReasonCode) -> None:
        if not self._greeted.done():
            self._greeted.set_result(code.value)

    def _acknowledged(self, mid: int, code: ReasonCode) -> None:
        answer = self._answers.pop(mid, None)
        if answer is not None and not answer.done():
            answer.set_result(code.value)

    def _write(self, publish: Publish) -> asyncio.Future[int]:
        """Write a publication; return the future of its reason code. Raises NoAnswer."""
        assert self._client is not None
        properties = None
        if self._broker.version == "5" and publish.properties:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.UserProperty = list(publish.properties.items())
        if self.lost:
            raise NoAnswer(f"{self._broker.host}: the connection ended")
        fence.current().check(self._broker.host, begun=False)
        try:
            sent = self._client.publish(publish.topic, publish.payload, publish.qos, publish.retain, properties)
        except ValueError as error:
            raise NoAnswer(
                "the publication is not valid: its topic, size or quality of service", kind="request"
            ) from error
        answer = self._answers[sent.mid] = self._loop.create_future()
        return answer

    def _end(self) -> None:
        """Mark the connection as lost, and fail all publications that wait for an acknowledgement."""
        self.lost = True
        if not self._greeted.done():
            self._greeted.set_exception(NoAnswer(f"{self._broker.host}: the broker ended the connection"))
            self._greeted.exception()  # retrieved, as no task may be waiting
        answers, self._answers = self._answers, {}
        for answer in answers.values():
            if not answer.done():
                answer.set_exception(NoAnswer(f"{self._broker.host}: the connection ended", True, kind="lost"))
        if self._other is not None:
            with contextlib.suppress(OSError):
                self._other.shutdown(socket.SHUT_RDWR)

    def _stop(self, client: Client) -> None:
        """Disconnect, and wait until paho's thread has ended. Blocks: run it in a thread."""
        client.disconnect()
        client.loop_stop()


class _Client(Client):
    """paho's client, over a socket that is already connected."""

    opened: socket.socket

    def _create_socket_connection(self) -> socket.socket:
        return self.opened

    def _ssl_wrap_socket(self, tcp_sock: socket.socket) -> ssl.SSLSocket:
        """Do as paho does, which leaves the socket open if the handshake fails."""
        assert self._ssl_context is not None
        tcp_sock.settimeout(self.connect_timeout)
        return self._ssl_context.wrap_socket(tcp_sock, server_hostname=self._host)
