"""What somebody asks of the till, and the answers it gives: a record to write, or a refusal that says why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from protocols.trade.records import CNY, Draft, Origin, Preset
from protocols.trade.tender import payers


class Refusal(StrEnum):
    """Why a session does not start, or takes no further hold, in order of precedence. The text is for the customer."""

    START_EXPIRED = "start-expired"
    EPOCH_CLOSING = "epoch-closing"
    LOG_DISPUTED = "log-disputed"
    DISK_FULL = "disk-full"
    ROLLED_BACK = "rolled-back"
    COUNTER_SILENT = "counter-silent"
    UNKNOWN_CONNECTOR = "unknown-connector"
    UNKNOWN_PRESET = "unknown-preset"
    CONNECTOR_BUSY = "connector-busy"
    NO_SESSION = "no-session"
    NO_TARIFF = "no-tariff"
    UNKNOWN_PUMP = "unknown-pump"
    NO_PRICES = "no-prices"
    PUMP_SILENT = "pump-silent"
    PUMP_OUT = "pump-out"
    PUMP_BUSY = "pump-busy"
    PRICE_DIFFERS = "price-differs"
    WRONG_GRADE = "wrong-grade"
    DAY_LIMIT = "day-limit"
    ANSWER_MISSING = "answer-missing"
    NOZZLE_NOT_LIFTED = "nozzle-not-lifted"
    UNKNOWN_PORT = "unknown-port"
    PORTS_CLOSED = "ports-closed"
    PORT_SILENT = "port-silent"
    PORT_FAULTED = "port-faulted"
    PORT_BUSY = "port-busy"
    NOT_PLUGGED = "not-plugged"
    LOCKER_EMPTY = "locker-empty"
    LOCKER_FULL = "locker-full"
    TOO_MANY_LOCKERS = "too-many-lockers"
    NOT_OWNER = "not-owner"
    WRONG_PIN = "wrong-pin"
    PIN_LOCKED = "pin-locked"
    DOOR_STUCK = "door-stuck"
    UNKNOWN_CABINET = "unknown-cabinet"
    NO_SWAP_TERMS = "no-swap-terms"
    SCAN_EXPIRED = "scan-expired"
    CABINET_SILENT = "cabinet-silent"
    CABINET_ALARM = "cabinet-alarm"
    MAINS_LOST = "mains-lost"
    CABINET_BUSY = "cabinet-busy"
    DOOR_OPEN = "door-open"
    UNKNOWN_OFFER = "unknown-offer"
    CABINET_CLOSED = "cabinet-closed"
    PACK_OWED = "pack-owed"
    TOO_SOON = "too-soon"
    NO_EMPTY_SLOT = "no-empty-slot"
    NO_FULL_PACK = "no-full-pack"
    CONSENT_NEEDED = "consent-needed"
    CHARGER_SILENT = "charger-silent"
    CHARGER_FAULTED = "charger-faulted"
    METER_SILENT = "meter-silent"
    NO_CAR = "no-car"
    OLD_NUMBER = "old-number"
    HOT_LISTED = "hot-listed"
    UNKNOWN_ACCOUNT = "unknown-account"
    ACCOUNT_FROZEN = "account-frozen"
    GRANT_EXPIRED = "grant-expired"
    NOT_ENOUGH = "not-enough"


@dataclass(frozen=True, slots=True)
class Source:
    """Whose value pays: an account's, or, where that is empty, the richest account's that a credential opens."""

    account: str
    credential: bytes = b""
    asset: str = CNY


@dataclass(frozen=True, slots=True)
class Ask:
    """Somebody wants to charge. credential: its HMAC, or empty when `account` is named.

    tenders: who pays, in this order; empty: the money of `account`, or of `credential`. alone: headquarters is out of
    reach, so the operator's risk pool may stand in, and the rollback counter is ticked.
    """

    connector: str
    credential: bytes
    account: str
    preset: Preset
    origin: Origin
    tenders: tuple[Source, ...] = ()
    alone: bool = False

    @property
    def sources(self) -> tuple[Source, ...]:
        return self.tenders or (Source(self.account, self.credential),)


def ask_of(connector: str, accounts: str, preset: Preset, origin: Origin) -> Ask:
    """A start that these accounts pay, named as in `tender.payers`. Raises ValueError."""
    first, *others = payers(accounts)
    if not others and first.asset == CNY:
        return Ask(connector, b"", first.account, preset, origin)
    tenders = tuple(Source(payer.account, asset=payer.asset) for payer in (first, *others))
    return Ask(connector, b"", first.account, preset, origin, tenders)


@dataclass(frozen=True, slots=True)
class Want:
    """What headquarters would have to grant: so many units of the asset in total."""

    source: Source
    total: int


@dataclass(frozen=True, slots=True)
class Refused:
    """No session. wants: what headquarters would have to grant so that it could start; none: value is not the reason.
    detail: numbers for a person."""

    refusal: Refusal
    detail: str
    wants: tuple[Want, ...] = ()

    @property
    def want(self) -> int | None:
        """The first of the wants; None: there is none."""
        return self.wants[0].total if self.wants else None


@dataclass(frozen=True, slots=True)
class Opening:
    """The record that opens a session, or gives it a further hold. wants: the grants with which it could hold more;
    none: it holds all that was asked for."""

    draft: Draft
    wants: tuple[Want, ...] = ()

    @property
    def want(self) -> int | None:
        """The first of the wants; None: there is none."""
        return self.wants[0].total if self.wants else None
