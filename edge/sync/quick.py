"""What is quick and may be lost, over MQTT 5: the box is there, how it looks, "something new for you", commands.

    fieldtill/SITE/presence   retained, QoS 1, with a last will        ->
    fieldtill/SITE/state      retained, QoS 0, at most once a second   ->
    fieldtill/SITE/news       any payload: ask headquarters now        <-
    fieldtill/SITE/command    signed; runs at most once                <-

Without a broker the site polls. A command that is lost here comes again with every answer over HTTPS until it expires.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING

import msgspec
import structlog

from edge.config import Config
from edge.journal.errors import JournalFull, JournalOverrun
from edge.site import Site
from edge.sync import trust
from edge.sync.errors import BrokerRefused, HqError
from edge.sync.live import LiveState, look
from edge.sync.uplink import Trouble, Uplink
from protocols.proof.errors import Unproven
from protocols.trade.codec import NotCanonical
from protocols.trade.wire import topic

if TYPE_CHECKING:
    from edge.sync.broker import Broker

STATE_EVERY_S = 1.0
BACK_OFF_FIRST_S, BACK_OFF_MAX_S = 1.0, 60.0
STEADY_S = 60.0
"""A connection that lasted this long was a good one: after it the pauses begin anew."""
FAREWELL_S = 2.0
"""What was being said when a connection ended gets this long to be dropped."""
NEWS_MAX, NEWS_WITHIN_S = 6, 60.0
"""So often within any such time news makes the box ask. News is signed by nobody: whoever may publish at the broker
could otherwise have a metered link used up, and headquarters asked without end."""
DISBELIEVED_EVERY_S = 60.0
"""Commands that nobody at headquarters signed are told once within this time, with their number: they cost nothing to
send, and a log line each would fill the disk."""

log = structlog.get_logger()


class Presence(msgspec.Struct, frozen=True):
    """Whether the box is there; the last will says that it is not."""

    online: bool
    epoch: int
    boot: str  # hex; what a command must name


@dataclass(frozen=True, slots=True)
class QuickStatus:
    """since_ms: monotonic, of the last change of `connected`. trouble: None: the connection is well."""

    connected: bool
    since_ms: int
    trouble: Trouble | None


class Quick:
    """The site's side of the broker."""

    def __init__(self, config: Config, site: Site, uplink: Uplink | None) -> None:
        """`config.mqtt` is there. Without `config.hq` there are no pinned keys, and so no commands.

        Raises protocols.door.Refused for a bad keys_file.
        """
        assert config.mqtt is not None, "without [mqtt] there is nothing to connect to"
        self._mqtt = config.mqtt
        self._site = site
        self._uplink = uplink
        self._pinned = uplink.believed if uplink is not None else None
        if self._pinned is None and config.hq is not None:
            self._pinned = trust.load(Path(config.hq.keys_file))
        self._name = config.site
        self._connected = False
        self._since_ms = site.clock.mono_ms()
        self._trouble: Trouble | None = None
        self._news = asyncio.Event()
        self._passed_on_s: deque[float] = deque(maxlen=NEWS_MAX)  # instants on the loop's clock
        self._disbelieved = 0
        self._disbelieved_ms: int | None = None  # when it was told last

    def status(self) -> QuickStatus:
        return QuickStatus(self._connected, self._since_ms, self._trouble)

    async def run(self) -> None:
        """Stay connected, for ever. Survives any failure of broker and network."""
        failures = 0
        while True:
            began_ms = self._site.clock.mono_ms()
            try:
                await self._converse()
            except HqError as error:
                self._note(error)
            finally:
                self._set_connected(False)
            steady = self._site.clock.mono_ms() - began_ms >= STEADY_S * 1000
            failures = 0 if steady else failures + 1
            pause_s = min(BACK_OFF_MAX_S, BACK_OFF_FIRST_S * 2 ** min(failures, 10))
            await asyncio.sleep(SystemRandom().uniform(pause_s / 2, pause_s))

    async def _converse(self) -> None:
        """One connection, from its beginning to its break."""
        from edge.sync.broker import connect  # aiomqtt and paho: not paid for by a box without a broker

        presence = topic(self._name, "presence")
        gone, here = (self._presence(online) for online in (False, True))
        name, known = f"fieldtill-{self._name}", self._site.clock.bounds
        async with connect(self._mqtt, name, (presence, gone), known) as broker:
            await broker.subscribe(topic(self._name, "news"), topic(self._name, "command"))
            await broker.publish(presence, here, qos=1, retain=True)
            self._set_connected(True)
            self._news.set()  # whatever was published while the box was not there
            work = (self._tell(broker), self._hear(broker), self._pass_on())
            sides = [asyncio.create_task(side) for side in work]
            try:
                done, _ = await asyncio.wait(sides, return_when=asyncio.FIRST_COMPLETED)
                for side in done:
                    side.result()
            finally:
                for side in sides:
                    side.cancel()
                await asyncio.wait(sides, timeout=FAREWELL_S)

    async def _tell(self, broker: Broker) -> None:
        """Publish the picture when it has changed. The first at QoS 1, so that an ACL that forbids it is noticed."""
        shown: LiveState | None = None
        while True:
            now = look(self._site)
            if shown is None or msgspec.structs.replace(now, at_ms=shown.at_ms) != shown:
                qos = 1 if shown is None else 0
                await broker.publish(topic(self._name, "state"), msgspec.json.encode(now), qos=qos, retain=True)
                shown = now
            await asyncio.sleep(STATE_EVERY_S)

    async def _hear(self, broker: Broker) -> None:
        async for name, payload in broker.messages():
            if name == topic(self._name, "command"):
                await self._command(payload)
            else:
                self._news.set()

    async def _pass_on(self) -> None:
        """News has the box ask headquarters, NEWS_MAX times within NEWS_WITHIN_S however much of it comes."""
        loop, passed_on_s = asyncio.get_running_loop(), self._passed_on_s
        while True:
            await self._news.wait()
            if len(passed_on_s) == NEWS_MAX:
                await asyncio.sleep(passed_on_s[0] + NEWS_WITHIN_S - loop.time())
            self._news.clear()
            passed_on_s.append(loop.time())
            if self._uplink is not None:
                self._uplink.news()

    async def _command(self, signed: bytes) -> None:
        if self._pinned is None:
            return
        try:
            outcome = await self._site.command(trust.check_command(self._pinned, signed))
        except (Unproven, NotCanonical) as error:
            self._disbelieve(error)
        except (JournalFull, JournalOverrun) as error:
            log.error("command not carried out", why=error.what, remedy=error.remedy)
        else:
            log.info("command", outcome=outcome)

    def _disbelieve(self, error: Unproven | NotCanonical) -> None:
        self._disbelieved += 1
        now_ms, told_ms = self._site.clock.mono_ms(), self._disbelieved_ms
        if told_ms is None or now_ms - told_ms >= DISBELIEVED_EVERY_S * 1000:
            log.warning("command not believed", why=str(error), times=self._disbelieved, remedy=error.remedy)
            self._disbelieved, self._disbelieved_ms = 0, now_ms

    def _presence(self, online: bool) -> bytes:
        state, boot = self._site.desk.state, self._site.clock.boot
        return msgspec.json.encode(Presence(online, state.epoch, boot.hex()))

    def _set_connected(self, connected: bool) -> None:
        if connected != self._connected:
            self._connected, self._since_ms = connected, self._site.clock.mono_ms()
            log.info("broker connected" if connected else "broker lost")
        if connected:
            self._trouble = None

    def _note(self, error: HqError) -> None:
        if self._trouble is None or self._trouble.what != error.what:
            say = log.error if isinstance(error, BrokerRefused) else log.warning
            say("broker", what=error.what, remedy=error.remedy)
        self._trouble = Trouble(type(error).__name__, error.what, error.remedy, self._site.clock.mono_ms())
