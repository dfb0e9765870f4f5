"""What a DART pump's words make of its state."""

from __future__ import annotations

import pytest

from drivers.pump import Decimals, PumpState
from drivers.pumps.dart_picture import Picture
from protocols.fieldbus.dart_app import (
    Alarm,
    AmountTotal,
    Filled,
    FromPump,
    Identity,
    NozzlePrice,
    Parameters,
    Status,
    Unknown,
)

IN, OUT, NONE = NozzlePrice(785, 1, False), NozzlePrice(785, 1, True), NozzlePrice(785, 0, False)
SOLD = Filled(255, 2000)


def picture(*words: FromPump) -> Picture:
    told = Picture(Decimals())
    for word in words:
        told.hear(word)
    return told


@pytest.mark.parametrize(
    ("words", "state"),
    [
        ([], None),
        ([OUT], None),
        ([Status(0)], PumpState.UNPRICED),
        ([Status(1)], PumpState.IDLE),
        ([Status(1), IN], PumpState.IDLE),
        ([Status(1), OUT], PumpState.CALLING),
        ([Status(2), OUT], PumpState.AUTHORISED),
        ([Status(4), OUT], PumpState.DELIVERING),
        ([Status(8), OUT], PumpState.SUSPENDED),
        ([Status(6), OUT], PumpState.REACHED),
        ([Status(7)], PumpState.OUT),
        ([Status(3)], PumpState.OUT),
        ([Status(5)], PumpState.ENDED),
        ([Status(5), IN], PumpState.ENDED),
        ([Status(5), OUT], PumpState.REACHED),
        ([IN, Status(5), OUT], PumpState.ENDED),
        ([OUT, Status(4), Status(5)], PumpState.REACHED),
        ([OUT, Status(4), Status(5), IN], PumpState.ENDED),
        ([OUT, Status(4), SOLD, NONE, Status(5)], PumpState.ENDED),
        ([OUT, Status(4), SOLD, NONE, Status(5), OUT], PumpState.ENDED),
        ([OUT, Status(4), IN, Status(5), Status(1), Status(4), OUT, Status(5)], PumpState.REACHED),
        ([Status(5), IN, Status(1), Status(5)], PumpState.ENDED),
    ],
)
def test_states(words: list[FromPump], state: PumpState | None) -> None:
    """State 5 is an end, or the rest after it; with the nozzle out since the sale it is not final yet."""
    assert picture(*words).pump_state is state


@pytest.mark.parametrize(
    ("words", "state"),
    [([Status(5), IN], PumpState.IDLE), ([Status(5), IN, OUT], PumpState.CALLING), ([Status(4)], PumpState.DELIVERING)],
)
def test_released(words: list[FromPump], state: PumpState) -> None:
    """Once the sale is stored, state 5 says that the pump is free."""
    told = picture(*words)
    told.release()
    assert told.pump_state is state


def test_an_authorisation_that_nobody_saw_taken_may_have_sold() -> None:
    """After our RESET state 5 is free; after AUTHORIZE it is an end, though 1 was shown in between."""
    told = picture(Status(5), IN, Status(1))
    told.wiped()
    assert picture_after(told, Status(5)) is PumpState.IDLE
    for word in (Status(1), OUT):
        told.hear(word)
    told.authorising()
    assert picture_after(told, Status(1), Status(5)) is PumpState.REACHED


def picture_after(told: Picture, *words: FromPump) -> PumpState | None:
    for word in words:
        told.hear(word)
    return told.pump_state


def test_the_next_sale_has_to_be_released_anew() -> None:
    """Otherwise its end would not be seen."""
    told = picture(Status(5), IN)
    told.release()
    for word in (OUT, Status(1), Status(2), Status(4), SOLD, IN, Status(5)):
        told.hear(word)
    assert told.pump_state is PumpState.ENDED


@pytest.mark.parametrize(
    ("before", "state"),
    [
        ([Status(5), IN, OUT], PumpState.ENDED),  # in state 5 it cannot have been authorised
        ([Status(5), OUT], PumpState.REACHED),  # it was not known before either
        ([OUT, Status(4)], PumpState.REACHED),
        ([OUT, Status(1)], PumpState.REACHED),  # it may have been authorised, and we did not hear it
    ],
)
def test_after_a_break(before: list[FromPump], state: PumpState) -> None:
    """Whether the nozzle that is out can have sold anything is told by what was before."""
    told = picture(*before)
    told.forget()
    for word in (Status(5), OUT):
        told.hear(word)
    assert told.pump_state is state


def test_the_nozzle_of_a_sale_is_remembered() -> None:
    """Some heads show nozzle 0 at its end, and the next customer may have lifted another one."""
    told = picture(OUT, Status(2), Status(4), SOLD, NONE, Status(5), NozzlePrice(836, 2, True))
    status = told.status()
    assert status is not None
    assert (status.nozzle, status.price_e3, status.volume_ml, status.amount_fen) == (1, 785_000, 2_550, 2_000)


def test_a_status_without_a_sale_shows_none() -> None:
    """The display's old digits are nobody's any more."""
    status = picture(SOLD, Status(1), OUT).status()
    assert status is not None
    assert (status.state, status.volume_ml, status.nozzle, status.reason) == (PumpState.CALLING, None, 1, "1 RESET")


def test_prices_that_the_pump_denies_are_forgotten() -> None:
    """One that differs makes all the others doubtful."""
    told = picture()
    told.taken({1: 785, 2: 836})
    told.hear(OUT)
    assert told.prices == {1: 785, 2: 836}
    told.hear(NozzlePrice(840, 2, True))
    assert told.prices == {2: 840}
    told.hear(Status(0))
    assert told.prices == {}


def test_an_alarm_stays_until_the_pump_works_again() -> None:
    """Or until whoever stores the sale has stored it too."""
    told = picture(Alarm(9), Status(5))
    assert told.alarm == "emergency stop"
    told.hear(Status(1))
    assert told.alarm is None
    told.hear(Alarm(0x0A))
    told.release()
    assert told.alarm is None


def test_decimals_are_compared() -> None:
    """DC7 is the one place where a pump says them."""
    assert picture(Parameters(2, 2, 2)).misfit() is None
    assert picture().misfit() is None
    assert "3, 2 and 3 decimals" in str(picture(Parameters(3, 2, 3)).misfit())


def test_the_rest_is_kept_for_a_person() -> None:
    """Identity, totals of money, and how much was not understood."""
    told = picture(Identity("0001020300"), AmountTotal(2, (777,)), Unknown(0x63, b""))
    assert (told.identity, told.amount_totals, told.unknown) == ("0001020300", {2: 777}, 1)
