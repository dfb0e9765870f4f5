"""How is one question put to the pack on a wire, with the patience that its protocol needs?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from drivers.errors import Garbled, Silent
from drivers.line import DevicePolicy, Line, LineDevice, Priority
from drivers.packs.config import PackLinkConfig
from protocols.fieldbus.expect import Expect

R = TypeVar("R")
T = TypeVar("T")


class PackTalk:
    """The wire of one slot, as an asker. `device` is detached with it.

    There is no back-off: an empty slot is silent for hours, and must answer as soon as its door has closed on a pack.
    """

    def __init__(self, config: PackLinkConfig, line: Line, name: str) -> None:
        wire = config.wire
        timeout_s = wire.timeout_s if config.timeout_ms is None else config.timeout_ms / 1000
        self._tries = wire.tries
        policy = DevicePolicy(
            timeout_s=timeout_s,
            retries=0,
            late_s=min(wire.late_s, timeout_s),
            request_gap_s=wire.gap_s,
            offline_after_fails=wire.tries,
            offline_after_s=0.0,
            back_off=False,
        )
        self.device: LineDevice = line.attach(name, policy)
        self.device.on_silence = self._note_silence
        self._silences = 0  # not judged yet
        self.line = line
        self.where = self.device.where

    async def ask(
        self, frame: bytes, expect: Expect[R], *, tries: int | None = None, priority: Priority = Priority.POLL
    ) -> R:
        """The answer. tries: instead of the protocol's. Raises Silent, Garbled or LineDown.

        It asks again itself, because a line does not for a device that is offline, as every pack is that sleeps.
        """
        left = self._tries if tries is None else tries
        while True:
            left -= 1
            try:
                return await self.device.exchange(frame, expect, priority=priority, retries=0)
            except (Silent, Garbled):
                if left <= 0:
                    raise

    async def nudge(self, frame: bytes, expect: Expect[object]) -> None:
        """Ask once, for the sake of asking. Raises LineDown alone."""
        try:
            await self.ask(frame, expect, tries=1)
        except (Silent, Garbled):
            pass  # it was asleep, or nobody is there

    def judge(self, *, expected: bool) -> None:
        """As `link.PackLink.judge`."""
        silences, self._silences = self._silences, 0
        if silences:
            self.device.count("quiet" if expected else "timeouts", silences)

    def _note_silence(self) -> None:
        self._silences += 1

    def garbled(self, what: str, data: bytes) -> Garbled:
        """A sound frame whose content is of another form than is known."""
        shown = data.hex(" ") if len(data) <= 40 else f"{data[:40].hex(' ')} ... ({len(data)} bytes)"
        return Garbled(f"{what}: {shown or 'nothing'} is no answer to that", where=self.where)


class Spared:
    """Which questions the pack on the wire does not answer, so that they are put to it only once.

    Many packs are silent to what they do not know; so after a silence the pack is asked something that it does know.
    """

    def __init__(self, alive: Callable[[], Awaitable[object]]) -> None:
        """alive: asks what every pack answers. Raises when it does not."""
        self._alive = alive
        self._unknown: set[int] = set()

    def forget(self) -> None:
        """Another pack may be here."""
        self._unknown.clear()

    async def ask(self, key: int, question: Callable[[], Awaitable[T]]) -> T | None:
        """The answer; None: this pack has none. Raises DeviceError when the pack itself is silent."""
        if key in self._unknown:
            return None
        try:
            return await question()
        except Silent:
            await self._alive()
            self._unknown.add(key)
            return None
