"""How is something got out of a DART pump? Set up, asked, polled for, asked again, and given up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from typing import Final

from drivers.errors import DeviceFault, Garbled, Misconfigured, Silent, Transient
from drivers.line import Line, Priority
from drivers.pumps.config import PumpConfig
from drivers.pumps.dart_options import DartOptions
from drivers.pumps.dart_picture import SELLING, Picture
from drivers.pumps.dart_talk import DartTalk
from protocols.fieldbus.dart_app import Ask, Command, FromController, State

FRESH_MS: Final = 1000  # a state polled so recently is good enough to act on: what comes of the act is looked at anyway
ACT_S: Final = 3.0  # a pump that has acknowledged does it, or says what it asked for, within this time
ASK_AGAIN_S: Final = 0.6  # what was asked for and has not come is asked for again
TRIES: Final = 3  # of a command acknowledged without effect
HURRIED: Final = 4  # polls before other devices' in an act; beyond, the wait is the pump's and the line is for all


class DartDialogue:
    """The talk with one pump and the picture that it makes, for whoever wants to know or to bring something about.

    at_ms: when it last answered anything. callers: who wait for something that they asked for.
    """

    def __init__(self, line: Line, config: PumpConfig, options: DartOptions, picture: Picture) -> None:
        self.talk = DartTalk(line, config.id, config.address, options, hear=picture.hear, on_answer=self._answered)
        self.at_ms: int | None = None
        self.callers = 0
        self._id = config.id
        self._options = options
        self._picture = picture
        self._restarts = 0  # of the pump, that we have set up after
        self._setting_up = asyncio.Lock()

    @property
    def where(self) -> str:
        return self.talk.device.where

    @property
    def reason(self) -> str:
        """The pump's state in its own word."""
        status = self._picture.status()
        return "unknown" if status is None else status.reason

    @asynccontextmanager
    async def at_it(self) -> AsyncIterator[None]:
        """While somebody waits for the pump, the polls in between are his own."""
        self.callers += 1
        try:
            await self.ready()
            yield
        finally:
            self.callers -= 1

    async def ready(self, priority: Priority = Priority.COMMAND) -> None:
        """Begin anew with a pump that is new, was away or has started again: its state first, and nothing assumed."""
        async with self._setting_up:
            returned = self.talk.device.on_return
            if not returned.is_set() and self._restarts == self.talk.master.restarts:
                return
            returned.clear()
            self._restarts = self.talk.master.restarts
            self.talk.restart()
            self._picture.forget()
            try:
                await self.ask_status(priority)
            except BaseException:
                returned.set()
                raise
            if self._options.ask_parameters:  # these two are good to know, and no reason to begin anew once more
                await self.talk.say(Command(Ask.PARAMETERS), priority=priority)
            if self._picture.state in (*SELLING, State.COMPLETED):
                await self.talk.say(Command(Ask.FILLING), priority=priority)

    async def ask_status(self, priority: Priority = Priority.COMMAND) -> None:
        """Ask for the status now. Raises DeviceError when it does not come."""
        told = self._picture.told
        question = Command(Ask.STATUS)
        if not await self.comes(question, lambda: self._picture.told > told, priority=priority, to_the_end=True):
            raise self.transient(f"it does not say its status within {ACT_S:g} s")

    async def know_status(self) -> None:
        """As `ask_status`, unless it has been polled a moment ago."""
        if self.at_ms is None or _now_ms() - self.at_ms > FRESH_MS:
            await self.ask_status()

    async def ask_for(self, what: str, question: FromController, come: Callable[[], bool]) -> None:
        """As `comes`; raises Transient when it does not."""
        if not await self.comes(question, come):
            raise self.transient(f"it does not say {what} within {ACT_S:g} s, in state {self.reason}")

    async def shows(self, states: Collection[int], told: int) -> bool:
        """Whether it tells one of `states` after it had told `told` of them, in good time."""
        return await self.comes(
            Command(Ask.STATUS),
            lambda: bool(self._picture.seen_since(told) & set(states)),
            asked=True,
            within_s=2 * ASK_AGAIN_S,
        )

    async def comes(
        self,
        question: FromController,
        come: Callable[[], bool],
        *,
        asked: bool = False,
        to_the_end: bool = False,
        within_s: float = ACT_S,
        priority: Priority = Priority.COMMAND,
    ) -> bool:
        """Ask, and poll until it has come; False when it does not.

        Asks again with a new number, as the pump may have taken the first for a repeat. asked: the first question is
        not needed yet, as the pump tells by itself what has changed. to_the_end: fetch all that it has to say then, as
        what comes first may be older than the question.
        """
        now = asyncio.get_running_loop().time
        give_up_at, ask_at = now() + within_s, now() + (ASK_AGAIN_S if asked else 0.0)
        polls = 0
        while not come():
            if now() >= give_up_at:
                return False
            if now() >= ask_at:
                await self.talk.say(question, priority=priority)
                ask_at = now() + ASK_AGAIN_S
            try:
                await self.talk.poll(priority if polls < HURRIED else Priority.POLL, None if to_the_end else come)
            except (Silent, Garbled):
                if self.talk.device.offline:
                    raise  # else a poll that was missed is no answer to what we wait for
            polls += 1
        return True

    def transient(self, what: str) -> Transient:
        return Transient(what, where=self.where, remedy=f"`fieldtill read {self._id}` shows what it says.")

    def misconfigured(self, what: str) -> Misconfigured:
        remedy = "Compare the prices, nozzles and decimals in the config with the pump; docs/dart.md says how."
        return Misconfigured(what, where=self.where, remedy=remedy)

    def fault(self, what: str) -> DeviceFault:
        return DeviceFault(
            f"it acknowledges {what} again and again, and stays in state {self.reason}",
            where=self.where,
            remedy="Look at the pump: it may be in local mode, or wait for a key.",
        )

    def _answered(self) -> None:
        self.at_ms = _now_ms()


def _now_ms() -> int:
    return int(time.monotonic() * 1000)
