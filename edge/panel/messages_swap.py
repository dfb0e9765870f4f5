"""What the panel says of cabinets, swap sessions and packs. Charge in permille, voltages in mV, money in fen."""

from __future__ import annotations

import msgspec


class SwapView(msgspec.Struct, frozen=True):
    """A swap session that is open. step, slot: its newest one; fault, said: why it was necessary. holds: in words."""

    id: str
    seq: int
    cabinet: str
    kind: str
    account: str
    offer: str
    step: str
    slot: int
    fault: str
    said: str
    holds: str
    since_s: int | None


class SlotView(msgspec.Struct, frozen=True):
    """A slot. door: `open`, `shut` or `unknown`. holds: `pack`, `empty` or `unsure`, by all its witnesses; code and the
    rest: of the pack that was last read there. state: `on`, or as `records_pack.SlotSet`; why: the case, or words.
    """

    cabinet: str
    slot: int
    door: str
    holds: str
    present: bool | None
    code: str
    soc_permille: int | None
    voltage_mv: int | None
    state: str
    why: str
    charging: bool | None
    may_charge: bool


class CabinetView(msgspec.Struct, frozen=True):
    """A cabinet. errors: what a technician should know."""

    id: str
    link: str
    hazards: list[str]
    mains: bool | None
    slots: list[SlotView]
    swap: SwapView | None
    errors: list[str]


class PackView(msgspec.Struct, frozen=True):
    """Where a pack is, by this site's log: in a `slot`, with a `rider` or `staff`, or `unknown`."""

    code: str
    where: str
    cabinet: str
    slot: int
    account: str
    record: int
