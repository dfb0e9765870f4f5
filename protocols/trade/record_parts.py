"""What records are made of: the envelope with its stamp and moves, and the parts that bodies share."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Annotated

import msgspec

from protocols.trade.codec import Wire

Hash = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Boot = Annotated[bytes, msgspec.Meta(min_length=8, max_length=8)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Amount = Annotated[int, msgspec.Meta(ge=0, le=2**53)]

CNY = "CNY"
"""The asset of stored money, counted in fen."""
RISK = "operator-risk"
"""The account of the operator's risk pool: granted to a site like any other, drawn on for customers without rights."""


class ClockQuality(IntEnum):
    """How far the wall time of a stamp can be trusted; the letters of OCMF."""

    UNKNOWN = 0
    INFORMATIVE = 1
    SYNCHRONISED = 2
    RELATIVE = 3


class Stamp(Wire, frozen=True):
    """When a record was made. Order is (epoch, seq); this is for people, tariffs and proofs.

    boot: random per start of the box. mono_ms: since that start. wall_ms: best estimate of Unix time.
    lb_ms, ub_ms: tightest provable bounds of Unix time; ub_ms is None while nothing bounds it from above.
    """

    boot: Boot
    mono_ms: Amount
    wall_ms: int
    quality: ClockQuality
    lb_ms: int
    ub_ms: int | None


class Effect(StrEnum):
    """What a move does. The first three are a site's, the others headquarters' own."""

    USED = "used"  # captured for goods delivered: lease -> revenue
    RETURNED = "returned"  # rights given back: lease -> customer
    OVERRUN = "overrun"  # delivered beyond the hold: operator's receivable -> revenue
    PAID_IN = "paid-in"  # channel -> customer
    PAID_OUT = "paid-out"  # customer -> channel
    GRANTED = "granted"  # customer -> lease
    FREED = "freed"  # lease -> customer: what an epoch left over when it closed
    LOANED = "loaned"  # operator's risk -> customer: what a silent site holds, paid in advance
    REPAID = "repaid"  # lease -> operator's risk: what was loaned has come back
    CHARGED = "charged"  # customer -> operator's risk: an adjustment, linked to what it corrects
    FORKED = "forked"  # operator's risk -> revenue: what the later branch of a forked log delivered
    REFUND_DUE = "refund-due"  # customer -> refunds of a channel
    REFUNDED = "refunded"  # refunds of a channel -> the channel
    DEPOSIT_BACK = "deposit-back"  # a deposit held -> customer
    DEPOSIT_KEPT = "deposit-kept"  # a deposit held -> revenue of the site that gave the pack
    DEPOSIT_UNKEPT = "deposit-unkept"  # that revenue -> customer: what was kept turned out to be too much
    SOLD = "sold"  # customer -> paid before: a plan, sold at headquarters


class Move(Wire, frozen=True):
    """What a record does to value.

    effect: an Effect's text (text, so that an unknown one can be kept and quarantined rather than refused).
    place: "" for the site and epoch of the log itself; at headquarters the lease as `site/epoch`, or the channel.
    counter: the cumulative total of this effect, account, asset and place after the move, in this log.
    """

    effect: Name
    account: Name
    asset: Name
    place: Annotated[str, msgspec.Meta(max_length=80)]
    amount: Amount
    counter: Amount


class Record(Wire, frozen=True):
    """The envelope. `body` is the exact encoding of the struct that BODIES names for (kind, version)."""

    kind: Name
    version: Annotated[int, msgspec.Meta(ge=1, le=255)]
    stamp: Stamp
    moves: list[Move]
    body: bytes


class Pin(Wire, frozen=True):
    """A document as pinned: which, which version, and the SHA-256 of its exact bytes."""

    kind: Name
    version: Amount
    hash: Hash


class Hold(Wire, frozen=True):
    """Rights set aside for one session."""

    account: Name
    asset: Name
    amount: Amount


class Preset(Wire, frozen=True):
    """Where the customer wants delivery to end. kind: `full` (amount 0), `money` (fen), `energy` (Wh), `time` (s) or
    `volume` (mL).
    """

    kind: Name
    amount: Amount


class Origin(Wire, frozen=True):
    """Who started a session, and how.

    via: `card`, `panel`, `command`, `qr` or, at a locker, `pin`. credential: the HMAC, empty for none. number:
    the command or start number that may never be used again, 0 for none. By whom: the panel's user, else empty.
    """

    via: Name
    credential: bytes
    number: Amount
    by: Annotated[str, msgspec.Meta(max_length=64)]


class Register(Wire, frozen=True):
    """A meter's lifetime register at an instant of this boot."""

    meter: Name
    energy_wh: Amount
    mono_ms: Amount
    wall_ms: int


class Slice(Wire, frozen=True):
    """Energy of a stretch of a session, in ms since its opening on the monotonic clock."""

    from_ms: Amount
    to_ms: Amount
    energy_wh: Amount


class BillLine(Wire, frozen=True):
    """One line of a bill. The fen of all lines add up to the bill.

    code: one of `tender.LINES`. quantity: Wh, seconds for idle and time, mL for fuel, days for late, or 1.
    price_e3: thousandths of a fen per kWh (energy, service), per minute (idle), per hour (time), per litre (fuel), per
    day (late) or each (session, swap, a term of rent).
    """

    code: Name
    period: Amount  # index into the tariff's periods, the nozzle for fuel, the power step for time; else 0
    quantity: Amount
    price_e3: Amount
    amount_fen: Amount
