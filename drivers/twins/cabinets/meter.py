"""A simulated DL/T 645-2007 meter: of a whole cabinet, or of what one slot's charger draws."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from drivers.twins.cabinets.cabinet import Cabinet
from drivers.twins.cabinets.pack import MJ_PER_WH
from drivers.twins.cabinets.party import Hung
from drivers.twins.cabinets.shop import Shop
from protocols.fieldbus.dlt645 import Fault, Function, MeterEar, Request, answer_frame, read_answer, refusal_frame
from protocols.fieldbus.dlt645_frames import encode_address
from protocols.fieldbus.dlt645_items import (
    ADDRESS,
    CURRENT_A,
    ENERGY,
    FORWARD_BLOCK,
    FORWARD_TOTAL,
    FREQUENCY_NOW,
    POWER_TOTAL,
    REVERSE_TOTAL,
    VOLTAGE_A,
    item_of,
)

MAINS_MV: Final = 230_000
MAINS_CHZ: Final = 5_000
_WRAPS_DWH: Final = 100_000_000 * 100  # eight digits of 0.01 kWh
_TARIFFS: Final = 4


class DltMeter(Hung):
    """It has no power when the mains are lost, as a meter in a cabinet is fed by what it measures.

    slot: None: the whole cabinet. Energy is shown in whole steps of 10 Wh, and wraps.
    """

    def __init__(self, shop: Shop, cabinet: Cabinet, name: str, address: str, slot: int | None) -> None:
        """address: twelve digits. Raises ValueError for any other."""
        super().__init__(shop, cabinet, name)
        self.address = address
        self._slot = None if slot is None else cabinet.slots[slot]
        self._ear = MeterEar(address)

    @property
    def live(self) -> bool:
        return self.cabinet.mains

    @property
    def power_w(self) -> int:
        return self.cabinet.power_w if self._slot is None else self._slot.power_w

    @property
    def energy_mj(self) -> int:
        return self.cabinet.account.metered_mj if self._slot is None else self._slot.drawn_mj

    def silence(self) -> None:
        self._ear.silence()

    def answers(self, data: bytes) -> Iterator[bytes]:
        self._ear.receive_data(data)
        while isinstance(request := self._ear.next_event(), Request):
            yield b"" if not request.wants_answer or self.mute() else self._answer(request)

    def _answer(self, request: Request) -> bytes:
        if request.function == Function.READ_ADDRESS:
            return answer_frame(self.address, Function.READ_ADDRESS, encode_address(self.address))
        value = self._value(request.identifier) if request.function == Function.READ else None
        if value is None or request.identifier is None:
            fault = Fault.NO_SUCH_DATA if request.function == Function.READ else Fault.OTHER
            return refusal_frame(self.address, request.function, fault)
        return read_answer(self.address, request.identifier, value)

    def _value(self, identifier: int | None) -> bytes | None:
        """None: it has no such item."""
        shown_dwh = self.energy_mj * 10 // MJ_PER_WH // ENERGY.step * ENERGY.step % _WRAPS_DWH
        numbers = {
            FORWARD_TOTAL: shown_dwh,
            REVERSE_TOTAL: 0,
            POWER_TOTAL: 10 * self.power_w,
            VOLTAGE_A: MAINS_MV,
            FREQUENCY_NOW: MAINS_CHZ,
            CURRENT_A: self.power_w * 1_000_000 // MAINS_MV,
        }
        if identifier == ADDRESS:
            return encode_address(self.address)
        if identifier == FORWARD_BLOCK:
            return ENERGY.encode(shown_dwh) + ENERGY.encode(0) * (_TARIFFS - 1) + ENERGY.encode(shown_dwh)
        item = None if identifier not in numbers else item_of(identifier)
        return None if item is None or identifier is None else item.encode(numbers[identifier])
