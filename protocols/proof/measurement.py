"""What form has a signed measurement that is no electricity meter's? The fields of OCMF, under a tag of our own.

    FTM|{"FV":"1.0",...,"RD":[{begin},{end}]}|{"SA":"ECDSA-secp256r1-SHA256","SD":"3045..."}

OCMF knows electricity meters alone. This is the same form, signed by the same key. What stands in it of a filling, a
swap or a session at a port is `measured`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

from protocols.proof import keys
from protocols.proof.ocmf import Literal, MeterRecord, Signer, as_json, sign, timestamp, verify
from protocols.trade.records import ClockQuality, Origin, Stamp, session_id

TAG = "FTM"
FORMAT = "1.0"
_LEVELS = {"card": "HEARSAY", "panel": "TRUSTED", "command": "CERTIFIED", "qr": "CERTIFIED"}
_CLOCKS = {ClockQuality.UNKNOWN: "U", ClockQuality.SYNCHRONISED: "S", ClockQuality.RELATIVE: "R"}
_COMPARED = ("RV", "RI", "RU", "ST")


@dataclass(frozen=True, slots=True)
class Plate:
    """What is written on the device. "" or None: not known; its name at the site then stands for its serial."""

    serial: str = ""
    maker: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading, as it is to be written.

    at_ms: Unix time, which `stamp` knew so well. reason: `TX` of OCMF, B begin. value: in decimals as they are to
    stand, None: not known. what: is read, as of `RI`. status: `ST` of OCMF: G good, S a substitute, N there is none.
    """

    at_ms: int
    stamp: Stamp
    reason: str
    value: str | None
    what: str
    unit: str
    status: str = "G"


@dataclass(frozen=True, slots=True)
class Measured:
    """What the log says that a measurement of this session must say. device: its name at the site.

    said: keys of our own, each beginning with one of U to Z.
    """

    site: str
    epoch: int
    seq: int
    device: str
    origin: Origin
    readings: tuple[Reading, ...]
    said: Mapping[str, str | int]


def build(measured: Measured, page: int, plate: Plate, version: str) -> str:
    """The payload section: ASCII without `|`, deterministic. page: from 1, one more with each of this log's."""
    fields: dict[str, object] = {
        "FV": FORMAT,
        "GI": "Fieldtill",
        "GS": f"{measured.site}/{measured.epoch}",
        "GV": version,
        "PG": f"T{page}",
        "MV": plate.maker,
        "MM": plate.model,
        "MS": plate.serial or measured.device,
        "IS": True,
        "IL": _LEVELS.get(measured.origin.via, "HEARSAY"),
        "IF": ["RFID_PLAIN" if measured.origin.via == "card" else "RFID_NONE"],
        "IT": "LOCAL",
        "ID": session_id(measured.site, measured.epoch, measured.seq),
        "RD": [_reading(one) for one in measured.readings],
        **_placed(measured),
    }
    return as_json({key: value for key, value in fields.items() if value not in (None, "")})


def signed(payload: str, signer: Signer) -> str:
    """The whole record over what `build` wrote. Raises OSError as the signer does."""
    return sign(payload, signer, TAG)


def verified(text: str, public: ec.EllipticCurvePublicKey) -> MeterRecord:
    """The record, signed by this key; raises BadSignature, Malformed."""
    return verify(text, public, TAG)


def disagreements(record: MeterRecord, measured: Measured, page: int | None = None) -> Iterator[str]:
    """Where the record says other than the log, in words. page: which one of its log it must be; None: not known.

    Times, plate and software are the site's word alone: the log has no second one to compare.
    """
    found = record.fields["RD"]
    said: list[tuple[str, object, object]] = [
        ("PG", record.fields["PG"], record.fields["PG"] if page is None else f"T{page}"),
        ("GS", record.fields.get("GS"), f"{measured.site}/{measured.epoch}"),
        ("ID", record.fields.get("ID"), session_id(measured.site, measured.epoch, measured.seq)),
        ("readings", len(found), len(measured.readings)),
    ]
    for number, (got, meant) in enumerate(zip(found, map(_reading, measured.readings), strict=False), 1):
        said += [(f"reading {number} {key}", _written(got, key), _written(meant, key)) for key in _COMPARED]
    said += [(key, _written(record.fields, key), str(part)) for key, part in _placed(measured).items()]
    return (f"{key} says {got}, the log {expected}" for key, got, expected in said if got != expected)


def _written(fields: Mapping[str, object], key: str) -> str | None:
    """As it stands there; None: it does not."""
    return None if fields.get(key) is None else str(fields[key])


def _placed(measured: Measured) -> Mapping[str, str | int]:
    """What was handed over and billed, and where in which log."""
    return {
        **{key: part for key, part in measured.said.items() if key.startswith("U_")},
        "V_LOG": keys.origin(measured.site, measured.epoch),
        "V_SESSION": measured.seq,
        **{key: part for key, part in measured.said.items() if not key.startswith("U_")},
    }


def _reading(reading: Reading) -> dict[str, object]:
    value = {} if reading.value is None else {"RV": Literal(reading.value)}
    return {
        "TM": timestamp(reading.at_ms, 0, _CLOCKS.get(reading.stamp.quality, "I")),
        "TX": reading.reason,
        **value,
        "RI": reading.what,
        "RU": reading.unit,
        "EF": "",
        "ST": reading.status,
    }
