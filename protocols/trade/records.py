"""The records of a log: what is appended, one envelope, one body struct for each (kind, version) for ever.

A record is `[kind, version, stamp, moves, body]`. Books fold the moves alone, so headquarters can post a kind whose
body it does not know. Bodies are decoded on demand by `body_of`. Those of pumps and tanks are in `records_fuel`, those
of cabinets and packs in `records_pack`, those of ports and lockers in `records_port`.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from protocols.trade import records_fleet as fleet
from protocols.trade import records_fuel as fuel
from protocols.trade import records_pack as packs
from protocols.trade import records_port as ports
from protocols.trade.codec import Wire, decode, encode
from protocols.trade.record_parts import (
    CNY,
    RISK,
    Amount,
    BillLine,
    Boot,
    ClockQuality,
    Effect,
    Hash,
    Hold,
    Move,
    Name,
    Origin,
    Pin,
    Preset,
    Record,
    Register,
    Slice,
    Stamp,
)

__all__ = [
    "BODIES",
    "CNY",
    "KINDS",
    "RISK",
    "AccountActed",
    "Amount",
    "BillLine",
    "Boot",
    "ClockMoved",
    "ClockQuality",
    "ConfigApplied",
    "CounterTicked",
    "DayClosed",
    "Draft",
    "Effect",
    "EpochClosed",
    "EpochMarked",
    "EpochOpened",
    "GrantAccepted",
    "Hash",
    "Hold",
    "KeyPublished",
    "Move",
    "Name",
    "Notice",
    "Origin",
    "Pin",
    "Preset",
    "Record",
    "Register",
    "SessionClosed",
    "SessionExtended",
    "SessionHeld",
    "SessionOpened",
    "SessionVoided",
    "Slice",
    "Stamp",
    "TechnicianAct",
    "TotalizersRead",
    "ValueReturned",
    "body_of",
    "seal",
    "session_id",
]

# --- bodies ----------------------------------------------------------------------------------------------------------


class EpochOpened(Wire, frozen=True):
    """Leaf 0 of every log: who writes it. certificate: the device key's signature over site, epoch and log key."""

    site: Name
    epoch: Annotated[int, msgspec.Meta(ge=1)]
    log_key: Hash
    device_key: bytes  # SubjectPublicKeyInfo, DER, P-256
    certificate: bytes
    software: Name


class GrantAccepted(Wire, frozen=True):
    """A grant taken in: the exact bytes headquarters signed."""

    grant: bytes


class SessionOpened(Wire, frozen=True):
    """Hold and begin register in one record, durable before anything is energised. Its seq is the session's id."""

    connector: Name
    holds: list[Hold]
    preset: Preset
    origin: Origin
    begin: Register
    pins: list[Pin]  # tariff, offers and hot list, unchanged to the end of the session
    clock_lb_ms: int  # the session began, in Unix time, not before this
    clock_ub_ms: int | None


class SessionExtended(Wire, frozen=True):
    """A running session takes further holds."""

    session: Amount
    holds: list[Hold]


class SessionClosed(Wire, frozen=True):
    """Final register, bill and captures in one record. Captures are its moves; what is left of the holds is released.

    reason: an OCPP 2.0.1 stop reason. exact_num/exact_den: the unrounded price in fen. overrun_fen: delivered beyond
    the
    holds. meter_record: the OCMF string, None where there is none.
    """

    session: Amount
    reason: Name
    end: Register
    energy_wh: Amount
    slices: list[Slice]
    idle_s: Amount
    clock_lb_ms: int
    clock_ub_ms: int | None
    lines: list[BillLine]
    amount_fen: Amount
    exact_num: int
    exact_den: int
    overrun_fen: Amount
    meter_record: str | None


class SessionVoided(Wire, frozen=True):
    """Nothing was delivered; all holds are released."""

    session: Amount
    reason: Name


class SessionHeld(Wire, frozen=True):
    """The end cannot be told yet: holds stay until a later record closes the session. finding: the meter rule
    broken.
    """

    session: Amount
    finding: Name
    detail: str


class ValueReturned(Wire, frozen=True):
    """Rights given back to the account. The amount is its move."""

    account: Name
    asset: Name


class TotalizersRead(Wire, frozen=True):
    """Lifetime registers of all meters that answered."""

    registers: list[Register]


class DayClosed(Wire, frozen=True):
    """A site day ends: the records from first_seq to this one. Sums are of sessions closed within it."""

    day: Amount
    first_seq: Amount
    sessions: Amount
    energy_wh: Amount
    amount_fen: Amount
    overrun_fen: Amount


class ConfigApplied(Wire, frozen=True):
    """From here on these documents are in force."""

    pins: list[Pin]


class EpochClosed(Wire, frozen=True):
    """The log's last record: no session is open, and nothing follows. It frees what the site never saw granted."""

    reason: Name


class CounterTicked(Wire, frozen=True):
    """The rollback counter's value from here on; ticked with a hold that was made offline."""

    value: Annotated[int, msgspec.Meta(ge=1, le=2**53)]


class ClockMoved(Wire, frozen=True):
    """The wall clock was set. Both in Unix ms at the same monotonic instant."""

    old_ms: int
    new_ms: int
    quality: ClockQuality


