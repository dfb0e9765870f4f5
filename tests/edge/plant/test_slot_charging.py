"""Which slots charge: one table of what wins over what, and the order in which packs are filled."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.cabinet import Hazard, SlotSight
from edge.plant.slot_charging import (
    CURED,
    Charging,
    Judged,
    SlotMemory,
    Why,
    choose,
    cleared,
    judge,
    signals,
    wanted_ready,
)
from protocols.fieldbus.pack import Alarm, PackReading

POLICY = Charging()
NOW_MS = 1_000_000
PACK = PackReading(
    serial="BT106002512NNTB211118182", soc_permille=400, temps_dc=(250, 261), protections=frozenset(), charge_on=True
)
GOOD = SlotSight(door_open=False, locked=True, present=True, pack=PACK, pack_at_ms=NOW_MS - 1_000, relay_on=False)


def look(
    sight: SlotSight = GOOD,
    memory: SlotMemory = SlotMemory(),  # noqa: B008  # frozen
    *hazards: Hazard,
    forbidden: bool = False,
    now_ms: int = NOW_MS,
) -> Judged:
    return judge(sight, memory, hazards, forbidden=forbidden, policy=POLICY, now_ms=now_ms)


def with_pack(**changes: Any) -> SlotSight:
    return replace(GOOD, pack=replace(PACK, **changes))


def test_a_good_pack_charges() -> None:
    """Nothing is against it."""
    assert look().why is None
    assert look().memory.charges


@pytest.mark.parametrize(
    ("sight", "why"),
    [
        (replace(GOOD, door_open=True), Why.DOOR_OPEN),
        (replace(GOOD, door_open=None), Why.DOOR_OPEN),
        (replace(GOOD, present=False), Why.NO_PACK),
        (replace(GOOD, pack=None), Why.SILENT),
        (replace(GOOD, pack_at_ms=NOW_MS - 10_001), Why.SILENT),
        (replace(GOOD, faults=("charger: over-voltage",)), Why.LOCKED),
        (with_pack(serial=None), Why.NO_CODE),
        (with_pack(serial=""), Why.NO_CODE),
        (with_pack(temps_dc=(250, 451)), Why.HOT),
        (with_pack(temps_dc=(-1, 250)), Why.COLD),
        (with_pack(temps_dc=None), Why.HOT),
        (with_pack(protections=frozenset({Alarm.CHARGE_CURRENT})), Why.ALARM),
        (with_pack(protections=frozenset({Alarm.OTHER})), Why.ALARM),
        (with_pack(charge_on=False), Why.ALARM),
        (with_pack(protections=frozenset({Alarm.CELL_HIGH})), Why.FULL),
        (with_pack(protections=frozenset({Alarm.CELL_HIGH, Alarm.CHARGE_CURRENT})), Why.ALARM),
        (with_pack(soc_permille=901), Why.FULL),
    ],
)
def test_what_keeps_a_slot_from_charging(sight: SlotSight, why: Why) -> None:
    """Each alone is enough; what nobody knows counts as bad."""
    assert look(sight).why is why


@pytest.mark.parametrize("alarm", sorted(CURED, key=str))
def test_an_empty_pack_may_be_filled(alarm: Alarm) -> None:
    """A rider comes with a pack that has switched itself off: that is what charging is for."""
    assert look(with_pack(protections=frozenset({alarm}))).why is None


@pytest.mark.parametrize("hazard", list(Hazard))
def test_f_50_a_hazard_stops_every_slot(hazard: Hazard) -> None:
    """Whatever else is true."""
    assert look(GOOD, SlotMemory(charges=True), hazard).why is Why.HAZARD


def test_the_till_has_its_slots() -> None:
    """While a session uses one, and while one is shut."""
    assert look(forbidden=True).why is Why.FORBIDDEN


def test_a_pack_is_filled_and_then_left_alone() -> None:
    """Up to the target, and again only below the lower mark: no relay chatters around one number."""
    memory, seen = SlotMemory(), []
    for soc in (850, 920, 979, 980, 950, 901, 900, 940, 980):
        judged = look(with_pack(soc_permille=soc), memory)
        memory = judged.memory
        seen.append(judged.why is None)
    assert seen == [True, True, True, False, False, False, True, True, False]


@pytest.mark.parametrize("temp", [600, 750])
def test_f_51_a_very_hot_cell_stops_the_slot_until_somebody_has_looked(temp: int) -> None:
    """Cooling down is not enough; the finding is told once."""
    first = look(with_pack(temps_dc=(250, temp)))
    assert first.finding is not None
    assert first.finding[0] == "F-51"
    assert first.why is Why.LOCKED
    again = look(GOOD, first.memory)
    assert (again.why, again.finding) == (Why.LOCKED, None)
    assert look(GOOD, cleared(first.memory)).why is None


def test_f_51_a_cell_that_heats_quickly() -> None:
    """A degree and more each second, long before it is hot."""
    first = look(replace(GOOD, pack_at_ms=NOW_MS - 4_000))
    hotter = replace(GOOD, pack=replace(PACK, temps_dc=(250, 261 + 45)))
    judged = look(hotter, first.memory)
    assert judged.finding == ("F-51", "a cell became 4.5 degrees hotter in 3000 ms")
    assert look(replace(GOOD, pack=replace(PACK, temps_dc=(250, 261 + 29))), first.memory).finding is None


@pytest.mark.parametrize("alarm", [Alarm.SHORT, Alarm.BATTERY_HOT, Alarm.CELLS_APART, Alarm.MOS_FAULT])
def test_f_51_grave_protections_stop_the_slot(alarm: Alarm) -> None:
    """The pack's own word, even when it takes it back."""
    judged = look(with_pack(protections=frozenset({alarm})))
    assert judged.finding is not None
    assert look(GOOD, judged.memory).why is Why.LOCKED


