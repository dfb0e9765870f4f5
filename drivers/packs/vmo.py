"""How is a pack read whose slot board (VMO RBCS) hears it on CAN and mirrors it? One question, to the board.

The board answers always: its own silence says nothing of the pack. A slot that it calls empty is; a pack that it does
not hear is silent.
"""

from __future__ import annotations

from typing import Final

from drivers.errors import Silent
from drivers.packs.bms import no_switch
from drivers.packs.link import Unheard, Vacant
from drivers.packs.modbus_talk import ModbusTalk
from drivers.packs.talk import PackTalk
from protocols.fieldbus.modbus import ReadRegisters, Space
from protocols.fieldbus.pack import PackReading
from protocols.fieldbus.slot_vmo import FIRST, slot_of
from protocols.fieldbus.slot_vmo_pack import pack_of

ALL: Final = ReadRegisters(Space.HOLDING, 0, FIRST + 4)


class VmoTongue:
    """A `bms.Tongue`."""

    sign_remedy = "The board says no state; this cannot be."

    def __init__(self, talk: PackTalk, unit: int) -> None:
        self._talk = talk
        self._modbus = ModbusTalk(talk, unit)

    async def fast(self) -> PackReading:
        try:
            registers = await self._modbus.read(ALL, "slot and pack")
        except Silent as error:
            raise Unheard(f"the slot's board: {error.what}", where=self._talk.where) from error
        slot, pack = slot_of(registers[FIRST:]), pack_of(registers[:FIRST])
        if slot is None or pack is None:
            raise self._talk.garbled("slot and pack", b"".join(value.to_bytes(2, "big") for value in registers))
        if not slot.pack_here:
            raise Vacant("the board says that there is no pack", where=self._talk.where)
        if slot.bms_silent:
            remedy = "Is its CAN plug in, and does the pack sleep?"
            raise Silent("the board hears nothing of the pack", where=self._talk.where, remedy=remedy)
        return pack

    async def slow(self) -> PackReading:
        return PackReading()

    async def wake(self) -> None:
        return  # the board asks nothing of the pack: it only listens

    async def switch_charge(self, on: bool) -> None:
        raise no_switch(self._talk.where)

    def forget(self) -> None:
        return
