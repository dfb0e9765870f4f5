"""Which channel does what in a cabinet, slot by slot? Runs of a config laid out, names filled in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from drivers.boards.config import Feedback
from drivers.cabinets.config import BY_LOCK, CabinetConfig, SlotConfig
from drivers.cabinets.refs import Ref, filled, parse


@dataclass(frozen=True, slots=True)
class PackPlan:
    """As PackConfig. mux: None: the line is this slot's own."""

    protocol: str
    line: str
    address: int | None
    mux: Ref | None
    settle_s: float
    options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SlotPlan:
    """As SlotConfig, for one slot. door_by_lock: the lock's contact is its door sensor as well. path: where it stands
    in the config.
    """

    number: int
    path: str
    lock: Ref
    feedback: Feedback | None
    door_open: Ref | None
    door_by_lock: bool
    present: Ref | None
    charger: Ref | None
    charge_power_w_max: int
    meter: str | None
    pack: PackPlan | None


def slot_plans(cabinet: CabinetConfig) -> Iterator[SlotPlan]:
    """Every slot, in the config's order; numbers may come twice, which a check of the config tells."""
    for index, slot in enumerate(cabinet.slot):
        for nth, number in enumerate(slot.numbers):
            yield _slot(slot, f"slot[{index}]", number, nth)


def _slot(slot: SlotConfig, path: str, number: int, nth: int) -> SlotPlan:
    def ref(text: str | None) -> Ref | None:
        return None if text is None else parse(text, number, nth)

    pack = slot.pack
    return SlotPlan(
        number=number,
        path=path,
        lock=parse(slot.lock, number, nth),
        feedback=slot.feedback,
        door_open=None if slot.door_open == BY_LOCK else ref(slot.door_open),
        door_by_lock=slot.door_open == BY_LOCK,
        present=ref(slot.present),
        charger=ref(slot.charger),
        charge_power_w_max=slot.charge_power_w_max or 0,
        meter=None if slot.meter is None else filled(slot.meter, number),
        pack=None
        if pack is None
        else PackPlan(
            protocol=pack.protocol,
            line=filled(pack.line, number),
            address=pack.address,
            mux=ref(pack.mux),
            settle_s=pack.settle_ms / 1000,
            options=pack.options,
        ),
    )
