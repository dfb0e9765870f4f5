"""What a pack says of itself, put together from its answers."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus.pack import Alarm, Flow, PackReading, alarms, day, padded, text


def test_answers_are_put_together() -> None:
    """The newer answer wins where it says something, also a zero; what it leaves out stays."""
    older = PackReading(voltage_mv=62_059, current_ma=-1353, charge_on=True, warnings=frozenset({Alarm.CELL_LOW}))
    newer = PackReading(current_ma=0, soc_permille=750, charge_on=False, warnings=frozenset())
    assert newer.over(older) == PackReading(
        voltage_mv=62_059, current_ma=0, soc_permille=750, charge_on=False, warnings=frozenset()
    )


def test_charge_and_health_are_computed_where_they_are_not_said() -> None:
    """PACE packs say neither; a pack better than new counts as new."""
    pack = PackReading(remaining_mah=48_190, full_mah=103_460, design_mah=100_000)
    assert (pack.charge_permille, pack.health_permille) == (465, 1000)
    assert PackReading(soc_permille=10, soh_permille=20, remaining_mah=1, full_mah=1).charge_permille == 10
    for unknown in (PackReading(), PackReading(remaining_mah=5, full_mah=0)):
        assert (unknown.charge_permille, unknown.health_permille) == (None, None)


def test_temperatures_come_from_the_cells_or_as_extremes() -> None:
    """Some packs give each sensor, some only the greatest and the least."""
    assert (PackReading(temps_dc=(203, -15, 215)).hottest_dc, PackReading(temps_dc=(203, -15)).coldest_dc) == (215, -15)
    assert PackReading(temp_dc_max=300, temps_dc=(203,)).hottest_dc == 300
    assert PackReading().hottest_dc is None
    assert PackReading(temps_dc=()).coldest_dc is None


@pytest.mark.parametrize(
    ("current_ma", "flow", "wrong"),
    [
        (-2500, Flow.DISCHARGING, False),
        (2500, Flow.DISCHARGING, True),
        (-10, Flow.CHARGING, True),
        (10, Flow.IDLE, False),
        (0, Flow.CHARGING, False),
        (None, Flow.CHARGING, False),
        (10, None, False),
    ],
)
def test_a_wrong_sign_is_noticed(current_ma: int | None, flow: Flow | None, wrong: bool) -> None:
    """Current against the pack's own word for what it does: how a wrongly configured sign shows."""
    assert PackReading(current_ma=current_ma, flow=flow).contradicts_itself is wrong


def test_a_bit_without_a_meaning_is_still_an_alarm() -> None:
    """Unknown bits give OTHER, unless they are known to be no alarm."""
    meanings = {0: Alarm.CELL_HIGH, 2: Alarm.SHORT}
    assert alarms(0b101, meanings) == {Alarm.CELL_HIGH, Alarm.SHORT}
    assert alarms(0b1000_0001, meanings) == {Alarm.CELL_HIGH, Alarm.OTHER}
    assert alarms(0b1000_0001, meanings, ignored=0x80) == {Alarm.CELL_HIGH}
    assert alarms(0, meanings) == frozenset()


def test_texts_and_days() -> None:
    """Padding is cut off; erased or empty memory is no text; a date never set is none."""
    assert text(b"0t18X\0\0\xff") == "0t18X"
    assert text(b"P16S100A-1812-1.00 \0") == "P16S100A-1812-1.00"
    assert [text(data) for data in (b"", b"\0\0", b"   ", b"\xff\xff", b"A\xff")] == [None] * 5
    assert padded("AB", 4) == b"AB\0\0"
    for wrong in ("ABCDE", "Ä"):
        with pytest.raises(ValueError, match=r"fit|ascii"):
            padded(wrong, 4)
    assert day(2016, 3, 24) == date(2016, 3, 24)
    assert day(2000, 0, 0) is None


@given(st.binary(max_size=40))
def test_any_bytes_are_a_text_or_none(data: bytes) -> None:
    """Whatever a memory holds."""
    found = text(data)
    assert found is None or text(padded(found, 40)) == found
