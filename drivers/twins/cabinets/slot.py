"""What a slot is: a door with a spring, a lock that holds it, a presence switch, a charger behind a relay, and a pack.

Sensors say what they see (`door_contact`, ...), which a stuck one gets wrong; the attributes say what is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from drivers.twins.cabinets.faults import CabinetFaultKind, CabinetFaults
from drivers.twins.cabinets.ledger import Cause
from drivers.twins.cabinets.pack import Pack, Thing

HOLD: Final = 1 << 60  # a lock that is kept energised
BOUNCE_MS: Final = 60  # a door's contact is unquiet for so long after it moved
_BOUNCE_TURN_MS: Final = 15

_K = CabinetFaultKind


@dataclass(frozen=True, slots=True)
class ChargerMake:
    """How a charger is built. curve: pairs of (charge, greatest power), both in permille, linear between them: a gentle
    start, constant current, a tail at constant voltage. yield_permille: of the mains' power that reaches the pack."""

    power_w_max: int = 600
    yield_permille: int = 920
    curve: tuple[tuple[int, int], ...] = ((0, 200), (50, 1_000), (850, 1_000), (1_000, 60))


@dataclass(frozen=True, slots=True)
class SlotMake:
    """How a slot is built.

    spring: the door springs open when its lock lets go; else it must be pulled before the pulse is over. pulse_ms: how
    long a lock is energised by a board that has a time of its own.
    """

    spring: bool = True
    pulse_ms: int = 500
    charger: ChargerMake | None = field(default_factory=ChargerMake)


DoorListener = Callable[["Slot", bool, Cause, str], None]


