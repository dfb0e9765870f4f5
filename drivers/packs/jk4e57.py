"""How is a JK pack read on its GPS port? One question gives everything, the swap code included.

A sleeping pack wants to be activated before it is asked; so one that is silent is, and asked again.
(facts: cabinets 1.5.)
"""

from __future__ import annotations

from typing import Final

from drivers.errors import Garbled, Silent
from drivers.line import Priority
from drivers.packs.bms import no_switch
from drivers.packs.options import Jk4e57Options
from drivers.packs.talk import PackTalk
from protocols.fieldbus.jk4e57 import Command, Question, expect, request_frame
from protocols.fieldbus.jk4e57_app import Item, reading_of
from protocols.fieldbus.pack import PackReading

ALL: Final = Question(Command.READ_ALL)
ACTIVATE: Final = Question(Command.ACTIVATE)


class Jk4e57Tongue:
    """A `bms.Tongue`."""

    sign_remedy = "A JK pack says no state; this cannot be."

    def __init__(self, talk: PackTalk, options: Jk4e57Options) -> None:
        self._talk = talk
        self._options = options
        self._answers = False

    async def fast(self) -> PackReading:
        if self._answers:
            return await self._all()
        try:
            return await self._all(tries=1)
        except (Silent, Garbled):
            await self.wake()
        return await self._all(tries=1)

    async def slow(self) -> PackReading:
        return PackReading()

    async def wake(self) -> None:
        await self._talk.nudge(request_frame(ACTIVATE), expect(ACTIVATE))

    async def switch_charge(self, on: bool) -> None:
        if not self._options.charge_switch:
            raise no_switch(self._talk.where, allowed=False)
        question = Question(Command.WRITE, Item.CHARGE_SWITCH, bytes((on,)))
        await self._talk.ask(request_frame(question), expect(question), tries=1, priority=Priority.COMMAND)

    def forget(self) -> None:
        self._answers = False

    async def _all(self, *, tries: int | None = None) -> PackReading:
        body = await self._talk.ask(request_frame(ALL), expect(ALL), tries=tries)
        self._answers = True
        reading = reading_of(body)
        if reading.voltage_mv is None:
            raise self._talk.garbled("everything", body)
        return reading