class TechnicianAct(Wire, frozen=True):
    """A person did something by hand."""

    by: Name
    verb: Name
    detail: str


class Notice(Wire, frozen=True):
    """Something that a person should look at: overrun, stuck relay, meter finding, unattributed totalizer movement."""

    what: Name
    subject: Name  # connector, device or session it is about
    detail: str


class AccountActed(Wire, frozen=True):
    """Headquarters' own act on an account (top-up, grant). The value is its move; `serial` is its one number."""

    serial: Amount
    account: Name
    detail: str


class KeyPublished(Wire, frozen=True):
    """An entry of the key directory, in headquarters' own log.

    role: `device`, `log`, `grant`, `cosign` or `hq-log`. subject: the site, or `site/epoch`; empty for headquarters'
    keys. public: SubjectPublicKeyInfo for a device, 32 bytes of Ed25519 for the others. state: `valid` or `retired`.
    """

    role: Name
    subject: Annotated[str, msgspec.Meta(max_length=80)]
    public: bytes
    state: Name


class EpochMarked(Wire, frozen=True):
    """Headquarters' word on one epoch of a site: `lost`, `open` again, `frozen` or `closed`.

    kept, other: the signed heads that the word rests on; empty where there are none.
    """

    site: Name
    epoch: Annotated[int, msgspec.Meta(ge=1)]
    state: Name
    why: str
    kept: bytes
    other: bytes


BODIES: dict[tuple[str, int], type[Wire]] = {
    ("epoch-opened", 1): EpochOpened,
    ("grant-accepted", 1): GrantAccepted,
    ("session-opened", 1): SessionOpened,
    ("session-extended", 1): SessionExtended,
    ("session-closed", 1): SessionClosed,
    ("session-voided", 1): SessionVoided,
    ("session-held", 1): SessionHeld,
    ("value-returned", 1): ValueReturned,
    ("totalizers-read", 1): TotalizersRead,
    ("day-closed", 1): DayClosed,
    ("config-applied", 1): ConfigApplied,
    ("clock-moved", 1): ClockMoved,
    ("technician-act", 1): TechnicianAct,
    ("notice", 1): Notice,
    ("account-acted", 1): AccountActed,
    ("epoch-closed", 1): EpochClosed,
    ("counter-ticked", 1): CounterTicked,
    ("key-published", 1): KeyPublished,
    ("epoch-marked", 1): EpochMarked,
    ("filling-opened", 1): fuel.FillingOpened,
    ("filling-closed", 1): fuel.FillingClosed,
    ("fuel-unattributed", 1): fuel.FuelUnattributed,
    ("pump-prices-set", 1): fuel.PumpPricesSet,
    ("pump-totals-read", 1): fuel.PumpTotalsRead,
    ("tank-dipped", 1): fuel.TankDipped,
    ("fuel-received", 1): fuel.FuelReceived,
    ("wet-stock-closed", 1): fuel.WetStockClosed,
    ("fuel-day-closed", 1): fuel.FuelDayClosed,
    ("swap-opened", 1): packs.SwapOpened,
    ("swap-stepped", 1): packs.SwapStepped,
    ("swap-closed", 1): packs.SwapClosed,
    ("pack-noted", 1): packs.PackNoted,
    ("slot-set", 1): packs.SlotSet,
    ("packs-scanned", 1): packs.PacksScanned,
    ("shop-day-closed", 1): packs.ShopDayClosed,
    ("pack-marked", 1): fleet.PackMarked,
    ("port-opened", 1): ports.PortOpened,
    ("port-closed", 1): ports.PortClosed,
    ("port-unattributed", 1): ports.PortUnattributed,
    ("locker-opened", 1): ports.LockerOpened,
    ("locker-stored", 1): ports.LockerStored,
    ("locker-door", 1): ports.LockerDoor,
    ("locker-closed", 1): ports.LockerClosed,
    ("locker-overdue", 1): ports.LockerOverdue,
    ("port-day-closed", 1): ports.PortDayClosed,
}
"""Every (kind, version) and its struct. A struct is never changed once it has been written by a released version."""

KINDS: dict[type[Wire], tuple[str, int]] = {body: key for key, body in BODIES.items()}


class Draft(msgspec.Struct, frozen=True):
    """A record as decided, before it has a place in the log and a stamp."""

    body: Wire
    moves: tuple[Move, ...] = ()


def seal(draft: Draft, stamp: Stamp) -> Record:
    """The record of a draft. Raises NotCanonical for a value out of its range: it must never get into a log."""
    kind, version = KINDS[type(draft.body)]
    record = Record(kind, version, stamp, list(draft.moves), encode(draft.body))
    body_of(decode(encode(record), Record))
    return record


def body_of(record: Record) -> Wire | None:
    """The typed body, or None for a (kind, version) that this software does not know. Raises NotCanonical."""
    into = BODIES.get((record.kind, record.version))
    return None if into is None else decode(record.body, into)


def session_id(site: str, epoch: int, seq: int) -> str:
    """A session's name for people: no clock in it."""
    return f"{site}/{epoch}/{seq}"
