"""What does the signed measurement of a filling say? The fields of OCMF, under a tag of our own.

    FTM|{"FV":"1.0",...,"RD":[{begin},{end}]}|{"SA":"ECDSA-secp256r1-SHA256","SD":"3045..."}

OCMF knows electricity alone. This is the same form, signed by the same key, with the totalizer of the nozzle that sold
before and after, in litres, and beside them what the pump displayed: volume, price and amount.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

from protocols.proof import keys
from protocols.proof.ocmf import Literal, MeterRecord, Signer, as_json, sign, timestamp, verify
from protocols.trade.fuel_prices import KIND as PRICES
from protocols.trade.quantities import litres
from protocols.trade.records import ClockQuality, Stamp, session_id
from protocols.trade.records_fuel import FillingClosed, FillingOpened, PumpTotals

TAG = "FTM"
FORMAT = "1.0"
_LEVELS = {"card": "HEARSAY", "panel": "TRUSTED", "command": "CERTIFIED", "qr": "CERTIFIED"}
_REASONS = {"local": "L", "remote": "R", "power-loss": "P", "other": "A", "emergency-stop": "A"}
_CLOCKS = {ClockQuality.UNKNOWN: "U", ClockQuality.SYNCHRONISED: "S", ClockQuality.RELATIVE: "R"}


@dataclass(frozen=True, slots=True)
class Filling:
    """The records of one filling. seq, opened_at: of the opening one. closed_at: of the closing one."""

    site: str
    epoch: int
    seq: int
    opened_at: Stamp
    opened: FillingOpened
    closed: FillingClosed
    closed_at: Stamp


@dataclass(frozen=True, slots=True)
class PumpPlate:
    """What is written on the pump. "" or None: not known; the pump's name at the site then stands for its serial."""

    serial: str = ""
    maker: str | None = None
    model: str | None = None


def build(filling: Filling, page: int, plate: PumpPlate, version: str) -> str:
    """The payload section: ASCII without `|`, deterministic. page: from 1, one more with each of this log's."""
    opened, closed = filling.opened, filling.closed
    reason = _REASONS.get(closed.reason, "E")
    fields: dict[str, object] = {
        "FV": FORMAT,
        "GI": "Fieldtill",
        "GS": f"{filling.site}/{filling.epoch}",
        "GV": version,
        "PG": f"T{page}",
        "MV": plate.maker,
        "MM": plate.model,
        "MS": plate.serial or opened.pump,
        "IS": True,
        "IL": _LEVELS.get(opened.origin.via, "HEARSAY"),
        "IF": ["RFID_PLAIN" if opened.origin.via == "card" else "RFID_NONE"],
        "IT": "LOCAL",
        "ID": session_id(filling.site, filling.epoch, filling.seq),
        "RD": [
            _reading(filling, opened.begin, filling.opened_at, "B"),
            _reading(filling, closed.end, filling.closed_at, reason),
        ],
        **_said(filling),
    }
    return as_json({key: value for key, value in fields.items() if value not in (None, "")})


def signed(payload: str, signer: Signer) -> str:
    """The whole record over what `build` wrote. Raises OSError as the signer does."""
    return sign(payload, signer, TAG)


def verified(text: str, public: ec.EllipticCurvePublicKey) -> MeterRecord:
    """The record, signed by this key; raises BadSignature, Malformed."""
    return verify(text, public, TAG)


def disagreements(record: MeterRecord, filling: Filling, page: int | None = None) -> Iterator[str]:
    """Where the record says other than the log, in words. page: which one of its log it must be; None: not known.

    Times, plate and software are the site's word alone: the log has no second one to compare.
    """
    begin, end = record.readings[0], record.readings[-1]
    nozzle = filling.closed.sold.nozzle
    said: list[tuple[str, object, object]] = [
        ("PG", record.fields["PG"], record.fields["PG"] if page is None else f"T{page}"),
        ("GS", record.fields.get("GS"), f"{filling.site}/{filling.epoch}"),
        ("ID", record.fields.get("ID"), session_id(filling.site, filling.epoch, filling.seq)),
        ("begin RV", str(begin.get("RV")), litres(_total_ml(filling.opened.begin, nozzle))),
        ("end RV", str(end.get("RV")), litres(_total_ml(filling.closed.end, nozzle))),
        ("units", (begin.get("RU"), end.get("RU")), ("L", "L")),
    ]
    said += [(key, str(record.fields.get(key)), str(part)) for key, part in _said(filling).items()]
    return (f"{key} says {got}, the log {expected}" for key, got, expected in said if got != expected)


def _said(filling: Filling) -> Mapping[str, object]:
    """What was displayed and billed, and where in which log."""
    opened, closed = filling.opened, filling.closed
    pinned = [pin.hash.hex() for pin in opened.pins if pin.kind == PRICES]
    return {
        "U_VOLUME_ML": closed.volume_ml,
        "U_PRICE_E3": closed.sold.price_e3,
        "U_AMOUNT_FEN": closed.amount_fen,
        **({"U_OVERRUN_FEN": closed.overrun_fen} if closed.overrun_fen else {}),
        "V_LOG": keys.origin(filling.site, filling.epoch),
        "V_SESSION": filling.seq,
        "V_PUMP": opened.pump,
        "V_NOZZLE": closed.sold.nozzle,
        "V_GRADE": closed.sold.grade,
        **({"W_PRICES_SHA256": pinned[0]} if pinned else {}),
    }


def _reading(filling: Filling, totals: PumpTotals, stamp: Stamp, reason: str) -> dict[str, object]:
    return {
        "TM": timestamp(totals.wall_ms, 0, _CLOCKS.get(stamp.quality, "I")),
        "TX": reason,
        "RV": Literal(litres(_total_ml(totals, filling.closed.sold.nozzle))),
        "RI": f"nozzle-{filling.closed.sold.nozzle}",
        "RU": "L",
        "EF": "",
        "ST": "G",
    }


def _total_ml(totals: PumpTotals, nozzle: int) -> int:
    """0 where the pump has no such nozzle: then the record disagrees with the log, and says so."""
    return next((one.volume_ml for one in totals.nozzles if one.nozzle == nozzle), 0)
