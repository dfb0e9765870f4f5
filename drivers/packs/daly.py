"""How is a Daly pack read on UART or RS-485? A frame for each question, eight bytes in each. (facts: cabinets 1.7.)"""

from __future__ import annotations

from functools import partial
from typing import Final

from drivers.line import Priority
from drivers.packs.bms import no_switch
from drivers.packs.options import DALY_ON, SIGNS, DalyOptions
from drivers.packs.talk import PackTalk, Spared
from protocols.fieldbus.daly import DalyExpect, request_frame
from protocols.fieldbus.daly_app import Command, Counts, frames_for, reading_of, switch_data
from protocols.fieldbus.pack import PackReading

FAST: Final = (Command.SWITCHES, Command.TEMP_EXTREMES, Command.CELL_EXTREMES, Command.ALARMS)
SLOW: Final = (Command.CODE, Command.RATED)


class DalyTongue:
    """A `bms.Tongue`. host: our own address, which names the pack: 40h and up."""

    sign_remedy = "Set `options.sign` of its pack link to the other of above-discharges and above-charges."

    def __init__(self, talk: PackTalk, host: int, options: DalyOptions) -> None:
        self._talk = talk
        self._host = host
        self._options = options
        self._filler = bytes((options.filler,)) * 8
        self._sign = SIGNS[options.sign]
        self._counts: Counts | None = None
        self._spared = Spared(partial(self._ask, Command.TOTAL))

    async def fast(self) -> PackReading:
        reading = await self._read(Command.TOTAL)
        for command in FAST:
            found = await self._spared.ask(command, partial(self._read, command))
            reading = reading if found is None else found.over(reading)
        if self._options.cells and self._counts is not None:
            found = await self._spared.ask(Command.CELLS, partial(self._read, Command.CELLS))
            reading = reading if found is None else found.over(reading)
        return reading

    async def slow(self) -> PackReading:
        reading = PackReading()
        data = await self._spared.ask(Command.COUNTS, partial(self._ask, Command.COUNTS))
        self._counts = None if data is None else Counts.decode(data)
        if self._counts is not None:
            reading = PackReading(cycles=self._counts.cycles)
        for command in SLOW:
            found = await self._spared.ask(command, partial(self._read, command))
            reading = reading if found is None else found.over(reading)
        return reading

    async def wake(self) -> None:
        await self._talk.nudge(*self._question(Command.TOTAL))

    async def switch_charge(self, on: bool) -> None:
        if not self._options.charge_switch:
            raise no_switch(self._talk.where, allowed=False)
        data = switch_data(on, DALY_ON[self._options.switch_on])
        frame = request_frame(Command.CHARGE_SWITCH, data, self._host)
        expect = DalyExpect(Command.CHARGE_SWITCH, 1, self._host, data)
        await self._talk.ask(frame, expect, tries=1, priority=Priority.COMMAND)

    def forget(self) -> None:
        self._counts = None
        self._spared.forget()

    async def _read(self, command: Command) -> PackReading:
        data = await self._ask(command)
        cells, sensors = (0, 0) if self._counts is None else (self._counts.cells, self._counts.sensors)
        reading = reading_of(command, data, cells=cells, sensors=sensors, sign=self._sign)
        if reading is None:
            raise self._talk.garbled(f"command {command:02X}", data)
        return reading

    async def _ask(self, command: Command) -> bytes:
        return await self._talk.ask(*self._question(command))

    def _question(self, command: Command) -> tuple[bytes, DalyExpect]:
        cells, sensors = (0, 0) if self._counts is None else (self._counts.cells, self._counts.sensors)
        frames = frames_for(command, cells, sensors)
        frame = request_frame(command, self._filler, self._host)
        return frame, DalyExpect(command, frames, self._host, self._filler)
