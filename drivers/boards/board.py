"""One board on a line: polled, read back, and with an age to everything it says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, Generic, NoReturn, TypeVar

from drivers.api import Link, Point, Quality, Reading
from drivers.boards.channels import Ask, Channels, Heard, Talk
from drivers.boards.config import BoardConfig, Feedback
from drivers.errors import DeviceError, DeviceFault, LineDown, Transient, Unsupported
from drivers.line import Priority
from drivers.polling import Poller

V = TypeVar("V", bool, int)

POLL_S: Final = 0.25
SLOW: Final = {"outputs": 4, "temps": 20}  # polls that matter less, in poll_s: what we switch is read back anyway
STALE_MS_MIN: Final = 2_000
STALE_POLLS: Final = 8
SHOWS_WITHIN_S: Final = 1.0
LOOK_AGAIN_S: Final = 0.05


class _Group(Generic[V]):
    """The channels of one kind, as last heard. What is older than `stale_ms` is no news any more."""

    def __init__(self, poll_s: float) -> None:
        """poll_s: how often they are read."""
        self.stale_ms = max(STALE_MS_MIN, int(STALE_POLLS * poll_s * 1000))
        self.values: Mapping[int, V] = {}
        self.at_ms: int | None = None
        self.took_ms: float | None = None
        self._watched: dict[int, list[Callable[[], None]]] = {}

    def watch(self, number: int, changed: Callable[[], None]) -> None:
        self._watched.setdefault(number, []).append(changed)

    def heard(self, values: Mapping[int, V] | None, at_ms: int, took_ms: float | None) -> None:
        if values is None:
            return
        before, self.values, self.at_ms, self.took_ms = self.values, values, at_ms, took_ms
        for number, hooks in self._watched.items():
            if values.get(number) != before.get(number):
                for changed in hooks:
                    changed()


class Board:
    """A `drivers.api.Device`. Nothing is sent until `run` or a method that asks; those raise DeviceError."""

    def __init__(self, config: BoardConfig, talk: Talk, feedback: Feedback | None = None) -> None:
        """feedback: the protocol's own word on it; config's goes before."""
        self.id = config.id
        self.profile_id = config.protocol
        self.feedback = config.feedback or feedback
        self._talk = talk
        self._poll_s = config.poll_s or POLL_S
        self._where = f"{config.protocol} {config.address}"
        self._error: DeviceError | None = None  # of the last poll
        self._acting = asyncio.Lock()
        self._refreshing = asyncio.Lock()
        self._refresh: asyncio.Future[None] | None = None  # one that has not begun yet
        self._locks: set[int] = set()
        self._contacts: _Group[bool] = _Group(self._poll_s)
        self._inputs: _Group[bool] = _Group(self._poll_s)
        self._outputs: _Group[bool] = _Group(self._poll_s * SLOW["outputs"])
        self._temps: _Group[int] = _Group(self._poll_s * SLOW["temps"])

    def wire_lock(self, lock: int) -> None:
        """Whoever puts it into a cabinet says which of its channels are locks."""
        self._locks.add(lock)

    def watch_input(self, number: int, changed: Callable[[], None]) -> None:
        """Have `changed` called whenever the input is heard to be another than before. It must not block."""
        self._inputs.watch(number, changed)

    def watch_contact(self, lock: int, changed: Callable[[], None]) -> None:
        """As `watch_input`, of a lock's feedback."""
        self._contacts.watch(lock, changed)

    # What is known. No I/O.

    @property
    def channels(self) -> Channels:
        return self._talk.channels

    def link(self) -> Link:
        link = self._talk.device.link()
        if link.error is None and self._error is not None:
            return replace(link, error=f"{self._error}. {self._error.remedy}")
        return link

    @property
    def silent(self) -> bool:
        """It does not answer, or its line is not there."""
        return self._talk.device.offline or isinstance(self._error, LineDown)

    @property
    def fault(self) -> str | None:
        """What it says is wrong, in words; silence is none."""
        return f"{self.id}: {self._error.what}" if isinstance(self._error, DeviceFault | Unsupported) else None

    def contact(self, lock: int) -> Reading[bool]:
        """The lock's feedback as the board sees it; `feedback` says what it means."""
        return self._reading(self._contacts, lock)

    def input(self, number: int) -> Reading[bool]:
        return self._reading(self._inputs, number)

    def output(self, number: int) -> Reading[bool]:
        """As read back."""
        return self._reading(self._outputs, number)

    def temp_dc(self, number: int) -> Reading[int]:
        """Tenths of a degree Celsius."""
        return self._reading(self._temps, number)

    def points(self) -> list[Point]:
        channels = self._talk.channels
        return [
            *(self._point(f"lock {n}", self.contact(n), self._contacts, _CONTACT) for n in channels.contacts),
            *(self._point(f"input {n}", self.input(n), self._inputs, _BIT) for n in channels.inputs),
            *(self._point(f"output {n}", self.output(n), self._outputs, _BIT) for n in channels.outputs),
            *(self._point(f"temperature {n}", self.temp_dc(n), self._temps, {}) for n in channels.temps),
        ]

    # What is asked.

    async def run(self) -> NoReturn:
        rounds = self._talk.rounds
        poller = Poller({name: self._poll_s * SLOW.get(name, 1) for name in rounds})
        while True:
            name = await poller.next()
            try:
                if self._talk.device.on_return.is_set():
                    await self._take_over()
                await self._ask(rounds[name], Priority.POLL)
                self._error = None
            except DeviceError as error:  # shown in the link; the next poll tries again
                self._error = error

    async def refresh(self) -> None:
        """Ask for everything it knows, ahead of polls. What answers is kept even where a question is refused; after one
        that is not answered at all no other is asked.

        Slots of a board are asked at once, so whoever asks before it has begun shares it: no answer is older than ours.
        """
        if self._refresh is None:
            self._refresh = asyncio.ensure_future(self._ask_all())
            self._refresh.add_done_callback(_retrieved)
        await asyncio.shield(self._refresh)

    async def open(self, lock: int) -> None:
        """One pulse, and then the contacts are read. A time-out leaves it open whether the board heard it."""
        self._must_have(lock, self._talk.channels.locks, "lock")
        async with self._acting:
            await self._talk.open(lock)
        if lock in self._talk.channels.contacts:
            try:
                await self.refresh()
            except DeviceError as error:  # the pulse was taken; the polls go on looking
                self._error = error

    async def switch(self, output: int, on: bool) -> None:
        """Returns when it reads back so, or, where outputs cannot be read, when the board has taken it."""
        self._must_have(output, self._talk.channels.outputs, "output")
        async with self._acting:
            await self._talk.switch(output, on)
            if self._talk.reads_back is None:
                return
            ask, loop = self._talk.rounds[self._talk.reads_back], asyncio.get_running_loop()
            until = loop.time() + SHOWS_WITHIN_S
            while (await self._ask(ask, Priority.COMMAND)).get(output) is not on:
                if loop.time() >= until:
                    raise DeviceFault(
                        f"output {output} was switched {_BIT[on]}, and does not read back so",
                        where=self._talk.device.where,
                        remedy="Look at the board's own relay; some switch off by themselves, without a pack or at an"
                        " emergency stop.",
                    )
                await asyncio.sleep(LOOK_AGAIN_S)

    # Below: how.

    async def _ask_all(self) -> None:
        async with self._refreshing:
            self._refresh = None
            failed: DeviceError | None = None
            for ask in self._talk.rounds.values():
                try:
                    await self._ask(ask, Priority.COMMAND)
                except Transient:
                    raise
                except DeviceError as error:
                    failed = failed or error
            if failed is not None:
                raise failed

    async def _take_over(self) -> None:
        """It is back, or new: what was set up in it may be gone."""
        on_return = self._talk.device.on_return
        on_return.clear()
        try:
            await self._talk.set_up(sorted(self._locks))
        except DeviceError:
            on_return.set()
            raise

    async def _ask(self, ask: Ask, priority: Priority) -> Mapping[int, bool]:
        """Gives the outputs that the answer tells."""
        heard: Heard = await ask(priority)
        at_ms, took_ms = now_ms(), self._talk.device.last_took_ms
        self._contacts.heard(heard.contacts, at_ms, took_ms)
        self._inputs.heard(heard.inputs, at_ms, took_ms)
        self._outputs.heard(heard.outputs, at_ms, took_ms)
        self._temps.heard(heard.temps, at_ms, took_ms)
        return heard.outputs or {}

    def _reading(self, group: _Group[V], number: int) -> Reading[V]:
        value = group.values.get(number)
        if value is None or group.at_ms is None:
            return Reading(None, Quality.NONE, group.at_ms)
        old = now_ms() - group.at_ms > group.stale_ms
        return Reading(value, Quality.STALE if old else Quality.GOOD, group.at_ms)

    def _point(self, name: str, reading: Reading[V], group: _Group[V], words: Mapping[V, str]) -> Point:
        value = reading.value
        text = "-" if value is None else words.get(value) or f"{value / 10:.1f} °C"
        return Point(name, text, reading.quality, reading.at_ms, group.took_ms, self._where)

    def _must_have(self, number: int, numbers: range, what: str) -> None:
        if number not in numbers:
            raise Unsupported(f"it has no {what} {number}", where=self._talk.device.where)


_BIT: Final[Mapping[bool, str]] = {True: "on", False: "off"}
_CONTACT: Final[Mapping[bool, str]] = {True: "contact set", False: "contact not set"}


def _retrieved(refresh: asyncio.Future[None]) -> None:
    """Whoever waited for it may have gone, and nobody else wants its error."""
    if not refresh.cancelled():
        refresh.exception()


def now_ms() -> int:
    """The box's monotonic clock."""
    return int(time.monotonic() * 1000)
