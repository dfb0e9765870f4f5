"""How does a pack link read a pack, whatever the protocol? What changes at every read, what is slow only now and then.

Protocols are `Tongue`s; what they say is put together, checked and remembered here.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from drivers.api import Link
from drivers.errors import DeviceError, DeviceFault, Silent, Unsupported
from drivers.line import Line
from drivers.packs.config import PackLinkConfig, WakesBy
from drivers.packs.ranges import impossible, may_be_another
from drivers.packs.talk import PackTalk
from protocols.fieldbus.pack import PackReading

SLOW_AGE_MAX_S: Final = 60.0  # so that a wrong belief about whose pack it is ends by itself
CONTRADICTIONS: Final = 3  # current and state are measured one after the other, so one pair may straddle a change
SETTLE_S: Final = 0.3
SETTLE_TRIES: Final = 5


class Tongue(Protocol):
    """One protocol's questions. Every method raises DeviceError."""

    sign_remedy: str
    """What to change when the current has the wrong sign."""

    async def fast(self) -> PackReading:
        """What changes. Of a pack that may sleep as well, where a frame wakes it. Raises Silent when nobody answers."""
        ...

    async def slow(self) -> PackReading:
        """What stays, or changes over weeks; for a pack that has just answered `fast`."""
        ...

    async def wake(self) -> None:
        """Send what wakes it, where a frame does. Raises LineDown alone."""
        ...

    async def switch_charge(self, on: bool) -> None:
        """Tell the pack to. Raises Unsupported where there is no such switch, or config does not allow it."""
        ...

    def forget(self) -> None:
        """Another pack may be here."""
        ...


class BmsLink:
    """A `link.PackLink` and a `link.ChargeSwitch`."""

    def __init__(self, config: PackLinkConfig, talk: PackTalk, tongue: Tongue) -> None:
        self.profile_id: str = config.protocol
        self.wakes_by: WakesBy = config.wakes_by or config.wire.wakes_by
        self._talk = talk
        self._tongue = tongue
        self._turn = asyncio.Lock()
        self._before: PackReading | None = None
        self._slow: PackReading | None = None
        self._slow_until = 0.0
        self._contradictions = 0

    async def read(self) -> PackReading:
        async with self._turn:
            try:
                return await self._read()
            except DeviceError:
                self.forget()  # whoever answers next may be another
                raise

    async def wake(self) -> None:
        if self.wakes_by == "frame":
            async with self._turn:
                await self._tongue.wake()

    async def switch_charge(self, on: bool) -> None:
        async with self._turn:
            await self._tongue.switch_charge(on)
            for _ in range(SETTLE_TRIES):
                said = (await self._tongue.fast()).charge_on
                if said is on:
                    return
                await asyncio.sleep(SETTLE_S)
        raise DeviceFault(
            f"its charge switch is {_words(said)} after it was turned {_words(on)}",
            where=self._talk.where,
            remedy="Use the charger's relay. If it does the contrary, `options.switch_on` of its protocol is wrong.",
        )

    def judge(self, *, expected: bool) -> None:
        self._talk.judge(expected=expected)

    def forget(self) -> None:
        self._before = self._slow = None
        self._tongue.forget()

    def findings(self) -> tuple[str, ...]:
        if self._contradictions < CONTRADICTIONS:
            return ()
        what = "its current flows the other way than its state says: the sign is configured the wrong way round"
        return (f"{self._talk.where}: {what}. {self._tongue.sign_remedy}",)

    def link(self) -> Link:
        return self._talk.device.link()

    @property
    def line(self) -> Line:
        """Whose it is."""
        return self._talk.line

    def detach(self) -> None:
        """Leave the line."""
        self._talk.device.detach()

    async def _read(self) -> PackReading:
        now = await self._awake()
        if self._before is not None and may_be_another(self._before, now):
            self.forget()
        loop = asyncio.get_running_loop()
        if self._slow is None or loop.time() >= self._slow_until:
            self._refuse_impossible(now)  # before it costs more questions
            self._slow = await self._tongue.slow()
            self._slow_until = loop.time() + SLOW_AGE_MAX_S
        reading = now.over(self._slow)
        self._refuse_impossible(reading)
        self._watch_sign(reading)
        self._before = now
        return reading

    async def _awake(self) -> PackReading:
        """A pack that was there a moment ago may sleep now, so it is asked as one that is new. An empty slot costs no
        more time than it must."""
        try:
            return await self._tongue.fast()
        except Silent:
            if self._before is None or self.wakes_by != "frame":
                raise
        self.forget()
        return await self._tongue.fast()

    def _refuse_impossible(self, reading: PackReading) -> None:
        wrong = impossible(reading)
        if wrong:
            raise DeviceFault(
                f"it says what cannot be: {'; '.join(wrong)}",
                where=self._talk.where,
                remedy="Read it again. If it says so again, the pack or its data wire is ill.",
            )

    def _watch_sign(self, reading: PackReading) -> None:
        """Counts up while current and state disagree, to nothing once they agree; at rest neither shows."""
        if reading.contradicts_itself:
            self._contradictions += 1
        elif reading.current_ma and reading.flow is not None:
            self._contradictions = 0


def no_switch(where: str, allowed: bool | None = None) -> Unsupported:
    """allowed: None: the protocol has no charge switch."""
    if allowed is None:
        return Unsupported("the protocol has no charge switch", where=where, remedy="Use the charger's relay.")
    return Unsupported(
        "its charge switch may not be used",
        where=where,
        remedy="Use the charger's relay, or set `charge_switch = true` in the options of its pack link.",
    )


def _words(on: bool | None) -> str:
    return {True: "on", False: "off", None: "unknown"}[on]
