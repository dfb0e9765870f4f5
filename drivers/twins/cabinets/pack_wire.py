"""The data wire of a slot, seen from the packs: who is there, is it connected, is it awake, does it tell the truth?"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Final

from drivers.packs.config import ADDRESSED, PackLinkConfig
from drivers.twins.cabinets.cabinet import Cabinet
from drivers.twins.cabinets.faults import CabinetFaultKind, CabinetFaults
from drivers.twins.cabinets.pack import Pack, pack_code
from drivers.twins.cabinets.party import Hung
from drivers.twins.cabinets.shop import Shop
from drivers.twins.cabinets.tongues import TONGUES
from protocols.fieldbus.pack import PackReading

_K = CabinetFaultKind
BAD_CODE: Final = "BT-NO-SUCH-CODE"


class PackWire(Hung):
    """One slot's end of a pack line. shared: several slots have that line, each behind its relay.

    Packs of other protocols do not understand a word. A pack lives by itself: it answers a cabinet without mains too.
    siblings: all slots' ends of the line. Two packs that are connected at once speak at once, and nobody is understood.
    """

    def __init__(
        self, shop: Shop, cabinet: Cabinet, slot: int, config: PackLinkConfig, *, shared: bool = False
    ) -> None:
        assert config.protocol not in ADDRESSED, "its slot's board answers for it"
        super().__init__(shop, cabinet, slot)
        self.slot = cabinet.slots[slot]
        self.protocol = config.protocol
        self.shared = shared
        self.siblings: Sequence[PackWire] = (self,)
        self._tongue = TONGUES[config.protocol](config.pack_address, config.options)

    def silence(self) -> None:
        self._tongue.silence()

    def answers(self, data: bytes) -> Iterator[bytes]:
        if not self.connected:
            self._tongue.silence()
            return
        for asked in self._tongue.questions(data):
            pack = self._listener
            if pack is None or self.mute() or not pack.hears(activates=asked.activates):
                yield b""
            else:
                yield asked.answer(pack, self.says(pack))

    def says(self, pack: Pack) -> PackReading:
        """What the pack here says of itself, faults included."""
        return told_by(pack, self.faults, self.slot.number)

    @property
    def connected(self) -> bool:
        """Its relay, where it has one, puts it on the line."""
        return not self.shared or self.slot.number in self.cabinet.mux

    @property
    def collides(self) -> bool:
        others = (other for other in self.siblings if other is not self)
        return any(other.connected and other.slot.pack is not None for other in others)

    @property
    def live(self) -> bool:
        return True

    @property
    def _listener(self) -> Pack | None:
        """Who understands what is said here."""
        pack = self.slot.pack
        if pack is None or pack.protocol != self.protocol or self.faults.on(_K.PACK_DEAD, self.slot.number) is not None:
            return None
        return pack


def told_by(pack: Pack, faults: CabinetFaults, slot: int) -> PackReading:
    """What a pack says of itself in a slot where things may go wrong."""
    says = pack.reading()
    if (fault := faults.on(_K.OTHER_CODE, slot)) is not None:
        says = dataclasses.replace(says, serial=pack_code(fault.amount_or_usual))
    if faults.on(_K.BAD_CODE, slot) is not None:
        says = dataclasses.replace(says, serial=BAD_CODE)
    if faults.on(_K.NO_CODE, slot) is not None:
        says = dataclasses.replace(says, serial="UNKNOWN")
    if faults.on(_K.PACK_NONSENSE, slot) is not None:
        says = dataclasses.replace(says, voltage_mv=655_350, soc_permille=2_550, cells_mv=(65_535,) * pack.cells)
    return says