class Slot:
    """One bay. What comes from boards (`energise`, `switch`) goes through faults; what hands do always works."""

    def __init__(self, number: int, make: SlotMake, faults: CabinetFaults, on_door: DoorListener) -> None:
        self.number = number
        self.make = make
        self.door_open = False
        self.latched = True
        self.thing: Thing | None = None
        self.relay_told = False
        self.power_w = 0  # from the mains, now
        self.drawn_mj = 0  # from the mains, since the beginning
        self.now_ms = 0
        self.pulled_by: str | None = None  # a hand that pulls at the door
        self._faults = faults
        self._on_door = on_door
        self._energised_until_ms = -1
        self._moved_ms = -BOUNCE_MS

    # What is seen, by sensors.

    @property
    def pack(self) -> Pack | None:
        return self.thing if isinstance(self.thing, Pack) else None

    @property
    def energised(self) -> bool:
        return self.now_ms < self._energised_until_ms

    @property
    def seen_open(self) -> bool:
        """By the door's sensor."""
        if self._fault(_K.DOOR_SEEN_OPEN):
            return True
        if self._fault(_K.DOOR_SEEN_SHUT):
            return False
        if (fault := self._faults.on(_K.DOOR_FLICKERS, self.number)) is not None:
            return bool(self.now_ms // max(1, fault.amount_or_usual) % 2)
        since_ms = self.now_ms - self._moved_ms
        bounced = since_ms < BOUNCE_MS and since_ms // _BOUNCE_TURN_MS % 2 == 1
        return self.door_open != bounced

    @property
    def seen_locked(self) -> bool:
        """By the lock's feedback contact."""
        if self._fault(_K.LOCK_SEEN_OPEN):
            return False
        return self.latched or self._fault(_K.LOCK_SEEN_SHUT)

    @property
    def seen_there(self) -> bool:
        """By the presence switch."""
        if self._fault(_K.SEEN_THERE):
            return True
        return self.thing is not None and not self._fault(_K.SEEN_GONE)

    @property
    def relay_on(self) -> bool:
        """The charger's relay, as it is."""
        if self._fault(_K.RELAY_STUCK_ON):
            return True
        return self.relay_told and not self._fault(_K.RELAY_STUCK_OFF)

    @property
    def charger_ill(self) -> bool:
        return self._fault(_K.CHARGER_ILL)

    # What boards do.

    def energise(self, ms: int) -> None:
        """The lock's coil; `HOLD`: until `release`."""
        self._energised_until_ms = max(self._energised_until_ms, self.now_ms + ms)
        self._unlatch()

    def release(self) -> None:
        """The coil is let go."""
        self._energised_until_ms = self.now_ms
        self._settle()

    def switch(self, on: bool) -> None:
        """The charger's relay."""
        self.relay_told = on

    # What hands do.

    def open(self, cause: Cause, by: str) -> None:
        """The door opens, whatever its lock says. Nothing when it is open."""
        if not self.door_open:
            self.latched = False
            self._move(True, cause, by)

    def shut(self, by: str) -> bool:
        """Push the door shut; whether it stays. Pulled nowhere any more."""
        self.pulled_by = None
        if self.door_open:
            self._move(False, Cause.HAND, by)
        if self.energised or self._faults.take(_K.NO_LATCH, self.number):
            self._move(True, Cause.SPRUNG, by)
            return False
        self.latched = True
        return True

    def pull(self, by: str) -> None:
        """Hold on to the door: it opens as soon as its lock lets go."""
        self.pulled_by = by
        if not self.latched and not self.door_open:
            self._move(True, Cause.PULSE, by)

    def let_go(self) -> None:
        self.pulled_by = None

    # What time does.

    def advance(self, ms: int) -> None:
        self.now_ms += ms
        self._settle()

    def charge(self, ms: int, *, mains: bool) -> tuple[int, int]:
        """Let the charger work for so long: (energy from the mains, energy kept by the pack), in mJ."""
        pack, charger = self.pack, self.make.charger
        live = mains and self.relay_on and charger is not None and not self.charger_ill
        if pack is not None:
            pack.charger_voltage = live and not self._fault(_K.NO_CURRENT)
        if pack is None or charger is None or not live or not pack.accepts_charge or self._fault(_K.NO_CURRENT):
            self.power_w = 0
            if pack is not None:
                pack.flow_w = 0
            return 0, 0
        greedy = self._faults.on(_K.GREEDY, self.number)
        share = _share(charger.curve, pack.soc_permille)
        wanted_w = charger.power_w_max * share * (1_000 if greedy is None else greedy.amount_or_usual) // 1_000_000
        self.power_w = max(1, wanted_w)
        pack.flow_w = self.power_w * charger.yield_permille // 1_000
        drawn_mj = self.power_w * ms
        given_mj = drawn_mj * charger.yield_permille // 1_000
        if given_mj > pack.room_mj:  # full within this step: the rest of it draws nothing
            drawn_mj = -(-pack.room_mj * 1_000 // charger.yield_permille)
            given_mj = pack.room_mj
        self.drawn_mj += drawn_mj
        return drawn_mj, pack.charge(given_mj)

    @property
    def still(self) -> bool:
        """Nothing moves by itself here for now; energy apart."""
        unquiet = self.now_ms - self._moved_ms < BOUNCE_MS
        return not (self.energised or unquiet or self._faults.on(_K.DOOR_FLICKERS, self.number))

    def _unlatch(self) -> None:
        if self.door_open or self._faults.take(_K.DOOR_STUCK, self.number):
            return
        self.latched = False
        if self.make.spring or self.pulled_by is not None:
            self._move(True, Cause.PULSE, self.pulled_by or "")

    def _settle(self) -> None:
        """A door that nobody pulled is held again once the coil lets go."""
        if not self.door_open and not self.energised:
            self.latched = True

    def _move(self, is_open: bool, cause: Cause, by: str) -> None:
        self.door_open, self._moved_ms = is_open, self.now_ms
        self._on_door(self, is_open, cause, by)

    def _fault(self, kind: CabinetFaultKind) -> bool:
        return self._faults.on(kind, self.number) is not None


def _share(curve: tuple[tuple[int, int], ...], soc_permille: int) -> int:
    """Permille of the greatest power at this charge."""
    for (x0, y0), (x1, y1) in pairwise(curve):
        if soc_permille <= x1:
            return y0 + (y1 - y0) * (soc_permille - x0) // (x1 - x0)
    return curve[-1][1]
