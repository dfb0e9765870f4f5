"""A price list as people write it (TOML, yuan per litre, local times) becomes a PriceList, or a list of every fault.

Pure: the file's data, the zone's offsets and the time come in as values. docs/fuel-prices.md shows a whole file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

from protocols.door import Fault, Refused, check
from protocols.trade import fuel_prices
from protocols.trade.fuel_prices import Grade, GradePrice, PriceList, PriceStep
from protocols.trade.local_time import OffsetsOf, Zone, offsets_in
from protocols.trade.quantities import e3_of_yuan
from protocols.trade.record_parts import Amount, Name
from protocols.trade.tariff import Offset
from protocols.trade.tariff_file import YUAN

LOCAL = r"^2[0-9]{3}-[0-1][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9](:[0-5][0-9])?\Z"

_Yuan = Annotated[str, msgspec.Meta(pattern=YUAN, description='yuan as text with up to 5 decimals, like "7.85"')]
_Local = Annotated[str, msgspec.Meta(pattern=LOCAL, description='a local time as text, like "2026-12-01 00:00"')]


class GradeTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[grades]]` table."""

    code: Name
    name: Name


class StepTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[steps]]` table."""

    from_: _Local = msgspec.field(name="from")
    yuan_per_litre: dict[str, _Yuan]


class PriceListFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file. version: left out for the next one."""

    id: Name
    zone: Zone
    grades: list[GradeTable]
    steps: list[StepTable]
    version: Amount | None = None


def read(data: Mapping[str, Any], offsets_of: OffsetsOf, *, now_s: int, next_version: int, source: str) -> PriceList:
    """The list that `data` (as tomllib gives it) writes. now_s: Unix time, at which the first step must have begun.
    next_version: what a file without one gets. Raises Refused with all faults, each with its path.
    """
    file, faults = check(data, PriceListFile)
    if file is None:
        raise Refused(source, faults)
    offsets, faults = offsets_in(file.zone, offsets_of)
    steps: list[PriceStep] = []
    for index, table in enumerate(file.steps):
        from_s, wrong = _unix_s(table.from_, offsets)
        steps.append(PriceStep(from_s, _prices(table, file.grades)))
        faults += [Fault(f"steps[{index}].from", wrong, repr(table.from_))] if wrong else []
        known = {grade.code for grade in file.grades}
        odd = sorted(table.yuan_per_litre.keys() - known)
        faults += [Fault(f"steps[{index}].yuan_per_litre.{code}", "a grade of the list", repr(code)) for code in odd]
    version = next_version if file.version is None else file.version
    grades = [Grade(table.code, table.name) for table in file.grades]
    prices = PriceList(file.id, version, file.zone, offsets, grades, steps)
    faults += [_as_written(fault, file) for fault in fuel_prices.disorder(prices)]
    if not faults and steps[0].from_s > now_s:
        expected, remedy = "a time that has passed", "It holds at once: put the step that is in force before it."
        faults.append(Fault("steps[0].from", expected, repr(file.steps[0].from_), remedy))
    if faults:
        raise Refused(source, faults)
    return prices


def _prices(table: StepTable, grades: Sequence[GradeTable]) -> list[GradePrice]:
    """In the list's order; a grade that the step leaves out is left out, for `disorder` to find."""
    return [
        GradePrice(grade.code, e3_of_yuan(table.yuan_per_litre[grade.code]))
        for grade in grades
        if grade.code in table.yuan_per_litre
    ]


def _unix_s(text: str, offsets: Sequence[Offset]) -> tuple[int, str]:
    """The instant, and what is wrong with it: nothing, or what was expected. Of an hour that comes twice, the first."""
    try:
        local = datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return 0, "a day and time that exist"
    local_s = int(local.timestamp())
    ends_s = [offset.since_s for offset in offsets[1:]]
    for index, offset in enumerate(offsets):
        unix_s = local_s - offset.offset_s
        begun = index == 0 or unix_s >= offset.since_s
        if begun and (index == len(ends_s) or unix_s < ends_s[index]):
            return unix_s, ""
    return local_s, "a local time that exists (clocks go forward over this one)"


def _as_written(fault: Fault, file: PriceListFile) -> Fault:
    """In the file's words: `yuan_per_litre` where the list says `prices`, local times where it has Unix seconds."""
    place = re.fullmatch(r"steps\[([0-9]+)\]\.from", fault.path)
    if place is not None:
        return replace(fault, got=repr(file.steps[int(place[1])].from_))
    return replace(fault, path=fault.path.replace(".prices", ".yuan_per_litre"))
