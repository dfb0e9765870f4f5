"""Physics of an outlet: exact energy, a tapering car, and a relay that may stick."""

from __future__ import annotations

import pytest

from drivers.api import Iec61851
from drivers.twins.car import UJ_PER_WH, Car, Outlet

SECOND = 1_000_000
HOUR = 3600 * SECOND


def charging(car: Car, limit_ma: int = 16_000) -> Outlet:
    outlet = Outlet("c1")
    outlet.plug(car, 0)
    outlet.allow(limit_ma, 0)
    return outlet


def test_an_hour_at_constant_power_is_exactly_that_many_wh() -> None:
    """Sixteen amperes on three phases are 11 040 W; an hour of them is 11 040 Wh, to the microjoule."""
    outlet = charging(Car(capacity_wh=100_000, energy_wh=0, power_w_max=22_000))
    outlet.advance(HOUR)
    assert outlet.delivered_uj == 11_040 * UJ_PER_WH
    assert outlet.currents_ma == (16_000, 16_000, 16_000)


def test_the_sum_does_not_depend_on_how_often_one_looks() -> None:
    """Odd steps give the same energy as one look at the end: nothing is rounded on the way."""
    seldom = charging(Car(capacity_wh=100_000, energy_wh=0, power_w_max=7_001))
    often = charging(Car(capacity_wh=100_000, energy_wh=0, power_w_max=7_001))
    for now_us in range(0, 60 * SECOND, 33_331):
        often.advance(now_us)
    often.advance(60 * SECOND)
    seldom.advance(60 * SECOND)
    assert often.delivered_uj == seldom.delivered_uj == 7_001 * 60 * SECOND


@pytest.mark.parametrize(
    ("limit_ma", "car_phases", "power_w"),
    [(0, 3, 0), (5_999, 3, 0), (6_000, 3, 4_140), (6_000, 1, 1_380), (16_000, 2, 7_360), (32_000, 3, 11_000)],
)
def test_power_is_the_smaller_of_offer_and_car(limit_ma: int, car_phases: int, power_w: int) -> None:
    """Below 6 A nothing flows; above, limit x 230 V x phases, up to what the car takes."""
    outlet = charging(Car(phases=car_phases), limit_ma)
    assert outlet.power_w == power_w == sum(outlet.phase_powers_w)


def test_a_full_car_stays_in_b() -> None:
    """The car tapers, then is full: power 0, state B, and exactly its free capacity was delivered."""
    outlet = charging(Car(capacity_wh=100, energy_wh=70, power_w_max=11_000))
    assert outlet.power_w == 11_000
    powers = []
    for second in range(1, 120):
        outlet.advance(second * SECOND)
        powers.append(outlet.power_w)
    assert powers == sorted(powers, reverse=True)
    assert (outlet.iec, outlet.full, outlet.delivered_uj) == (Iec61851.B, True, 30 * UJ_PER_WH)


def test_states_follow_plug_and_permission() -> None:
    """A, B, C, F, C, B, A: as the plug and the charger's offer come and go; a fault hides all of it."""
    outlet = Outlet("c1")
    seen = [outlet.iec]
    outlet.plug(Car(), 0)
    seen.append(outlet.iec)
    outlet.allow(10_000, 0)
    seen.append(outlet.iec)
    outlet.set_fault(Iec61851.F, SECOND)
    seen.append(outlet.iec)
    outlet.set_fault(None, SECOND)
    seen.append(outlet.iec)
    outlet.allow(0, SECOND)
    seen.append(outlet.iec)
    outlet.unplug(SECOND)
    seen.append(outlet.iec)
    assert [iec.value for iec in seen] == ["A", "B", "C", "F", "C", "B", "A"]


def test_the_next_car_starts_a_new_session_but_the_total_goes_on() -> None:
    """The session counter starts again at plug-in; what the meter sees only grows."""
    outlet = charging(Car())
    outlet.advance(10 * SECOND)
    outlet.unplug(10 * SECOND)
    total_uj = outlet.delivered_uj
    outlet.plug(Car(), 20 * SECOND)
    assert (outlet.session_uj, outlet.delivered_uj) == (0, total_uj)


def test_a_stuck_relay_goes_on_delivering() -> None:
    """What was closed stays closed after stop, until the relay is freed, though the charger says B."""
    outlet = charging(Car())
    outlet.set_stuck(True, 0)
    outlet.allow(0, 0)
    assert (outlet.power_w, outlet.iec) == (11_000, Iec61851.B)
    outlet.set_stuck(False, 0)
    assert (outlet.power_w, outlet.iec) == (0, Iec61851.B)


def test_two_cars_do_not_fit() -> None:
    """A second plug is refused."""
    outlet = charging(Car())
    with pytest.raises(ValueError, match="already"):
        outlet.plug(Car(), 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"energy_wh": 70_000},
        {"phases": 4},
        {"curve": ((0, 1000),)},
        {"curve": ((0, 1000), (1000, 0))},
        {"power_w_max": 0},
    ],
)
def test_an_impossible_car_is_refused(wrong: dict[str, object]) -> None:
    """A car that cannot exist is refused at the door."""
    with pytest.raises(ValueError, match="must"):
        Car(**wrong)  # type: ignore[arg-type]  # wrong on purpose
