"""A pack alone: energy, sleep, what its BMS says."""

from __future__ import annotations

import pytest

from drivers.twins.cabinets.pack import MJ_PER_WH, STORED_PERMILLE, Brick, Pack, Sleep, Sleeper, pack_code
from drivers.twins.cabinets.tongues import SLEEPERS
from protocols.fieldbus.pack import Alarm, Flow
from protocols.fieldbus.pack_code import PackCode, parse


def test_a_pack_is_what_its_code_says() -> None:
    """72 V and 20 Ah hold 1440 Wh; twenty cells of ternary chemistry."""
    pack = Pack("BT3072020120000200521001", soc_permille=500)
    assert (pack.volts, pack.design_mah, pack.cells, pack.full_mj // MJ_PER_WH) == (72, 20_000, 20, 1_440)
    assert pack.energy_wh == 720
    assert pack.reading().made_on == pack.made_on


def test_worn_packs_hold_less() -> None:
    """Health is what it holds of what it held."""
    reading = Pack(pack_code(1), soh_permille=800).reading()
    assert (reading.full_mah, reading.design_mah, reading.soh_permille) == (16_000, 20_000, 800)


def test_energy_is_kept_to_the_last_millijoule() -> None:
    """However it is cut up, what flows in is what is kept and what is heat."""
    pack = Pack(pack_code(1), soc_permille=0)
    flowed = [1, 999, 1_000_003, 7, 123_456_789]
    kept = sum(pack.charge(mj) for mj in flowed)
    assert kept == sum(flowed) * STORED_PERMILLE // 1_000 == pack.stored_mj == pack.kept_mj
    assert pack.drain(10**12) == kept
    assert (pack.stored_mj, pack.used_mj) == (0, kept)


def test_a_full_pack_takes_nothing() -> None:
    """It never holds more than it can."""
    pack = Pack(pack_code(1), soc_permille=999)
    pack.charge(pack.full_mj)
    assert pack.stored_mj == pack.full_mj
    assert not pack.accepts_charge


def test_a_cycle_is_once_in_and_once_out() -> None:
    """By what passed, not by how often."""
    pack = Pack(pack_code(1), soc_permille=1_000, cycles=41)
    for _ in range(4):
        pack.drain(pack.full_mj // 4)
    assert pack.cycles == 41
    while pack.room_mj:
        pack.charge(pack.full_mj // 4)
    assert pack.cycles == 42


@pytest.mark.parametrize(
    ("charge", "least_mv", "most_mv"), [(0, 55_000, 65_000), (500, 70_000, 76_000), (1_000, 82_000, 84_001)]
)
def test_voltage_follows_charge(charge: int, least_mv: int, most_mv: int) -> None:
    """As cells do: an empty pack of 72 V is not one of 40 V."""
    assert least_mv <= Pack(pack_code(1), soc_permille=charge).voltage_mv <= most_mv


def test_temperature_follows_its_surroundings_and_its_current() -> None:
    """Slowly, and in the end wholly."""
    pack = Pack(pack_code(1), temp_dc=250)
    for _ in range(200):
        pack.advance(60_000, 400)
    assert 395 <= pack.temp_dc <= 400
    pack.flow_w = 500
    for _ in range(200):
        pack.advance(60_000, 400)
    assert 470 <= pack.temp_dc <= 475


TEMPS = [(250, True, None), (-10, False, Alarm.CHARGE_COLD), (560, False, Alarm.CHARGE_HOT)]


@pytest.mark.parametrize(("temp_dc", "accepts", "protection"), TEMPS)
def test_a_bms_refuses_charge_in_heat_and_frost(temp_dc: int, accepts: bool, protection: Alarm | None) -> None:
    """And says why."""
    pack = Pack(pack_code(1), soc_permille=500, temp_dc=temp_dc)
    assert pack.accepts_charge is accepts
    assert pack.reading().charge_on is accepts
    assert pack.protections == (frozenset() if protection is None else {protection})


def test_current_flows_the_way_it_says() -> None:
    """Positive charges."""
    pack = Pack(pack_code(1), soc_permille=500)
    pack.flow_w = -300
    reading = pack.reading()
    assert reading.flow is Flow.DISCHARGING
    assert reading.current_ma is not None
    assert reading.current_ma < 0
    assert not reading.contradicts_itself


def test_a_dozing_greenway_loses_the_first_questions() -> None:
    """Three seconds of quiet, and two questions are lost on it (facts: cabinets 1.4)."""
    pack = Pack(pack_code(1), sleeper=SLEEPERS["greenway"])
    assert pack.hears()
    pack.advance(3_000, 250)
    seen = [pack.sleep]
    assert [pack.hears() for _ in range(3)] == [False, False, True]
    assert [*seen, pack.sleep] == [Sleep.DOZING, Sleep.AWAKE]


def test_only_the_charger_wakes_a_greenway_from_deep_sleep() -> None:
    """Frames do not; charger voltage does, at once."""
    pack = Pack(pack_code(1), sleeper=SLEEPERS["greenway"])
    pack.fall_asleep()
    assert not any(pack.hears(activates=True) for _ in range(10))
    pack.charger_voltage = True
    pack.advance(20, 250)
    pack.charger_voltage = False
    assert pack.hears()


def test_a_frame_activates_a_jk() -> None:
    """And an ordinary question does not."""
    pack = Pack(pack_code(1), sleeper=SLEEPERS["jk4e57"])
    pack.advance(60_000, 250)
    assert not pack.hears()
    assert pack.hears(activates=True)
    assert pack.hears()


def test_a_pack_that_charges_never_sleeps() -> None:
    """Its charger keeps it awake."""
    pack = Pack(pack_code(1), sleeper=Sleeper(deep_after_ms=1_000))
    pack.charger_voltage = True
    pack.advance(3_600_000, 250)
    assert pack.sleep is Sleep.AWAKE


def test_codes_are_real_and_differ() -> None:
    """Every number gives another code that parses."""
    codes = [pack_code(number) for number in range(1, 10_000)]
    assert len(set(codes)) == 9_999
    assert all(isinstance(parse(code), PackCode) for code in codes[::97])


def test_a_brick_is_known_by_itself() -> None:
    """Two bricks are not the same brick."""
    assert Brick() != Brick()
