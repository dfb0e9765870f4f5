"""What does a signed meter record say, as bytes? OCMF 1.3: one record for one session, begin and end reading in it.

    OCMF|{"FV":"1.3",...,"RD":[{begin},{end}]}|{"SA":"ECDSA-secp256r1-SHA256","SD":"3045..."}
         \\________ signed, byte for byte ______/

Source: SAFE-eV/OCMF-Open-Charge-Metering-Format, OCMF-en.md 1.4.1. Written here: format 1.3, for the transparency
software 1.4.1 refuses 1.4; pure ASCII, for it decodes by the locale of its host; both readings in one record with every
field in each, for it compares neither page nor meter nor customer between two records. Read here: any version.

A record is the text as first written, for ever: numbers must never be rendered anew (2935.600 is not 2935.6).
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from protocols.proof.errors import BadSignature, Malformed
from protocols.proof.keys import fingerprint, spki
from protocols.trade.quantities import kwh

TAG = "OCMF"
"""The first section. Other signed measurements have the same form under a tag of their own."""
FORMAT = "1.3"
IMPORT_TOTAL = "01-00:01.08.00*FF"
"""OBIS code of a meter's lifetime register of imported energy."""
ALGORITHM = "ECDSA-secp256r1-SHA256"
TEXT_MAX = 16 * 1024
"""Characters of a record: ours have about 1,100; others' records with many readings are longer."""
READINGS_MAX = 100

INHERITED = ("TX", "RI", "RU", "RT", "EF", "ST")
"""What a reading leaves out when it is as in the reading before. Our own leave out nothing."""

_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,9})?")
_LAST_MS = 253_402_300_799_999  # 9999-12-31, the last instant that the format can write


class Signer(Protocol):
    """The device key, wherever it is held."""

    @property
    def public(self) -> ec.EllipticCurvePublicKey: ...

    def sign(self, message: bytes) -> bytes:
        """ECDSA P-256 with SHA-256 over `message`, DER. Raises OSError when the hardware that holds the key does not
        answer.
        """
        ...


