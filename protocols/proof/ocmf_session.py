"""What does the meter record of one session say, and does it say the same as the log?

A session's meter record is worked out from its opening and its closing record. The log is what is billed from; the
meter record is the same measurement in a form that tools of others verify.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from protocols.proof import keys
from protocols.proof.ocmf import MeterRecord, Payload, Reading
from protocols.proof.ocmf_lint import Finding, Weight
from protocols.trade.documents import TARIFF
from protocols.trade.local_time import offset_s_at
from protocols.trade.quantities import kwh
from protocols.trade.records import ClockQuality, SessionClosed, SessionOpened, Stamp, session_id
from protocols.trade.tariff import Tariff

GATEWAY = "Fieldtill"

AMOUNT, OVERRUN = "U_AMOUNT_FEN", "U_OVERRUN_FEN"
LOG, SESSION, METER, FINDING = "V_LOG", "V_SESSION", "V_METER", "V_FINDING"
TARIFF_HASH = "W_TARIFF_SHA256"
"""Signed keys of our own: what was billed; where in which log, on which meter of the site, and what was wrong with it;
at which prices."""

_LEVELS = {"card": "HEARSAY", "panel": "TRUSTED", "command": "CERTIFIED", "qr": "CERTIFIED"}
"""How sure it is whose session this is. A card's number can be copied; a person at the box has picked the account;
headquarters has signed the command and the code."""

_REASONS = {"Local": "L", "Remote": "R", "PowerLoss": "P", "Other": "A"}
"""OCPP 2.0.1's stop reason -> TX. Every other ending is a plain E; `Other` is a fault of charger, meter or wiring."""

_CLOCKS = {ClockQuality.UNKNOWN: "U", ClockQuality.SYNCHRONISED: "S"}


@dataclass(frozen=True, slots=True)
class Plate:
    """What is written on the meter and at the charging point. "" or None: not known.

    serial: else the meter's name at the site stands for it. evse_id: as registered; else site and connector do.
    """

    serial: str = ""
    maker: str | None = None
    model: str | None = None
    firmware: str | None = None
    evse_id: str = ""
    current: str = "AC"


@dataclass(frozen=True, slots=True)
class Session:
    """The records of one session. seq, opened_at: of the opening one. closed_at: of the closing one."""

    site: str
    epoch: int
    seq: int
    opened_at: Stamp
    opened: SessionOpened
    closed: SessionClosed
    closed_at: Stamp


def payload_of(
    session: Session, page: int, tariff: Tariff, plate: Plate, version: str, *, end_status: str = "G", finding: str = ""
) -> Payload:
    """What is to be signed. version: of the software. end_status: of the end reading; finding: why it is not G."""
    opened, closed = session.opened, session.closed
    begin_ms, end_ms, clock, errors = _times(session)
    last = closed.end.energy_wh
    readings = (
        Reading(begin_ms, offset_s_at(tariff, begin_ms), clock, "B", opened.begin.energy_wh, plate.current, "", "G"),
        Reading(
            end_ms, offset_s_at(tariff, end_ms), clock, _end(closed, finding), last, plate.current, errors, end_status
        ),
    )
    rfid = "RFID_PLAIN" if opened.origin.via == "card" else "RFID_NONE"
    return Payload(
        gateway=GATEWAY,
        gateway_serial=f"{session.site}/{session.epoch}",
        gateway_version=version,
        page=page,
        meter_serial=plate.serial or closed.end.meter,
        meter_maker=plate.maker,
        meter_model=plate.model,
        meter_firmware=plate.firmware,
        level=_LEVELS.get(opened.origin.via, "HEARSAY"),
        flags=(rfid, "OCPP_NONE", "ISO15118_NONE", "PLMN_NONE"),
        id_type="LOCAL",
        id=session_id(session.site, session.epoch, session.seq),
        tariff_text=f"{tariff.id}, version {tariff.version}",
        point_type="EVSEID" if plate.evse_id else "CBIDC",
        point=plate.evse_id or f"{session.site} {opened.connector}",
        readings=readings,
        vendor=_vendor(session, finding),
    )


def disagreements(record: MeterRecord, session: Session, page: int | None = None) -> list[Finding]:
    """Where the meter record says other than the log. page: which one of its log it must be, from 1; None: not known.

    Times, the meter's plate and its status are the site's word alone: the log has no second one to compare.
    """
    closed = session.closed
    begin, end = record.readings[0], record.readings[-1]
    said: list[tuple[str, object, object]] = [
        ("PG", record.fields["PG"], record.fields["PG"] if page is None else f"T{page}"),
        ("GS", record.fields.get("GS"), f"{session.site}/{session.epoch}"),
        ("ID", record.fields.get("ID"), session_id(session.site, session.epoch, session.seq)),
        ("begin RV", str(begin.get("RV")), kwh(session.opened.begin.energy_wh)),
        ("end RV", str(end.get("RV")), kwh(closed.end.energy_wh)),
    ]
    finding = str(record.fields.get(FINDING, ""))
    said += [(key, str(record.fields.get(key)), str(part)) for key, part in _vendor(session, finding).items()]
    return [
        Finding(Weight.BROKEN, "log", f"{record.fields['PG']} {key}", f"says {got}, the log {expected}")
        for key, got, expected in said
        if got != expected
    ]


def _vendor(session: Session, finding: str) -> Mapping[str, str | int]:
    tariffs = [pin for pin in session.opened.pins if pin.kind == TARIFF]
    return {
        AMOUNT: session.closed.amount_fen,
        **({OVERRUN: session.closed.overrun_fen} if session.closed.overrun_fen else {}),
        LOG: keys.origin(session.site, session.epoch),
        SESSION: session.seq,
        METER: session.closed.end.meter,
        **({FINDING: finding} if finding else {}),
        **({TARIFF_HASH: tariffs[0].hash.hex()} if tariffs else {}),
    }


def _end(closed: SessionClosed, finding: str) -> str:
    return "A" if finding else _REASONS.get(closed.reason, "E")


def _times(session: Session) -> tuple[int, int, str, str]:
    """Unix ms of both readings, the clock's letter for both, and the end's error flags.

    Within one boot the duration is the monotonic clock's, which is right whatever the wall clock says. A clock that
    became certain only during the session tells the begin as well: relative time. Across a power cut the wall clock
    alone counts, and is no more than informative; where it is unknown, so is the duration, and the end says so.
    """
    opened_at, begin, end = session.opened_at, session.opened.begin, session.closed.end
    begin_ms, clock = begin.wall_ms, _CLOCKS.get(opened_at.quality, "R")
    certain = session.closed.clock_lb_ms == session.closed.clock_ub_ms
    if certain and opened_at.quality != ClockQuality.SYNCHRONISED:
        begin_ms, clock = session.closed.clock_lb_ms + begin.mono_ms - opened_at.mono_ms, "R"
    if opened_at.boot == session.closed_at.boot:
        return begin_ms, begin_ms + max(0, end.mono_ms - begin.mono_ms), clock, ""
    known = clock != "U" and session.closed_at.quality != ClockQuality.UNKNOWN and end.wall_ms >= begin_ms
    return begin_ms, max(begin_ms, end.wall_ms), "I" if known else "U", "" if known else "t"
