"""A gateway in a few lines, for riders to swap with: it believes every sensor and knows the usual way only."""

from __future__ import annotations

from drivers.twins.cabinets.cabinet import Cabinet
from drivers.twins.cabinets.shop import Shop, Tap
from drivers.twins.cabinets.slot import Slot

REOPENS = 1  # how often a door is opened again for somebody who shut it with the wrong thing, or none, behind it
WAITS_MS = 150_000


class Clerk:
    """Runs one swap at a time: an empty door, then the fullest pack's. said: how each ended."""

    def __init__(self, shop: Shop, cabinet: str, fleet: str = "FTIL") -> None:
        self.said: list[str] = []
        self._shop = shop
        self._cabinet: Cabinet = shop.cabinets[cabinet]
        self._fleet = fleet
        self._stage = ""
        self._slot: Slot | None = None
        self._since_ms = self._opened = 0
        shop.taps.append(self._tap)
        shop.reflexes.append(self._step)

    def _tap(self, tap: Tap) -> None:
        if self._stage or any(slot.seen_open for slot in self._cabinet.slots.values()):
            self.said.append("busy")
            return
        empty = next((slot for slot in self._cabinet.slots.values() if not slot.seen_there), None)
        if empty is None:
            self.said.append("no empty slot")
            return
        self._open("put", empty)

    def _step(self) -> None:
        slot = self._slot
        if slot is None:
            return
        waited_ms = self._shop.now_ms - self._since_ms
        if slot.seen_open or waited_ms < 2_000:  # debounced
            if waited_ms > WAITS_MS:
                self._end("left open")
            return
        if self._stage == "put" and self._welcome(slot):
            self._open("take", self._fullest(slot))
        elif self._stage == "take" and not slot.seen_there:
            self._end("swapped")
        elif self._opened <= REOPENS:
            self._open(self._stage, slot, again=True)
        else:
            self._end(f"not {self._stage}")

    def _welcome(self, slot: Slot) -> bool:
        return slot.pack is not None and slot.pack.hears() and f"{self._fleet}" in (slot.pack.reading().serial or "")

    def _fullest(self, but: Slot) -> Slot:
        return max(
            (slot for slot in self._cabinet.slots.values() if slot.pack is not None and slot is not but),
            key=lambda slot: slot.pack.soc_permille if slot.pack is not None else 0,
        )

    def _open(self, stage: str, slot: Slot, *, again: bool = False) -> None:
        self._stage, self._slot, self._since_ms = stage, slot, self._shop.now_ms
        self._opened = self._opened + 1 if again else 1
        self._cabinet.pulse(slot.number, via="clerk")

    def _end(self, how: str) -> None:
        self._stage, self._slot = "", None
        self.said.append(how)
