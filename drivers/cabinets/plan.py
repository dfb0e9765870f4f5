"""Which channel does what in a cabinet, slot by slot? Runs of a config laid out, names filled in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from drivers.boards.config import Feedback
from drivers.cabinets.config import BY_LOCK, CabinetConfig, PackConfig, SlotConfig
from drivers.cabinets.refs import Ref, filled, parse
from drivers.packs.config import PackLinkConfig


@dataclass(frozen=True, slots=True)
class PackPlan:
    """As PackConfig. mux: None: the line is this slot's own."""

    link: PackLinkConfig
    mux: Ref | None
    settle_s: float


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
        pack=None if slot.pack is None else _pack(slot.pack, number, ref(slot.pack.mux)),
    )


def _pack(pack: PackConfig, slot: int, mux: Ref | None) -> PackPlan:
    own = {name: getattr(pack, name) for name in PackLinkConfig.__struct_fields__}
    return PackPlan(PackLinkConfig(**own | {"line": filled(pack.line, slot)}), mux, pack.settle_ms / 1000)