@pytest.mark.parametrize(
    ("relay_on", "charge_ma", "what"),
    [(False, 2_000, "2000 mA with the relay off"), (True, 0, "no current with the relay on")],
)
def test_f_52_current_and_relay_must_agree(relay_on: bool, charge_ma: int, what: str) -> None:
    """A stuck relay, or a dead charger: after half a minute, since relays and chargers take their time."""
    sight = replace(GOOD, relay_on=relay_on, charge_ma=charge_ma)
    first = look(sight, SlotMemory(charges=True))
    assert first.finding is None
    at_last = look(replace(sight, pack_at_ms=NOW_MS + 29_000), first.memory, now_ms=NOW_MS + 30_000)
    assert at_last.finding == ("F-52", what)
    assert at_last.why is Why.LOCKED


def test_a_full_pack_draws_nothing_and_that_is_no_fault() -> None:
    """Near its end the current fades with the relay still on."""
    sight = replace(with_pack(soc_permille=960), relay_on=True, charge_ma=0)
    first = look(sight, SlotMemory(charges=True))
    assert look(sight, first.memory, now_ms=NOW_MS + 9_000).finding is None
    assert first.memory.odd_ms is None


def test_another_pack_begins_anew() -> None:
    """What was held against the pack goes with it; what was held against the slot's relay stays."""
    hot = look(with_pack(temps_dc=(250, 700))).memory
    empty = SlotSight(door_open=False, present=False)
    assert look(GOOD, look(empty, hot).memory).why is None
    stuck = SlotMemory(stopped="F-52 2000 mA with the relay off", odd_ms=1)
    assert look(empty, stuck).why is Why.LOCKED


def socs(**by_slot: int) -> tuple[dict[int, Judged], dict[int, SlotSight]]:
    sights = {int(slot[1:]): with_pack(soc_permille=soc) for slot, soc in by_slot.items()}
    return {slot: look(sight) for slot, sight in sights.items()}, sights


def test_those_nearest_to_full_are_filled_first() -> None:
    """So that one is ready soon; only so many at once."""
    judged, sights = socs(s1=300, s2=800, s3=100, s4=950)
    assert choose(judged, sights, POLICY, 12, ready=1) == [2, 1, 3]
    assert choose(judged, sights, Charging(slots_max=2), 12, ready=1) == [2, 1]


@pytest.mark.parametrize(("hour", "expected"), [(3, [2, 1, 3]), (9, [2]), (12, []), (18, [2, 1, 3]), (23, [2, 1, 3])])
def test_outside_cheap_hours_only_what_is_wanted_is_charged(hour: int, expected: list[int]) -> None:
    """Two ready packs are wanted before noon, one after, many for the evening; one is ready."""
    policy = Charging(cheap_hours=((22, 7),), ready_packs=((0, 2), (11, 1), (17, 9)))
    judged, sights = socs(s1=300, s2=800, s3=100)
    assert choose(judged, sights, policy, hour, ready=1) == expected


def test_ready_packs_by_the_hour() -> None:
    """The last step that has begun counts; before the first one of a day that of the evening before."""
    policy = Charging(ready_packs=((11, 1), (6, 8)))
    assert [wanted_ready(policy, hour) for hour in (0, 6, 10, 11, 23)] == [1, 8, 8, 1, 1]


def test_fan_heater_siren() -> None:
    """A fan feeds a fire."""
    assert signals(POLICY, 450, ()) == {"fan": True, "heater": False, "siren": False}
    assert signals(POLICY, 450, {Hazard.SMOKE}) == {"fan": False, "heater": False, "siren": True}
    assert signals(POLICY, -50, ()) == {"fan": False, "heater": True, "siren": False}
    assert signals(POLICY, None, {Hazard.WATER}) == {"fan": False, "heater": False, "siren": False}


@given(
    door=st.sampled_from([True, False, None]),
    temps=st.none() | st.lists(st.integers(-300, 900), min_size=1, max_size=4).map(tuple),
    protections=st.frozensets(st.sampled_from(list(Alarm)), max_size=3),
    age_ms=st.integers(0, 30_000),
    hazards=st.frozensets(st.sampled_from(list(Hazard)), max_size=1),
    memory=st.builds(SlotMemory, charges=st.booleans(), stopped=st.none() | st.just("F-51")),
)
def test_limits_win_over_everything(
    door: bool | None,
    temps: tuple[int, ...] | None,
    protections: frozenset[Alarm],
    age_ms: int,
    hazards: frozenset[Hazard],
    memory: SlotMemory,
) -> None:
    """Whatever is seen: what charges is behind a shut door, known, not silent, and within its limits."""
    sight = replace(
        GOOD,
        door_open=door,
        pack=replace(PACK, temps_dc=temps, protections=protections),
        pack_at_ms=NOW_MS - age_ms,
    )
    if look(sight, memory, *hazards).why is None:
        assert door is False
        assert not hazards
        assert age_ms <= 10_000
        assert temps is not None
        assert min(temps) >= 0
        assert max(temps) <= 450
        assert protections <= CURED
        assert memory.stopped is None
