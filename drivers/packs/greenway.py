"""How is a Greenway (Surron) pack read? One field at a time; it is silent to a field that it does not have.

After three seconds of silence it misses the first questions, so each is tried four times. In deep sleep only charger
voltage wakes it. (facts: cabinets 1.4.)
"""

from __future__ import annotations

from functools import partial
from typing import Final

from drivers.packs.bms import no_switch
from drivers.packs.options import GreenwayOptions
from drivers.packs.talk import PackTalk, Spared
from protocols.fieldbus.greenway import expect, request_frame
from protocols.fieldbus.greenway_app import SIZES, Field, reading_of
from protocols.fieldbus.pack import PackReading

FAST: Final = (Field.CURRENT, Field.SOC, Field.TEMPERATURES, Field.STATUS)
SLOW: Final = (Field.SERIAL, Field.SOH, Field.CYCLES, Field.FULL, Field.DESIGN)


class GreenwayTongue:
    """A `bms.Tongue`."""

    sign_remedy = "No pack is known that does; note its maker and model."

    def __init__(self, talk: PackTalk, address: int, options: GreenwayOptions) -> None:
        self._talk = talk
        self._address = address
        self._fast = (*FAST, Field.CELLS) if options.cells else FAST
        self._spared = Spared(self._voltage)

    async def fast(self) -> PackReading:
        return await self._all(await self._voltage(), self._fast)

    async def slow(self) -> PackReading:
        return await self._all(PackReading(), SLOW)

    async def wake(self) -> None:
        size = SIZES[Field.VOLTAGE]
        await self._talk.nudge(
            request_frame(Field.VOLTAGE, size, self._address), expect(Field.VOLTAGE, size, self._address)
        )

    async def switch_charge(self, on: bool) -> None:
        raise no_switch(self._talk.where)

    def forget(self) -> None:
        self._spared.forget()

    async def _all(self, reading: PackReading, fields: tuple[Field, ...]) -> PackReading:
        for field in fields:
            found = await self._spared.ask(field, partial(self._read, field))
            if found is not None:
                reading = found.over(reading)
        return reading

    async def _voltage(self) -> PackReading:
        return await self._read(Field.VOLTAGE)

    async def _read(self, field: Field) -> PackReading:
        size = SIZES[field]
        data = await self._talk.ask(request_frame(field, size, self._address), expect(field, size, self._address))
        reading = reading_of(field, data)
        if reading is None:
            raise self._talk.garbled(f"field {field:02X}", data)
        return reading
