"""What does headquarters say and hear over MQTT 5? "Something new for you", commands; who is there, and how it looks.

Nothing here may be relied on: whatever matters waits in the database and goes over HTTPS. A PUBACK only says that the
broker took the message, but a refused one (an ACL, a quota) says that it did not, and is an error here.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiomqtt
import msgspec
import structlog
from paho.mqtt.reasoncodes import ReasonCode

from cloud.home import Mqtt
from protocols.trade.wire import topic

TIMEOUT_S = 10.0
BACK_OFF_S = (1.0, 2.0, 5.0, 15.0, 60.0)
WAITING_MAX = 10_000
"""Sites to be told; more are not: they ask by themselves within their polling time."""
HEARD_BYTES_MAX = 64 * 1024
HEARD_SITES_MAX = 10_000
"""A broker whose ACL lets everybody write anywhere fills no more than this. A site that is here already stays."""
SITE_MAX = 64
"""Characters of a site's name, as in the schema."""

T = TypeVar("T")

log = structlog.get_logger(__name__)


class PublishRefused(aiomqtt.MqttError):
    """The broker answered that it does not take this message."""

    remedy = "Look at the broker's ACL: headquarters writes fieldtill/+/news and fieldtill/+/command."


class Client(aiomqtt.Client):
    """aiomqtt's client, except that a publish which the broker refuses raises PublishRefused (it drops the reason).

    And it waits by `asyncio.wait_for`, which on Python 3.11 swallows a cancellation that comes with the answer.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, protocol=aiomqtt.ProtocolVersion.V5, **kwargs)
        self._refusal: ReasonCode | None = None
        self._publishing = asyncio.Lock()

    async def tell(self, name: str, payload: bytes) -> None:
        """Publish at QoS 1, one at a time, so that a refusal belongs to this message."""
        async with self._publishing:
            self._refusal = None
            await self.publish(name, payload, qos=1)
            if self._refusal is not None:
                raise PublishRefused(f"{name}: {self._refusal}")

    async def _wait_for(self, fut: Awaitable[T], timeout: float | None) -> T:
        try:
            async with asyncio.timeout(self.timeout if timeout is None else timeout):
                return await fut
        except TimeoutError:
            raise aiomqtt.MqttError("Operation timed out") from None

    def _on_publish(self, client: Any, userdata: Any, mid: int, reason_code: ReasonCode, properties: Any) -> None:
        if reason_code.is_failure:
            self._refusal = reason_code
        super()._on_publish(client, userdata, mid, reason_code, properties)


class Presence(msgspec.Struct, frozen=True):
    """What a box says of itself, and its last will says of its end. boot: hex."""

    online: bool
    epoch: int
    boot: str


@dataclass(slots=True)
class Heard:
    """The last of a site: its presence, and its live picture as JSON text."""

    presence: Presence | None = None
    state: bytes = b""
    understood: bool = True  # its newest presence; nonsense is told when it begins, not each time


class Switchboard:
    """Headquarters' standing connection to the broker."""

    def __init__(self, config: Mqtt) -> None:
        self._config = config
        self._waiting: asyncio.Queue[str] = asyncio.Queue(WAITING_MAX)
        self._heard: dict[str, Heard] = {}

    def tell(self, site: str) -> None:
        """Something waits for this site. Returns at once; it is told as soon as there is a connection."""
        with suppress(asyncio.QueueFull):
            self._waiting.put_nowait(site)

    def heard(self) -> Mapping[str, Heard]:
        """The last of every site that the broker knows of; nothing while there is no broker."""
        return self._heard

    async def run(self) -> None:
        """Stay connected until cancelled."""
        failures = 0
        while True:
            try:
                async with connect(self._config, "fieldtill-hq") as client:
                    failures = 0
                    log.info("broker connected")
                    async with asyncio.TaskGroup() as tasks:
                        tasks.create_task(self._listen(client))
                        tasks.create_task(self._speak(client))
            except* (aiomqtt.MqttError, OSError) as group:
                failures += 1
                log.warning("broker lost", why=str(group.exceptions[0]))
            finally:
                self._heard.clear()  # who is there is not known without a broker; what is retained comes again
            await asyncio.sleep(BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)])

    async def _listen(self, client: Client) -> None:
        for leaf in ("presence", "state"):
            await client.subscribe(topic("+", leaf), qos=1)
        async for message in client.messages:
            _, site, leaf = str(message.topic).split("/")
            payload = message.payload if isinstance(message.payload, bytes) else b""
            self._hear(site, leaf, payload)

    def _hear(self, site: str, leaf: str, payload: bytes) -> None:
        """Keep what a site shows. It is for the eye: a box that lies here cheats nobody."""
        if len(payload) > HEARD_BYTES_MAX or len(site) > SITE_MAX:
            return
        if site not in self._heard and len(self._heard) >= HEARD_SITES_MAX:
            return
        heard = self._heard.setdefault(site, Heard())
        if leaf == "state":
            heard.state = payload
            return
        try:
            heard.presence, heard.understood = msgspec.json.decode(payload, type=Presence), True
        except msgspec.DecodeError:
            if heard.understood:
                log.warning("presence not understood", site=site)
            heard.understood = False

    async def _speak(self, client: Client) -> None:
        while True:
            site = await self._waiting.get()
            try:
                await client.tell(topic(site, "news"), b"")
            except PublishRefused as error:
                log.error("broker refused", why=str(error), remedy=error.remedy)


@asynccontextmanager
async def connect(config: Mqtt, identifier: str) -> AsyncIterator[Client]:
    """A connection to the broker. Raises aiomqtt.MqttError, OSError for a password or authority that cannot be read."""
    client = Client(
        config.host,
        config.port,
        identifier=identifier,
        username=config.username,
        password=_password(config),
        timeout=TIMEOUT_S,
        tls_context=ssl.create_default_context(cafile=config.ca_file) if config.tls else None,
    )
    async with client:
        yield client


async def publish_once(config: Mqtt, messages: Iterable[tuple[str, bytes]]) -> None:
    """For a command line: connect, publish (topic, payload) each, and go. Raises as `connect`, and PublishRefused."""
    async with connect(config, "") as client:
        for name, payload in messages:
            await client.tell(name, payload)


def _password(config: Mqtt) -> str | None:
    """Read at each connection, so that a new one needs no restart."""
    return Path(config.password_file).read_text(encoding="utf-8").strip() if config.password_file else None
