"""How does the box speak to an MQTT 5 broker so that a refusal is an error? aiomqtt, whose PUBACK it looks at itself.

A PUBACK is no receipt: a broker may lose what it acknowledged. Nothing that must not be lost goes this way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from edge.config import Mqtt
from edge.sync.errors import BrokerLost, BrokerRefused
from edge.sync.tls import Known, context, nothing_known

T = TypeVar("T")

KEEPALIVE_S = 30
"""The broker calls the box gone after one and a half times this."""
TIMEOUT_S = 10.0
DISCONNECT_WITH_WILL = 0x04
"""MQTT 5, 3.14.2.1: the client says goodbye and wants its will message published."""
QUEUED_MAX = 100
"""Messages heard and not yet looked at; more are dropped, since all of them come again over HTTPS."""


@asynccontextmanager
async def connect(
    config: Mqtt, identifier: str, last_will: tuple[str, bytes], known: Known = nothing_known
) -> AsyncIterator[Broker]:
    """A connection. last_will: (topic, payload), which the broker publishes, retained, when the box is gone. known: the
    time as far as it is proven, for the dates of certificates.

    Raises BrokerLost: here, and from whatever is done with it when the connection breaks.
    """
    topic, payload = last_will
    with _translated():
        client = _Client(
            config.host,
            config.port,
            identifier=identifier,
            protocol=aiomqtt.ProtocolVersion.V5,
            username=config.username,
            password=_password(config),
            will=aiomqtt.Will(topic, payload, qos=1, retain=True),
            keepalive=KEEPALIVE_S,
            clean_start=True,  # what was sent meanwhile is old; HTTPS brings what still counts
            timeout=TIMEOUT_S,
            max_queued_incoming_messages=QUEUED_MAX,
            tls_context=context(config.ca_file, known) if config.tls else None,
        )
        await client.__aenter__()
        client.leave_the_will()
    try:
        yield Broker(client)
    finally:
        with _translated():
            await client.__aexit__(None, None, None)


class Broker:
    """An open connection."""

    def __init__(self, client: _Client) -> None:
        self._client = client
        self._publishing = asyncio.Lock()

    async def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool = False) -> None:
        """At QoS 1: raises BrokerRefused when the broker does not take it. At QoS 0 nobody ever knows."""
        async with self._publishing:  # one in flight, so that a refusal belongs to it
            self._client.refusal = None
            with _translated():
                await self._client.publish(topic, payload, qos=qos, retain=retain)
            if self._client.refusal is not None:
                raise BrokerRefused(f"publishing to {topic}: {self._client.refusal}")

    async def subscribe(self, *topics: str) -> None:
        """At QoS 1. Raises BrokerRefused."""
        for topic in topics:
            with _translated():
                codes = await self._client.subscribe(topic, qos=1)
            refused = [code for code in codes if isinstance(code, ReasonCode) and code.is_failure]
            if refused:
                raise BrokerRefused(f"subscribing to {topic}: {refused[0]}")

    async def messages(self) -> AsyncIterator[tuple[str, bytes]]:
        """(topic, payload) as they come, until the connection breaks. Acknowledged before they are given out."""
        with _translated():
            async for message in self._client.messages:
                payload = message.payload
                yield str(message.topic), payload if isinstance(payload, bytes) else b""


class _Client(aiomqtt.Client):
    """aiomqtt, with three of its ways put right.

    Its own drops the reason code of a PUBACK, so that a publish which an ACL refuses looks delivered. And it has the
    loop watch a socket by number a moment after paho named it: closed by then, the number may be somebody else's.
    And it waits by `asyncio.wait_for`, which on Python 3.11 swallows a cancellation that comes with the answer.
    """

    refusal: ReasonCode | None = None

    def leave_the_will(self) -> None:
        """An orderly end, too, lets the broker publish the last will: one way of saying that the box is gone."""
        reason = ReasonCode(PacketTypes.DISCONNECT, identifier=DISCONNECT_WITH_WILL)
        leave = partial(self._client.disconnect, reasoncode=reason)
        self._client.disconnect = leave  # type: ignore[method-assign]  # aiomqtt gives no reason of its own

    async def _wait_for(self, fut: Awaitable[T], timeout: float | None) -> T:
        try:
            async with asyncio.timeout(self.timeout if timeout is None else timeout):
                return await fut
        except TimeoutError:
            raise aiomqtt.MqttError("Operation timed out") from None

    def _on_publish(self, client: Any, userdata: Any, mid: int, reason_code: ReasonCode, properties: Any) -> None:
        if reason_code.is_failure:
            self.refusal = reason_code
        super()._on_publish(client, userdata, mid, reason_code, properties)

    def _on_socket_register_write(self, client: Any, userdata: Any, sock: Any) -> None:
        def write() -> None:
            try:
                client.loop_write()
            except Exception as error:
                if not self._disconnected.done():
                    self._disconnected.set_exception(error)

        def watch() -> None:
            if client.socket() is sock and sock.fileno() >= 0:
                self._loop.add_writer(sock.fileno(), write)

        self._loop.call_soon_threadsafe(watch)


def _password(config: Mqtt) -> str | None:
    """Read at each connection, so that a new one needs no restart."""
    return Path(config.password_file).read_text(encoding="utf-8").strip() if config.password_file else None


@contextmanager
def _translated() -> Iterator[None]:
    """MQTT's and the socket's errors as ours; a password or an authority that cannot be read counts as one."""
    try:
        yield
    except (aiomqtt.MqttError, OSError) as error:
        raise BrokerLost(f"{type(error).__name__}: {error}") from error
