"""Bodies of the records of cabinets and packs. Their (kind, version) stand in `records.BODIES` beside all others.

A *swap session* is one of three: `swap` (a pack in, a pack out), `rent` (a pack out, kept for a term), `return` (a pack
in, none out). Its opening record is durable before any door moves, and so is a step before each further door.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from protocols.trade.codec import Wire
from protocols.trade.record_parts import Amount, BillLine, Hold, Name, Origin, Pin

DEPOSIT = "DEPOSIT"
"""The asset of deposits, in fen: paid in, granted and placed like money, and never spent. Used, it is held at
headquarters for the account until the pack is back."""
DEPOSIT_WAIVED = "DEPOSIT-WAIVED"
"""The asset of headquarters' word that an account needs no deposit: one unit for each pack rented at a time."""

Slot = Annotated[int, msgspec.Meta(ge=1, le=255)]
Permille = Annotated[int, msgspec.Meta(ge=0, le=1000)]
Text = Annotated[str, msgspec.Meta(max_length=64)]
SwapKind = Literal["swap", "rent", "return"]
SwapStep = Literal["open-empty", "reopen-empty", "accepted", "open-full", "given", "reopen-full", "give-back"]
SwapOutcome = Literal["swapped", "taken", "returned", "cancelled", "kept"]


class PackSeen(Wire, frozen=True):
    """A pack as a slot read it. None: it did not say.

    code: its battery code as read, upper case; empty: it told none. energy_wh: what is in it, by its own capacity.
    alarms: its protections and warnings, in `pack.Alarm`'s words, sorted.
    """

    code: Text
    soc_permille: Permille | None
    soh_permille: Permille | None
    cycles: Amount | None
    voltage_mv: Amount | None
    energy_wh: Amount | None
    hottest_dc: Annotated[int, msgspec.Meta(ge=-1000, le=2000)] | None
    alarms: list[Name]


class SwapOpened(Wire, frozen=True):
    """Rights set aside and the first door chosen, durable before it moves. Its seq is the session's id.

    account: the rider, who answers for packs. holds: may be empty where nothing is charged (`return`). offer: the name
    of the price or plan in the pinned terms. bound: the code of the pack that this site last gave the account; empty:
    none that it knows of. slot: the first to open: an empty one, or the one with the pack to be taken, which is then
    `pack`. consent_permille: the least charge that the rider takes. resumes: an ended session that this one goes on
    from, for the same rider: what was returned in it counts as returned here, and where its bill was paid this one has
    no holds and no offer; None: it begins anew.
    """

    cabinet: Name
    kind: SwapKind
    account: Name
    holds: list[Hold]
    offer: Text
    bound: Text
    slot: Slot
    pack: PackSeen | None
    consent_permille: Permille
    resumes: Amount | None
    origin: Origin
    pins: list[Pin]
    clock_lb_ms: int  # the session began, in Unix time, not before this
    clock_ub_ms: int | None


class SwapStepped(Wire, frozen=True):
    """A step of a swap session. Those that open a door are durable before it moves.

    step: `open-empty` another empty slot, `reopen-empty` the same once more; `accepted`: a pack has been put in, the
    site answers for it from here; `open-full` the slot of the pack to be taken; `given`: its door has been seen open,
    the rider answers for it from here; `reopen-full` once more, since it was left in; `give-back` the slot of the pack
    that was put in, for the rider to take it again. slot: that it is about. pack: in it, as read then. fault: the case
    of `docs/cabinets.md` (`F-21`) that made this step necessary; empty: it is the usual way.
    """

    session: Amount
    step: SwapStep
    slot: Slot
    pack: PackSeen | None
    fault: Text


class SwapClosed(Wire, frozen=True):
    """The end, and the bill. Captures are its moves, what is left of the holds is released.

    outcome: `swapped`, `taken` (rent), `returned`, `cancelled` (nothing changed hands), `kept` (a pack was returned and
    none taken: the rider has none, and pays nothing; the binding stays as it was). fault: the case that ended it;
    empty: the usual end. returned and taken: what went in and out, with their slots; None: nothing. until_s: of `rent`:
    Unix time to which it is paid. energy_wh: by which the taken pack was fuller, for swaps priced by it; None: not
    priced so. exact_num/exact_den: the bill in fen before its one rounding. Captures: of the bill, as `tender.draw` has
    it; beside it, a plan's units and a deposit are captured whole where a pack was taken, and not at all otherwise.
    meter_record: the signed measurement of what was handed over, None where there is none.
    """

    session: Amount
    outcome: SwapOutcome
    fault: Text
    returned: PackSeen | None
    returned_slot: Slot | None
    taken: PackSeen | None
    taken_slot: Slot | None
    until_s: Amount | None
    energy_wh: int | None
    lines: list[BillLine]
    amount_fen: Amount
    exact_num: int
    exact_den: int
    overrun_fen: Amount
    meter_record: str | None


class PackNoted(Wire, frozen=True):
    """Something about a pack that no swap session says.

    what: `appeared`, `vanished` or `changed` (in a shut slot, or over a power cut), `put-in` or `taken-out` (by staff),
    `opened` (the slot, by staff) and `shut` (it is again, and plain), `quarantined`, `foreign`, `stray` (bound to the
    rider, who returned another one: `code` is the bound one), `came-back` (by the rider in whose session it had
    vanished), `explained` (staff knows where a vanished one is; its rider is asked no more), `inspected`, `lost`,
    `found`. before: the code that stood there; empty: none. session: that it came about in, or that may explain it.
    """

    what: Name
    cabinet: Name
    slot: Slot
    code: Text
    before: Text
    session: Amount | None
    by: Text
    detail: str


class SlotSet(Wire, frozen=True):
    """A slot may be used from here on, or not.

    state: `on`, `off` (by a person), `locked` (by a fault; a person unlocks it), `resting` (skipped until `until_s`,
    unless nothing else is left). why: the fault case or the words of a person.
    """

    cabinet: Name
    slot: Slot
    state: Literal["on", "off", "locked", "resting"]
    why: str
    by: Text
    until_s: Amount


class ScannedSlot(Wire, frozen=True):
    """What physically stands in a slot. state: `unsure` where its witnesses disagree or are silent."""

    slot: Slot
    state: Literal["empty", "pack", "unsure"]
    pack: PackSeen | None


class PacksScanned(Wire, frozen=True):
    """A physical scan of a cabinet: all its slots, rising. Compared with the pack ledger, here and at headquarters."""

    cabinet: Name
    slots: list[ScannedSlot]
    mono_ms: Amount
    wall_ms: int


class ShopDayClosed(Wire, frozen=True):
    """The site day's swap sessions; stands right before the day's own record."""

    day: Amount
    swapped: Amount
    taken: Amount
    returned: Amount
    cancelled: Amount
    kept: Amount
    amount_fen: Amount
