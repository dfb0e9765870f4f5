"""The local time of a document: its zone's offsets, found, checked, and read off."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from protocols.trade import fuel_prices, port_prices, swap_terms, tariff_file
from protocols.trade.fuel_prices import Grade, GradePrice, PriceList, PriceStep
from protocols.trade.local_time import local_text, offsets_between, offsets_in
from protocols.trade.port_prices import PortPrice, PortPrices
from protocols.trade.swap_terms import NO_SWAPS
from protocols.trade.tariff import DAY_S, Offset

from .samples import BERLIN_2026, CITY, HOUR_S, SHANGHAI

FUEL = PriceList("city", 1, "UTC", SHANGHAI, [Grade("92", "92#")], [PriceStep(0, [GradePrice("92", 785_000)])])
PORTS = PortPrices("city", 1, "UTC", SHANGHAI, [PortPrice("kwh", "energy", [], 120_000, 0, 0, 0, 0, 0, 0)])


def test_offsets_of_a_zone() -> None:
    """Found to the second from a function, here Python's own time zones."""

    def berlin(at_s: int) -> int:
        offset = datetime.fromtimestamp(at_s, ZoneInfo("Europe/Berlin")).utcoffset()
        assert offset is not None
        return int(offset.total_seconds())

    begin_s = BERLIN_2026[1].since_s - 40 * DAY_S - 12_345
    found = offsets_between(berlin, begin_s, BERLIN_2026[2].since_s + 1)
    assert found == [Offset(begin_s, HOUR_S), *BERLIN_2026[1:]]
    assert offsets_between(lambda _: 8 * HOUR_S, 0, 10**9) == SHANGHAI


def test_a_zone_that_does_not_exist() -> None:
    """Its file is read on as if it were UTC, so that every other fault is told too."""
    assert offsets_in("Asia/Shanghai", lambda _: SHANGHAI) == (SHANGHAI, [])
    offsets, faults = offsets_in("Mars/Olympus", lambda _: None)
    assert (offsets, [fault.path for fault in faults]) == ([Offset(0, 0)], ["zone"])


@pytest.mark.parametrize(("offsets", "path"), [([], "offsets"), (BERLIN_2026[::-1], "offsets[1].since_s")])
def test_offsets_that_are_not_put_in_force(offsets: list[Offset], path: str) -> None:
    """The same of every document that has some."""
    told = [
        tariff_file.disorder(replace(CITY, offsets=offsets)),
        fuel_prices.disorder(replace(FUEL, offsets=offsets)),
        swap_terms.disorder(replace(NO_SWAPS, offsets=offsets)),
        port_prices.disorder(replace(PORTS, offsets=offsets)),
    ]
    assert [faults[0].path for faults in told] == [path] * 4


@pytest.mark.parametrize(
    ("unix_s", "shown"),
    [
        (0, "1970-01-01 01:00"),
        (BERLIN_2026[1].since_s - 1, "2026-03-29 01:59:59"),
        (BERLIN_2026[1].since_s, "2026-03-29 03:00"),
        (BERLIN_2026[2].since_s, "2026-10-25 02:00"),
    ],
)
def test_the_local_clock(unix_s: int, shown: str) -> None:
    """It goes forward in spring and back in autumn."""
    assert local_text(replace(FUEL, offsets=BERLIN_2026), unix_s) == shown
