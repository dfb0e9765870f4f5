"""What may be written into a tank's book, and what calls a person."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.till.fill.day import wet_stock
from edge.till.fill.tank_rules import (
    Rest,
    TankLimits,
    alarms,
    book_ml,
    delivery_refused,
    difference_ml,
    dip_refused,
    leak,
    strapping_disorder,
    volume_at,
)
from edge.till.state import Flow, Tank
from protocols.trade.records import Notice
from protocols.trade.records_fuel import TankDipped

TABLE = ((100, 480), (1000, 12_300), (2200, 29_400))
LIMITS = TankLimits("t1", "92", 30_000_000, TABLE, water_mm_max=50, low_ml=4_000_000, leak_ml=30_000)


def dip(volume_ml: int) -> TankDipped:
    return TankDipped("t1", "92", volume_ml, None, None, None, "person", "wang", 0, 0)


@pytest.mark.parametrize(
    ("level_mm", "volume_ml"),
    [(0, 0), (50, 240_000), (100, 480_000), (550, 6_390_000), (1000, 12_300_000), (1001, 12_314_250),
     (2200, 29_400_000), (2201, None)],
)  # fmt: skip
def test_a_level_is_a_volume_by_the_strapping_table(level_mm: int, volume_ml: int | None) -> None:
    """Straight lines between the rows, from an empty tank on; above the table nobody knows."""
    assert volume_at(TABLE, level_mm) == volume_ml


def test_without_a_table_a_level_says_nothing() -> None:
    """Not even for an empty tank."""
    assert volume_at((), 0) is None


@given(st.integers(0, 2199))
def test_more_fuel_is_never_a_smaller_volume(level_mm: int) -> None:
    """From one millimetre to the next."""
    lower, higher = volume_at(TABLE, level_mm), volume_at(TABLE, level_mm + 1)
    assert lower is not None
    assert higher is not None
    assert lower <= higher


def test_a_table_that_does_not_rise_is_told() -> None:
    """With the two rows."""
    assert strapping_disorder(TABLE) is None
    assert strapping_disorder(((100, 480), (100, 500))) == "100 mm, 500 L after 100 mm, 480 L"
    assert strapping_disorder(((100, 480), (200, 480))) == "200 mm, 480 L after 100 mm, 480 L"


def test_a_book_goes_on_from_its_opening_dip() -> None:
    """Deliveries in, sales and what no sale explains out; the difference is of the newest dip's own moment."""
    tank = Tank("92", opening=dip(10_000_000), flow=Flow(9_950_000, 3_000_000, 1_000))
    assert book_ml(tank) == 16_949_000
    assert difference_ml(tank) is None
    later = Tank(
        "92", opening=dip(10_000_000), closing=dip(18_940_000), flow=Flow(9_950_000, 3_000_000, 1_000),
        at_closing=Flow(9_950_000, 1_000_000, 0),
    )  # fmt: skip
    assert difference_ml(later) == -10_000
    closed = wet_stock(7, "t1", later)
    assert (closed.sold_ml, closed.closing_ml, closed.variance_ml) == (1_000_000, 18_940_000, -10_000)
    assert closed.variance_ppm == -10_000  # a hundredth of what was sold


def test_a_tank_without_two_dips_has_no_variance() -> None:
    """What is unknown is None, never 0."""
    assert wet_stock(1, "t1", Tank("92", flow=Flow(0, 5_000, 0))).variance_ml is None
    assert book_ml(Tank("92")) is None


def test_what_cannot_be_is_refused() -> None:
    """More than the tank holds, a delivery that does not fit, a note twice."""
    tank = Tank("92", opening=dip(25_000_000), notes=("DN-1",))
    assert dip_refused(LIMITS, 30_000_000) is None
    assert dip_refused(LIMITS, 30_000_001) == "30000.001 L in a tank of 30000.000 L"
    assert delivery_refused(LIMITS, tank, 5_000_000, "DN-2") is None
    assert "has room for 5000.000 L" in str(delivery_refused(LIMITS, tank, 5_000_001, "DN-2"))
    assert "DN-1 has been booked" in str(delivery_refused(LIMITS, tank, 1, "DN-1"))
    assert delivery_refused(LIMITS, None, 5_000_000, "DN-1") is None


def test_an_alarm_is_told_once_until_it_is_over() -> None:
    """Water and low stock, each by itself."""
    drafts, stand = alarms(LIMITS, 3_999_999, 51, frozenset())
    assert [draft.body.what for draft in drafts if isinstance(draft.body, Notice)] == ["tank-water", "tank-low"]
    assert alarms(LIMITS, 3_000_000, 60, stand) == ([], stand)
    assert alarms(LIMITS, 4_000_000, 50, stand) == ([], frozenset())
    assert alarms(LIMITS, 4_000_000, None, frozenset()) == ([], frozenset())


def test_a_level_that_falls_while_nothing_flows_is_told_once() -> None:
    """Sales, deliveries and an open filling begin the comparison anew."""
    rest, told = leak(LIMITS, None, 10_000_000, Flow(), still=True)
    assert (rest, told) == (Rest(10_000_000, Flow()), [])
    rest, told = leak(LIMITS, rest, 9_970_000, Flow(), still=True)
    assert told == []
    rest, told = leak(LIMITS, rest, 9_969_999, Flow(), still=True)
    assert [draft.body.detail for draft in told if isinstance(draft.body, Notice)] == [
        "30.001 L less than when nothing flowed any more: 9969.999 L left"
    ]
    rest, told = leak(LIMITS, rest, 9_000_000, Flow(), still=True)
    assert told == []
    rest, told = leak(LIMITS, rest, 9_000_000, Flow(sold_ml=1), still=True)
    assert (rest, told) == (Rest(9_000_000, Flow(sold_ml=1)), [])
    assert leak(LIMITS, rest, 1_000, Flow(sold_ml=1), still=False) == (None, [])
