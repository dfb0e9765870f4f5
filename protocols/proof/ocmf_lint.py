"""Is a meter record one that every verifier will accept, and does a row of them leave nothing out?

`lint` holds the rules that the transparency software and OCMF ask for, and those that make our records unambiguous; it
runs before a payload is signed. `continuity` checks what no other verifier does: pages, meters and registers from one
record to the next.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from protocols.proof.errors import Malformed
from protocols.proof.ocmf import FORMAT, IMPORT_TOTAL, MeterRecord, read_payload

END_REASONS = ("E", "L", "R", "A", "P")
LEVELS = ("HEARSAY", "TRUSTED", "VERIFIED", "CERTIFIED", "SECURE")
"""NONE and the four error words are left out: with these nobody is billed."""
TARIFF_TEXT_MAX = 250

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2},[0-9]{3}[+-][0-9]{4} [UISR]")
_KWH = re.compile(r"(0|[1-9][0-9]*)\.[0-9]{3}")
_KNOWN = frozenset("FV GI GS GV PG MV MM MS MF IS IL IF IT ID TT CT CI RD".split())  # noqa: SIM905  # reads better
_NEEDED = ("GI", "GS", "PG", "MS", "IS", "IL", "IF", "IT", "ID", "CT", "CI")
_READING = ("TM", "TX", "RV", "RI", "RU", "RT", "EF", "ST")


class Weight(StrEnum):
    """What a finding means."""

    BROKEN = "broken"  # no sound box writes this: never to be signed, and proof of tampering when found later
    DISPUTED = "disputed"  # an honest record of something wrong with the meter: a person decides what is owed


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that does not hold. rule: its name. where: the page, the reading or the key."""

    weight: Weight
    rule: str
    where: str
    detail: str

    def __str__(self) -> str:
        return f"{self.where}: {self.detail} ({self.rule})"


def lint(payload: str, fields: Mapping[str, Any] | None = None) -> list[Finding]:
    """Every rule that this payload section breaks. An empty list: it may be signed and billed from.

    fields: what it reads as, where it has been read already.
    """
    if not payload.isascii() or not payload.isprintable() or "|" in payload:
        return [_broken("ascii", "payload", "printable ASCII without `|` alone reads alike everywhere")]
    try:
        fields = read_payload(payload) if fields is None else fields
    except Malformed as error:
        return [_broken("form", "payload", str(error))]
    return [*_lint_head(fields), *_lint_readings(fields["RD"])]


def continuity(records: Iterable[MeterRecord], *, first_page: int | None = None) -> list[Finding]:
    """What is wrong with the records of one gateway serial, in the log's order; `lint` of each included.

    first_page: of the first record: 1 for a whole log, one more than the last page before for a part of one; None when
    that is not known. A register that went back, and another meter at a charging point, are DISPUTED: that happens to
    honest boxes.
    """
    found: list[Finding] = []
    expected = first_page
    serial: str | None = None
    points: dict[str, str] = {}
    registers: dict[str, tuple[str, Decimal]] = {}
    for record in records:
        where = str(record.fields["PG"])
        own = [
            Finding(one.weight, one.rule, f"{where} {one.where}", one.detail)
            for one in lint(record.payload, record.fields)
        ]
        found += own
        if expected is not None and where != f"T{expected}":
            found.append(_broken("page", where, f"expected T{expected}: a record is missing, doubled or out of place"))
        expected = record.page + 1
        gateway = str(record.fields.get("GS"))
        if serial is not None and gateway != serial:
            found.append(_broken("gateway", where, f"GS is {gateway}, the record before has {serial}"))
        serial = gateway
        if any(one.weight is Weight.BROKEN for one in own):
            continue  # its readings say nothing
        point = str(record.fields["CI"])
        if points.setdefault(point, record.meter) != record.meter:
            found.append(_disputed("meter", where, f"{point} had meter {points[point]}, and now has {record.meter}"))
            points[point] = record.meter
        begin, end = (reading["RV"] for reading in record.readings)
        last = registers.get(record.meter)
        if last is not None and begin < last[1]:
            told = f"{record.meter} begins at {begin} kWh, below {last[1]} kWh at the end of {last[0]}"
            found.append(_disputed("register", where, told))
        registers[record.meter] = (where, end)
    return found


