"""A tariff as people write it (TOML, prices in yuan, times of the clock) becomes a Tariff, or a list of every fault.

Pure: the file's data and the zone's offsets come in as values. docs/tariffs.md shows a whole file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any

import msgspec

from protocols.door import Fault, Refused, check
from protocols.trade.quantities import e3_of_yuan
from protocols.trade.records import Amount, Name
from protocols.trade.tariff import DAY_S, Offset, Period, Tariff

YUAN = r"^[0-9]{1,6}(\.[0-9]{1,5})?\Z"
CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?\Z"
ZONE = r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*\Z"

_Yuan = Annotated[str, msgspec.Meta(pattern=YUAN)]
_Clock = Annotated[str, msgspec.Meta(pattern=CLOCK)]
_Zone = Annotated[str, msgspec.Meta(pattern=ZONE, max_length=64)]


class PeriodTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[periods]]` table."""

    from_: _Clock = msgspec.field(name="from")
    name: Name
    energy_yuan_per_kwh: _Yuan
    service_yuan_per_kwh: _Yuan


class TariffFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file. What is not charged is written as "0"."""

    id: Name
    version: Amount
    zone: _Zone
    session_yuan: _Yuan
    idle_yuan_per_min: _Yuan
    idle_grace_s: Amount
    periods: list[PeriodTable]


OffsetsOf = Callable[[str], Sequence[Offset] | None]
"""A zone's offsets by its IANA name, or None for a zone that does not exist."""


def read(data: Mapping[str, Any], offsets_of: OffsetsOf, *, source: str) -> Tariff:
    """The tariff that `data` (as tomllib gives it) writes. Raises Refused with all faults, each with its path."""
    file, faults = check(data, TariffFile)
    if file is None:
        raise Refused(source, [_in_words(fault) for fault in faults])
    offsets = offsets_of(file.zone)
    tariff = Tariff(
        id=file.id,
        version=file.version,
        zone=file.zone,
        offsets=list(offsets or [Offset(0, 0)]),
        periods=[
            Period(
                from_s=_second_of_day(table.from_),
                name=table.name,
                energy_e3=e3_of_yuan(table.energy_yuan_per_kwh),
                service_e3=e3_of_yuan(table.service_yuan_per_kwh),
            )
            for table in file.periods
        ],
        session_e3=e3_of_yuan(file.session_yuan),
        idle_e3_per_min=e3_of_yuan(file.idle_yuan_per_min),
        idle_grace_s=file.idle_grace_s,
    )
    faults = disorder(tariff)
    if offsets is None:
        faults.insert(0, Fault("zone", "the IANA name of a time zone", repr(file.zone), 'Like "Asia/Shanghai".'))
    if faults:
        raise Refused(source, faults)
    return tariff


def disorder(tariff: Tariff) -> list[Fault]:
    """What the types of a Tariff cannot say: at least one period and offset, each later than the one before.

    Prices by time of day rest on it, so a site asks this of every tariff that it takes in.
    """
    periods = [period.from_s for period in tariff.periods]
    offsets = [offset.since_s for offset in tariff.offsets]
    return _not_rising("periods", "from", periods, _clock) + _not_rising("offsets", "since_s", offsets, str)


def _not_rising(table: str, key: str, values: list[int], show: Callable[[int], str]) -> list[Fault]:
    if not values:
        return [Fault(table, "at least one", "none", f"Add a `[[{table}]]` table.")]
    faults = []
    for index, (before, value) in enumerate(pairwise(values), start=1):
        if value <= before:
            expected = f"later than {show(before)}, where the one before begins"
            faults.append(Fault(f"{table}[{index}].{key}", expected, show(value), "Sort them by time."))
    return faults


def offsets_between(utc_offset_s: Callable[[int], int], from_s: int, to_s: int) -> list[Offset]:
    """A zone's offsets over [from_s, to_s] in Unix seconds, to the second, from a function that gives the one in force.

    Looks at each day, so two changes within one day that cancel out are not seen.
    """
    offsets = [Offset(from_s, utc_offset_s(from_s))]
    for day_s in range(from_s, to_s, DAY_S):
        before_s, after_s = day_s, min(day_s + DAY_S, to_s)
        offset_s = utc_offset_s(after_s)
        if offset_s == offsets[-1].offset_s:
            continue
        while after_s - before_s > 1:  # the change is in (before_s, after_s]
            middle_s = (before_s + after_s) // 2
            if utc_offset_s(middle_s) == offset_s:
                after_s = middle_s
            else:
                before_s = middle_s
        offsets.append(Offset(after_s, offset_s))
    return offsets


_PRICE = 'yuan as text with up to 5 decimals, like "1.2345"'
_WORDS = {
    "from": 'a time of the day as text, like "08:00" or "08:00:30"',
    "zone": 'the IANA name of a time zone, like "Asia/Shanghai"',
    "session_yuan": _PRICE,
    "idle_yuan_per_min": _PRICE,
    "energy_yuan_per_kwh": _PRICE,
    "service_yuan_per_kwh": _PRICE,
}


def _in_words(fault: Fault) -> Fault:
    """The door speaks of patterns; a person wants to know what to write."""
    words = _WORDS.get(fault.path.rpartition(".")[2])
    return Fault(fault.path, words, fault.got, fault.remedy) if words else fault


def _second_of_day(clock: str) -> int:
    hours, minutes, *seconds = (int(part) for part in clock.split(":"))
    return hours * 3600 + minutes * 60 + sum(seconds)


def _clock(second: int) -> str:
    return f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
