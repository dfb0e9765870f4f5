"""A tariff as people write it (TOML, prices in yuan, times of the clock) becomes a Tariff, or a list of every fault.

Pure: the file's data and the zone's offsets come in as values. docs/tariffs.md shows a whole file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from protocols.door import Fault, Refused, check
from protocols.trade import local_time
from protocols.trade.local_time import OffsetsOf, Zone, not_rising, offsets_in
from protocols.trade.quantities import e3_of_yuan
from protocols.trade.records import Amount, Name
from protocols.trade.tariff import Period, Tariff

YUAN = r"^[0-9]{1,6}(\.[0-9]{1,5})?\Z"
CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?\Z"

_Yuan = Annotated[str, msgspec.Meta(pattern=YUAN)]
_Clock = Annotated[str, msgspec.Meta(pattern=CLOCK)]


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
    zone: Zone
    session_yuan: _Yuan
    idle_yuan_per_min: _Yuan
    idle_grace_s: Amount
    periods: list[PeriodTable]


def read(data: Mapping[str, Any], offsets_of: OffsetsOf, *, source: str) -> Tariff:
    """The tariff that `data` (as tomllib gives it) writes. Raises Refused with all faults, each with its path."""
    file, faults = check(data, TariffFile)
    if file is None:
        raise Refused(source, [_in_words(fault) for fault in faults])
    offsets, faults = offsets_in(file.zone, offsets_of)
    tariff = Tariff(
        id=file.id,
        version=file.version,
        zone=file.zone,
        offsets=offsets,
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
    faults += disorder(tariff)
    if faults:
        raise Refused(source, faults)
    return tariff


def disorder(tariff: Tariff) -> list[Fault]:
    """What the types of a Tariff cannot say: at least one period and offset, each later than the one before.

    Prices by time of day rest on it, so a site asks this of every tariff that it takes in.
    """
    periods = [period.from_s for period in tariff.periods]
    return not_rising("periods", "from", periods, _clock) + local_time.disorder(tariff)


_PRICE = 'yuan as text with up to 5 decimals, like "1.2345"'
_WORDS = {
    "from": 'a time of the day as text, like "08:00" or "08:00:30"',
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
