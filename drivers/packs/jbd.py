"""How is a JBD (Xiaoxiang) pack read? One register says all that changes; its code stands in another.

A sleeping board may swallow the first question, so every question is put twice. (facts: cabinets 1.3.)
"""

from __future__ import annotations

from functools import partial
from typing import Final

from drivers.errors import DeviceFault, Transient, Unsupported
from drivers.line import Priority
from drivers.packs.bms import no_switch
from drivers.packs.options import JbdOptions
from drivers.packs.talk import PackTalk, Spared
from protocols.fieldbus.jbd import Reply, Status, expect, read_frame, write_frame
from protocols.fieldbus.jbd_app import Register, mos_off, reading_of
from protocols.fieldbus.pack import PackReading

NAMES: Final = (Register.BARCODE, Register.SERIAL)
"""Where the code may stand: the barcode, else the serial number."""


class JbdTongue:
    """A `bms.Tongue`."""

    sign_remedy = "A JBD board says no state; this cannot be."

    def __init__(self, talk: PackTalk, options: JbdOptions) -> None:
        self._talk = talk
        self._options = options
        self._spared = Spared(partial(self._ask, Register.BASIC))

    async def fast(self) -> PackReading:
        basic = await self._read(Register.BASIC)
        cells = await self._spared.ask(Register.CELLS, self._cells) if self._options.cells else None
        return basic if cells is None else cells.over(basic)

    async def slow(self) -> PackReading:
        found = PackReading()
        for register in NAMES:
            said = await self._optional(register)
            if said.serial is not None:
                found = said
                break
        return (await self._optional(Register.HARDWARE)).over(found)

    async def wake(self) -> None:
        await self._talk.nudge(read_frame(Register.BASIC), expect(Register.BASIC))

    async def switch_charge(self, on: bool) -> None:
        if not self._options.charge_switch:
            raise no_switch(self._talk.where, allowed=False)
        basic = await self._read(Register.BASIC)
        if basic.charge_on is on:
            return
        frame = write_frame(Register.MOS, mos_off(charge=not on, discharge=basic.discharge_on is False))
        reply = await self._talk.ask(frame, expect(Register.MOS, frame), tries=1, priority=Priority.COMMAND)
        self._refuse(Register.MOS, reply)

    def forget(self) -> None:
        self._spared.forget()

    async def _cells(self) -> PackReading:
        return await self._read(Register.CELLS)

    async def _optional(self, register: Register) -> PackReading:
        """Empty: it has no such register, or nothing in it."""
        reply = await self._spared.ask(register, partial(self._ask, register))
        if reply is None or reply.status != Status.OK:
            return PackReading()
        return reading_of(register, reply.data) or PackReading()

    async def _read(self, register: Register) -> PackReading:
        reply = await self._ask(register)
        self._refuse(register, reply)
        reading = reading_of(register, reply.data)
        if reading is None:
            raise self._talk.garbled(f"register {register:02X}", reply.data)
        return reading

    async def _ask(self, register: Register) -> Reply:
        frame = read_frame(register)
        return await self._talk.ask(frame, expect(register, frame))

    def _refuse(self, register: Register, reply: Reply) -> None:
        if reply.status == Status.OK:
            return
        what = f"register {register:02X} is refused with status {reply.status:02X}"
        match reply.status:
            case Status.WRONG_SUM:
                raise Transient(what, where=self._talk.where)
            case Status.NO_SUCH_REGISTER | Status.NOT_ALLOWED | Status.WRONG_PASSWORD:
                raise Unsupported(what, where=self._talk.where)
            case _:
                raise DeviceFault(what, where=self._talk.where)
