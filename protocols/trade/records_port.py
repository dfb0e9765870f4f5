"""Bodies of the records of ports and lockers. Their (kind, version) stand in `records.BODIES` beside all others.

A port is named by its board and its number. The order's number is not stored: it is `order_number` of the epoch, and
of the opening record's own seq and stamp.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from protocols.trade.codec import Wire
from protocols.trade.record_parts import Amount, BillLine, Hold, Name, Origin, Pin, Preset, Slice

PortNumber = Annotated[int, msgspec.Meta(ge=1, le=255)]
Text = Annotated[str, msgspec.Meta(max_length=64)]
OrderKind = Literal["time", "energy", "full"]


class PortOpened(Wire, frozen=True):
    """Hold and order in one record, durable before the port is told anything. Its seq is the session's id.

    price: the name in the pinned port prices. order_kind, order_limit, time_max_s, power_w_max, prepaid_fen: what the
    port is told, as of `drivers.port_board.PortOrder`. counts_energy: the board counts it; False: time alone.
    """

    board: Name
    port: PortNumber
    holds: list[Hold]
    price: Name
    preset: Preset
    order_kind: OrderKind
    order_limit: Amount
    time_max_s: Amount
    power_w_max: Amount
    prepaid_fen: Amount
    counts_energy: bool
    origin: Origin
    pins: list[Pin]
    clock_lb_ms: int  # the session began, in Unix time, not before this
    clock_ub_ms: int | None


class PortClosed(Wire, frozen=True):
    """What the port delivered, and the bill. Captures are its moves; what is left of the holds is released.

    reason: an `edge.till.port.progress.PortEnds`. said: the board's own word for it. settled: by the board's own
    settlement; False: it never came, and this is the last that was known. energy_wh, elapsed_s: None: the board did not
    say. own_fen: what a pile reckoned itself. register_wh: of a pile's meter, before and after; empty: none. step_s:
    seconds billed in each power step of the price; empty: time is not billed. slices: of a price by time of day.
    exact_num/exact_den: the bill in fen before its one rounding. overrun_fen: delivered beyond the holds.
    meter_record: the signed measurement of what the port counted, None where there is none.
    """

    session: Amount
    reason: Name
    said: Text
    settled: bool
    energy_wh: Amount | None
    elapsed_s: Amount | None
    peak_w: Amount | None
    own_fen: Amount | None
    register_wh: list[Amount]
    step_s: list[Amount]
    slices: list[Slice]
    lines: list[BillLine]
    amount_fen: Amount
    exact_num: int
    exact_den: int
    overrun_fen: Amount
    meter_record: str | None


class PortUnattributed(Wire, frozen=True):
    """A settlement that nobody is charged for.

    why: `unordered` (no order of this log has that number), `late` (its session had ended without it) or `second` (the
    same order once more, and not the same). session: where it has one in this log. number: as the board told it.
    """

    board: Name
    port: Amount
    number: Annotated[bytes, msgspec.Meta(max_length=64)]
    why: Name
    session: Amount | None
    end: Name
    energy_wh: Amount | None
    elapsed_s: Amount | None
    own_fen: Amount | None


class LockerOpened(Wire, frozen=True):
    """A locker is given to somebody, durable before its door moves. Its seq is the stay's id.

    account: empty: known by the card or the PIN alone. holds: for the days beyond those that are free; empty: none.
    secret: salt and digest of the PIN, as of `locker_pin`; empty: there is none. price: as of a port. charge: what runs
    there once its door is shut; None: nothing. charge_by: who pays for that, as in `tender.payers`; empty: the card.
    """

    board: Name
    port: PortNumber
    account: Text
    holds: list[Hold]
    price: Name
    secret: Annotated[bytes, msgspec.Meta(max_length=64)]
    charge: Preset | None
    charge_by: Annotated[str, msgspec.Meta(max_length=512)]
    origin: Origin
    pins: list[Pin]
    clock_lb_ms: int  # the stay began, in Unix time, not before this
    clock_ub_ms: int | None


class LockerStored(Wire, frozen=True):
    """The door has been opened and shut: the pack is in, and the site answers for it.

    unsure: nobody saw that, and something may be in there: it is kept for its owner, and costs no late day.
    """

    stay: Amount
    unsure: bool


class LockerDoor(Wire, frozen=True):
    """A door of a locker in use is opened once more, durable before it moves.

    act: `collect` (by its owner), `remove` (by staff, for good) or `look` (by staff; the pack stays). why: of staff.
    """

    stay: Amount
    act: Literal["collect", "remove", "look"]
    origin: Origin
    why: Text


class LockerClosed(Wire, frozen=True):
    """The pack is out: responsibility passed when the door opened. Captures are its moves, the rest is released.

    outcome: `collected` or `removed`. stay_s: as far as it is proven, and to the first time that its owner came: days
    on which its door would not open are nobody's.
    """

    stay: Amount
    outcome: Literal["collected", "removed"]
    stay_s: Amount
    lines: list[BillLine]
    amount_fen: Amount
    exact_num: int
    exact_den: int
    overrun_fen: Amount


class LockerOverdue(Wire, frozen=True):
    """Nobody has come for the pack for so long that somebody should look into it. Said once for each stay."""

    stay: Amount
    stay_s: Amount


class PortDayClosed(Wire, frozen=True):
    """The site day's ports and lockers; stands right before the day's own record.

    energy_wh: billed. unattributed, unattributed_wh: settlements that nobody is charged for, and their energy as far as
    it was told. stays, late_fen: lockers given back, and what they came to.
    """

    day: Amount
    sessions: Amount
    energy_wh: Amount
    amount_fen: Amount
    unattributed: Amount
    unattributed_wh: Amount
    stays: Amount
    late_fen: Amount