class SoftwareSigner:
    """A device key in memory. The same message gets the same signature (RFC 6979)."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key

    @property
    def public(self) -> ec.EllipticCurvePublicKey:
        return self._key.public_key()

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


@dataclass(frozen=True, slots=True)
class Reading:
    """One state of the register, as it is to be written.

    at_ms: Unix time. offset_s: local time less UTC. clock: U unknown, I informative, S synchronised, R relative (the
    duration is right, the start informative). reason: B begin, E end, L stopped locally, R remotely, A by an error, P
    by a power cut. errors: of `E` (energy unusable) and `t` (time unusable). status: G good, T the meter did not
    answer, S a substitute stands for what could not be had, and the others of OCMF's table 10.
    """

    at_ms: int
    offset_s: int
    clock: str
    reason: str
    energy_wh: int
    current: str  # AC or DC
    errors: str
    status: str


@dataclass(frozen=True, slots=True)
class Payload:
    """What is signed. `vendor`: keys of our own, each beginning with one of U to Z. None and "": left out."""

    gateway: str
    gateway_serial: str
    gateway_version: str
    page: int  # of the transaction context, from 1, one more with each record of this gateway serial
    meter_serial: str
    meter_maker: str | None
    meter_model: str | None
    meter_firmware: str | None
    level: str  # how sure the customer's identity is: HEARSAY, TRUSTED, VERIFIED, CERTIFIED, SECURE
    flags: tuple[str, ...]
    id_type: str
    id: str
    tariff_text: str  # at most 250 characters
    point_type: str  # EVSEID or CBIDC
    point: str
    readings: tuple[Reading, ...]
    vendor: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class MeterRecord:
    """A record as received: its form is right, its signature not verified.

    fields: the payload's keys as JSON has them, numbers as Decimal. readings: likewise, with what each inherits.
    """

    text: str
    payload: str
    fields: Mapping[str, Any]
    readings: tuple[Mapping[str, Any], ...]
    signature: bytes  # DER

    @property
    def page(self) -> int:
        """Number within the context T or F."""
        return int(self.fields["PG"][1:])

    @property
    def meter(self) -> str:
        return str(self.fields.get("MS", ""))


def build(payload: Payload) -> str:
    """The payload section: ASCII without `|`, deterministic."""
    vendor_keys = [key for key in payload.vendor if not "U" <= key[:1] <= "Z"]
    assert not vendor_keys, vendor_keys
    fields: dict[str, Any] = {
        "FV": FORMAT,
        "GI": payload.gateway,
        "GS": payload.gateway_serial,
        "GV": payload.gateway_version,
        "PG": f"T{payload.page}",
        "MV": payload.meter_maker,
        "MM": payload.meter_model,
        "MS": payload.meter_serial,
        "MF": payload.meter_firmware,
        "IS": True,
        "IL": payload.level,
        "IF": list(payload.flags),
        "IT": payload.id_type,
        "ID": payload.id,
        "TT": payload.tariff_text,
        "CT": payload.point_type,
        "CI": payload.point,
        "RD": [_reading(reading) for reading in payload.readings],
        **payload.vendor,
    }
    return as_json({key: value for key, value in fields.items() if value not in (None, "")})


def sign(payload: str, signer: Signer, tag: str = TAG) -> str:
    """The whole record over what `build` wrote. Raises OSError as the signer does."""
    signature = signer.sign(payload.encode("ascii")).hex().upper()
    return f'{tag}|{payload}|{{"SA":"{ALGORITHM}","SD":"{signature}"}}'


def parse(text: str, tag: str = TAG) -> MeterRecord:
    """The record in its parts; raises Malformed. Only the algorithm of device keys is taken, P-256 with SHA-256."""
    if len(text) > TEXT_MAX:
        raise Malformed("meter record", expected=f"at most {TEXT_MAX} characters", got=str(len(text)))
    sections = text.split("|")
    if len(sections) != 3 or sections[0] != tag:
        raise Malformed("meter record", expected=f"{tag}|payload|signature", got=repr(text[:40]))
    fields = read_payload(sections[1])
    return MeterRecord(text, sections[1], fields, _readings(fields), _signature(_object(sections[2], "signature")))


def read_payload(payload: str) -> Mapping[str, Any]:
    """The keys of a payload section; raises Malformed for what is no OCMF payload."""
    fields = _object(payload, "payload")
    if not re.fullmatch(r"[TF](0|[1-9][0-9]{0,18})", str(fields.get("PG"))):
        raise Malformed("meter record's PG", expected="T or F and a number", got=repr(fields.get("PG"))[:40])
    readings = fields.get("RD")
    if not isinstance(readings, list) or not 1 <= len(readings) <= READINGS_MAX:
        raise Malformed("meter record's RD", expected=f"1..={READINGS_MAX} readings", got=repr(readings)[:40])
    if not all(isinstance(reading, dict) for reading in readings):
        raise Malformed("meter record's RD", expected="an object for each reading", got=repr(readings)[:40])
    return fields


def verify(text: str, public: ec.EllipticCurvePublicKey, tag: str = TAG) -> MeterRecord:
    """The record, signed by this key; raises BadSignature, Malformed."""
    record = parse(text, tag)
    try:
        public.verify(record.signature, record.payload.encode(), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise BadSignature(
            f"meter record {record.fields['PG']}",
            expected=f"a signature by device {fingerprint(spki(public))}",
            got="one that does not hold over these bytes",
        ) from None
    return record


def timestamp(at_ms: int, offset_s: int, clock: str) -> str:
    """`2018-07-24T13:22:04,000+0200 S`. Whole minutes of offset alone can be written; what cannot is written in UTC."""
    within_ms = min(max(at_ms, 0), _LAST_MS)
    minutes = offset_s // 60 if abs(offset_s) < 86_340 else 0
    zone = timezone(timedelta(minutes=minutes))
    try:
        local = (_EPOCH + timedelta(milliseconds=within_ms)).astimezone(zone)
    except OverflowError:  # the last hours of the year 9999
        local = _EPOCH + timedelta(milliseconds=within_ms)
    return f"{local:%Y-%m-%dT%H:%M:%S},{local.microsecond // 1000:03}{local:%z} {clock}"


_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)  # noqa: UP017  # the class beside it is called so


def _reading(reading: Reading) -> dict[str, Any]:
    return {
        "TM": timestamp(reading.at_ms, reading.offset_s, reading.clock),
        "TX": reading.reason,
        "RV": Literal(kwh(reading.energy_wh)),
        "RI": IMPORT_TOTAL,
        "RU": "kWh",
        "RT": reading.current,
        "EF": reading.errors,
        "ST": reading.status,
    }


class Literal(str):
    """A JSON number exactly as it is to be written: 100 Wh are 0.100, and never 0.1."""

    __slots__ = ()


def as_json(value: Any) -> str:
    match value:
        case dict():
            return "{" + ",".join(f"{as_json(key)}:{as_json(part)}" for key, part in value.items()) + "}"
        case list():
            return "[" + ",".join(map(as_json, value)) + "]"
        case Literal():
            return str(value)
        case _:
            return json.dumps(value, ensure_ascii=True).replace("|", "\\u007c").replace("\x7f", "\\u007f")


def _object(text: str, what: str) -> dict[str, Any]:
    """A JSON object without doubled keys, whose meaning two readers could see differently."""
    try:
        value = _decoder.decode(text)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"meter record's {what}", expected="one JSON object", got=str(error)[:80]) from None
    if not isinstance(value, dict):
        raise Malformed(f"meter record's {what}", expected="one JSON object", got=repr(value)[:40])
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key twice")
    return value


def _number(text: str) -> Decimal:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text[:40]} is no plain number")
    return Decimal(text)


_decoder = json.JSONDecoder(
    object_pairs_hook=_once, parse_float=_number, parse_int=_number, parse_constant=_number
)  # json.loads would make one for each text


def _readings(fields: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Each reading with what it inherits from the one before."""
    found: list[Mapping[str, Any]] = []
    before: Mapping[str, Any] = {}
    for reading in fields["RD"]:
        before = {**{key: before[key] for key in INHERITED if key in before}, **reading}
        found.append(before)
    return tuple(found)


def _signature(fields: Mapping[str, Any]) -> bytes:
    algorithm, encoding, data = fields.get("SA", ALGORITHM), fields.get("SE", "hex"), fields.get("SD")
    if algorithm != ALGORITHM or fields.get("SM", "application/x-der") != "application/x-der":
        raise Malformed("meter record's signature", expected=f"{ALGORITHM}, DER", got=repr(algorithm)[:40])
    if not isinstance(data, str) or encoding not in ("hex", "base64"):
        raise Malformed("meter record's signature", expected="hex or base64 in SD", got=repr(data)[:40])
    try:
        if encoding == "hex":
            return binascii.unhexlify(data)
        return b64decode(data, validate=True)
    except ValueError as error:
        raise Malformed("meter record's signature", expected=encoding, got=str(error)) from None