def _lint_head(fields: Mapping[str, Any]) -> list[Finding]:
    found = [_broken("missing", key, "must be there") for key in _NEEDED if fields.get(key) in (None, "")]
    found += [
        _broken("unknown-key", key, "OCMF 1.3 has none of that name")
        for key in fields
        if key not in _KNOWN and not "U" <= key[:1] <= "Z"
    ]
    if fields.get("FV") != FORMAT:
        found.append(_broken("version", "FV", f"expected {FORMAT}, got {fields.get('FV')}"))
    if not re.fullmatch(r"T[1-9][0-9]*", fields["PG"]):
        found.append(_broken("page", "PG", f"expected T1 or above, got {fields['PG']}"))
    if fields.get("IS") is not True or fields.get("IL") not in LEVELS:
        told = f"a bill is somebody's: expected IS true and a sound IL, got {fields.get('IS')} and {fields.get('IL')}"
        found.append(_broken("customer", "IL", told))
    flags = fields.get("IF")
    if not isinstance(flags, list) or not 1 <= len(flags) <= 4:
        found.append(_broken("flags", "IF", "expected a list of one to four words"))
    if len(str(fields.get("TT", ""))) > TARIFF_TEXT_MAX:
        found.append(_broken("tariff-text", "TT", f"longer than {TARIFF_TEXT_MAX} characters"))
    return found


def _lint_readings(readings: list[dict[str, Any]]) -> list[Finding]:
    reasons = [reading.get("TX") for reading in readings]
    if len(reasons) != 2 or reasons[0] != "B" or reasons[1] not in END_REASONS:
        return [_broken("begin-and-end", "RD", f"expected B and one of {', '.join(END_REASONS)}, got {reasons}")]
    found = [one for at, reading in enumerate(readings) for one in _lint_reading(f"RD[{at}]", reading)]
    if any(one.weight is Weight.BROKEN for one in found):
        return found
    begin, end = readings
    if end["RV"] < begin["RV"]:
        found.append(_broken("value-back", "RV", f"ends at {end['RV']} kWh, below {begin['RV']} kWh at the begin"))
    began, ended = _instant(begin["TM"]), _instant(end["TM"])
    assert began is not None
    assert ended is not None
    if began > ended:
        found.append(_broken("time-back", "TM", f"ends at {end['TM']}, before {begin['TM']}"))
    if begin["TM"][-1] != end["TM"][-1]:
        found.append(_broken("clock", "TM", f"clocks of different quality: {begin['TM']} and {end['TM']}"))
    if begin["RT"] != end["RT"]:
        found.append(_broken("current", "RT", f"begins as {begin['RT']}, ends as {end['RT']}"))
    return found


def _lint_reading(where: str, reading: Mapping[str, Any]) -> list[Finding]:
    absent = [key for key in _READING if key not in reading]
    if absent or len(reading) != len(_READING):
        return [_broken("fields", where, f"expected {', '.join(_READING)} and no other, got {', '.join(reading)}")]
    found: list[Finding] = []
    if _instant(reading["TM"]) is None:
        found.append(_broken("time", f"{where}.TM", f"got {reading['TM']!r}"))
    if not isinstance(reading["RV"], Decimal) or not _KWH.fullmatch(str(reading["RV"])):
        found.append(_broken("value", f"{where}.RV", f"expected kWh with three decimals, got {reading['RV']!r}"))
    for key, allowed in (
        ("RI", (IMPORT_TOTAL,)),
        ("RU", ("kWh",)),
        ("RT", ("AC", "DC")),
        ("ST", tuple("NGTDRMXIOSEF")),
    ):
        if reading[key] not in allowed:
            found.append(
                _broken("word", f"{where}.{key}", f"expected one of {', '.join(allowed)}, got {reading[key]!r}")
            )
    if reading["EF"] not in ("", "E", "t", "Et"):
        found.append(_broken("word", f"{where}.EF", f"expected E, t, both or none, got {reading['EF']!r}"))
    elif "E" in reading["EF"]:
        found.append(_disputed("energy-unusable", f"{where}.EF", "the energy is marked as unusable"))
    if not found and reading["ST"] != "G":
        found.append(_disputed("meter-status", f"{where}.ST", f"the meter's status is {reading['ST']}, not G"))
    return found


def _instant(text: object) -> datetime | None:
    """The instant of a TM; None for what is none."""
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text[:-2])  # a hundred times as quick as strptime; _TIME has held the form
    except ValueError:  # the 30th of February
        return None


def _broken(rule: str, where: str, detail: str) -> Finding:
    return Finding(Weight.BROKEN, rule, where, detail)


def _disputed(rule: str, where: str, detail: str) -> Finding:
    return Finding(Weight.DISPUTED, rule, where, detail)
