"""A cabinet in memory, for tests of whoever looks at one and switches its relays."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace

from drivers.api import Link, LinkState, Point
from drivers.cabinet import CabinetSight, Hazard, SlotSight, SlotTraits
from drivers.errors import Silent, Unsupported
from protocols.fieldbus.pack import PackReading

TRAITS = SlotTraits(door=True, feedback=True, presence=True, pack_link=True, charger=True, charge_power_w_max=600)
PACK = PackReading(
    serial="BT106002512NNTB211118182", soc_permille=400, temps_dc=(250, 261), protections=frozenset(), charge_on=True
)


class Rack:
    """Shut slots with good packs. `asked` holds what was told, in order."""

    profile_id = "rack"

    def __init__(self, *charges_permille: int, name: str = "cab-1") -> None:
        self.id = name
        self.asked: list[tuple[int, bool]] = []
        self.hazards: frozenset[Hazard] = frozenset()
        self.inner_dc: int | None = 250
        self.deaf: set[int] = set()
        self.silent: tuple[str, ...] = ()
        self.outputs: dict[str, bool] = {"fan": False, "siren": False}
        self._slots = {
            number: SlotSight(
                door_open=False,
                locked=True,
                present=True,
                pack=replace(PACK, soc_permille=charge),
                relay_on=False,
            )
            for number, charge in enumerate(charges_permille, start=1)
        }

    def change(self, slot: int, **changes: object) -> None:
        self._slots[slot] = replace(self._slots[slot], **changes)  # type: ignore[arg-type]  # by name

    def change_pack(self, slot: int, **changes: object) -> None:
        pack = self._slots[slot].pack
        assert pack is not None
        self.change(slot, pack=replace(pack, **changes))  # type: ignore[arg-type]  # by name

    @property
    def on(self) -> set[int]:
        return {slot for slot, seen in self._slots.items() if seen.relay_on}

    # --- the kind ----------------------------------------------------------------------------------------------------

    @property
    def slots(self) -> Mapping[int, SlotTraits]:
        return dict.fromkeys(self._slots, TRAITS)

    def sight(self) -> CabinetSight:
        now_ms = time.monotonic_ns() // 1_000_000
        slots = {slot: replace(seen, at_ms=now_ms, pack_at_ms=now_ms) for slot, seen in self._slots.items()}
        return CabinetSight(slots, self.hazards, True, self.inner_dc, self.silent)

    async def read_slot(self, slot: int) -> SlotSight:
        await asyncio.sleep(0)
        return self.sight().slots[slot]

    async def open(self, slot: int) -> None:
        self.change(slot, door_open=True)

    async def charge(self, slot: int, on: bool) -> None:
        await asyncio.sleep(0)
        self.asked.append((slot, on))
        if slot in self.deaf:
            raise Silent("no answer", where=f"{self.id} slot {slot}")
        self.change(slot, relay_on=on)

    async def wake(self, slot: int) -> None:
        return

    async def signal(self, name: str, on: bool) -> None:
        if name not in self.outputs:
            raise Unsupported(f"no {name}", where=self.id)
        self.outputs[name] = on

    def link(self) -> Link:
        return Link(LinkState.ONLINE, 0, None, None)

    def points(self) -> list[Point]:
        return []

    async def run(self) -> None:
        await asyncio.Event().wait()
