"""The cabinet kind: slots with a lock, a door, a pack and a charger each, as the daemon knows them.

A cabinet is put together from boards on lines (`drivers/cabinets`). Whatever they are, the promises are the same:

* A lock that has acknowledged has not opened: the door sensor says whether it did.
* A slot says what each of its witnesses says, apart: presence switch, pack link, voltage. Who believes which is the
  till's rule (`edge/till/swap/slots.py`), since a wrong "empty" gives a pack away and a wrong "full" loses one.
* Everything but `sight` asks the hardware, and may be repeated without harm. Nothing opens twice for one `open`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, runtime_checkable

from drivers.api import Device
from protocols.fieldbus.pack import PackReading


class Hazard(Enum):
    """What stops all charging in a cabinet at once."""

    SMOKE = "smoke"
    FIRE = "fire"
    WATER = "water"
    HEAT = "heat"
    EMERGENCY_STOP = "emergency stop"


class PackWord(Enum):
    """What came of asking the pack in a slot. Silence says something only where somebody could have answered."""

    UNASKED = "not asked yet"
    SAID = "it said"
    SILENT = "asked, and no answer, on a line that is there"
    NOISE = "something answered, and is not to be understood"
    VACANT = "the slot's own board says that nothing is in it"
    DEAD = "not to be asked: its line, its relay or its board does not answer"


@dataclass(frozen=True, slots=True)
class SlotTraits:
    """What a slot is made of. False: it has no such witness, which then says None for ever.

    feedback: of the lock itself, apart from the door. charge_power_w_max: the most its charger draws. pack_line: the
    line of its pack link, which several slots may share; empty: nobody knows.
    """

    door: bool
    feedback: bool
    presence: bool
    pack_link: bool
    charger: bool
    charge_power_w_max: int
    pack_line: str = ""


@dataclass(frozen=True, slots=True)
class SlotSight:
    """What the witnesses of a slot say. None: it has none, or it does not answer.

    door_open: by its sensor, as wired in config. locked: by the lock's feedback contact. present: by the presence
    switch. pack: by its link; None: `pack_word` says why. pack_at_ms: when that answered, monotonic; kept over a
    silence, so that its age can be asked. pack_asked_ms: when it was last asked, whatever came of it. pack_faults:
    sound answers that were out of range or failed their sum, in a row. relay_on: the charger's relay as read back.
    charge_ma, charge_power_w: by the charger's or the slot's meter. faults: of charger and boards, in their own words.
    at_ms: when door, lock and presence were read.
    """

    door_open: bool | None = None
    locked: bool | None = None
    present: bool | None = None
    pack: PackReading | None = None
    pack_at_ms: int | None = None
    pack_word: PackWord = PackWord.UNASKED
    pack_asked_ms: int | None = None
    pack_faults: int = 0
    relay_on: bool | None = None
    charge_ma: int | None = None
    charge_power_w: int | None = None
    faults: tuple[str, ...] = ()
    at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class CabinetSight:
    """The whole cabinet as last polled.

    mains: None: not wired. inner_dc: temperature inside, tenths of a degree. silent: boards that do not answer.
    """

    slots: Mapping[int, SlotSight]
    hazards: frozenset[Hazard] = frozenset()
    mains: bool | None = None
    inner_dc: int | None = None
    silent: tuple[str, ...] = ()
    aux: Mapping[str, bool] = field(default_factory=dict)  # other inputs, by their names in config


@runtime_checkable
class Cabinet(Device, Protocol):
    """Keeps packs, gives them out and charges them. What asks raises DeviceError, as everywhere."""

    @property
    def slots(self) -> Mapping[int, SlotTraits]:
        """By number, as customers read them, rising from 1."""
        ...

    def sight(self) -> CabinetSight:
        """As last polled. No I/O."""
        ...

    async def read_slot(self, slot: int) -> SlotSight:
        """All witnesses of the slot, asked now, ahead of polls. What does not answer is None in it; raises nothing for
        that."""
        ...

    async def open(self, slot: int) -> None:
        """One pulse of the lock, timed by the board where it can. Raises DeviceError when the board did not take it; a
        time-out leaves it open whether it did."""
        ...

    async def charge(self, slot: int, on: bool) -> None:
        """Switch the charger's relay; returns when it reads back so."""
        ...

    async def wake(self, slot: int) -> None:
        """Do what wakes a sleeping pack of its kind: an activating frame, a pulse of the charger. Then read it."""
        ...

    async def signal(self, name: str, on: bool) -> None:
        """An output of the cabinet that config names: `fan`, `siren`, `heater`, `lamp`. Raises Unsupported for any that
        is not there."""
        ...
