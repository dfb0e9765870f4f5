"""Port prices as people write them (TOML, yuan, watts) become a PortPrices, or a list of every fault.

Pure: the file's data and the zone's offsets come in as values. docs/port-prices.md shows a whole file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from protocols.door import Fault, Refused, check
from protocols.trade import port_prices
from protocols.trade.local_time import OffsetsOf, Zone, offsets_in
from protocols.trade.port_prices import PortPrice, PortPrices, PowerStep
from protocols.trade.quantities import e3_of_yuan
from protocols.trade.record_parts import Amount, Name
from protocols.trade.tariff_file import YUAN

_Yuan = Annotated[str, msgspec.Meta(pattern=YUAN, description='yuan as text with up to 5 decimals, like "1.50"')]
_Minutes = Annotated[int, msgspec.Meta(ge=0, le=1440)]
_Hours = Annotated[int, msgspec.Meta(ge=0, le=366 * 24)]


class StepTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[prices.steps]]` table: up to so many watts an hour costs so much."""

    to_w: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    yuan_per_hour: _Yuan


class PriceTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[prices]]` table. What is not said costs nothing."""

    name: Name
    by: Literal["time", "energy", "tariff"]
    steps: list[StepTable] = []
    yuan_per_kwh: _Yuan = "0"
    yuan_per_session: _Yuan = "0"
    least_minutes: _Minutes = 0
    at_most_yuan: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,6}(\.[0-9]{1,2})?\Z")] = "0"
    late_yuan_per_day: _Yuan = "0"
    late_after_hours: _Hours = 0
    late_days_at_most: Annotated[int, msgspec.Meta(ge=0, le=366)] = 0


class PortPricesFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file. version: left out for the next one."""

    id: Name
    zone: Zone
    prices: list[PriceTable]
    version: Amount | None = None


def read(data: Mapping[str, Any], offsets_of: OffsetsOf, *, next_version: int, source: str) -> PortPrices:
    """The prices that `data` (as tomllib gives it) writes. next_version: what a file without one gets. Raises Refused
    with all faults, each with its path.
    """
    file, faults = check(data, PortPricesFile)
    if file is None:
        raise Refused(source, faults)
    offsets, faults = offsets_in(file.zone, offsets_of)
    version = next_version if file.version is None else file.version
    prices = PortPrices(file.id, version, file.zone, offsets, [_price(table) for table in file.prices])
    faults += [Fault(_as_written(one.path), one.expected, one.got, one.remedy) for one in port_prices.disorder(prices)]
    if faults:
        raise Refused(source, faults)
    return prices


def _price(table: PriceTable) -> PortPrice:
    return PortPrice(
        name=table.name,
        by=table.by,
        steps=[PowerStep(step.to_w, e3_of_yuan(step.yuan_per_hour)) for step in table.steps],
        energy_e3=e3_of_yuan(table.yuan_per_kwh),
        session_e3=e3_of_yuan(table.yuan_per_session),
        least_s=table.least_minutes * 60,
        cap_fen=e3_of_yuan(table.at_most_yuan) // 1000,
        late_e3=e3_of_yuan(table.late_yuan_per_day),
        late_free_s=table.late_after_hours * 3600,
        late_days_max=table.late_days_at_most,
    )


def _as_written(path: str) -> str:
    """In the file's words."""
    for ours, theirs in (
        (".energy", ".yuan_per_kwh"),
        (".session", ".yuan_per_session"),
        (".late", ".late_yuan_per_day"),
    ):
        path = path.replace(ours, theirs)
    return path
